"""Which dialect a stream speaks, from its first records.

A table of what gives each protocol away: the names of its events, the keys of its objects.
The rows stand in the order in which they are asked; the first that knows the record wins. A
record that gives nothing away (a ping, an error) leaves the question open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


from ..framing.items import WireRecord
from .failure import error_in
from .tolerant import TooDeep, Unreadable, read_json

__all__ = ["detect", "is_heartbeat", "tells_error"]

Row = tuple[str, Callable[[str, dict[str, Any]], bool]]


def _first_choice(data: dict[str, Any]) -> dict[str, Any]:
    choices = data.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


ROWS: tuple[Row, ...] = (
    ("openai-chat", lambda _, d: str(d.get("object", "")).startswith("chat.completion")),
    ("openai-chat", lambda _, d: "delta" in _first_choice(d)),
)


def detect(record: WireRecord, depth: int) -> str | None:
    """The dialect that ``record`` gives away, or None."""
    try:
        data = read_json(record.data, depth)
    except (Unreadable, TooDeep):
        data = None
    if not isinstance(data, dict):
        data = {}
    return next((name for name, knows in ROWS if knows(record.type, data)), None)


def is_heartbeat(record: WireRecord) -> bool:
    """Whether a record carries nothing: no data, or a comment sent as data."""
    data = record.data
    return not data or data[:1] == b":" or data.isspace()


def tells_error(data: bytes, depth: int) -> bool:
    """Whether a record tells an error, in whichever dialect."""
    try:
        return error_in(read_json(data, depth)) is not None
    except (Unreadable, TooDeep):
        return False
