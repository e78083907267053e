"""The same calls twice: as this library is called, and as the vendor's own SDK is.

A *case* is one call. ``send`` makes it with the SDK, whose modules are imported where they are
used: they are there only in the environment that ``make goldens`` makes. What is said to the
SDK is what is said to the builder, apart from how each is told the key and the base URL.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sans_io_stream.providers.signing import AWSCredentials, Bearer, SigV4

__all__ = ["CASES", "Case"]

KEY = "test-key"
Send = Callable[[str, dict[str, Any]], None]
"""``send(base_url, fields)`` makes the call with the SDK, and reads its stream to the end."""


@dataclass(frozen=True)
class Case:
    """One call. ``name`` is that of its golden file."""

    name: str
    builder: str
    """``module.function`` below ``sans_io_stream.providers``."""
    sdk: str
    """The distribution that sends it."""
    base: str
    """The base URL that the SDK has by itself, or that the vendor documents for it."""
    answer: str
    send: Send
    fields: dict[str, Any]
    """What is said of the call itself, to either side."""
    ours: dict[str, Any] = field(default_factory=lambda: {"api_key": KEY})
    """What the builder alone is told."""
    theirs: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the SDK alone is told: that which the builder says unasked."""
    default: Callable[[], str] | None = None
    """The base URL that the SDK has by itself; None if it has none."""


def module(name: str) -> Any:
    return importlib.import_module(name)


def read(stream: Any) -> None:
    for _ in stream:
        pass


MESSAGES = [{"role": "user", "content": "Say hello."}]
SYSTEM = [{"role": "system", "content": "Be brief."}, *MESSAGES]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
FUNCTION = {"name": "weather", "description": "The weather of a city.", "parameters": SCHEMA}
TOOLS = [{"type": "function", "function": FUNCTION}]


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


# ---- Anthropic


def anthropic_client(base: str) -> Any:
    return module("anthropic").Anthropic(api_key=KEY, base_url=base, max_retries=0)


def anthropic_default() -> str:
    return str(module("anthropic").Anthropic(api_key=KEY).base_url)


def anthropic_messages(base: str, fields: dict[str, Any]) -> None:
    read(anthropic_client(base).messages.create(stream=True, **fields))


def anthropic_betas(base: str, fields: dict[str, Any]) -> None:
    read(anthropic_client(base).beta.messages.create(stream=True, **fields))


ANTHROPIC = "https://api.anthropic.com"
ANTHROPIC_CALL = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": MESSAGES}
ANTHROPIC_FULL = {
    **ANTHROPIC_CALL,
    "max_tokens": 4000,
    "system": "Be brief.",
    "tools": [{"name": "weather", "description": "The weather.", "input_schema": SCHEMA}],
    "thinking": {"type": "enabled", "budget_tokens": 2000},
}


def by_anthropic(name: str, send: Send, fields: dict[str, Any], **two: dict[str, Any]) -> Case:
    return Case(
        name,
        "anthropic.chat",
        "anthropic",
        ANTHROPIC,
        "anthropic",
        send,
        fields,
        default=anthropic_default,
        **two,
    )


ANTHROPIC_CASES = [
    by_anthropic("anthropic-messages", anthropic_messages, ANTHROPIC_CALL),
    by_anthropic(
        "anthropic-messages-system",
        anthropic_messages,
        {"model": "claude-sonnet-4-5", "max_tokens": 100},
        ours={"api_key": KEY, "messages": SYSTEM},
        theirs={"messages": MESSAGES, "system": "Be brief."},
    ),
    by_anthropic("anthropic-messages-full", anthropic_messages, ANTHROPIC_FULL),
    by_anthropic(
        "anthropic-messages-betas",
        anthropic_betas,
        {**ANTHROPIC_CALL, "betas": ["context-1m-2025-08-07", "files-api-2025-04-14"]},
    ),
]


# ---- Google


def gemini_client(base: str) -> Any:
    return module("google.genai").Client(api_key=KEY, http_options={"base_url": base})


