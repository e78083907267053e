"""The formats by name, each with the framings that its protocol has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..dialects.registry import ALIASES
from ..errors import UnknownDialectError
from .anthropic import AnthropicFormat
from .gemini import GeminiFormat
from .holysheep import HolySheepFormat
from .native import NativeFormat
from .ollama import OllamaFormat
from .openai_chat import OpenAIChatFormat
from .openai_responses import OpenAIResponsesFormat
from .text import TextFormat

if TYPE_CHECKING:
    from .base import Format
    from .frames import Framing

__all__ = ["FORMATS", "find"]

FORMATS: dict[str, type[Format]] = {
    cls.name: cls
    for cls in (
        NativeFormat,
        OpenAIChatFormat,
        OpenAIResponsesFormat,
        AnthropicFormat,
        GeminiFormat,
        OllamaFormat,
        HolySheepFormat,
        TextFormat,
    )
}


def find(name: str, framing: str | None) -> tuple[type[Format], Framing]:
    """A format by its name or alias, and the framing to use.

    Raises ``UnknownDialectError``, which lists what there is.
    """
    key = name.lower().replace("_", "-")
    cls = FORMATS.get(ALIASES.get(key, key))
    if cls is None:
        known = ", ".join(sorted(FORMATS))
        raise UnknownDialectError(f"no encoder writes {name!r}; there are: {known}")
    if framing is None:
        return cls, cls.framings[0]
    for one in cls.framings:
        if one == framing.lower().replace("_", "-"):
            return cls, one
    known = ", ".join(cls.framings)
    raise UnknownDialectError(f"{cls.name} is not sent as {framing!r}; it is sent as: {known}")
