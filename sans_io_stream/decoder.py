"""StreamDecoder: the bytes of one response body in, events out.

Here framing and dialect meet, and nothing else happens: the framing is found from the
content type or the first bytes, the dialect from the first records; items of the one go to
the other; limits, errors and the end become events. Nothing that a peer sends raises.

States: *sniffing* (no framing yet) → *detecting* (no dialect yet: items are held, at most 8
records or 64 KiB) → *reading* → *ended* (``StreamEnd`` is out). A body with an error status is
a document, whatever it says: it is collected, and told at its end.
"""

from __future__ import annotations

from typing import TypedDict

from .dialects.base import Dialect, LimitReached
from .dialects.detection import detect, is_heartbeat, tells_error
from .dialects.failure import error_document
from .dialects.plain import Records
from .dialects.registry import dialect_class
from .errors import ErrorInfo, Outcome, StreamClosedError
from .events import (
    Disconnected,
    Event,
    Heartbeat,
    Record,
    ResumePoint,
    StreamEnd,
    Unrecognized,
)
from .framing import FRAMINGS, AnyFraming
from .framing.items import Blank, Broken, Comment, Item, Stray, Unfinished, WireRecord
from .framing.sniff import Sniffer
from .framing.sse import SSE
from .framing.text import Text
from .policy import DEFAULT_LIMITS, Limits
from .snapshot import (
    DecoderState,
    dump,
    dump_dialect,
    dump_framing,
    load,
    load_dialect,
    load_framing,
)

__all__ = ["DecoderOptions", "StreamDecoder"]

NO_CONTENT = 204
HELD_RECORDS = 8
HELD_BYTES = 64 * 1024
BytesLike = bytes | bytearray | memoryview


class DecoderOptions(TypedDict, total=False):
    """The keyword options of ``StreamDecoder``, for those who hand them on."""

    content_type: str | None
    status: int
    limits: Limits | None
    raw: bool
    terminator: str | None


