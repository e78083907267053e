"""How each mechanism resumes, from the server's side: one class per mechanism.

A mechanism reads from a request what it asks for: the answer from its start, the answer from
behind a cursor, or something that is no stream. It neither sends nor counts. What a client of
that mechanism asks with stands in ``sans_io_stream.strategies``.
"""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from urllib.parse import unquote

from sans_io_stream.errors import UnknownDialectError

from .http import Response, document
from .playing import Answer, Played

if TYPE_CHECKING:
    from sans_io_stream.resume import Cursor

    from .seen import Asked

__all__ = ["MECHANISMS", "Behind", "Mechanism", "gone", "mechanism_named"]


class Behind(NamedTuple):
    """The answer that was begun before is asked for, from behind this cursor; with None from
    its start."""

    cursor: Cursor | None


START = None
"""The answer is asked for as by a first request."""


def gone(status: int = 404) -> Response:
    """The cursor, or the answer, is not there any more."""
    error = {"message": "not there any more", "type": "invalid_request_error", "code": "gone"}
    return document(status, {"error": error})


class Mechanism:
    """No mechanism at all: every request begins."""

    name: ClassVar[str] = "none"

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def asked(self, asked: Asked, *, forgets: bool = False) -> Response | Behind | None:
        """What is asked for: None for the answer to a first request, ``Behind`` a cursor, or
        the response to a call that asks for no stream. ``forgets``: no cursor is known."""
        return START

    def begun(self, asked: Asked) -> None:
        """The answer to this request has begun."""

    def beaten(self, number: int) -> None:
        """A heartbeat is sent before that record of the answer."""

    def place(self, cursor: Cursor) -> tuple[int, int] | None:
        """The record at which to go on, and how much of it to leave out; None for a cursor
        that is not known."""
        own = [n for n, record in enumerate(self.answer.records) if record.cursor == cursor]
        return (own[-1] + 1, 0) if own else None

    def renumbered(self, record: bytes, cursor: Cursor, by: int) -> bytes:
        """``record`` with another cursor."""
        old = str(cursor)
        new = re.sub(r"\d+(?=\D*$)", lambda m: str(max(0, int(m[0]) + by)).zfill(len(m[0])), old)
        for form in (b"id: %b\n", b'"id":"%b"', b'"event_id":"%b"'):
            record = record.replace(form % old.encode(), form % new.encode(), 1)
        return record


class Stored(Mechanism):
    """A stored answer, asked for by GET below the URL that began it."""

    below: ClassVar[re.Pattern[str]]
    parameter: ClassVar[str]

    def asked(self, asked: Asked, *, forgets: bool = False) -> Response | Behind | None:
        found = self.below.search(asked.path)
        if found is not None and found["call"]:
            return document(200, {"id": unquote(found["id"]), "status": "cancelled"})
        if asked.method != "GET" or found is None:
            return START
        if unquote(found["id"]) != self.answer.response_id:
            return gone()
        told = asked.query.get(self.parameter)
        return Behind(None if told is None else self.cursor(told))

    def cursor(self, told: str) -> Cursor:
        """The cursor as the records have it."""
        return told


class Responses(Stored):
    """OpenAI responses in the background."""

    name: ClassVar[str] = "openai-responses"
    below: ClassVar[re.Pattern[str]] = re.compile(r"/responses/(?P<id>[^/]+)(?P<call>/cancel)?$")
    parameter: ClassVar[str] = "starting_after"

    def cursor(self, told: str) -> Cursor:
        return int(told) if told.isdecimal() else told

    def renumbered(self, record: bytes, cursor: Cursor, by: int) -> bytes:
        number = b"%d" % max(0, int(cursor) + by)
        return re.sub(rb'("sequence_number":\s*)\d+', rb"\g<1>" + number, record, count=1)


class Interactions(Stored):
    """Stored Gemini interactions."""

    name: ClassVar[str] = "gemini-interactions"
    below: ClassVar[re.Pattern[str]] = re.compile(r"/interactions/(?P<id>[^/]+)(?P<call>/cancel)?$")
    parameter: ClassVar[str] = "last_event_id"


