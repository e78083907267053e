"""The opening of a body: its bytes until its framing and its dialect are known.

Both are functions of the bytes, never of the reads. The framing is settled by the first
bytes (``framing.sniff``), the dialect by the first records (``dialects.detection``); until
then records are held back, at most 8 of them or 64 KiB. Heartbeats pass at once. What stays
undecided is ``records``; a body of plain text is ``text``. A body with an error status is a
document, whatever it says: it is collected up to a limit, and told at its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .dialects.detection import detect, is_heartbeat, tells_error
from .dialects.plain import Records
from .dialects.registry import DIALECTS
from .document import read_error_document, told_in_part
from .events import Event, Heartbeat
from .framing import FRAMINGS, AnyFraming
from .framing.items import Blank, Broken, Comment, Item, Stray, Unfinished, WireRecord
from .framing.sniff import Sniffer
from .framing.sse import SSE
from .framing.text import Text
from .policy import Limits

if TYPE_CHECKING:
    from .dialects.base import Dialect
    from .errors import ErrorInfo

__all__ = ["Opening"]

NO_CONTENT = 204
HELD_RECORDS = 8
HELD_BYTES = 64 * 1024


class Opening(msgspec.Struct, kw_only=True, gc=False):
    """What is known, and what is held back while something is not. All fields are state."""

    limits: Limits
    shortcuts: bool = True
    status: int = 200
    terminator: str | None = None
    dialect: str | None = None
    """The dialect's name, given or found."""
    sniffer: Sniffer
    framing: AnyFraming | None = None
    document: bytearray | None = None
    """The body so far, if its status says that it is an error."""
    cut: bool = False
    """There was more of that body than may be read."""
    held: list[Item] | None = None
    guessed: bool = False
    """The dialect is what stays where nothing gave one away."""
    records: int = 0
    size: int = 0

    def __post_init__(self) -> None:
        if self.document is None and not 200 <= self.status < 300:
            self.document = bytearray()

    def feed(self, data: bytes, events: list[Event]) -> list[Item] | None:
        """All items so far once both are known, else None; heartbeats go to ``events``."""
        if self.document is not None:
            room = self.limits.error_body_bytes - len(self.document)
            self.document += data[:room]
            self.cut = self.cut or len(data) > room
            return None
        if self.framing is not None:
            return self._hold(self.framing, self.framing.feed(data), events)
        name = self.sniffer.feed(data)
        return None if name is None else self._sniffed(name, events)

    def end(self, events: list[Event]) -> list[Item]:
        """All items, to the last, of a body that ended before both were known; now they are."""
        items: list[Item] | None = None
        if self.framing is None:
            seen = self.sniffer.head().removeprefix(b"\xef\xbb\xbf").strip()
            name = self.sniffer.end()
            # An empty body says nothing; that it is text would be a claim.
            items = self._sniffed(name if seen or self.dialect else "sse", events)
        framing = self.framing
        assert framing is not None
        last = framing.end()
        if items is not None:
            return items + last
        items = self._hold(framing, last, events)
        if items is None:
            self.dialect = self._last_guess()
            items, self.held = self.held or [], None
        return items

    def error(self) -> ErrorInfo | None:
        """What a body with an error status tells, at its end; None for any other body."""
        if self.document is None:
            return None
        claim = self.sniffer.content_type
        told = read_error_document(bytes(self.document), self.status, claim, self.limits)
        return told_in_part(told, self.limits.error_body_bytes) if self.cut else told

    def found(self) -> tuple[AnyFraming, Dialect]:
        """Framing and dialect, once both are known."""
        assert self.framing is not None
        assert self.dialect is not None
        dialect = DIALECTS[self.dialect](limits=self.limits, cold=0 if self.shortcuts else -1)
        dialect.is_text = isinstance(self.framing, Text)
        if isinstance(dialect, Records):
            dialect.terminated_by = self.terminator
            dialect.ended = self.status == NO_CONTENT
            dialect.guessed = self.guessed
        return self.framing, dialect

    def _sniffed(self, name: str, events: list[Event]) -> list[Item] | None:
        given = None if self.dialect is None else DIALECTS[self.dialect]
        if name == "text" and given is None:
            self.dialect = "text"
        elif name == "text" and given is not None and not given.takes_text:
            # Lines are units that no chunking changes, whatever this is.
            name = "jsonl"
        elif given is not None and given.name == "text":
            name = "text"
        framing = FRAMINGS[name](limits=self.limits, shortcuts=self.shortcuts)
        if isinstance(framing, SSE) and given is not None:
            framing.lead_end = given.lead_end
        self.framing = framing
        return self._hold(framing, framing.feed(self.sniffer.head()), events)

    def _hold(
        self, framing: AnyFraming, items: list[Item], events: list[Event]
    ) -> list[Item] | None:
        """Hold items back until one of them gives the dialect away."""
        if self.dialect is not None:
            return items
        held = self.held if self.held is not None else []
        self.held = held
        for item in items:
            if type(item) is bytes:
                item = framing.form.whole(item)
            if self.dialect is not None:
                held.append(item)
            elif type(item) is Comment:
                events.append(Heartbeat(item.text))
            elif type(item) is Blank:
                events.append(Heartbeat(item.type))
                if item.id is not None:
                    # Of the ids only the last one counts.
                    if held and type(held[-1]) is Blank:
                        held.pop()
                    held.append(Blank("", item.id, told=True))
            elif type(item) is WireRecord and is_heartbeat(item):
                events.append(Heartbeat(item.data.decode("utf-8", "replace").strip()))
            else:
                held.append(item)
                self.dialect = self._look(item)
        if self.dialect is None:
            return None
        self.held = None
        return held

    def _look(self, item: Item) -> str | None:
        """The dialect, if ``item`` gives it away or there is no more to be held."""
        if type(item) is Broken:
            return "records"
        record = record_of(item)
        if record is None:
            return None
        self.records += 1
        self.size += len(record.data)
        full = self.records >= HELD_RECORDS or self.size >= HELD_BYTES
        found = detect(record, self.limits.depth)
        self.guessed = found is None and full
        return "records" if self.guessed else found

    def _last_guess(self) -> str:
        """The dialect of a body that ended undecided: errors are told alike everywhere."""
        records = [record for item in self.held or () if (record := record_of(item)) is not None]
        self.guessed = True
        told = any(
            record.data.startswith(b"error:")
            or record.type == "error"
            or tells_error(record.data, self.limits.depth)
            for record in records
        )
        return "openai-chat" if told else "records"


def record_of(item: Item) -> WireRecord | None:
    """The record in an item, whole or not, or None."""
    if isinstance(item, Unfinished):
        return item.record
    if isinstance(item, Stray):
        return WireRecord(item.data)
    return item if isinstance(item, WireRecord) else None
