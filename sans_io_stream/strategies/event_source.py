"""Plain event streams: the same request again, with the ``Last-Event-ID`` header.

``last-event-id`` goes on only behind an id, and only where the stream broke: a claim that the
server's ids make. ``eventsource`` is what browsers do: it connects again after an orderly end,
too, and without an id as well, and takes what comes; status 204 ends it. Source: WHATWG HTML
9.2.2 to 9.2.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .base import Known, Strategy

if TYPE_CHECKING:
    from ..request import HTTPRequest
    from ..resume import CursorKind

__all__ = ["EventSourceStrategy", "LastEventIDStrategy"]


class LastEventIDStrategy(Strategy, frozen=True):
    """Go on behind the last event id."""

    name: ClassVar[str] = "last-event-id"
    kind: ClassVar[CursorKind | None] = "sse_id"

    def resume(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        if not known.cursor:
            return None
        # The header's value is the id in UTF-8 (9.2.4); h11 and we speak latin-1.
        value = str(known.cursor).encode().decode("latin-1")
        return first.with_headers(last_event_id=value)


class EventSourceStrategy(LastEventIDStrategy, frozen=True):
    """Go on as browsers do."""

    name: ClassVar[str] = "eventsource"
    after_end: ClassVar[bool] = True
    inexact: ClassVar[bool] = True
