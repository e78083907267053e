"""What is known of an answer over all its bodies, as plain data: a snapshot is its encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from ..dialects.marks import name_of
from ..events import (
    ANSWER_EVENTS,
    Event,
    Resumed,
    ResumePoint,
    StreamStart,
    Unrecognized,
    Usage,
)
from ..resume import Cursor
from .replay import Delivered

if TYPE_CHECKING:
    from ..dialects.base import Dialect
    from ..strategies.base import Known

__all__ = [
    "RECENT",
    "VISIBLE",
    "AnswerState",
    "Progress",
    "look",
    "placed_behind",
    "remember",
    "renamed",
    "unseen",
]

RECENT = 32
"""Opaque cursors that are remembered, for servers that repeat records."""
VISIBLE: frozenset[type] = ANSWER_EVENTS - {StreamStart, Usage, Unrecognized}
"""Events that a consumer cannot be asked to forget."""


class Progress(msgspec.Struct):
    """What has become of the answer, over all bodies so far."""

    generation: int = 0
    begun: int = -1
    """The last generation of which something came: it may be billed."""
    position: int = 0
    """How many events of the answer have been delivered."""
    visible: bool = False
    """Something has been delivered that cannot be taken back."""
    announced: Literal["restart", "continuation"] | None = None
    """What is to be said of a new generation before its first event."""
    delivered: Delivered | None = None
    """What it is compared with if it comes again; None if it cannot be."""
    recent: list[Cursor] = []
    """The last opaque cursors."""
    retry: float | None = None
    """The reconnection time that the stream asked for last, in seconds."""
    stream: str | None = None
    """What the head of a response called the answer."""


class AnswerState(msgspec.Struct, kw_only=True):
    """An ``Assembly`` as plain data. ``decoder`` is None where nothing has been read, or where
    what is read in silence was read in part: that begins once more."""

    progress: Progress
    decoder: bytes | None
    offset: int | None


def look(progress: Progress, events: list[Event]) -> tuple[list[Event], bool]:
    """``events``, with what is to be said before them, and whether they bring something new."""
    types = {type(event) for event in events}
    answers = not ANSWER_EVENTS.isdisjoint(types)
    progress.visible = progress.visible or not VISIBLE.isdisjoint(types)
    if answers and progress.announced is not None:
        place = next(i for i, e in enumerate(events) if type(e) in ANSWER_EVENTS)
        events = [*events[:place], Resumed(progress.announced), *events[place:]]
        progress.announced = None
    # A cursor that moves and brings nothing, as heartbeats with a number do, is not news.
    return events, answers


def remember(progress: Progress, known: Dialect, events: list[Event]) -> None:
    """Keep opaque cursors, by which records are known that come again."""
    if known.cursor is not None and known.cursor_kind != "sequence":
        points = [event.cursor for event in events if type(event) is ResumePoint]
        progress.recent = (progress.recent + points)[-RECENT:]


def renamed(progress: Progress, known: Dialect) -> bool:
    """Whether of the ids of late not one came again: then the words went on, and were the same."""
    names = known.marked().names
    ids = [name_of(cursor) for cursor in progress.recent if isinstance(cursor, str)]
    return bool(ids) and bool(names) and names.keys().isdisjoint(ids)


def unseen(events: list[Event], seen: Known, recent: list[Cursor]) -> list[Event]:
    """``events``, which come behind what was delivered, without the points that were, too."""
    told: list[Event] = []
    for place, event in enumerate(events):
        if type(event) in ANSWER_EVENTS:
            return told + events[place:]
        known = (
            isinstance(event, ResumePoint)
            and event.origin.response_id == seen.response_id
            and (
                event.cursor <= seen.cursor
                if isinstance(event.cursor, int) and isinstance(seen.cursor, int)
                else event.cursor == seen.cursor or event.cursor in recent
            )
        )
        if not known:
            told.append(event)
    return told


def placed_behind(progress: Progress, events: list[Event]) -> list[Event]:
    """``events`` with their resume points counted on from what was delivered."""
    told: list[Event] = []
    for event in events:
        if type(event) in ANSWER_EVENTS:
            progress.position += 1
        elif type(event) is ResumePoint:
            event = msgspec.structs.replace(event, position=progress.position)
        told.append(event)
    return told