class LastEventID(Mechanism):
    """The same request again, with the id of the last event."""

    name: ClassVar[str] = "last-event-id"

    def asked(self, asked: Asked, *, forgets: bool = False) -> Response | Behind | None:
        told = asked.header("last-event-id")
        if not told:
            return START
        cursor = as_utf8(told)
        if not forgets and self.answer.records and self.place(cursor) == self.end:
            # WHATWG HTML 9.2.3: how a server says that there is nothing more to come.
            return Response(204, chunked=False)
        return Behind(cursor)

    @property
    def end(self) -> tuple[int, int]:
        """The place behind the last record."""
        return len(self.answer.records), 0


class EventSource(LastEventID):
    """The same, as browsers ask."""

    name: ClassVar[str] = "eventsource"


class HolySheep(Mechanism):
    """The same request again with the id of the last chunk, in headers or in the body; and a
    call that asks whether an id is still known."""

    name: ClassVar[str] = "holysheep"

    def asked(self, asked: Asked, *, forgets: bool = False) -> Response | Behind | None:
        if asked.path.endswith("/stream/check"):
            cursor = as_utf8(asked.header("x-event-id") or "")
            valid = not forgets and self.place(cursor) is not None
            return document(200, {"valid": valid})
        if (asked.header("x-stream-resume") or "").lower() == "true":
            return Behind(as_utf8(asked.header("x-stream-event-id") or ""))
        try:
            body: Any = asked.json()
            cursor = body["stream_options"]["resume_from_event_id"]
        except (ValueError, KeyError, TypeError):
            return START
        return Behind(str(cursor))


class LlamaCpp(Mechanism):
    """A conversation whose name the client chose, asked for from any byte of the body."""

    name: ClassVar[str] = "llamacpp"
    below: ClassVar[re.Pattern[str]] = re.compile(r"/stream/(?P<id>[^/]+)$")

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self._conversations: set[str] = set()
        self._lock = threading.Lock()

    def asked(self, asked: Asked, *, forgets: bool = False) -> Response | Behind | None:
        found = self.below.search(asked.path)
        if found is None or asked.method not in ("GET", "DELETE"):
            return START
        if unquote(found["id"]) not in self._conversations:
            return gone()
        if asked.method == "DELETE":
            return document(200, {"success": True})
        told = asked.query.get("from", "0")
        return Behind(int(told) if told.isdecimal() else told)

    def begun(self, asked: Asked) -> None:
        name = asked.header("x-conversation-id")
        if name is not None and asked.method == "POST":
            self._conversations.add(name)

    def place(self, cursor: Cursor) -> tuple[int, int] | None:
        if not isinstance(cursor, int):
            return None
        left = cursor
        for number, record in enumerate(self.answer.records):
            if left < len(record.data):
                return number, left
            left -= len(record.data)
        return (len(self.answer.records), 0) if left == 0 else None

    def beaten(self, number: int) -> None:
        # Its bytes are counted by the client, so they belong to the body from now on.
        with self._lock:
            records, beat = self.answer.records, Played(self.answer.heartbeat)
            records = (*records[:number], beat, *records[number:])
            self.answer = replace(self.answer, records=records, reads=())

    def renumbered(self, record: bytes, cursor: Cursor, by: int) -> bytes:
        return record


def as_utf8(value: str) -> str:
    """The value of a header, which stands there as latin-1."""
    return value.encode("latin-1").decode("utf-8", "replace")


MECHANISMS: dict[str, type[Mechanism]] = {
    cls.name: cls
    for cls in (
        Mechanism,
        Responses,
        Interactions,
        LastEventID,
        EventSource,
        HolySheep,
        LlamaCpp,
    )
}
"""By the names of the strategies that they answer."""


def mechanism_named(name: str) -> type[Mechanism]:
    """The mechanism for that strategy. Raises ``UnknownDialectError`` for any other."""
    try:
        return MECHANISMS[name]
    except KeyError:
        known = ", ".join(MECHANISMS)
        raise UnknownDialectError(f"no server resumes as {name!r}; there are: {known}") from None