def vertex_client(base: str) -> Any:
    credentials = module("google.oauth2.credentials").Credentials(token=KEY)
    return module("google.genai").Client(
        vertexai=True,
        project="my-project",
        location="us-central1",
        credentials=credentials,
        http_options={"base_url": base},
    )


def gemini_default() -> str:
    client: Any = module("google.genai").Client(api_key=KEY)
    return str(client._api_client._http_options.base_url)


def vertex_default() -> str:
    credentials = module("google.oauth2.credentials").Credentials(token=KEY)
    client: Any = module("google.genai").Client(
        vertexai=True, project="my-project", location="us-central1", credentials=credentials
    )
    return str(client._api_client._http_options.base_url)


def gemini_config(fields: dict[str, Any]) -> dict[str, Any]:
    """What the REST API takes at the top level, as the SDK takes it in its config."""
    config = dict(fields.get("generationConfig", {}))
    for rest, sdk in (("systemInstruction", "system_instruction"), ("tools", "tools")):
        if rest in fields:
            config[sdk] = fields[rest]
    return {"config": config} if config else {}


def gemini_stream(client: Any, fields: dict[str, Any]) -> None:
    read(
        client.models.generate_content_stream(
            model=fields["model"], contents=fields["contents"], **gemini_config(fields)
        )
    )


def gemini_chat(base: str, fields: dict[str, Any]) -> None:
    gemini_stream(gemini_client(base), fields)


def vertex_chat(base: str, fields: dict[str, Any]) -> None:
    gemini_stream(vertex_client(base), fields)


def vertex_express(base: str, fields: dict[str, Any]) -> None:
    options = {"base_url": base}
    client = module("google.genai").Client(vertexai=True, api_key=KEY, http_options=options)
    gemini_stream(client, fields)


def interactions_create(base: str, fields: dict[str, Any]) -> None:
    # Its client is closed as soon as nothing refers to it.
    client = gemini_client(base)
    read(client.interactions.create(stream=True, **fields))


GEMINI = "https://generativelanguage.googleapis.com"
EXPRESS = "https://aiplatform.googleapis.com"
VERTEX = "https://us-central1-aiplatform.googleapis.com"
CONTENTS = [{"role": "user", "parts": [{"text": "Say hello."}]}]
GEMINI_CALL = {"model": "gemini-2.5-flash", "contents": CONTENTS}
GEMINI_FULL = {
    **GEMINI_CALL,
    "systemInstruction": {"role": "user", "parts": [{"text": "Be brief."}]},
    "generationConfig": {"temperature": 0.5, "maxOutputTokens": 100},
    "tools": [{"functionDeclarations": [{"name": "now", "description": "The time."}]}],
}
VERTEX_OURS = {"access_token": KEY, "project": "my-project", "location": "us-central1"}


def by_google(
    name: str,
    base: str,
    send: Send,
    fields: dict[str, Any],
    ours: dict[str, Any],
    theirs: dict[str, Any] | None = None,
) -> Case:
    provider = name.split("-")[0]
    default = {"gemini": gemini_default, "interactions": gemini_default, "vertex": vertex_default}
    return Case(
        name,
        f"{provider}.chat",
        "google-genai",
        base,
        "interactions" if provider == "interactions" else "gemini",
        send,
        fields,
        ours,
        theirs or {},
        default[provider] if base != EXPRESS else None,
    )


KEYED = {"api_key": KEY}
FLASH = {"model": "gemini-2.5-flash"}
INSTRUCTED = {"contents": CONTENTS, "systemInstruction": GEMINI_FULL["systemInstruction"]}
GOOGLE_CASES = [
    by_google("gemini-chat", GEMINI, gemini_chat, GEMINI_CALL, KEYED),
    by_google("gemini-chat-full", GEMINI, gemini_chat, GEMINI_FULL, KEYED),
    by_google(
        "gemini-chat-messages",
        GEMINI,
        gemini_chat,
        FLASH,
        {**KEYED, "messages": SYSTEM},
        INSTRUCTED,
    ),
    by_google("vertex-chat", VERTEX, vertex_chat, GEMINI_CALL, VERTEX_OURS),
    by_google(
        "vertex-chat-messages",
        VERTEX,
        vertex_chat,
        FLASH,
        {**VERTEX_OURS, "messages": SYSTEM},
        INSTRUCTED,
    ),
    by_google("vertex-chat-express", EXPRESS, vertex_express, GEMINI_CALL, KEYED),
    by_google(
        "interactions-chat",
        GEMINI,
        interactions_create,
        {**FLASH, "input": "Say hello.", "background": True},
        KEYED,
    ),
]


