"""Replicate: an event stream whose data is text, not JSON, told apart by the event's name.

``output`` is a piece of the answer (any text, blanks and a lone colon included; models that
make images send ``data:`` URLs), ``logs`` what the program printed, ``error`` why it failed,
``done`` the end: ``{}`` or with a reason. The ids are those of the event stream. Source: the
Replicate documentation, "Streaming output".
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from ..errors import ErrorInfo
from ..events import Event, FinishReason, Heartbeat
from .base import Dialect
from .shapes import members, word
from .tolerant import REFUSED

if TYPE_CHECKING:
    from ..framing.items import Unfinished, WireRecord

__all__ = ["Replicate"]


class Replicate(Dialect):
    """One prediction."""

    name: ClassVar[str] = "replicate"
    reasons: ClassVar[dict[str, FinishReason]] = {"done": "stop", "error": "error"}

    def pings(self, record: WireRecord) -> bool:
        # A blank is a piece of the answer here.
        return record.type != "output" and super().pings(record)

    def said_all(self, truncated: bool) -> bool:
        return self.ended

    def interpret(self, record: WireRecord, events: list[Event]) -> None:
        match record.type:
            case "output":
                text = record.data.decode("utf-8", "replace")
                self.start(None, None, events)
                if not text:
                    # The stream opens with an empty piece: the prediction has begun.
                    events.append(Heartbeat())
                elif not self.data_url(text, events):
                    self.text(text, events)
            case "logs":
                self.annotate("logs", record.data.decode("utf-8", "replace"), events)
            case "error":
                self.take_error(record.data, events)
            case "done":
                self.read_done(record.data, events)
            case _:
                self.read_other(record, events)

    def accepts(self, item: Unfinished, truncated: bool) -> bool:
        """A block that lacks its empty line may lack a data line too: only ``done`` and errors
        are known whole by their JSON."""
        return item.record.type in ("done", "error") and super().accepts(item, truncated)

    def data_url(self, text: str, events: list[Event]) -> bool:
        """A file inside a ``data:`` URL (RFC 2397); False for anything else."""
        if not text.startswith("data:"):
            return False
        head, comma, body = text[5:].partition(",")
        kind = head.removesuffix(";base64")
        if not comma or kind == head or "/" not in kind or not body:
            return False
        try:
            data = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            return False
        self.media(kind, data, events, 0)
        return True

    def read_done(self, data: bytes, events: list[Event]) -> None:
        told = read_object(data)
        reason = word(told.get("reason"))
        self.start(None, None, events)
        if reason == "error":
            self.fail(ErrorInfo("provider", "the prediction failed", "error"))
        rest = {key: value for key, value in told.items() if key != "reason" and value is not None}
        if rest:
            self.annotate("extra", rest, events)
        # A prediction without output is complete, too.
        self.choice(0)[1].visible = True
        self.finish(reason or "done")
        self.end(events)

    def read_other(self, record: WireRecord, events: list[Event]) -> None:
        """What stands between the events: a document that tells an error, or nothing known."""
        told = read_object(record.data)
        if not record.data.strip():
            events.append(Heartbeat())
        elif not record.type and ("detail" in told or "error" in told):
            self.read_error(told if told.get("error") else {"error": told})
        else:
            self.unrecognized(record, "an event that the protocol does not name", events)


def read_object(data: bytes) -> dict[str, Any]:
    """The JSON object in ``data``; empty if there is none."""
    try:
        return members(msgspec.json.decode(data))
    except REFUSED:
        return {}
