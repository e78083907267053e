"""StreamDecoder: the bytes of one response body in, events out.

Here framing and dialect meet, and nothing else happens: items of the one go to the other;
limits, errors and the end become events. Nothing that a peer sends raises.

States: *opening* (framing or dialect still unknown, see ``opening``) → *reading* → *ended*
(``StreamEnd`` is out). A body with an error status is a document, whatever it says: it is
collected, and told at its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from .dialects.base import Dialect, LimitReached
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
from .framing.items import Blank, Broken, Comment, Item, Stray, Unfinished, WireRecord
from .framing.jsonl import JSONLines
from .framing.sniff import Sniffer
from .framing.sse import SSE
from .framing.text import Text
from .opening import Opening
from .policy import DEFAULT_LIMITS, Limits
from .snapshot import DecoderState, dump, dump_dialect, load, load_dialect

if TYPE_CHECKING:
    from .framing import AnyFraming

__all__ = ["DecoderOptions", "StreamDecoder"]

LF = 10
READING, ENDED, CLOSED = range(3)
"""Whether ``StreamEnd`` is out, and whether the caller has said that the body ended, too."""

BytesLike = bytes | bytearray | memoryview


class DecoderOptions(TypedDict, total=False):
    """The keyword options of ``StreamDecoder``, for those who hand them on."""

    content_type: str | None
    status: int
    limits: Limits | None
    raw: bool
    terminator: str | None
    shortcuts: bool


class StreamDecoder:
    """One response body.

    ``dialect`` names the protocol (``None``: found from the first records), ``content_type``
    the value of that header (``None``: the framing is found from the first bytes), ``status``
    the HTTP status. With ``raw=True`` each record comes as a ``Record`` before its own events.
    ``terminator`` is the data of the record that ends a plain event stream.

    Raises ``UnknownDialectError`` for a dialect that does not exist.
    """

    __slots__ = (
        "_alone",
        "_dialect",
        "_fast",
        "_framing",
        "_opening",
        "_over",
        "_point",
        "_raw",
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
        shortcuts: bool = True,
    ) -> None:
        self._raw = raw
        self._fast: SSE | JSONLines | None = None
        self._framing: AnyFraming | None = None
        self._dialect: Dialect | None = None
        self._over = READING
        self._alone = 0
        self._point: ResumePoint | None = None
        self._opening: Opening | None = Opening(
            limits=limits if limits is not None else DEFAULT_LIMITS,
            shortcuts=shortcuts,
            status=status,
            terminator=terminator,
            dialect=None if dialect is None else dialect_class(dialect).name,
            sniffer=Sniffer(content_type=content_type),
        )

    # ---- the caller's side

    def receive_data(self, data: BytesLike) -> list[Event]:
        """The events that ``data`` completes. Any size, empty too; never raises for its content.

        After ``StreamEnd`` it returns []. Raises ``StreamClosedError`` after one's own
        ``receive_eof``.
        """
        framing = self._fast
        if framing is None or type(data) is not bytes:
            return self._receive(data)
        dialect: Dialect = self._dialect  # type: ignore[assignment]  # known where this is set
        if len(data) <= framing.room:
            payload: bytes | None
            if type(framing) is not JSONLines:
                payload = framing.only(data)
            else:
                # Its ``only``, in place: of such short records the call is a tenth.
                payload = data[:-1]
                if LF in payload or not payload or data[-1] != LF:
                    payload = None
            if payload:
                # One record that is like the one before it needs nothing but this.
                told: list[Event] | None
                try:
                    told = dialect.one(payload)
                except LimitReached as limit:
                    told = []
                    self._end("failed", limit.error, told)
                if told is not None:
                    if dialect.cursor is None:
                        self._alone += len(told)
                    else:
                        last = told[-1]
                        self._point = last if type(last) is ResumePoint else None
                    return told
        self._settle(dialect)
        events: list[Event] = []
        items = framing.feed(data)
        if items:
            self._read(framing, dialect, items, events, mixed=framing.mixed)
        return events

    def receive_eof(
        self, *, truncated: bool = False, error: ErrorInfo | BaseException | None = None
    ) -> list[Event]:
        """The end of the body: the last events, ``StreamEnd`` among them and last.

        ``truncated`` says that the transport ended before the body was whole, ``error`` what
        went wrong with it. A second call returns [].
        """
        events: list[Event] = []
        if not self._over:
            if error is not None and not isinstance(error, ErrorInfo):
                error = ErrorInfo("connection", f"{type(error).__name__}: {error}", retryable=True)
            try:
                self._finish(truncated or error is not None, error, events)
            except LimitReached as limit:
                self._end("failed", limit.error, events)
            self._point = None
        self._over = CLOSED
        self._fast = None
        return events

    @property
    def done(self) -> bool:
        """The provider's last word is in: nothing more is to be expected."""
        if self._over:
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
        if self._opening is not None:
            return self._opening.dialect
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
        if self._dialect is not None:
            self._settle(self._dialect)
        return dump(
            DecoderState(
                raw=self._raw,
                input_ended=self._over == CLOSED,
                ended=self._over != READING,
                opening=self._opening,
                framing=self._framing,
                dialect=None if self._dialect is None else dump_dialect(self._dialect),
                point=self.resume_point,
            )
        )

    @classmethod
    def restore(cls, blob: bytes) -> StreamDecoder:
        """The decoder that ``snapshot`` saw, in this process or another.

        Raises ``SnapshotError`` if ``blob`` is damaged or of another version.
        """
        state = load(blob)
        decoder = cls(raw=state.raw)
        if state.ended:
            decoder._over = CLOSED if state.input_ended else ENDED
        decoder._opening = state.opening
        decoder._framing = state.framing
        decoder._dialect = None if state.dialect is None else load_dialect(state.dialect)
        decoder._point = state.point
        decoder._fast = decoder._shortcut()
        return decoder

    # ---- reading

    def _receive(self, data: BytesLike) -> list[Event]:
        """Any read but ``bytes`` of a stream that is open, known and read without ``raw``."""
        if type(data) is not bytes:
            if not isinstance(data, BytesLike):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"receive_data() takes bytes, not {type(data).__name__}")
            return self.receive_data(bytes(data))
        events: list[Event] = []
        if self._over == CLOSED:
            raise StreamClosedError(
                "receive_data() after receive_eof(): this body has ended; "
                "make a new StreamDecoder for the next one"
            )
        if self._over or not data:
            return events
        if self._opening is not None:
            items = self._opening.feed(data, events)
            if items is not None:
                framing, dialect = self._open(self._opening)
                # What was held back until the dialect was known are records, and no bare items.
                held = not items or type(items[0]) is not bytes
                self._read(framing, dialect, items, events, mixed=held or framing.mixed)
        else:
            framing, dialect = self._reading()
            items = framing.feed(data)
            self._read(framing, dialect, items, events, mixed=framing.mixed)
        return events

    def _settle(self, dialect: Dialect) -> None:
        """Count the events of records that were alone in their reads."""
        if self._alone:
            dialect.position += self._alone
            dialect.cold = self._alone = 0

    def _reading(self) -> tuple[AnyFraming, Dialect]:
        assert self._framing is not None
        assert self._dialect is not None
        self._settle(self._dialect)
        return self._framing, self._dialect

    def _open(self, opening: Opening) -> tuple[AnyFraming, Dialect]:
        """Framing and dialect, which are known now."""
        framing, dialect = opening.found()
        self._framing, self._dialect, self._opening = framing, dialect, None
        self._fast = self._shortcut()
        return framing, dialect

    def _shortcut(self) -> SSE | JSONLines | None:
        """The framing, if reads may go straight from it to the dialect."""
        framing = self._framing
        if self._raw or self._over or not isinstance(framing, (SSE, JSONLines)):
            return None
        return framing

    def _read(
        self,
        framing: AnyFraming,
        dialect: Dialect,
        items: list[Item],
        events: list[Event],
        *,
        mixed: bool = True,
    ) -> None:
        try:
            if mixed or self._raw:
                self._read_mixed(framing, dialect, items, events)
            elif items:
                dialect.plain(items, framing.form, events)  # type: ignore[arg-type]
        except LimitReached as limit:
            self._end("failed", limit.error, events)
        if events:
            last = events[-1]
            self._point = last if type(last) is ResumePoint else None

    def _read_mixed(
        self, framing: AnyFraming, dialect: Dialect, items: list[Item], events: list[Event]
    ) -> None:
        run: list[bytes] = []
        for item in items:
            if type(item) is bytes and not self._raw:
                run.append(item)
                continue
            if run:
                dialect.plain(run, framing.form, events)
                run = []
            self._read_item(framing, dialect, item, events)
            if self._over:
                return
        if run:
            dialect.plain(run, framing.form, events)

    def _read_item(
        self, framing: AnyFraming, dialect: Dialect, item: Item, events: list[Event]
    ) -> None:
        if type(item) is WireRecord:
            self._read_record(dialect, item, events)
        elif type(item) is bytes:
            self._read_record(dialect, framing.form.whole(item), events)
        elif type(item) is Comment:
            events.append(Heartbeat(item.text))
        elif type(item) is Blank:
            if not dialect.strict and not item.told:
                events.append(Heartbeat(item.type))
            dialect.blank(item.id, events)
        elif type(item) is Stray:
            if not dialect.by_the_letter():
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
        if isinstance(self._framing, SSE) and colon:
            field = name.decode("utf-8", "replace")
            events.append(Unrecognized(field, text, "a line with an unknown field name"))
        else:
            events.append(Unrecognized("", text, "no part of any record"))

    # ---- the end

    def _finish(self, truncated: bool, error: ErrorInfo | None, events: list[Event]) -> None:
        if self._opening is not None:
            told = self._opening.error()
            if told is not None:
                self._end("failed", told, events)
                return
            items = self._opening.end(events)
            framing, dialect = self._open(self._opening)
        else:
            framing, dialect = self._reading()
            items = framing.end()
        self._finish_with(framing, dialect, items, truncated, error, events)

    def _finish_with(
        self,
        framing: AnyFraming,
        dialect: Dialect,
        items: list[Item],
        truncated: bool,
        error: ErrorInfo | None,
        events: list[Event],
    ) -> None:
        """The last items, and what is said of the end."""
        if truncated:
            # A line that was cut off is a part of the block that was.
            items = [item for item in items if not isinstance(item, Stray)]
        last = items[-1] if items else None
        if isinstance(last, Unfinished):
            items.pop()
        self._read(framing, dialect, items, events)
        if isinstance(last, Unfinished) and not self._over:
            self._read_unfinished(dialect, last, truncated, events)
        if self._over:
            return
        if error is not None:
            events.append(Disconnected(error))
        complete = dialect.close(truncated or not framing.closed, events)
        ending = dialect.told_end()
        if ending is not None:
            self._end(ending.outcome, ending.error, events)
        elif complete:
            self._end("complete", None, events)
        elif dialect.error is not None:
            self._end("failed", dialect.error, events)
        else:
            self._end("interrupted", error or _cut_off(truncated), events)

    def _read_unfinished(
        self, dialect: Dialect, item: Unfinished, truncated: bool, events: list[Event]
    ) -> None:
        """The last record: it counts if it lacks nothing but its terminator."""
        if dialect.accepts(item, truncated):
            self._read_record(dialect, item.record, events)
        elif not truncated and not dialect.by_the_letter():
            dialect.unrecognized(item.record, "cut off by the end of the body", events)

    def _end(self, outcome: Outcome, error: ErrorInfo | None, events: list[Event]) -> None:
        """Say ``StreamEnd``, after the tail that is still owed."""
        if self._over:
            return
        self._over = ENDED
        self._fast = None
        if outcome == "failed" and error is not None and self._dialect is not None:
            self._dialect.fail(error)
            self._dialect.close(True, events)
        events.append(StreamEnd(outcome, error))


def _cut_off(truncated: bool) -> ErrorInfo:
    how = "was cut off" if truncated else "ended"
    return ErrorInfo(
        "truncated", f"the body {how} before the provider said that the answer is complete"
    )
