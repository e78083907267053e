"""The dialects by name, and their aliases."""

from __future__ import annotations

from ..errors import UnknownDialectError
from .base import Dialect
from .openai_chat import OpenAIChat
from .plain import PlainText, Records

__all__ = ["ALIASES", "DIALECTS", "dialect_class"]

DIALECTS: dict[str, type[Dialect]] = {
    cls.name: cls for cls in (OpenAIChat, PlainText, Records)
}

ALIASES: dict[str, str] = {
    "openai": "openai-chat",
    "azure": "openai-chat",
    "deepseek": "openai-chat",
    "groq": "openai-chat",
    "xai": "openai-chat",
    "openrouter": "openai-chat",
    "vllm": "openai-chat",
    "llamacpp": "openai-chat",
    "llama.cpp": "openai-chat",
    "lmstudio": "openai-chat",
    "sse": "records",
}


def dialect_class(name: str) -> type[Dialect]:
    """The dialect of that name or alias. Raises ``UnknownDialectError`` for any other."""
    key = name.lower().replace("_", "-")
    try:
        return DIALECTS[ALIASES.get(key, key)]
    except KeyError:
        known = ", ".join(sorted(DIALECTS))
        raise UnknownDialectError(f"no dialect is called {name!r}; there are: {known}") from None
