"""HolySheep: the same request again, with the id of the last chunk.

The id goes into the headers ``X-Stream-Event-Id`` and ``X-Stream-Resume: true``, or into the
body as ``stream_options.resume_from_event_id``. Before that, ``POST {base}/stream/check`` with
``X-Event-Id`` tells whether the gateway still has it; ``{"valid": false}`` or a failed check
is a refused cursor. Source: HolySheep's API documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec

from ..dialects.shapes import members
from .base import Known, Strategy, call
from .urls import sibling

if TYPE_CHECKING:
    from ..request import HTTPRequest
    from ..resume import CursorKind

__all__ = ["HolySheepStrategy"]


class HolySheepStrategy(Strategy, frozen=True, kw_only=True):
    """Go on behind the last chunk. ``via`` says where its id goes, ``checked`` asks first."""

    name: ClassVar[str] = "holysheep"
    kind: ClassVar[CursorKind | None] = "event_id"

    via: Literal["headers", "body"] = "headers"
    checked: bool = False

    def resume(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        if not known.cursor:
            return None
        cursor = str(known.cursor)
        if self.via == "headers":
            value = cursor.encode().decode("latin-1")
            return first.with_headers(x_stream_event_id=value, x_stream_resume="true")
        body: dict[str, Any] | None = first.json()
        if body is None:
            return None
        options = {**members(body.get("stream_options")), "resume_from_event_id": cursor}
        return first.with_json({**body, "stream_options": options})

    def check(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        if not self.checked or not known.cursor:
            return None
        value = str(known.cursor).encode().decode("latin-1")
        asked = call(first, sibling(first.url, "stream/check"), "POST")
        return asked.with_headers(x_event_id=value, accept="application/json")

    def valid(self, status: int, body: bytes) -> bool:
        try:
            told = msgspec.json.decode(body)
        except (msgspec.MsgspecError, ValueError):
            return False
        return 200 <= status < 300 and members(told).get("valid") is True
