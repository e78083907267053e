"""Our own events, as JSON: what ``encode_event`` wrote, read back.

Events of the answer are passed on as they are. What the sender said of its own connection is
no news of ours: its ``Connected``, ``Disconnected`` and ``Reconnecting`` become heartbeats,
and its ``ResumePoint``s, which belong to the stream that *it* read, are structural: this
stream is taken up again at the ids of its own records, if it has any. A ``Resumed`` is passed
on, because it says what becomes of the answer so far. The sender's ``StreamEnd`` ends the
stream, with its outcome and its error; without one the stream is interrupted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from ..events import (
    Connected,
    Disconnected,
    Heartbeat,
    Reconnecting,
    ResumePoint,
    StreamEnd,
    StreamStart,
    Usage,
    decode_event,
)
from ..usage_forms import believed
from .base import COLON, Dialect, LimitReached
from .tolerant import REFUSED, TooDeep, Unreadable, exceeds, read_json

if TYPE_CHECKING:
    from ..events import Event
    from ..framing.items import WireRecord
    from ..resume import Cursor

__all__ = ["Native"]

STRUCTURAL = (ResumePoint,)
"""Events that say nothing here."""

ELSEWHERE = (Connected, Disconnected, Reconnecting)
"""Events of a connection that is not this one."""


class Native(Dialect):
    """One answer, as another process of this library told it."""

    name: ClassVar[str] = "native"
    tells_start: ClassVar[bool] = False

    end_told: StreamEnd | None = None

    def pings(self, record: WireRecord) -> bool:
        if super().pings(record):
            return True
        try:
            event = decode_event(record.data)
        except REFUSED:
            return False
        # Of the sender's connection: when the answer comes again, that may not.
        return isinstance(event, (Heartbeat, *ELSEWHERE, *STRUCTURAL))

    def point(self, cursor: Cursor) -> ResumePoint:
        point = super().point(cursor)
        if self.end_told is not None and self.end_told.outcome != "complete":
            # From the token of an end nobody asks any more: it says that all was well.
            return msgspec.structs.replace(point, ended=False)
        return point

    def interpret(self, record: WireRecord, events: list[Event]) -> None:
        data = record.data
        if not data or data[0] == COLON or data.isspace():
            events.append(Heartbeat(data.decode("utf-8", "replace").strip()))
            return
        depth = self.limits.depth
        if len(data) > 2 * depth and exceeds(data, depth):
            raise LimitReached("depth", depth, "the JSON of a record")
        try:
            event = decode_event(data)
        except REFUSED as error:
            self.read_other(record, str(error), events)
        else:
            self.pass_on(event, record, events)

    def pass_on(self, event: Event, record: WireRecord, events: list[Event]) -> None:
        """One event of the sender."""
        if self.end_told is not None:
            self.unrecognized(record, "an event after the end of the stream", events)
        elif isinstance(event, StreamEnd):
            self.end_told = event
            self.ended = True
        elif isinstance(event, ELSEWHERE):
            events.append(Heartbeat(type(event).__name__))
        elif not isinstance(event, STRUCTURAL):
            if isinstance(event, Usage):
                # Encoded, the object stands alone; a path of the sender's leads anywhere.
                event = msgspec.structs.replace(believed(event), path="")
            if isinstance(event, StreamStart):
                self.started = True
                self.response_id = event.response_id or self.response_id
                self.model = event.model or self.model
            events.append(event)

    def read_other(self, record: WireRecord, why: str, events: list[Event]) -> None:
        """A record that is no event of ours: what stands between may tell an error."""
        try:
            data: Any = read_json(record.data, self.limits.depth)[0]
        except (Unreadable, TooDeep):
            data = None
        if not self.read_error(data):
            self.unrecognized(record, f"not an event: {why}", events)

    def said_all(self, truncated: bool) -> bool:
        return self.end_told is not None and self.end_told.outcome == "complete"

    def told_end(self) -> StreamEnd | None:
        return self.end_told if self.error is None else None
