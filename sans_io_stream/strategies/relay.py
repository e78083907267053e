"""The relay: every answer is logged before anyone sees it, and is read again from any place.

The SSE ``id`` of each event is a cursor, whose first part is the stream's id; ``X-Stream-Id``
names it before any event. What follows a cursor is ``GET {prefix}/v1/streams/{id}`` with
``Last-Event-ID``: it repeats no prompt, and can begin no generation. 410 refuses a cursor, 204
says that nothing follows it. Without a cursor the whole stream comes; ``DELETE`` ends the
generation, which does not end with its reader. So a request that was not answered is made again
only with an ``Idempotency-Key``, by which the relay knows it. Where nothing but an interruption
follows a cursor, a status tells it, and ``X-Stream-Outcome``. Source: docs/relay.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

import msgspec

from .base import Known, Strategy, call
from .urls import versioned, with_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..errors import ErrorInfo, ErrorKind
    from ..headers import HeaderPairs
    from ..request import HTTPRequest
    from ..resume import CursorKind

__all__ = ["OUTCOME", "RelayStrategy"]

STREAM = re.compile(r"[A-Za-z0-9_-]{22,86}", re.ASCII)
"""A stream's id."""
BY_PATH = (("/messages", "anthropic"), ("/streams", "native"), ("", "openai-chat"))
"""Which format is answered at a path that ends so."""
OUTCOME = "x-stream-outcome"
"""The header that says how the stream ended, where its end is told by a status."""
ENDED: Mapping[str, ErrorKind] = {"interrupted": "truncated", "cancelled": "cancelled"}
"""Its values that no other way of going on changes, and the kinds of errors that they are."""


class RelayStrategy(Strategy, frozen=True, kw_only=True):
    """Go on behind the last event that was seen. ``format`` is that of the answer; None for the
    one that the first request's path has."""

    name: ClassVar[str] = "relay"
    kind: ClassVar[CursorKind | None] = "sse_id"

    format: str | None = None

    def resume(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        place = self._place(first, known)
        if place is None or not known.cursor:
            return None
        value = str(known.cursor).encode().decode("latin-1")
        return call(first, self._read(first, place)).with_headers(last_event_id=value)

    def replay(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        place = self._place(first, known)
        if place is None:
            return None
        return call(first, self._read(first, place)).with_headers(last_event_id=None)

    def stop(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        place = self._place(first, known)
        return None if place is None else call(first, place, "DELETE")

    def stores(self, first: HTTPRequest) -> bool:
        return first.method == "POST"

    def stream_named(self, headers: HeaderPairs) -> str | None:
        id = next((value for name, value in headers if name == "x-stream-id"), "")
        return id if STREAM.fullmatch(id) else None

    def refusal(self, headers: HeaderPairs, error: ErrorInfo) -> ErrorInfo:
        # The formats have no word for it. It is the stream that has ended so.
        outcome = next((value for name, value in headers if name == OUTCOME), "")
        kind = ENDED.get(outcome)
        return error if kind is None else msgspec.structs.replace(error, kind=kind)

    def refused(self, status: int, error: ErrorInfo | None) -> bool:
        if error is not None and error.kind in ENDED.values():
            return False
        return super().refused(status, error)

    def _place(self, first: HTTPRequest, known: Known) -> str | None:
        """The URL of the stream itself; None while its id is not known."""
        if first.method == "GET":
            return with_query(first.url, after=None, format=None)
        id = known.stream or str(known.cursor or "").partition(".")[0]
        if STREAM.fullmatch(id) is None:
            return None
        return versioned(first.url, f"streams/{id}")

    def _read(self, first: HTTPRequest, place: str) -> str:
        """The URL at which the stream at ``place`` is read in the answer's format."""
        if first.method == "GET":
            return with_query(first.url, after=None)
        path = urlsplit(first.url).path.rstrip("/")
        format = self.format or next(name for end, name in BY_PATH if path.endswith(end))
        return with_query(place, format=format)
