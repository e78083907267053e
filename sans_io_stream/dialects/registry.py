"""The dialects by name, and their aliases.

A dialect's module is imported when somebody first asks for it by name, and all of them when a
decoder is made that has to find its dialect itself: before a stream begins, never within one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from ..errors import UnknownDialectError

if TYPE_CHECKING:
    from .base import Dialect

__all__ = ["ALIASES", "DIALECTS", "dialect_class", "load_all"]

CLASSES = {
    "openai-chat": "OpenAIChat",
    "openai-responses": "OpenAIResponses",
    "openai-assistants": "OpenAIAssistants",
    "openai-completions": "OpenAICompletions",
    "cohere": "Cohere",
    "cohere-v1": "CohereV1",
    "ollama": "Ollama",
    "watsonx": "Watsonx",
    "replicate": "Replicate",
    "anthropic": "Anthropic",
    "anthropic-completions": "AnthropicCompletions",
    "bedrock-converse": "BedrockConverse",
    "bedrock-invoke": "BedrockInvoke",
    "gemini": "Gemini",
    "gemini-interactions": "GeminiInteractions",
    "mistral": "Mistral",
    "holysheep": "HolySheep",
    "native": "Native",
    "text": "PlainText",
    "records": "Records",
}
"""Each dialect's class."""
SHARED_MODULE = {"text": "plain", "records": "plain"}
"""Where a dialect's module does not have its name."""


class Dialects(Mapping[str, "type[Dialect]"]):
    """The classes by name, each imported when it is first asked for."""

    def __init__(self) -> None:
        self._loaded: dict[str, type[Dialect]] = {}

    def __getitem__(self, name: str) -> type[Dialect]:
        known = self._loaded.get(name)
        if known is None:
            found = CLASSES[name]
            module = SHARED_MODULE.get(name, name.replace("-", "_"))
            known = getattr(import_module(f".{module}", __name__.rpartition(".")[0]), found)
            self._loaded[name] = known
        return known

    def __iter__(self) -> Iterator[str]:
        return iter(CLASSES)

    def __len__(self) -> int:
        return len(CLASSES)


DIALECTS = Dialects()


@cache
def load_all() -> None:
    """Import every dialect: whoever looks for one in a stream needs them at hand."""
    for name in CLASSES:
        DIALECTS[name]


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
    "responses": "openai-responses",
    "assistants": "openai-assistants",
    "completions": "openai-completions",
    "tgi": "openai-completions",
    "writer": "openai-completions",
    "writer-completions": "openai-completions",
    "cohere-v2": "cohere",
    "watsonx.ai": "watsonx",
    "anthropic-messages": "anthropic",
    "claude": "anthropic",
    "vertex-anthropic": "anthropic",
    "anthropic-complete": "anthropic-completions",
    "bedrock": "bedrock-converse",
    "converse": "bedrock-converse",
    "google": "gemini",
    "vertex": "gemini",
    "gemini-sse": "gemini",
    "gemini-json-array": "gemini",
    "interactions": "gemini-interactions",
    "sse": "records",
}


def dialect_class(name: str) -> type[Dialect]:
    """The dialect of that name or alias. Raises ``UnknownDialectError`` for any other."""
    found = DIALECTS.get(name)
    if found is not None:
        return found
    key = name.lower().replace("_", "-")
    try:
        return DIALECTS[ALIASES.get(key, key)]
    except KeyError:
        known = ", ".join(sorted(DIALECTS))
        raise UnknownDialectError(f"no dialect is called {name!r}; there are: {known}") from None
