"""OpenAI responses: a background response is stored while it is made, and numbered.

``GET …/responses/{id}?stream=true&starting_after=N`` gives what follows event N (exclusive),
for some minutes after the end; without ``starting_after`` all of it. Only if the response said
``background: true``: any other dies with its connection, stored or not. What is too old is
refused with 400 or 404. Source: the OpenAI API reference, ``responses/get``, and its guide to
background mode; openai-python ``resources/responses``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..url import path_segment
from .base import Known, Strategy, call
from .urls import below, with_query

if TYPE_CHECKING:
    from ..request import HTTPRequest
    from ..resume import CursorKind

__all__ = ["OpenAIResponsesStrategy"]


class OpenAIResponsesStrategy(Strategy, frozen=True):
    """A background response."""

    name: ClassVar[str] = "openai-responses"
    kind: ClassVar[CursorKind | None] = "sequence"

    def resume(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        if not isinstance(known.cursor, int):
            return None
        return self._ask(first, known, starting_after=str(known.cursor))

    def replay(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        return self._ask(first, known, starting_after=None)

    def stop(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        if not known.stored or not known.response_id:
            return None
        return call(first, below(self._place(first, known), "cancel"), "POST")

    def stores(self, first: HTTPRequest) -> bool:
        body = first.json()
        return bool(body and body.get("background"))

    def _ask(
        self, first: HTTPRequest, known: Known, starting_after: str | None
    ) -> HTTPRequest | None:
        if not known.stored or not known.response_id:
            return None
        place = self._place(first, known)
        return call(first, with_query(place, stream="true", starting_after=starting_after))

    def _place(self, first: HTTPRequest, known: Known) -> str:
        """The URL of the response itself: the first request made it, or asked for it."""
        assert known.response_id is not None
        if first.method == "GET":
            return first.url
        return below(first.url, path_segment(known.response_id))
