"""llama.cpp's server: a conversation's stream is kept in a ring of bytes, under a name that
the client chose.

The first request carries ``X-Conversation-Id``; ``GET /v1/stream/{id}?from=BYTES`` gives the
bytes of the body from there on (inclusive of that byte), ``DELETE`` stops the generation.
Since the name is known from the start, what is there is asked for, from 0, before the request
is ever sent a second time. Source: llama.cpp ``tools/server``, pull request 23226.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..url import path_segment
from .base import Known, Strategy, call
from .urls import versioned, with_query

if TYPE_CHECKING:
    from ..request import HTTPRequest
    from ..resume import CursorKind

__all__ = ["CONVERSATION", "LlamaCppStrategy"]

CONVERSATION = "x-conversation-id"


class LlamaCppStrategy(Strategy, frozen=True):
    """Go on at the next byte."""

    name: ClassVar[str] = "llamacpp"
    kind: ClassVar[CursorKind | None] = "byte_offset"

    def resume(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        place = self._place(first)
        if place is None or not isinstance(known.cursor, int):
            return None
        return call(first, with_query(place, **{"from": str(known.cursor)}))

    def replay(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        place = self._place(first)
        return None if place is None else call(first, with_query(place, **{"from": "0"}))

    def stop(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        place = self._place(first)
        return None if place is None else call(first, place, "DELETE")

    def stores(self, first: HTTPRequest) -> bool:
        return first.header(CONVERSATION) is not None

    def _place(self, first: HTTPRequest) -> str | None:
        name = first.header(CONVERSATION)
        return versioned(first.url, f"stream/{path_segment(name)}") if name else None
