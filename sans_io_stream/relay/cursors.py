"""Cursors: where in which stream, as one opaque word.

A cursor is an entry's number and how many of its events have been seen, behind the id of the
stream. Of one stream the words grow as the places do. Ids have at least 128 bits that nobody
can guess, and whoever makes them hands the bits in: here is no randomness.
"""

from __future__ import annotations

import base64
import re
from typing import NamedTuple

from ..errors import StreamError

__all__ = ["START", "CursorGone", "Place", "cursor_of", "place_of", "stream_id"]

LEAST_ENTROPY = 16
"""Bytes."""
WORD = re.compile(r"([A-Za-z0-9_-]{22,86})\.([0-9a-f]{10})\.([0-9a-f]{6})", re.ASCII)


class CursorGone(StreamError, ValueError):
    """A cursor that nothing can follow: of no stream, of what is no longer kept, or ahead of
    what there is. Which of these is not told: it makes no difference to its owner, and the
    stream is nobody else's business."""

    def __init__(self) -> None:
        super().__init__("the cursor is not, or no longer, one of a stream that is kept here")


class Place(NamedTuple):
    """How far a stream was read: so many ``events`` of ``entry``, and all entries before it."""

    entry: int
    events: int


START = Place(0, 0)
"""Before the first entry, whose number is 1."""


def stream_id(entropy: bytes) -> str:
    """The id that these random bytes make. Raises ``ValueError`` for fewer than 16."""
    if len(entropy) < LEAST_ENTROPY:
        raise ValueError(
            f"a stream's id needs {LEAST_ENTROPY} random bytes, not {len(entropy)}: "
            "pass secrets.token_bytes(16)"
        )
    return base64.urlsafe_b64encode(entropy).rstrip(b"=").decode()


def cursor_of(id: str, place: Place) -> str:
    """The cursor of a place; fixed in width, so that words compare as places do."""
    return f"{id}.{place.entry:010x}.{place.events:06x}"


def place_of(cursor: str) -> tuple[str, Place]:
    """The stream's id, and the place in it. Raises ``CursorGone`` for what is no cursor."""
    found = WORD.fullmatch(cursor)
    if found is None:
        raise CursorGone
    return found[1], Place(int(found[2], 16), int(found[3], 16))
