"""JoinedDecoder: one answer whose bytes come in several responses.

A ``StreamDecoder`` that can be broken off and taken up again: the dialect, with all that it
knows of the answer, stays; the framing begins anew with each body, whose first records pass
through a ``Seam``. With ``offsets`` the bodies are one row of bytes instead (llama.cpp keeps
them so): the framing stays, too, and resume points are counted in bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..decoder import StreamDecoder
from ..dialects.base import LimitReached
from ..dialects.plain import Records
from ..events import Event, Resumed, ResumePoint, Unrecognized
from ..framing.items import Blank, Comment, Item, Stray, Unfinished, WireRecord
from ..framing.jsonl import JSONLines
from ..framing.sniff import Sniffer
from ..framing.sse import SSE
from ..opening import Opening
from ..snapshot import dump_dialect, load_dialect, load_scalars
from .seam import Seam, Seen

if TYPE_CHECKING:
    from ..dialects.base import Dialect
    from ..errors import ErrorInfo
    from ..framing import AnyFraming
    from ..policy import Limits
    from ..resume import ResumeToken

__all__ = ["JoinedDecoder"]

BytesLike = bytes | bytearray | memoryview


class JoinedDecoder(StreamDecoder):
    """The decoder of a session. ``generation`` and ``position`` are those it begins with."""

    __slots__ = (
        "_counted",
        "_generation",
        "_kept",
        "_leftover",
        "_limits",
        "_offset",
        "_paused",
        "_position",
        "_seam",
        "_silent",
    )

    def __init__(
        self,
        dialect: str | None = None,
        *,
        content_type: str | None = None,
        limits: Limits,
        status: int = 200,
        terminator: str | None = None,
        generation: int = 0,
        position: int = 0,
        offset: int | None = None,
        silent: int | None = None,
    ) -> None:
        super().__init__(
            dialect,
            content_type=content_type,
            status=status,
            limits=limits,
            terminator=terminator,
        )
        self._limits = limits
        self._generation = generation
        self._position = position
        self._kept: Dialect | None = None
        self._seam: Seam | None = None
        self._offset = offset
        self._silent = silent
        """Up to this offset the answer has been delivered."""
        self._counted = False
        """The answer went on behind a cursor."""
        self._paused = False
        self._leftover: list[Item] = []
        """What the end of the body left, in case it is the end of the answer."""

    # ---- breaking off, and going on

    def pause(self, truncated: bool) -> list[Event]:
        """The body has ended, the answer may not have: take what lacks only its terminator.

        Afterwards either ``rejoin`` or ``receive_eof``. A row of bytes is left as it is.
        """
        events: list[Event] = []
        if self._paused or self._over or self._opening is not None or self._offset is not None:
            return events
        framing, dialect = self._reading()
        self._paused, self._fast = True, None
        self._leftover = framing.end()
        last = self._leftover[-1] if self._leftover else None
        if isinstance(last, Unfinished) and dialect.accepts(last, truncated):
            del self._leftover[-1]
            self._read(framing, dialect, [last.record], events)
        return events

    def said_all(self, truncated: bool) -> bool:
        """Whether the answer is complete, if this is the end of it."""
        dialect = self._dialect
        if dialect is None:
            return False
        closed = self._framing is None or self._framing.closed
        return dialect.error is None and dialect.said_all(truncated or not closed)

    def rejoin(self, content_type: str | None, status: int, seam: Seam) -> None:
        """The answer goes on in another body, whose first records ``seam`` judges."""
        assert self._dialect is not None
        self._kept, self._seam = self._dialect, seam
        self._paused, self._leftover = False, []
        self._framing, self._fast = None, None
        self._opening = Opening(
            limits=self._limits,
            status=status,
            dialect=self._dialect.name,
            sniffer=Sniffer(content_type=content_type),
        )

    def skip_to(self, seen: Seen) -> None:
        """All up to there is read in silence: it has been delivered, by another decoder."""
        if self._offset is not None:
            self._silent = seen.cursor if isinstance(seen.cursor, int) else None
        else:
            self._seam = Seam(
                asked=None,
                seen=seen.cursor,
                contiguous=seen.contiguous,
                since=seen.since,
                digest=seen.digest,
            )

    def move_to(self, position: int) -> None:
        """So many events of the answer have been delivered."""
        if self._dialect is not None:
            self._dialect.position = position

    @classmethod
    def from_token(
        cls, token: ResumeToken, limits: Limits, content_type: str | None, status: int
    ) -> JoinedDecoder:
        """The decoder of a new process: it knows of the answer what the token says."""
        by_bytes = token.origin.kind == "byte_offset"
        base, seen = token.base, token.seen
        decoder = cls(
            token.origin.dialect,
            content_type=content_type,
            status=status,
            limits=limits,
            position=token.position,
            offset=(base if isinstance(base, int) else 0) if by_bytes else None,
            silent=seen if by_bytes and isinstance(seen, int) else None,
        )
        if base is not None:
            decoder._kept = load_scalars(token, limits)
        if not by_bytes:
            origin = token.origin
            decoder._seam = Seam(
                asked=base, seen=seen, first=origin.first, contiguous=origin.contiguous
            )
        return decoder

    @property
    def seam(self) -> Seam | None:
        """The seam at which the decoder stands; None once the stream has gone on."""
        return self._seam

    @classmethod
    def revive(cls, blob: bytes, limits: Limits, offset: int | None) -> JoinedDecoder:
        """The decoder that ``snapshot`` saw, as it is after a break: the body it was reading
        is gone, but for a row of bytes, which goes on at its next one."""
        restored = StreamDecoder.restore(blob)
        decoder = cls(limits=limits, offset=offset)
        decoder.adopt(restored)
        return decoder

    def adopt(self, other: StreamDecoder) -> None:
        """Take over what ``other`` knows."""
        self._over = other._over
        self._framing, self._dialect, self._opening = other._framing, other._dialect, other._opening
        if self._opening is not None:
            self._kept = self._dialect
        elif self._offset is None:
            self._paused = True

    @property
    def catching_up(self) -> bool:
        """Nothing has shown yet that the stream goes on behind what was delivered."""
        if self._silent is not None and self._offset is not None:
            return self._offset <= self._silent
        return self._seam is not None

    @property
    def doubt(self) -> str:
        """Why what went on behind a cursor may lack a record; empty while nothing says so."""
        dialect = self._dialect
        if not self._counted or dialect is None or dialect.rising:
            return ""
        return "its cursors come again: what was asked for by them may lack records"

    @property
    def offset(self) -> int | None:
        """The bytes of the row so far; None if the bodies are no row of bytes."""
        return self._offset

    @property
    def known(self) -> Dialect | None:
        """The dialect with what it knows of the answer; None while it is not known itself."""
        if self._dialect is not None:
            self._settle(self._dialect)
        return self._dialect

    @property
    def expected(self) -> Dialect | None:
        """What is known before the body is: the dialect that goes on."""
        return self._dialect if self._dialect is not None else self._kept

    def framing_anew(self) -> AnyFraming | None:
        """The framing of the body, as at its beginning; None while it is not known."""
        return None if self._framing is None else type(self._framing)(limits=self._limits)

    @property
    def response_id(self) -> str | None:
        """The id of the answer that is being read."""
        return None if self._dialect is None else self._dialect.response_id

    @property
    def told(self) -> ErrorInfo | None:
        """The error that the provider has told."""
        return None if self._dialect is None else self._dialect.error

    @told.setter
    def told(self, error: ErrorInfo) -> None:
        assert self._dialect is not None
        self._dialect.error = error

    # ---- reading

    def _finish(self, truncated: bool, error: ErrorInfo | None, events: list[Event]) -> None:
        if self._paused:
            framing, dialect = self._reading()
            self._finish_with(framing, dialect, self._leftover, truncated, error, events)
        elif self._offset is not None and self._opening is None:
            framing, dialect = self._reading()
            items = framing.end()
            if items and isinstance(last := items[-1], Unfinished):
                # A part of a record stands where one of the bodies was cut.
                items = items if dialect.accepts(last, truncated) else items[:-1]
            self._finish_with(framing, dialect, items, truncated, error, events)
        else:
            super()._finish(truncated, error, events)

    def _open(self, opening: Opening) -> tuple[AnyFraming, Dialect]:
        framing, dialect = super()._open(opening)
        if self._kept is not None:
            self._dialect = self._kept
            if isinstance(dialect, Records) and dialect.ended:
                # Status 204: there is no more of it, wherever it was taken up.
                self._kept.ended = True
            return framing, self._kept
        dialect.generation = self._generation
        dialect.position = self._position
        if self._offset is not None:
            dialect.marked().by_bytes = True
        return framing, dialect

    def _shortcut(self) -> SSE | JSONLines | None:
        if self._seam is not None or self._offset is not None:
            return None
        return super()._shortcut()

    def _receive(self, data: BytesLike) -> list[Event]:
        if self._offset is None:
            return super()._receive(data)
        events: list[Event] = []
        for line in bytes(data).splitlines(keepends=True) if data else (b"",):
            self._receive_line(line, self._offset + len(line), events)
        return events

    def _receive_line(self, line: bytes, offset: int, events: list[Event]) -> None:
        """Read one line, or a part of one, which ends at ``offset``; mark the end of a record."""
        told = super()._receive(line)
        self._offset = offset
        if self._silent is not None and offset <= self._silent:
            if offset == self._silent and self._dialect is not None:
                self._dialect.position = self._position
            return
        if told and self.at_rest and self._dialect is not None:
            self._dialect.mark(offset, told)
            last = told[-1]
            self._point = last if type(last) is ResumePoint else None
        events += told

    @property
    def at_rest(self) -> bool:
        """Whether the byte that was read last ended a record."""
        return isinstance(self._framing, SSE | JSONLines) and self._framing.at_rest

    def _read(
        self,
        framing: AnyFraming,
        dialect: Dialect,
        items: list[Item],
        events: list[Event],
        *,
        mixed: bool = True,
    ) -> None:
        while self._seam is not None and items:
            # Only up to the first new record are they judged one by one.
            if self._seam.state in ("beginning", "refused"):
                return
            item = items.pop(0)
            self._read_at_seam(self._seam, framing, dialect, item, events)
            mixed = True
        if items:
            super()._read(framing, dialect, items, events, mixed=mixed)
        if self.doubt:
            events.clear()

    def _is_foreign(self, framing: AnyFraming, dialect: Dialect, item: Item) -> bool:
        """Whether ``item`` says nothing in this protocol: an answer does not go on with it."""
        told: list[Event] = []
        try:
            self._read_item(framing, load_dialect(dump_dialect(dialect)), item, told)
        except LimitReached:
            return False
        return bool(told) and all(type(event) is Unrecognized for event in told)

    def _read_at_seam(
        self,
        seam: Seam,
        framing: AnyFraming,
        dialect: Dialect,
        item: Item,
        events: list[Event],
    ) -> None:
        if isinstance(item, bytes):
            item = framing.form.whole(item)
        if isinstance(item, Blank) and item.id is not None and not item.told:
            record: WireRecord | None = WireRecord(b"", "", item.id)
        elif isinstance(item, Stray) and not dialect.by_the_letter():
            record = WireRecord(item.data)
        else:
            record = item if isinstance(item, WireRecord) else None
        if record is None or isinstance(item, Comment):
            super()._read(framing, dialect, [item], events)
            return
        verdict = seam.judge(dialect, record)
        if seam.decides(dialect, record) and self._is_foreign(framing, dialect, item):
            seam.refuse_foreign()
            return
        if verdict == "silent":
            super()._read(framing, dialect, [item], [])
        elif verdict == "take":
            if seam.state == "joined":
                self._seam, self._kept = None, None
                self._fast = self._shortcut()
                self._counted = self._counted or seam.asked is not None
                if seam.asked != seam.seen:
                    dialect.position = self._position
                events.append(Resumed("replay" if seam.asked is None else "continue"))
            super()._read(framing, dialect, [item], events)
