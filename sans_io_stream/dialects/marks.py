"""Where a stream can be taken up again: cursors, resume points, and what a token must know.

A record with a cursor is followed by its resume point. The *base* of a point is the last
cursor at which nothing was half read; a new process asks from there, and needs to know of the
answer what was known then: the *scalars*, all fields but those that say where the stream
stands (``PASSING``). Records without a cursor are counted and digested, so that they are known
when they come again.
"""

from __future__ import annotations

import zlib
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from ..events import ResumePoint, Usage
from ..resume import Cursor, CursorKind, ResumeOrigin
from ..usage import compact_usage

if TYPE_CHECKING:
    from ..events import Event

__all__ = ["Marked", "Trail", "name_of"]

MOST_SCALARS = 1024
"""Characters of the state that a resume token may hold. Beyond that its base stays back."""
MOST_NAMES = 64
"""Opaque cursors that are remembered, to see whether they come again."""
MOST_MARKED = 640
"""Characters of a cursor and a response id that a resume token may hold."""


class Trail(msgspec.Struct, gc=False):
    """What only a stream that may be taken up again has."""

    base_state: str = ""
    """The ``scalars`` at the base."""
    stored: bool = False
    """The provider said that the answer goes on without its reader, and can be asked for."""
    contiguous: bool = True
    """The numbers that are cursors went up by one so far."""
    first: int | None = None
    """The digest of the first record."""
    since: int = 0
    """How many records without a cursor of their own came behind the last one that had one."""
    digest: int = 0
    """Of those records, one after the other."""
    by_bytes: bool = False
    """Cursors are offsets in the body, which no record holds."""
    names: dict[int, int] = {}
    """The opaque cursors of late, as numbers, and the marks of their records, oldest first."""
    repeats: bool = False
    """An opaque cursor came a second time: they are none."""


class Marked(msgspec.Struct, kw_only=True, gc=False):
    """The part of an answer's state that is about taking it up again."""

    name: ClassVar[str]
    """The dialect's."""
    cursor_kind: ClassVar[CursorKind] = "sse_id"

    response_id: str | None = None
    ended: bool = False
    """The provider's terminal record is in, and the tail is out."""
    cursor: Cursor | None = None
    """The cursor of the last record that had one."""
    base: Cursor | None = None
    """The last cursor at which no call was open."""
    trail: Trail | None = None
    """None until there is something to be known."""
    origin: ResumeOrigin | None = None
    position: int = 0
    """How many events of the answer there were."""

    @property
    def by_bytes(self) -> bool:
        """Whether cursors are offsets in the body."""
        return self.trail is not None and self.trail.by_bytes

    @property
    def rising(self) -> bool:
        """Whether no cursor came twice: numbers went up until now, names were new."""
        return self.trail is None or not self.trail.repeats

    def marked(self) -> Trail:
        """The trail, made if it was not there."""
        trail = self.trail
        if trail is None:
            trail = self.trail = Trail()
        return trail

    def holds(self) -> bool:
        """Whether something is half read: a tool call, a character."""
        return False

    def came_before(self, own: str, mark: int) -> bool:
        """Whether an opaque cursor is none, since it, or another one, came twice. A server that
        is asked from it cannot say behind which of the records that had it."""
        if not own or self.by_bytes:
            return False
        trail, name = self.marked(), name_of(own)
        names = trail.names
        if name in names:
            trail.repeats, trail.names, self.cursor = True, {}, None
        elif not trail.repeats:
            names[name] = mark
            if len(names) > MOST_NAMES:
                del names[next(iter(names))]
        return trail.repeats

    def mark(self, cursor: Cursor, events: list[Event]) -> None:
        """Append the resume point behind a record that has a cursor."""
        if self.by_bytes and not isinstance(cursor, int):
            return
        trail = self.marked()
        trail.since = trail.digest = 0
        if cursor == "" or size_of(cursor) + size_of(self.response_id) > MOST_MARKED:
            # An empty id takes the last one back; a huge one would not fit into a token.
            self.cursor = None
            return
        self.cursor = cursor
        events.append(self.point(cursor))

    def point(self, cursor: Cursor) -> ResumePoint:
        """The resume point at ``cursor``. While nothing changes but the count, all share one
        origin; while a call is open, or half a character, its base stays where it was."""
        trail, held = self.marked(), self.holds()
        if not held and len(state := self.scalars()) <= MOST_SCALARS:
            self.base, trail.base_state = cursor, state
        else:
            held = True
        base = self.base if held else None
        origin = self.origin
        if (
            origin is None
            or origin.held != held
            or origin.base != base
            or origin.state != trail.base_state
            or origin.response_id != self.response_id
            or origin.stored != trail.stored
            or origin.contiguous != trail.contiguous
            or origin.first != trail.first
        ):
            kind: CursorKind = "byte_offset" if self.by_bytes else self.cursor_kind
            origin = self.origin = ResumeOrigin(
                self.name,
                kind,
                self.response_id,
                held,
                base,
                trail.stored,
                trail.contiguous,
                trail.first,
                trail.base_state,
            )
        return ResumePoint(cursor, self.position, origin, self.ended)

    def scalars(self) -> str:
        """What is known of the answer, without its text, as JSON: what another process needs
        to go on from here."""
        told: dict[str, Any] = {}
        for field in scalar_fields(type(self)):
            value = getattr(self, field.encode_name)
            if value != field.default and value != {}:
                told[field.encode_name] = compact_usage(value) if type(value) is Usage else value
        return msgspec.json.encode(told).decode()


PASSING = frozenset(
    {
        "limits", "calls", "base", "cursor", "origin", "position", "halves", "lax",
        "is_text", "hot", "armed_at", "cold", "half",
        "opening", "at", "channel", "last", "trail", "familiar",
        "generated", "given", "last_event_id",
    }
)  # fmt: skip
"""Fields that say where a stream stands, not what is known of the answer."""


@cache
def scalar_fields(cls: type[Marked]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """The fields that ``scalars`` tells."""
    return tuple(field for field in msgspec.structs.fields(cls) if field.name not in PASSING)


def name_of(cursor: str) -> int:
    """An opaque cursor as a number."""
    told = cursor.encode()
    return zlib.crc32(told) << 32 | zlib.adler32(told)


def size_of(mark: Cursor | None) -> int:
    """The characters that a cursor or an id takes in a token."""
    return len(mark) if isinstance(mark, str) else 20
