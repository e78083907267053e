"""The dialects by name, and their aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UnknownDialectError
from .anthropic import Anthropic
from .anthropic_completions import AnthropicCompletions
from .bedrock_converse import BedrockConverse
from .bedrock_invoke import BedrockInvoke
from .cohere import Cohere
from .cohere_v1 import CohereV1
from .gemini import Gemini
from .gemini_interactions import GeminiInteractions
from .holysheep import HolySheep
from .mistral import Mistral
from .native import Native
from .ollama import Ollama
from .openai_assistants import OpenAIAssistants
from .openai_chat import OpenAIChat
from .openai_completions import OpenAICompletions
from .openai_responses import OpenAIResponses
from .plain import PlainText, Records
from .replicate import Replicate
from .watsonx import Watsonx

if TYPE_CHECKING:
    from .base import Dialect

__all__ = ["ALIASES", "DIALECTS", "dialect_class"]

DIALECTS: dict[str, type[Dialect]] = {
    cls.name: cls
    for cls in (
        OpenAIChat,
        OpenAIResponses,
        OpenAIAssistants,
        OpenAICompletions,
        Cohere,
        CohereV1,
        Ollama,
        Watsonx,
        Replicate,
        Anthropic,
        AnthropicCompletions,
        BedrockConverse,
        BedrockInvoke,
        Gemini,
        GeminiInteractions,
        Mistral,
        HolySheep,
        Native,
        PlainText,
        Records,
    )
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
