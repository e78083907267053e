"""The SDKs of Mistral, Groq, OpenRouter, Cohere and Ollama."""

from __future__ import annotations

from typing import Any

from .case import KEY, MESSAGES, SYSTEM, TOOLS, Case, module, read


def mistral_chat(base: str, fields: dict[str, Any]) -> None:
    client: Any = module("mistralai.client").Mistral(api_key=KEY, server_url=base)
    read(client.chat.stream(**fields))


def mistral_default() -> str:
    client: Any = module("mistralai.client").Mistral(api_key=KEY)
    return str(client.sdk_configuration.get_server_details()[0])


def groq_chat(base: str, fields: dict[str, Any]) -> None:
    client: Any = module("groq").Groq(api_key=KEY, base_url=base, max_retries=0)
    read(client.chat.completions.create(stream=True, **fields))


def groq_default() -> str:
    return str(module("groq").Groq(api_key=KEY).base_url)


def openrouter_chat(base: str, fields: dict[str, Any]) -> None:
    client: Any = module("openrouter").OpenRouter(api_key=KEY, server_url=base)
    read(client.chat.send(stream=True, **fields))


def openrouter_default() -> str:
    client: Any = module("openrouter").OpenRouter(api_key=KEY)
    return str(client.sdk_configuration.get_server_details()[0])


def cohere_chat(base: str, fields: dict[str, Any]) -> None:
    client: Any = module("cohere").ClientV2(api_key=KEY, base_url=base)
    read(client.chat_stream(**fields))


def cohere_default() -> str:
    return str(module("cohere.environment").ClientEnvironment.PRODUCTION.value)


def ollama_chat(base: str, fields: dict[str, Any]) -> None:
    read(module("ollama").Client(host=base).chat(stream=True, **fields))


def ollama_default() -> str:
    return str(module("ollama").Client()._client.base_url)


OTHER_CASES = [
    Case(
        "mistral-chat",
        "mistral.chat",
        "mistralai",
        "https://api.mistral.ai",
        "chat",
        mistral_chat,
        {"model": "mistral-small-latest", "messages": SYSTEM, "temperature": 0.5},
        default=mistral_default,
    ),
    Case(
        "groq-chat",
        "groq.chat",
        "groq",
        "https://api.groq.com",
        "chat",
        groq_chat,
        {"model": "llama-3.3-70b-versatile", "messages": SYSTEM, "tools": TOOLS},
        default=groq_default,
    ),
    Case(
        "openrouter-chat",
        "openrouter.chat",
        "openrouter",
        "https://openrouter.ai/api/v1",
        "chat",
        openrouter_chat,
        {"model": "openai/gpt-5-mini", "messages": MESSAGES, "temperature": 0.5},
        default=openrouter_default,
    ),
    Case(
        "cohere-chat",
        "cohere.chat",
        "cohere",
        "https://api.cohere.com",
        "cohere",
        cohere_chat,
        {"model": "command-a-03-2025", "messages": SYSTEM, "max_tokens": 50},
        default=cohere_default,
    ),
    Case(
        "ollama-chat",
        "ollama.chat",
        "ollama",
        "http://127.0.0.1:11434",
        "ollama",
        ollama_chat,
        {
            "model": "llama3.2",
            "messages": SYSTEM,
            "options": {"temperature": 0.5},
            # Where none are given, the SDK sends an empty list.
            "tools": TOOLS,
        },
        {},
        default=ollama_default,
    ),
]
