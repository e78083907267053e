"""IBM watsonx.ai: text generation, whose records hold ``results``, and chat.

The chat of watsonx speaks the protocol of OpenAI's, with ``model_id`` for the model; a record
without ``results`` is therefore read as a chunk of that. A text generation has no terminal
record: it ends with a ``stop_reason`` other than ``not_finished``. Source: the watsonx.ai API
reference, ``text/generation_stream`` and ``text/chat_stream``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..events import FinishReason
from ..usage_forms import watsonx_usage
from .openai_chat import OpenAIChat
from .shapes import elements, is_array, is_object, members

if TYPE_CHECKING:
    from ..events import Event
    from ..framing.items import WireRecord

__all__ = ["Watsonx"]

STRUCTURAL = frozenset({"model_id", "model_version", "created_at", "results", "system"})
RESULT_STRUCTURAL = frozenset(
    {"generated_text", "generated_token_count", "input_token_count", "stop_reason", "seed"}
)
NAMED = {
    "generated_tokens": "logprobs",
    "input_tokens": "logprobs",
    "moderations": "moderation",
    "moderation": "moderation",
}
UNFINISHED = "not_finished"


class Watsonx(OpenAIChat):
    """One answer of ``/ml/v1/text/generation_stream`` or ``/ml/v1/text/chat_stream``."""

    name: ClassVar[str] = "watsonx"
    typed: ClassVar[bool] = False
    reasons: ClassVar[dict[str, FinishReason]] = {
        **OpenAIChat.reasons,
        "token_limit": "length",
        "time_limit": "length",
    }

    def reason_of(self, raw: str | None, choice: int) -> FinishReason:
        """The service has written its reasons in capitals, too."""
        return super().reason_of(raw.lower() if raw else raw, choice)

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        results = members(data).get("results")
        if not is_array(results):
            if is_array(members(data).get("choices")):
                self.start(data.get("id"), data.get("model_id"), events)
                data = {k: v for k, v in data.items() if k not in STRUCTURAL}
            super().read(data, record, events)
            return
        self.read_error(data)
        self.start(None, data.get("model_id"), events)
        for number, result in enumerate(results):
            if is_object(result):
                self.read_result(result, number, events)
        for warning in elements(members(data.get("system")).get("warnings")):
            self.annotate("warning", warning, events)
        for field, value in data.items():
            if field not in STRUCTURAL and value is not None:
                self.beside(field, value, events, 0)

    def read_result(self, result: dict[str, Any], number: int, events: list[Event]) -> None:
        self.text(result.get("generated_text"), events, number)
        for field, value in result.items():
            if field not in RESULT_STRUCTURAL and value is not None and value not in ([], {}):
                kind = NAMED.get(field)
                if kind is None:
                    self.extra(field, value, events, number)
                else:
                    self.annotate(kind, value, events, number)
        usage = watsonx_usage(result, self.usage)
        if usage is not None:
            self.count_tokens(usage, events)
        reason = result.get("stop_reason")
        if isinstance(reason, str) and reason.lower() != UNFINISHED:
            self.finish(reason, number)
