"""What the relay tells of itself in the standard ``logging``, under ``sans_io_stream_relay``.

INFO: one line for each request and one for each stream when it is over; each further attempt.
A line is a name and fields (``Told``): names of the configuration, ids, counts, times, kinds.
Never content, keys, queries, tickets or a client's own words.

``JSONLines`` writes any record as one JSON object on a line, ``in_one_line`` says it to people. Of
what others log both tell the message; of an exception its type and where it was raised, not what
it says.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from sans_io_stream_adapters.logs import plain

__all__ = ["LINES", "JSONLines", "Told", "in_one_line", "tell"]

LINES = logging.getLogger("sans_io_stream_relay")
LINES.addHandler(logging.NullHandler())
LONGEST = 2000
"""Characters of a message that is not the relay's own."""
FRAMES = 8
"""Places that are told of where an exception was raised: the innermost ones."""


class Told:
    """A line of the log: ``event`` names it. Fields that are None are left out."""

    __slots__ = ("event", "fields")

    def __init__(self, event: str, fields: Mapping[str, object]) -> None:
        self.event = event
        self.fields = {name: value for name, value in fields.items() if value is not None}

    def __str__(self) -> str:
        return " ".join([self.event, *(f"{k}={plain(str(v))}" for k, v in self.fields.items())])


def tell(told: Told, level: int = logging.INFO) -> None:
    """Log it."""
    LINES.log(level, told)


class JSONLines(logging.Formatter):
    """One JSON object a line: ``time`` in UTC (RFC 3339), ``level``, ``event``, and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        row: dict[str, Any] = {"time": time, "level": record.levelname.lower()}
        # Whoever logs gives a text as a rule, but any object will do.
        told: object = record.msg
        if isinstance(told, Told):
            row |= {"event": told.event, **told.fields}
        else:
            row |= {"event": "log", "logger": record.name}
            row["message"] = record.getMessage()[:LONGEST]
        return msgspec.json.encode(row | raised(record)).decode()


def in_one_line(record: logging.LogRecord) -> str:
    """What it tells, without anything that could be taken for another line, or for colours."""
    message = record.getMessage()
    if not isinstance(record.msg, Told):
        message = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in message[:LONGEST])
    more = raised(record)
    if more:
        message += f" error={more['error']} at={', '.join(more['at'])}"
    return message


def raised(record: logging.LogRecord) -> dict[str, Any]:
    """The exception of a record, without its words: what it is and where it was raised."""
    if not record.exc_info or record.exc_info[0] is None:
        return {}
    frames = traceback.extract_tb(record.exc_info[2])[-FRAMES:]
    at = [f"{one.filename}:{one.lineno} {one.name}" for one in frames]
    return {"error": record.exc_info[0].__name__, "at": at}
