"""One reader of a log: from a place in it to the bytes of a response body.

A reader has an encoder of its own, which has been told all that came before its place: encoders
write the same for the same events, so a body that was broken off goes on as it began. It never
waits: whoever drives it does, for more of the log or for a heartbeat that is due.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorInfo
from ..events import Event, Heartbeat, StreamEnd, Usage
from .cursors import START, CursorGone, Place

if TYPE_CHECKING:
    from ..encoding import Encoder
    from .log import StreamLog

__all__ = ["AT_ONCE", "BEHIND", "LogReader"]

AT_ONCE = 256
"""Events that are written together."""
STATELESS = frozenset({"native", "text"})
"""Formats that write an event in the same way whatever came before it."""
BEHIND = StreamEnd(
    "failed",
    ErrorInfo("cursor", "the reader was too slow: what comes next is no longer kept"),
)
"""The end of a reader who has fallen behind what is kept."""


class LogReader:
    """What ``encoder`` writes of ``log`` from ``place`` on; without token counts, if ``counts``
    is False.

    Raises ``CursorGone`` for a place that is none, and where the encoder cannot be told what
    came before it. ``over`` says that the last bytes are out; what they could not tell is told
    by breaking off, see ``Encoder.must_abort``.
    """

    __slots__ = ("_told", "counts", "encoder", "log", "over", "place")

    def __init__(
        self, log: StreamLog, encoder: Encoder, place: Place, *, counts: bool = True
    ) -> None:
        log.read(place, 1)
        self.log = log
        self.encoder = encoder
        self.place = place
        self.counts = counts
        self._told = place if encoder.format in STATELESS else START
        log.read(self._told, 1)
        self.over = encoder.ended or (log.end is not None and place == log.last)

    def catch_up(self) -> bool:
        """Tell the encoder some of what its reader has seen; False once it knows all of it.

        ``read`` does whatever is left of this. It is apart for those who do other things between.
        Raises ``CursorGone`` for a past that was dropped meanwhile.
        """
        if self._told < self.place:
            for place, event in self.log.read(self._told, AT_ONCE):
                if place > self.place:
                    self._told = self.place
                    break
                self._told = place
                self._encoded(event)
        return self._told < self.place

    def read(self) -> bytes:
        """What there is now; empty where there is nothing yet, and once it is ``over``.

        A place that was dropped meanwhile ends the body: its reader is too slow.
        """
        while not self.over:
            try:
                while self.catch_up():
                    pass
                found = self.log.read(self.place, AT_ONCE)
            except CursorGone:
                return self.end(BEHIND)
            if not found:
                break
            data = self._written(found)
            if data:
                return data
        return b""

    def heartbeat(self) -> bytes:
        """A sign of life, for a reader that got nothing for so long."""
        return b"" if self.over else self.encoder.encode(Heartbeat())

    def end(self, end: StreamEnd) -> bytes:
        """The last bytes, where the log itself has no end for this reader."""
        self.over = True
        return self.encoder.encode(end)

    def _written(self, found: list[tuple[Place, Event]]) -> bytes:
        encode = self.encoder.encode if self.counts else self._encoded
        cursor = self.log.cursor
        pieces: list[bytes] = []
        for place, event in found:
            pieces.append(encode(event, id=cursor(place)))
            self.place = self._told = place
            if isinstance(event, StreamEnd):
                self.over = True
        return b"".join(pieces)

    def _encoded(self, event: Event, id: str | None = None) -> bytes:
        if not self.counts and isinstance(event, Usage):
            return b""
        return self.encoder.encode(event, id=id)