class StreamDecoder:
    """One response body.

    ``dialect`` names the protocol (``None``: found from the first records), ``content_type``
    the value of that header (``None``: the framing is found from the first bytes), ``status``
    the HTTP status. With ``raw=True`` each record comes as a ``Record`` before its own events.
    ``terminator`` is the data of the record that ends a plain event stream.

    Raises ``UnknownDialectError`` for a dialect that does not exist.
    """

    __slots__ = (
        "_dialect",
        "_document",
        "_ended",
        "_framing",
        "_held",
        "_held_bytes",
        "_held_records",
        "_input_ended",
        "_limits",
        "_point",
        "_raw",
        "_shortcuts",
        "_sniffer",
        "_status",
        "_terminator",
    )

    def __init__(
        self,
        dialect: str | None = None,
        *,
        content_type: str | None = None,
        status: int = 200,
        limits: Limits | None = None,
        raw: bool = False,
        terminator: str | None = None,
    ) -> None:
        self._limits = limits if limits is not None else DEFAULT_LIMITS
        self._status = status
        self._raw = raw
        self._terminator = terminator
        self._shortcuts = True
        self._framing: AnyFraming | None = None
        self._sniffer: Sniffer | None = Sniffer(content_type=content_type)
        self._dialect: Dialect | None = None
        self._held: list[Item] | None = None
        self._held_records = 0
        self._held_bytes = 0
        self._document: bytearray | None = None if 200 <= status < 300 else bytearray()
        self._input_ended = False
        self._ended = False
        self._point: ResumePoint | None = None
        if dialect is not None:
            self._dialect = self._new_dialect(dialect)
            if self._dialect.name == "text":
                self._frame("text")

    # ---- the caller's side

    def receive_data(self, data: BytesLike) -> list[Event]:
        """The events that ``data`` completes. Any size, empty too; never raises for its content.

        After ``StreamEnd`` it returns []. Raises ``StreamClosedError`` after one's own
        ``receive_eof``.
        """
        if type(data) is not bytes:
            data = bytes(data)
        events: list[Event] = []
        dialect = self._dialect
        framing = self._framing
        if framing is None or dialect is None or self._ended or self._input_ended:
            self._receive_first(data, events)
        else:
            items = framing.feed(data)
            if framing.mixed or self._raw:
                self._read(framing, dialect, items, events)
            elif items:
                try:
                    dialect.plain(items, framing.form, events)  # type: ignore[arg-type]
                except LimitReached as limit:
                    self._end("failed", ErrorInfo("limit", str(limit)), events)
                if dialect.cursor is not None and events:
                    self._note_point(events)
        return events

    def receive_eof(
        self, *, truncated: bool = False, error: ErrorInfo | BaseException | None = None
    ) -> list[Event]:
        """The end of the body: the last events, ``StreamEnd`` among them and last.

        ``truncated`` says that the transport ended before the body was whole, ``error`` what
        went wrong with it. A second call returns [].
        """
        if self._ended:
            self._input_ended = True
            return []
        events: list[Event] = []
        if self._input_ended:
            return events
        self._input_ended = True
        if error is not None and not isinstance(error, ErrorInfo):
            error = ErrorInfo("connection", f"{type(error).__name__}: {error}", retryable=True)
        try:
            self._finish(truncated or error is not None, error, events)
        except LimitReached as limit:
            self._end("failed", ErrorInfo("limit", str(limit)), events)
        self._point = None
        return events

    @property
    def done(self) -> bool:
        """The provider's last word is in: nothing more is to be expected."""
        if self._ended:
            return True
        dialect = self._dialect
        return dialect is not None and (dialect.ended or dialect.error is not None)

    @property
    def resume_point(self) -> ResumePoint | None:
        """The ``ResumePoint`` at the end of the events returned last, or None."""
        return self._point

    @property
    def dialect(self) -> str | None:
        """The name of the dialect, once it is known."""
        return self._dialect.name if self._dialect is not None else None

    @property
    def retry(self) -> float | None:
        """The reconnection time that the event stream itself asked for, in seconds."""
        retry = getattr(self._framing, "retry", None)
        return None if retry is None else retry / 1000

    # ---- snapshots

    def snapshot(self) -> bytes:
        """All state as plain data, between any two calls; the decoder goes on unchanged.

        Its size is that of the unfinished record, the open tool calls, and a constant.
        """
        framing, dialect = self._framing, self._dialect
        return dump(
            DecoderState(
                limits=self._limits,
                status=self._status,
                raw=self._raw,
                terminator=self._terminator,
                shortcuts=self._shortcuts,
                input_ended=self._input_ended,
                ended=self._ended,
                sniffer=self._sniffer,
                framing=None if framing is None else dump_framing(framing),
                dialect=None if dialect is None else dump_dialect(dialect),
                held=self._held,
                held_records=self._held_records,
                held_bytes=self._held_bytes,
                document=None if self._document is None else bytes(self._document),
                point=self._point,
            )
        )

    @classmethod
    def restore(cls, blob: bytes) -> StreamDecoder:
        """The decoder that ``snapshot`` saw, in this process or another.

        Raises ``SnapshotError`` if ``blob`` is damaged or of another version.
        """
        state = load(blob)
        decoder = cls(
            status=state.status,
            limits=state.limits,
            raw=state.raw,
            terminator=state.terminator,
        )
        decoder._shortcuts = state.shortcuts
        decoder._input_ended = state.input_ended
        decoder._ended = state.ended
        decoder._sniffer = state.sniffer
        decoder._framing = None if state.framing is None else load_framing(state.framing)
        decoder._dialect = None if state.dialect is None else load_dialect(state.dialect)
        decoder._held = state.held
        decoder._held_records = state.held_records
        decoder._held_bytes = state.held_bytes
        decoder._document = None if state.document is None else bytearray(state.document)
        decoder._point = state.point
        return decoder

    # ---- sniffing and detecting

    def _receive_first(self, data: bytes, events: list[Event]) -> None:
        if self._input_ended:
            raise StreamClosedError(
                "receive_data() after receive_eof(): this body has ended; "
                "make a new StreamDecoder for the next one"
            )
        if self._ended or not data:
            return
        if self._document is not None:
            room = self._limits.error_body_bytes - len(self._document)
            self._document += data[:room]
            return
        if self._framing is None:
            assert self._sniffer is not None
            name = self._sniffer.feed(data)
            if name is None:
                return
            self._sniffed(name, events)
        else:
            self._hold(self._framing, self._framing.feed(data), events)

    def _sniffed(self, name: str, events: list[Event]) -> None:
        assert self._sniffer is not None
        head, self._sniffer = self._sniffer.head(), None
        if name == "text" and self._dialect is not None and not self._dialect.takes_text:
            name = "jsonl"
        framing = self._frame(name)
        if self._dialect is None and name == "text":
            self._dialect = self._new_dialect("text")
        items = framing.feed(head)
        if self._dialect is None:
            self._hold(framing, items, events)
        else:
            self._read(framing, self._dialect, items, events)

    def _frame(self, name: str) -> AnyFraming:
        framing = FRAMINGS[name](limits=self._limits, shortcuts=self._shortcuts)
        self._framing = framing
        if self._dialect is not None and isinstance(framing, SSE):
            framing.lead_end = self._dialect.lead_end
        return framing

    def _new_dialect(self, name: str) -> Dialect:
        dialect = dialect_class(name)(limits=self._limits, shortcuts=self._shortcuts)
        if isinstance(dialect, Records):
            dialect.terminated_by = self._terminator
            dialect.ended = self._status == NO_CONTENT
        return dialect

    def _hold(self, framing: AnyFraming, items: list[Item], events: list[Event]) -> None:
        """Hold items back until one of them tells the dialect. Heartbeats pass at once."""
        for number, item in enumerate(items):
            if type(item) is Comment:
                events.append(Heartbeat(item.text))
                continue
            if type(item) is bytes:
                item = framing.form.whole(item)
            if type(item) is WireRecord and is_heartbeat(item):
                events.append(Heartbeat(item.data.decode("utf-8", "replace").strip()))
                continue
            if self._held is None:
                self._held = []
            self._held.append(item)
            name = None
            if isinstance(item, WireRecord | Stray):
                self._held_records += 1
                self._held_bytes += len(item.data)
                record = item if type(item) is WireRecord else WireRecord(item.data)
                name = detect(record, self._limits.depth)
            full = self._held_records >= HELD_RECORDS or self._held_bytes >= HELD_BYTES
            if name is not None or full or type(item) is Broken:
                self._settle(framing, name or "records", events)
                rest = [
                    framing.form.whole(i) if type(i) is bytes else i
                    for i in items[number + 1 :]
                ]
                if self._dialect is not None and not self._ended:
                    self._read(framing, self._dialect, rest, events)
                return

    def _settle(self, framing: AnyFraming, name: str, events: list[Event]) -> None:
        held, self._held = self._held or [], None
        self._dialect = self._new_dialect(name)
        self._read(framing, self._dialect, held, events)

    # ---- reading

    def _read(
        self, framing: AnyFraming, dialect: Dialect, items: list[Item], events: list[Event]
    ) -> None:
        run: list[bytes] = []
        try:
            for item in items:
                if type(item) is bytes and not self._raw:
                    run.append(item)
                    continue
                if run:
                    dialect.plain(run, framing.form, events)
                    run = []
                self._read_item(framing, dialect, item, events)
                if self._ended:
                    break
            if run:
                dialect.plain(run, framing.form, events)
        except LimitReached as limit:
            self._end("failed", ErrorInfo("limit", str(limit)), events)
        if events and dialect.cursor is not None:
            self._note_point(events)

    def _note_point(self, events: list[Event]) -> None:
        last = events[-1]
        self._point = last if type(last) is ResumePoint else None

    def _read_item(
        self, framing: AnyFraming, dialect: Dialect, item: Item, events: list[Event]
    ) -> None:
        if type(item) is bytes:
            self._read_record(dialect, framing.form.whole(item), events)
        elif type(item) is WireRecord:
            self._read_record(dialect, item, events)
        elif type(item) is Comment:
            events.append(Heartbeat(item.text))
        elif type(item) is Blank:
            if not dialect.strict:
                events.append(Heartbeat(item.type))
            dialect.blank(item.id, events)
        elif type(item) is Stray:
            if not dialect.strict:
                self._read_stray(dialect, item, events)
        elif type(item) is Broken:
            self._end("failed", item.error, events)

    def _read_record(self, dialect: Dialect, record: WireRecord, events: list[Event]) -> None:
        # Plain text has no records, and plain records need not be told twice.
        if self._raw and not dialect.strict and not isinstance(self._framing, Text):
            data = record.data.decode("utf-8", "replace")
            events.append(Record(record.type or "message", data, record.id or ""))
        dialect.take(record, events)

    def _read_stray(self, dialect: Dialect, stray: Stray, events: list[Event]) -> None:
        """A line that no framing knows: a record if it is JSON, an error if it says so."""
        if stray.whole:
            self._read_record(dialect, WireRecord(stray.data), events)
            return
        name, colon, value = stray.data.partition(b":")
        if colon and name.strip() == b"error" and value.strip():
            dialect.take_error(value.strip(), events)
            return
        text = stray.data.decode("utf-8", "replace")
        field = name.decode("utf-8", "replace") if colon else ""
        events.append(Unrecognized(field, text, "a line with an unknown field name"))

    # ---- the end

    def _finish(self, truncated: bool, error: ErrorInfo | None, events: list[Event]) -> None:
        if self._document is not None:
            self._end("failed", self._document_error(bytes(self._document)), events)
            return
        if self._framing is None:
            assert self._sniffer is not None
            self._sniffed(self._sniffer.end(), events)
        framing = self._framing
        assert framing is not None
        if not self._ended:
            self._finish_items(framing, framing.end(), truncated, events)
        if self._ended:
            return
        dialect = self._dialect
        assert dialect is not None
        if error is not None:
            events.append(Disconnected(error))
        if dialect.close(truncated or not framing.closed, events):
            self._end("complete", None, events)
        elif dialect.error is not None:
            self._end("failed", dialect.error, events)
        else:
            self._end("interrupted", error or _cut_off(truncated), events)

    def _finish_items(
        self, framing: AnyFraming, items: list[Item], truncated: bool, events: list[Event]
    ) -> None:
        """The last items; an unfinished record counts if it is one after all."""
        if self._dialect is None:
            whole = [i.record if type(i) is Unfinished else i for i in items]
            self._hold(framing, whole, events)
            if self._dialect is None:
                self._settle(framing, self._last_guess(), events)
            return
        for item in items:
            if type(item) is not Unfinished:
                self._read(framing, self._dialect, [item], events)
            elif self._dialect.accepts(item, truncated):
                self._read(framing, self._dialect, [item.record], events)
            elif not truncated and not self._dialect.strict:
                self._dialect.unrecognized(item.record, "cut off by the end of the body", events)

    def _last_guess(self) -> str:
        """The dialect of a body that ended undecided: errors are told alike everywhere."""
        records = [i for i in self._held or () if isinstance(i, WireRecord | Stray)]
        told = any(tells_error(i.data, self._limits.depth) for i in records)
        return "openai-chat" if told else "records"

    def _document_error(self, body: bytes) -> ErrorInfo:
        """The error of a body with an error status; an event stream may tell one too."""
        sniffer = self._sniffer
        assert sniffer is not None
        sniffer.feed(body)
        if sniffer.end() == "sse":
            framing = FRAMINGS["sse"](limits=self._limits)
            for item in framing.feed(body) + framing.end():
                record = item.record if type(item) is Unfinished else item
                if isinstance(record, WireRecord | Stray):
                    if tells_error(record.data, self._limits.depth):
                        return error_document(record.data, self._status)
        return error_document(body, self._status)

    def _end(self, outcome: Outcome, error: ErrorInfo | None, events: list[Event]) -> None:
        """Say ``StreamEnd``, after the tail that is still owed."""
        if self._ended:
            return
        self._ended = True
        if outcome == "failed" and error is not None and self._dialect is not None:
            self._dialect.fail(error)
            self._dialect.close(True, events)
        events.append(StreamEnd(outcome, error))
        self._held = None


def _cut_off(truncated: bool) -> ErrorInfo:
    how = "was cut off" if truncated else "ended"
    return ErrorInfo(
        "truncated", f"the body {how} before the provider said that the answer is complete"
    )
