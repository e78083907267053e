"""What every dialect shares: how a record becomes events.

A dialect turns records into events. Its fields are its whole state (a ``msgspec.Struct``,
so a snapshot is its encoding). A subclass says in ``read`` what its records mean, with the
verbs of ``Answer``, and never builds the tail itself.

Reading is tolerant: a record is plain data (dicts and lists), every field may be missing,
null or of a type nobody expected. Speed comes from ``run`` and ``one``, with which a subclass
reads, by typed decoders, the records that are just like the one before; they give the events
that ``read`` would give, and leave all others to it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from ..errors import ErrorInfo
from ..events import (
    ANSWER_EVENTS,
    Event,
    Heartbeat,
    ReasoningDelta,
    Record,
    StreamStart,
    TextDelta,
    ToolCallDelta,
    Unrecognized,
)
from ..framing.items import PlainForm, Unfinished, WireRecord
from .answer import Answer, Call, Choice, LimitReached
from .failure import error_in
from .tolerant import TooDeep, Unreadable, is_json, read_json, read_object, scrub

if TYPE_CHECKING:
    from ..resume import Cursor

__all__ = ["CALL", "COLD", "HOT", "TEXT", "THOUGHT", "Call", "Choice", "Dialect", "LimitReached"]

COLON = 58
TEXT, THOUGHT, CALL = 1, 2, 3
HOT: dict[type, int] = {TextDelta: TEXT, ReasoningDelta: THOUGHT, ToolCallDelta: CALL}
COLD = 16
STARTING = ANSWER_EVENTS - {Record, Unrecognized}


class Dialect(Answer):
    """One protocol, reading one answer. See the module's text for the rules of subclasses."""

    strict: ClassVar[bool] = False
    """True where the framing's grammar is followed to the letter (plain event streams)."""
    terminator: ClassVar[bytes] = b"[DONE]"
    done_ends: ClassVar[bool] = False
    """True where the terminator is the provider's word for the end; else it says nothing."""
    tells_start: ClassVar[bool] = True
    """False where the sender tells ``StreamStart`` itself."""
    takes_text: ClassVar[bool] = False
    """True where a body of plain text is the answer."""
    lead_end: ClassVar[bytes] = b""
    """Where the part of a record that stays the same ends; see ``framing.sse``."""
    heartbeats: ClassVar[frozenset[str]] = frozenset()
    """The types of the records that only say that the server is alive."""
    beginnings: ClassVar[frozenset[str]] = frozenset()
    """The types of the records with which an answer begins, and with nothing else."""
    events_per_delta: ClassVar[int] = 0
    """How many events a plain delta gives (2 with a resume point); 0 for no shortcuts."""

    is_text: bool = False
    """The body is plain text: what comes are pieces of it, not records."""
    hot: int = 0
    """The kind of delta that ``run`` expects (see ``HOT``); 0 for none."""
    armed_at: int = 0
    """The ``position`` at which ``hot`` was set."""
    cold: int = 0
    """Records to read before a shortcut is tried again; below 0 none ever is."""

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        """Turn one record, its JSON already read into ``data``, into events."""
        raise NotImplementedError

    # ---- records by the many

    def plain(self, payloads: list[bytes], form: PlainForm, events: list[Event]) -> None:
        """Append the events of bare items. Raises ``LimitReached``."""
        rest = iter(payloads)
        while True:
            payload = self.run(rest, events) if self.hot else next(rest, None)
            if payload is None:
                return
            begin = len(events)
            self.take(form.whole(payload), events)
            if self.events_per_delta:
                self.arm(events, begin)

    def one(self, payload: bytes) -> list[Event] | None:
        """``run`` for a record that is alone in its read; None if it is not as expected, or
        nothing is.

        While there is no cursor the caller counts the events: adding to a field of a struct
        is what costs most here after the decoding.
        """
        if not self.hot:
            return None
        events: list[Event] = []
        position = self.position
        if self.run((payload,), events) is not None:
            return None
        if self.cursor is None:
            self.position = position
        return events

    def run(self, rest: Iterable[bytes], events: list[Event]) -> bytes | None:
        """The shortcut: read the records that are like the one before them, typed.

        Returns the first one that is not, or None when all are read. Must give the events
        that ``take`` would give. A dialect without shortcuts never gets here.
        """
        self.hot = 0
        return next(iter(rest), None)

    def arm(self, events: list[Event], begin: int) -> None:
        """Expect more of what the last record was, if it was one plain delta."""
        if self.cold or self.ended:
            self.cold -= self.cold > 0
            return
        if self.cursor is not None and self.cursor_kind == "sse_id" and not self.by_bytes:
            # Records behind one that had an id are counted, one by one.
            return
        count = len(events) - begin
        if count > 1 and type(events[begin]) is StreamStart:
            # A first record may be a plain delta, too.
            begin, count = begin + 1, count - 1
        if count == self.events_per_delta and self.halves is None:
            self.hot = HOT.get(type(events[begin]), 0)
            self.armed_at = self.position

    def missed(self, hits: int, payload: bytes) -> bytes:
        """A record was not as expected, after ``hits`` that were; hands ``payload`` back.

        If nothing was since it was armed, the shortcut rests for a while: what comes is of
        another form.
        """
        self.hot = 0
        self.cold = 0 if hits or self.position != self.armed_at else COLD
        return payload

    # ---- taking a stream up again

    def peek(self, record: WireRecord) -> Cursor | None:
        """The cursor of a record, without reading it."""
        return (record.id or None) if self.cursor_kind == "sse_id" else None

    def pings(self, record: WireRecord) -> bool:
        """Whether a record only says that the server is alive."""
        if blank(record.data):
            return not self.strict
        if not self.heartbeats:
            return False
        if record.type in self.heartbeats:
            return True
        kind = read_object(record.data, self.limits.depth).get("type")
        return isinstance(kind, str) and kind in self.heartbeats

    def begins(self, record: WireRecord) -> bool:
        """Whether a record is one with which an answer begins, and with nothing else."""
        if not self.beginnings:
            return False
        data = read_object(record.data, self.limits.depth)
        kind = data.get("type") or data.get("event_type") or record.type
        return isinstance(kind, str) and kind in self.beginnings

    # ---- one record

    def take(self, record: WireRecord, events: list[Event]) -> None:
        """Append the events of one record, its resume point last. Raises ``LimitReached``."""
        begin = len(events)
        ended = self.ended
        # What this record changes, no shortcut has checked.
        self.hot = 0
        own: Cursor | None
        before = self.cursor
        if before is not None:
            self.cursor = None
            if self.origin is not None and not self.origin.held:
                # Shortcuts move the cursor alone.
                self.base = before
        try:
            self.interpret(record, events)
        finally:
            own, self.cursor = self.cursor, before
            if ended and not self.strict:
                self.tell_late(record, events, begin)
            elif not self.started and self.tells_start:
                self.tell_start(events, begin)
            if len(events) > begin:
                self.position += sum([type(event) in ANSWER_EVENTS for event in events[begin:]])
        if own is None and self.cursor_kind == "sse_id":
            own = record.id
        if type(own) is str and self.came_before(own, mark_of(record)):
            own = before = None
        if own is None and self.ended and not ended and not self.by_bytes:
            own = before
        numbered = own is not None or self.strict or self.by_bytes
        if numbered and self.marked().first is None:
            self.marked().first = mark_of(record)
        if own is not None:
            self.mark(own, events)
        elif before is not None and not self.by_bytes and not self.pings(record):
            trail = self.marked()
            trail.since += 1
            trail.digest = digest_with(record, trail.digest)

    def tell_late(self, record: WireRecord, events: list[Event], begin: int) -> None:
        """The tail is out: of a record behind it only heartbeats and errors keep their meaning."""
        late = events[begin:]
        kept = [event for event in late if type(event) is Heartbeat]
        if len(kept) < len(late):
            events[begin:] = kept
            self.unrecognized(record, "a record after the provider's last word", events)

    def tell_start(self, events: list[Event], begin: int) -> None:
        """The answer begins with its first event, even if the record that begins it is missing."""
        for event in events[begin:]:
            if type(event) in STARTING:
                self.started = True
                events.insert(begin, StreamStart(self.response_id, self.model, self.generation))
                return

    def interpret(self, record: WireRecord, events: list[Event]) -> None:
        """Append the events of one record: heartbeats and terminators, else what it says."""
        data = record.data
        if blank(data):
            events.append(Heartbeat(data.decode("utf-8", "replace").strip()))
        elif data.startswith(self.terminator):
            if self.done_ends:
                self.end(events)
        else:
            try:
                value, self.lax = read_json(data, self.limits.depth)
                readable = record
                if self.lax:
                    # What is kept of the record (usage objects) must be JSON for everybody.
                    clean = msgspec.json.encode(scrub(value))
                    readable = WireRecord(clean, record.type, record.id, record.headers)
                self.read(value, readable, events)
            except Unreadable as error:
                value = data.decode("utf-8", "replace")
                if record.type != "error" or self.error is not None:
                    self.unrecognized(record, str(error), events)
            except RecursionError:
                # Limits.depth is the user's to raise; the interpreter's stack is not ours.
                value = "nested too deeply for this interpreter's stack"
                self.unrecognized(record, value, events)
            except TooDeep:
                raise LimitReached("depth", self.limits.depth, "the JSON of a record") from None
            if record.type == "error" and self.error is None:
                # Whatever stands in it, the event itself says that it is one.
                self.fail(error_in({"error": value or "error"}) or ErrorInfo("provider"))

    def blank(self, id: str | None, events: list[Event]) -> None:
        """A block without data: its id counts all the same."""
        if id is None or self.cursor_kind != "sse_id":
            return
        if not self.came_before(id, mark_of(WireRecord(b"", "", id))):
            self.mark(id, events)

    def by_the_letter(self) -> bool:
        """Whether what the framing's grammar ignores is to be ignored."""
        return self.strict

    def accepts(self, item: Unfinished, truncated: bool) -> bool:
        """Whether a record that lacks its terminator counts: real streams end so."""
        data = item.record.data
        if self.by_the_letter() and not item.closed:
            return False
        if truncated and not item.closed:
            return False
        return data.startswith(self.terminator) or is_json(data)

    def take_error(self, value: bytes, events: list[Event]) -> None:
        """The value of a line ``error: …``, which some servers send between the records."""
        try:
            told, _ = read_json(value, self.limits.depth)
        except (Unreadable, TooDeep):
            told = value.decode("utf-8", "replace")
        try:
            if not self.read_error(told):
                self.read_error({"error": told})
        except RecursionError:
            self.fail(ErrorInfo("provider"))

    def unrecognized(self, record: WireRecord, why: str, events: list[Event]) -> None:
        """A record without a normalized meaning."""
        text = record.data.decode("utf-8", "replace")
        events.append(Unrecognized(record.type, text, why))

    def read_error(self, data: Any) -> bool:
        """Whether ``data`` tells an error, in any of the shapes of the wire; keeps it."""
        error = error_in(data)
        if error is None:
            return False
        self.fail(error)
        return True


def blank(data: bytes) -> bool:
    """Whether a record carries nothing: no data, or a comment sent as data."""
    return not data or data[0] == COLON or data.isspace()


def mark_of(record: WireRecord) -> int:
    """A number by which a record is known again, its own id included."""
    return digest_with(record, 0 if record.id is None else zlib.crc32(record.id.encode()))


def digest_with(record: WireRecord, before: int) -> int:
    """``before`` continued with one more record: a number for a row of records."""
    return zlib.crc32(b"\n", zlib.crc32(record.data, zlib.crc32(record.type.encode(), before)))
