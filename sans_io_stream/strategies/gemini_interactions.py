"""Gemini Interactions: a stored interaction can be asked for from any event that had an id.

``GET …/interactions/{id}?stream=true&last_event_id=X`` gives what follows that event
(exclusive); events need no ``event_id``, and without one the interaction comes again from its
start. ``store: false`` leaves nothing to ask for. Source: python-genai,
``_gaos/models/getinteractionbyid.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..url import path_segment
from .base import Known, Strategy, call
from .urls import below, with_query

if TYPE_CHECKING:
    from ..request import HTTPRequest
    from ..resume import CursorKind

__all__ = ["GeminiInteractionsStrategy"]


class GeminiInteractionsStrategy(Strategy, frozen=True):
    """A stored interaction."""

    name: ClassVar[str] = "gemini-interactions"
    kind: ClassVar[CursorKind | None] = "event_id"

    def resume(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        if known.cursor is None:
            return None
        return self._ask(first, known, last_event_id=str(known.cursor))

    def replay(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        return self._ask(first, known, last_event_id=None)

    def stop(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        if not self.stores(first) or not known.response_id:
            return None
        return call(first, below(self._place(first, known), "cancel"), "POST")

    def stores(self, first: HTTPRequest) -> bool:
        body = first.json()
        return bool(body and body.get("background"))

    def _ask(
        self, first: HTTPRequest, known: Known, last_event_id: str | None
    ) -> HTTPRequest | None:
        body = first.json() or {}
        if not known.response_id or body.get("store") is False:
            return None
        place = self._place(first, known)
        return call(first, with_query(place, stream="true", last_event_id=last_event_id))

    def _place(self, first: HTTPRequest, known: Known) -> str:
        assert known.response_id is not None
        if first.method == "GET":
            return first.url
        return below(first.url, path_segment(known.response_id))
