"""HolySheep: chat chunks whose ``id`` is the cursor of the chunk.

The id of the response stands in ``response_id``; a chunk has an ``id`` only where the caller
gives one (``Encoder.encode(event, id=…)``). Source: HolySheep's API documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..dialects.holysheep import HolySheep
from ..dialects.openai_chat import OpenAIChat
from .frames import Out
from .openai_chat import OpenAIChatFormat
from .words import finish_word

if TYPE_CHECKING:
    from ..events import FinishReason

__all__ = ["HolySheepFormat"]

WORDS: dict[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "error": "error",
    "other": "other",
}
"""What the gateway reads in Google's words, too, is written in those of the chat family."""


class HolySheepFormat(OpenAIChatFormat, kw_only=True):
    """One answer of the gateway."""

    name: ClassVar[str] = HolySheep.name
    steady: ClassVar[bool] = False
    dialect: ClassVar[type[OpenAIChat]] = HolySheep

    def head(self) -> dict[str, Any]:
        return {
            "response_id": self.response_id or "",
            "object": "chat.completion.chunk",
            "created": self.options.created,
            "model": self.model or "",
        }

    def stamp(self, record: Out, id: str) -> Out:
        if isinstance(record.value, dict):
            return Out({"id": id, **record.value}, record.type)
        return record

    def word_of(self, choice: int) -> str:
        return finish_word(self.last_of(choice), HolySheep.reasons, WORDS, infers_calls=True)
