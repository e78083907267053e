"""One stream in this process: what is there of it, whether it is written here, and who waits.

It is *written* here for a time (``Writing``), or *followed*: then another process writes it, and
readers notice no difference.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

import anyio

from sans_io_stream import ErrorInfo, Event, StreamEnd, Usage
from sans_io_stream.relay import START, Entry, StreamLog
from sans_io_stream.usage import merge_usage

from .operations.guessing import said_in
from .runtimes import changes

if TYPE_CHECKING:
    from .passing import Source
    from .stores.protocol import Meta

__all__ = ["CANCELLED", "LOST", "Running", "Writing", "interrupted"]

READ_FOR = 15.0
"""Seconds for which a word that it is read elsewhere keeps a stream from being given up: the word
comes three times in them."""


def interrupted(why: str) -> StreamEnd:
    """The end of a stream that nobody goes on with."""
    return StreamEnd("interrupted", ErrorInfo("truncated", why, retryable=True))


CANCELLED = StreamEnd("cancelled", ErrorInfo("cancelled", "the client ended it"))
LOST = interrupted("the relay lost the stream")


class Writing:
    """The time for which this process writes a stream: it begins once, and ends for good."""

    def __init__(self, now: float) -> None:
        self.scope = anyio.CancelScope()
        self.source: Source | None = None
        """The provider's stream, while it is read."""
        self.stopped: StreamEnd | None = None
        """How the stream is to end, if it was stopped."""
        self.wrote = now
        """When something was written last."""

    def hand_over(self) -> None:
        """Leave the provider, and have it go on."""
        if self.source is not None:
            self.source.hand_over()
        self.scope.cancel()


class Running:
    """One stream in this process: its log, and who waits for more of it."""

    def __init__(self, meta: Meta, log: StreamLog, now: float) -> None:
        self.meta = meta
        self.log = log
        self.readers = 0
        self.left = now
        """When somebody read it last."""
        self.unread = 0
        """Bytes that came since."""
        self.read_until = -math.inf
        """Until when it counts as read, because another worker said so."""
        self.heard = 0
        """How many words of other workers have been heard of it."""
        self.writing: Writing | None = None
        """None while another process writes it, or nobody."""
        self.usages: dict[int, Usage] = {}
        """The last counts of each generation."""
        self.said = 0
        """Tokens that were said at least, whether counted or not."""
        self.lost: StreamEnd | None = None
        """Why it can be read no further, though its log has no end: it could not be kept."""
        self.gone = False
        """This process is left, and with it whoever reads it here: it can be read elsewhere."""
        self._changes = changes()

    @property
    def end(self) -> StreamEnd | None:
        """Its end, once readers may have it."""
        return self.lost or self.log.end

    @property
    def in_vain(self) -> bool:
        """It has ended, by nobody's wish, and nothing of an answer had come."""
        end, log = self.end, self.log
        if end is None or end.outcome not in ("failed", "interrupted") or log.first > 1:
            return False
        return all(isinstance(event, StreamEnd) for _, event in log.read(START, 1))

    def changed(self, due: float = math.inf) -> Awaitable[bool]:
        """Wait for anything that a reader may have. False where ``due`` came first, on the
        loop's clock."""
        return self._changes.wait(due)

    def now(self) -> float:
        """The time on the loop's clock."""
        return self._changes.now()

    def wake(self) -> None:
        """There is something."""
        self._changes.wake()

    def write(self, now: float) -> Writing:
        """This process writes it from now on."""
        self.writing = Writing(now)
        self.log.go_on()
        self.left, self.unread = now, 0
        return self.writing

    def hand_over(self) -> None:
        """Another process writes it from now on: what is not written is dropped. The provider is
        left, and not told to end."""
        writing, self.writing = self.writing, None
        if writing is not None:
            writing.hand_over()
        self.follow(())

    def follow(self, entries: Sequence[Entry]) -> None:
        """These are what another process has written. Raises what ``StreamLog.follow`` does."""
        last = self.log.last.entry
        try:
            self.log.follow(entries)
        finally:
            for one in entries:
                if one.number > last:
                    self.count(one.events)
            self.wake()

    def count(self, events: Sequence[Event]) -> None:
        """These came: what they tell of tokens, and what they say."""
        self.said += said_in(events)
        for event in events:
            if type(event) is Usage:
                known = self.usages.get(event.generation)
                self.usages[event.generation] = merge_usage(known, event)

    def hear(self, now: float) -> None:
        """Another worker has a word for whoever writes it: there it is read."""
        self.read_until = now + READ_FOR
        self.heard += 1
        self.wake()

    def stop(self, end: StreamEnd) -> None:
        """End the generation, like this; nothing happens where another process writes it."""
        writing = self.writing
        if writing is not None and writing.stopped is None and self.end is None:
            writing.stopped = end
            writing.scope.cancel()
