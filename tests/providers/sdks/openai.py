"""OpenAI's SDK, with its own API, Azure's and those whose vendors document it for theirs."""

from __future__ import annotations

from typing import Any

from sans_io_stream.providers.signing import Bearer

from .case import FUNCTION, KEY, MESSAGES, SYSTEM, TOOLS, Case, Send, module, read

# ---- the SDK of OpenAI, and all whose vendors document it for their own API


def openai_client(base: str) -> Any:
    return module("openai").OpenAI(api_key=KEY, base_url=base, max_retries=0)


def openai_default() -> str:
    return str(module("openai").OpenAI(api_key=KEY).base_url)


def openai_chat(base: str, fields: dict[str, Any]) -> None:
    read(openai_client(base).chat.completions.create(stream=True, **fields))


def openai_responses(base: str, fields: dict[str, Any]) -> None:
    read(openai_client(base).responses.create(stream=True, **fields))


def openai_completions(base: str, fields: dict[str, Any]) -> None:
    read(openai_client(base).completions.create(stream=True, **fields))


def openai_account(base: str, fields: dict[str, Any]) -> None:
    account = {"organization": "org-1", "project": "proj-1"}
    client: Any = module("openai").OpenAI(api_key=KEY, base_url=base, **account)
    read(client.chat.completions.create(stream=True, **fields))


OPENAI = "https://api.openai.com/v1"
USAGE = {"stream_options": {"include_usage": True}}
CHAT = {"model": "gpt-5-mini", "messages": MESSAGES}
CHAT_FULL = {
    "model": "gpt-5-mini",
    "messages": SYSTEM,
    "tools": TOOLS,
    "tool_choice": "auto",
    "temperature": 0.5,
    "max_completion_tokens": 100,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
}
RESPONSES = {"model": "gpt-5-mini", "input": "Say hello."}
RESPONSES_FULL = {
    "model": "gpt-5-mini",
    "input": MESSAGES,
    "instructions": "Be brief.",
    "background": True,
    "max_output_tokens": 100,
    "tools": [{"type": "function", "strict": True, **FUNCTION}],
}


def by_openai(
    name: str,
    builder: str,
    base: str,
    send: Send,
    fields: dict[str, Any],
    theirs: dict[str, Any] | None = None,
    **ours: Any,
) -> Case:
    return Case(
        name,
        builder,
        sdk="openai",
        base=base,
        answer=builder.partition(".")[2],
        send=send,
        fields=fields,
        ours={"api_key": KEY, **ours},
        theirs=theirs or {},
        default=openai_default if base == OPENAI else None,
    )


OPENAI_CASES = [
    by_openai("openai-chat", "openai.chat", OPENAI, openai_chat, CHAT, USAGE),
    by_openai("openai-chat-plain", "openai.chat", OPENAI, openai_chat, CHAT, stream_options=None),
    by_openai(
        "openai-chat-account",
        "openai.chat",
        OPENAI,
        openai_account,
        CHAT,
        USAGE,
        organization="org-1",
        project="proj-1",
    ),
    by_openai("openai-chat-full", "openai.chat", OPENAI, openai_chat, CHAT_FULL),
    by_openai("openai-responses", "openai.responses", OPENAI, openai_responses, RESPONSES),
    by_openai(
        "openai-responses-background",
        "openai.responses",
        OPENAI,
        openai_responses,
        RESPONSES_FULL,
    ),
    by_openai(
        "openai-completions",
        "openai.completions",
        OPENAI,
        openai_completions,
        {"model": "gpt-3.5-turbo-instruct", "prompt": "Say hello.", "max_tokens": 10},
        USAGE,
    ),
    by_openai(
        "deepseek-chat",
        "deepseek.chat",
        "https://api.deepseek.com",
        openai_chat,
        {"model": "deepseek-chat", "messages": SYSTEM},
        USAGE,
    ),
    by_openai(
        "xai-chat",
        "xai.chat",
        "https://api.x.ai/v1",
        openai_chat,
        {"model": "grok-4", "messages": SYSTEM, "temperature": 0.5},
        USAGE,
    ),
    by_openai(
        "openrouter-chat-openai",
        "openrouter.chat",
        "https://openrouter.ai/api/v1",
        openai_chat,
        {"model": "openai/gpt-5-mini", "messages": MESSAGES},
    ),
    by_openai(
        "holysheep-chat",
        "holysheep.chat",
        "https://api.holysheep.ai/v1",
        openai_chat,
        {"model": "gpt-5-mini", "messages": MESSAGES},
        USAGE,
    ),
    by_openai(
        "holysheep-chat-options",
        "holysheep.chat",
        "https://api.holysheep.ai/v1",
        openai_chat,
        CHAT,
        {"stream_options": {**USAGE["stream_options"], "include_model": True}},
        include_model=True,
    ),
    by_openai(
        "relay-chat",
        "relay.chat",
        "http://127.0.0.1:8700/v1",
        openai_chat,
        {"model": "claude-sonnet-4-5", "messages": MESSAGES, "max_tokens": 50},
        USAGE,
        format="openai-chat",
    ),
    by_openai(
        "compatible-chat",
        "compatible.chat",
        "http://vllm.test:8000/v1",
        openai_chat,
        {"model": "Qwen/Qwen3-8B", "messages": MESSAGES, "max_tokens": 50},
        USAGE,
        base_url="http://vllm.test:8000/v1",
    ),
]


# ---- Azure OpenAI

AZURE = "https://mine.openai.azure.com"
AZURE_VERSION = "2025-03-01-preview"


def azure_client(base: str) -> Any:
    return module("openai").AzureOpenAI(
        api_key=KEY, azure_endpoint=base, api_version=AZURE_VERSION, max_retries=0
    )


def azure_chat(base: str, fields: dict[str, Any]) -> None:
    read(azure_client(base).chat.completions.create(stream=True, **fields))


def azure_responses(base: str, fields: dict[str, Any]) -> None:
    read(azure_client(base).responses.create(stream=True, **fields))


def azure_entra(base: str, fields: dict[str, Any]) -> None:
    client: Any = module("openai").AzureOpenAI(
        azure_ad_token_provider=lambda: KEY, azure_endpoint=base, api_version=AZURE_VERSION
    )
    read(client.chat.completions.create(stream=True, **fields))


AZURE_OURS = {"endpoint": AZURE, "api_version": AZURE_VERSION}


def by_azure(
    name: str, send: Send, fields: dict[str, Any], theirs: dict[str, Any], **ours: Any
) -> Case:
    kind = name.split("-")[1]
    return Case(
        name, f"azure.{kind}", "openai", AZURE, kind, send, fields, AZURE_OURS | ours, theirs
    )


AZURE_CASES = [
    by_azure("azure-chat", azure_chat, CHAT, USAGE, api_key=KEY),
    by_azure("azure-chat-entra", azure_entra, CHAT, USAGE, authorize=Bearer(lambda: KEY)),
    by_azure("azure-responses", azure_responses, RESPONSES, {}, api_key=KEY),
    # Microsoft documents the plain client for the surface without versions.
    Case(
        "azure-chat-v1",
        "azure.chat",
        "openai",
        f"{AZURE}/openai/v1",
        "chat",
        openai_chat,
        CHAT,
        {"endpoint": AZURE, "api_key": KEY},
        USAGE,
    ),
]
