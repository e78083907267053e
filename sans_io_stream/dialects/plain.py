"""The dialects that give no meaning to what they carry: plain records, and plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..events import Event, Record
from ..policy import Timeouts
from .base import Dialect

if TYPE_CHECKING:
    from ..framing.items import WireRecord

__all__ = ["PlainText", "Records"]


class Records(Dialect):
    """Every record as a ``Record``, as an EventSource would dispatch it.

    Complete with status 204, or when the record comes that the user named as ``terminator``.
    """

    name: ClassVar[str] = "records"
    strict: ClassVar[bool] = True
    # An event stream may have nothing to say for as long as it likes.
    timeouts: ClassVar[Timeouts] = Timeouts(idle=None, progress=None)

    terminated_by: str | None = None
    guessed: bool = False
    """Nobody asked for plain records: nothing of what the grammar ignores may be lost."""
    last_event_id: str = ""

    def by_the_letter(self) -> bool:
        return not self.guessed

    def interpret(self, record: WireRecord, events: list[Event]) -> None:
        if record.id is not None:
            self.last_event_id = record.id
        data = record.data.decode("utf-8", "replace")
        events.append(Record(record.type or "message", data, self.last_event_id))
        if data == self.terminated_by:
            self.ended = True

    def blank(self, id: str | None, events: list[Event]) -> None:
        if id is not None:
            self.last_event_id = id
        super().blank(id, events)

    def said_all(self, truncated: bool) -> bool:
        return self.ended


class PlainText(Dialect):
    """The body is the text. Complete when the transport ends it in order."""

    name: ClassVar[str] = "text"
    takes_text: ClassVar[bool] = True
    accept: ClassVar[str] = "text/plain"

    def interpret(self, record: WireRecord, events: list[Event]) -> None:
        if not self.started:
            self.start(None, None, events)
        self.text(record.data.decode("utf-8", "replace"), events)

    def said_all(self, truncated: bool) -> bool:
        return not truncated
