"""One reader of one stream: from a place in its log to the bytes of a response body.

A reader has an encoder of its own, which has been told all that came before its place: encoders
write the same for the same events, so a body that was broken off goes on as it began. A reader
that is slow waits by itself; one that falls behind what is kept is told so, and that is its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sans_io_stream import ErrorInfo, Event, Heartbeat, StreamEnd, Usage
from sans_io_stream.relay import START, CursorGone, Place

if TYPE_CHECKING:
    from sans_io_stream.encoding import Encoder

    from .hub import Running

__all__ = ["AT_ONCE", "BEHIND", "Reader"]

AT_ONCE = 256
"""Events that are written together."""
WITHOUT_PAST = frozenset({"native", "text"})
"""Formats in which an event is written the same whatever came before it."""
BEHIND = StreamEnd(
    "failed",
    ErrorInfo("cursor", "the reader was too slow: what comes next is no longer kept"),
)


class Reader:
    """What ``encoder`` writes of the stream from ``place`` on; without token counts, if
    ``counts`` is False.

    Raises ``CursorGone`` where the encoder cannot be told what came before.
    """

    __slots__ = ("counts", "encoder", "over", "place", "running")

    def __init__(
        self, running: Running, encoder: Encoder, place: Place, *, counts: bool = True
    ) -> None:
        self.running = running
        self.place = place
        self.encoder = encoder
        self.counts = counts
        self.over = running.log.end is not None and place == running.log.last
        """The last bytes are out."""
        if place != START and encoder.format not in WITHOUT_PAST:
            self._catch_up()

    def _catch_up(self) -> None:
        """Tell the encoder what its reader has seen."""
        seen = START
        while seen < self.place:
            for place, event in self.running.log.read(seen, AT_ONCE):
                seen = place
                if place > self.place:
                    return
                self._encoded(event)

    async def next(self) -> bytes:
        """The next bytes, waiting for them; empty behind the end."""
        running, log = self.running, self.running.log
        # Whoever asks has just taken what was there before.
        due = log.heartbeat_due(running.now())
        while not self.over:
            try:
                found = log.read(self.place, AT_ONCE)
            except CursorGone:
                return self._end(BEHIND)
            if found:
                data = self._written(found)
                if data or self.over:
                    return data
            elif running.lost is not None:
                return self._end(running.lost)
            elif not await running.changed(due):
                return self.encoder.encode(Heartbeat())
        return b""

    def _written(self, found: list[tuple[Place, Event]]) -> bytes:
        cursor = self.running.log.cursor
        encode = self.encoder.encode if self.counts else self._encoded
        pieces: list[bytes] = []
        for place, event in found:
            pieces.append(encode(event, id=cursor(place)))
            self.place = place
            if isinstance(event, StreamEnd):
                self.over = True
        return b"".join(pieces)

    def _encoded(self, event: Event, id: str | None = None) -> bytes:
        if not self.counts and isinstance(event, Usage):
            return b""
        return self.encoder.encode(event, id=id)

    def _end(self, end: StreamEnd) -> bytes:
        self.over = True
        return self.encoder.encode(end)