# ---- Mistral, Groq, OpenRouter, Cohere, Ollama


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


# ---- Amazon Bedrock

REGION = "us-east-1"
BEDROCK = f"https://bedrock-runtime.{REGION}.amazonaws.com"
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"


def bedrock_client(base: str | None) -> Any:
    return module("boto3").client(
        "bedrock-runtime",
        region_name=REGION,
        endpoint_url=base,
        aws_access_key_id=KEY,
        aws_secret_access_key="test-secret",
    )


def bedrock_default() -> str:
    return str(bedrock_client(None).meta.endpoint_url)


def bedrock_converse(base: str, fields: dict[str, Any]) -> None:
    fields = dict(fields)
    model = fields.pop("model")
    read(bedrock_client(base).converse_stream(modelId=model, **fields)["stream"])


def bedrock_by_key(base: str, fields: dict[str, Any]) -> None:
    # The SDK takes it from nowhere else; the recorder puts the environment back.
    os.environ["AWS_BEARER_TOKEN_BEDROCK"] = KEY
    fields = dict(fields)
    client: Any = module("boto3").client("bedrock-runtime", region_name=REGION, endpoint_url=base)
    read(client.converse_stream(modelId=fields.pop("model"), **fields)["stream"])


def bedrock_invoke(base: str, fields: dict[str, Any]) -> None:
    fields = dict(fields)
    client = bedrock_client(base)
    # The SDK takes a body of bytes, since each model has a format of its own.
    answer = client.invoke_model_with_response_stream(
        modelId=fields.pop("model"), body=json.dumps(fields), contentType="application/json"
    )
    read(answer["body"])


SIGNED = SigV4(
    AWSCredentials(KEY, "test-secret"), REGION, clock=lambda: datetime(2026, 11, 26, tzinfo=UTC)
)
CONVERSE = {
    "model": HAIKU,
    "messages": [{"role": "user", "content": [{"text": "Say hello."}]}],
    "system": [{"text": "Be brief."}],
    "inferenceConfig": {"maxTokens": 100, "temperature": 0.5},
}
INVOKE = {
    "model": HAIKU,
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 100,
    "messages": MESSAGES,
}


def by_bedrock(
    name: str, send: Send, fields: dict[str, Any], ours: dict[str, Any], **two: dict[str, Any]
) -> Case:
    return Case(
        name,
        f"bedrock.{name.split('-')[1]}",
        "boto3",
        BEDROCK,
        "bedrock",
        send,
        fields,
        {"region": REGION, **ours},
        default=bedrock_default,
        **two,
    )


BEDROCK_CASES = [
    by_bedrock("bedrock-chat", bedrock_converse, CONVERSE, {"authorize": SIGNED}),
    by_bedrock(
        "bedrock-chat-messages",
        bedrock_converse,
        {"model": HAIKU},
        {"authorize": SIGNED, "messages": SYSTEM},
        theirs={"messages": CONVERSE["messages"], "system": CONVERSE["system"]},
    ),
    by_bedrock("bedrock-chat-key", bedrock_by_key, CONVERSE, KEYED),
    by_bedrock("bedrock-invoke", bedrock_invoke, INVOKE, {"authorize": SIGNED}),
]

CASES = {
    case.name: case
    for case in (
        *OPENAI_CASES,
        *AZURE_CASES,
        *ANTHROPIC_CASES,
        *GOOGLE_CASES,
        *OTHER_CASES,
        *BEDROCK_CASES,
    )
}
"""Every call, by its name."""
