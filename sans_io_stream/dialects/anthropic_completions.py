"""Anthropic's legacy text completions (``/v1/complete``).

Records of type ``completion``, each a piece of the text; the one with a ``stop_reason`` is the
last. No token counts. Source: the API reference, "Create a Text Completion", for the API of
2023-06-01 and later; before that every record repeated the whole text, which is not read here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..events import Event, FinishReason, Heartbeat
from .base import Dialect
from .failure import error_info
from .shapes import is_object

if TYPE_CHECKING:
    from ..framing.items import WireRecord

__all__ = ["AnthropicCompletions"]


class AnthropicCompletions(Dialect):
    """One text completion."""

    name: ClassVar[str] = "anthropic-completions"
    reasons: ClassVar[dict[str, FinishReason]] = {
        "stop_sequence": "stop",
        "max_tokens": "length",
        "refusal": "refusal",
    }

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        own = data.get("type") if is_object(data) else None
        kind = own if isinstance(own, str) else record.type
        failed = self.read_error(data)
        if not is_object(data):
            if not failed:
                self.unrecognized(record, "not a completion: no JSON object", events)
        elif kind == "error":
            if not failed:
                self.fail(error_info(data))
        elif kind == "ping":
            events.append(Heartbeat("ping"))
        elif isinstance(data.get("completion"), str):
            self.start(data.get("id"), data.get("model"), events)
            self.text(data["completion"], events)
            self.finish(data.get("stop_reason"))
            if isinstance(data.get("stop"), str):
                self.annotate("stop_sequence", data["stop"], events)
            if data.get("stop_reason"):
                self.end(events)
        elif not failed:
            self.unrecognized(record, "not a completion", events)
