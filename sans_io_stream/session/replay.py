"""Replay: an answer that comes again from its start is compared with what was delivered.

Compared is the joined content of each channel (kind, choice, call); ids, times, paddings,
usage and the borders of deltas are not. What is new is held back until all that was delivered
has come again, so that nothing of another answer ever gets out.

``Delivered`` is what is kept of the first time: for each channel a length and a digest, so
that its size is that of the channels, not of the answer. All fields are state.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import msgspec

from ..events import (
    Annotation,
    Event,
    MediaDelta,
    ReasoningDelta,
    Record,
    RefusalDelta,
    ResumePoint,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Unrecognized,
    Usage,
)

__all__ = ["Delivered", "Replay"]

PENDING = 512
"""Events that are kept before they are digested together."""


class Digest(msgspec.Struct, gc=False):
    """The length of what came in one channel, and two checksums of it."""

    size: int = 0
    crc: int = 0
    adler: int = 1

    def add(self, data: bytes) -> None:
        """Append ``data``."""
        self.size += len(data)
        self.crc = zlib.crc32(data, self.crc)
        self.adler = zlib.adler32(data, self.adler)


Piece = tuple[str, bytes]
"""A channel, and what an event adds to it."""

PIECES: dict[type, Callable[[Any], Piece]] = {
    TextDelta: lambda e: (f"text:{e.choice}", e.text.encode()),
    ReasoningDelta: lambda e: (f"reasoning:{e.choice}", e.text.encode()),
    RefusalDelta: lambda e: (f"refusal:{e.choice}", e.text.encode()),
    ToolCallDelta: lambda e: (f"call:{e.choice}:{e.index}", e.arguments.encode()),
    MediaDelta: lambda e: (f"media:{e.choice}", e.data),
}
"""Events whose borders mean nothing: one may go on in the middle of another."""

WHOLES: dict[type, Callable[[Any], Piece]] = {
    ToolCall: lambda e: (f"called:{e.choice}", f"{e.index}:{e.name}\0".encode()),
    # What an annotation holds may be an id or a time.
    Annotation: lambda e: (f"annotation:{e.choice}:{e.kind}", b"."),
    Record: lambda e: ("record", f"{e.type}\0{e.data}\0".encode()),
    Unrecognized: lambda e: ("unrecognized", f"{e.type}\0".encode()),
}
"""Events that come again whole or not at all."""

BESIDE_DELTAS = frozenset({"content_filter", "extra", "logprobs", "timings"})
"""Annotations that come with deltas, as many as there are: their number means nothing."""


class Delivered(msgspec.Struct, gc=False):
    """What has been delivered of an answer."""

    channels: dict[str, Digest] = msgspec.field(default_factory=dict[str, Digest])
    pending: list[Event] = []
    """Events that are not digested yet."""

    def note(self, events: list[Event]) -> None:
        """Count these events in; they are digested together, later."""
        self.pending += events
        if len(self.pending) >= PENDING:
            self.settle()

    def channel(self, name: str) -> Digest:
        """What came in that channel, made if it was not there."""
        digest = self.channels.get(name)
        if digest is None:
            digest = self.channels[name] = Digest()
        return digest

    def settle(self) -> None:
        """Digest what is pending: the state is then as small as it can be."""
        pending, self.pending = self.pending, []
        text: list[str] = []
        for event in pending:
            if type(event) is TextDelta and not event.choice:
                text.append(event.text)
                continue
            told = PIECES.get(type(event)) or WHOLES.get(type(event))
            if told is None:
                continue
            channel, data = told(event)
            self.channel(channel).add(data)
            if type(event) is ToolCallDelta and event.name:
                named = self.channel(f"name:{event.choice}:{event.index}")
                if not named.size:
                    named.add(event.name.encode())
        if text:
            self.channel("text:0").add("".join(text).encode())


class Replay(msgspec.Struct, gc=False):
    """An answer coming again. ``limit`` bounds what is held back, in bytes."""

    delivered: Delivered
    limit: int
    started: bool
    """A ``StreamStart`` has been delivered."""
    again: Delivered = msgspec.field(default_factory=Delivered)
    held: list[Event] = []
    size: int = 0
    caught_up: bool = False
    why: str = ""
    """Why it is not the same answer, once that is known."""

    def __post_init__(self) -> None:
        self.delivered.settle()

    def admit(self, events: list[Event]) -> list[Event]:
        """Take the events of the answer that comes again.

        Returns those that are new, all at once when the delivered part has come again; nothing
        once ``why`` is set.
        """
        if not events:
            return []
        for event in events:
            if self.why:
                return []
            if not self._repeats(event) and not isinstance(event, StreamEnd):
                self.held.append(event)
        if self.why or not self._complete():
            return []
        self.caught_up = True
        held, self.held = self.held, []
        return held

    def _repeats(self, event: Event) -> bool:
        """Take one event; True if all of it has been delivered. What goes on beyond that is
        held as an event of its own."""
        if isinstance(event, StreamStart):
            return self.started
        if isinstance(event, Usage | ResumePoint):
            # Of the part that is known, the consumer has had its own.
            return not self._complete()
        if isinstance(event, Annotation) and event.kind in BESIDE_DELTAS:
            return not self._complete()
        if type(event) in PIECES:
            return self._repeats_piece(event, *PIECES[type(event)](event))
        if type(event) in WHOLES:
            return self._repeats_whole(*WHOLES[type(event)](event))
        return False

    def _repeats_piece(self, event: Event, channel: str, data: bytes) -> bool:
        known = self.delivered.channels.get(channel)
        if known is None:
            return self._is_new(data)
        digest = self.again.channel(channel)
        if type(event) is ToolCallDelta and event.name:
            self._compare(f"name:{event.choice}:{event.index}", event.name.encode())
        left = known.size - digest.size
        if left <= 0:
            return self._is_new(data) if data else True
        self._compare(channel, data[:left])
        if len(data) > left and not self.why:
            self._is_new(data[left:])
            self.held.append(rest_of(event, data[left:]))
        return True

    def _repeats_whole(self, channel: str, data: bytes) -> bool:
        known = self.delivered.channels.get(channel)
        if known is None or self.again.channel(channel).size >= known.size:
            return self._is_new(data)
        self._compare(channel, data)
        return True

    def _compare(self, channel: str, data: bytes) -> None:
        """Count ``data`` in; compare once as much has come again as was delivered."""
        known, digest = self.delivered.channels.get(channel), self.again.channel(channel)
        if known is None or digest.size >= known.size:
            return
        digest.add(data)
        if digest.size >= known.size and digest != known:
            self.why = f"what came again differs from what was delivered ({channel})"

    def _is_new(self, data: bytes) -> bool:
        """``data`` has to be held back: never a repetition."""
        self._hold(len(data))
        return False

    def _hold(self, size: int) -> None:
        self.size += size
        if self.size > self.limit:
            self.why = "more came than can be held back before the delivered part came again"

    def _complete(self) -> bool:
        again = self.again.channels
        return all(
            (channel in again and again[channel].size >= known.size)
            or channel.rpartition(":")[2] in BESIDE_DELTAS
            for channel, known in self.delivered.channels.items()
        )


def rest_of(event: Event, data: bytes) -> Event:
    """``event`` with only the end of its content."""
    if isinstance(event, MediaDelta):
        return msgspec.structs.replace(event, data=data)
    field = "arguments" if isinstance(event, ToolCallDelta) else "text"
    return msgspec.structs.replace(event, **{field: data.decode()})
