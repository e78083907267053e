"""What the page of the providers says in its tables is what the builders do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sans_io_stream import providers
from sans_io_stream.headers import CREDENTIAL_HEADERS
from sans_io_stream.providers import (
    PROVIDERS,
    anthropic,
    azure,
    bedrock,
    cohere,
    compatible,
    deepseek,
    gemini,
    groq,
    holysheep,
    interactions,
    mistral,
    ollama,
    openai,
    openrouter,
    relay,
    vertex,
    xai,
)
from tests.sources import REPO

if TYPE_CHECKING:
    from collections.abc import Callable

    from sans_io_stream import StreamRequest

MESSAGES: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
ENDPOINT = {"endpoint": "https://NAME.openai.azure.com"}
CALLS: list[tuple[Callable[..., StreamRequest], dict[str, Any]]] = [
    (openai.chat, MESSAGES),
    (openai.responses, {"input": "Hello"}),
    (openai.completions, {"prompt": "Hello"}),
    (azure.chat, MESSAGES | ENDPOINT | {"api_version": "VERSION"}),
    (azure.chat, MESSAGES | ENDPOINT),
    (azure.responses, {"input": "Hello"} | ENDPOINT | {"api_version": "VERSION"}),
    (azure.responses, {"input": "Hello"} | ENDPOINT),
    (anthropic.chat, MESSAGES),
    (gemini.chat, MESSAGES),
    (vertex.chat, MESSAGES | {"project": "PROJECT", "access_token": "KEY"}),
    (interactions.chat, MESSAGES),
    (deepseek.chat, MESSAGES),
    (mistral.chat, MESSAGES),
    (groq.chat, MESSAGES),
    (xai.chat, MESSAGES),
    (openrouter.chat, MESSAGES),
    (cohere.chat, MESSAGES),
    (ollama.chat, MESSAGES),
    (bedrock.chat, MESSAGES | {"region": "us-east-1"}),
    (bedrock.invoke, MESSAGES | {"region": "us-east-1"}),
    (holysheep.chat, MESSAGES),
    (relay.chat, MESSAGES),
    (relay.read, {"id": "A" * 22}),
    (compatible.chat, MESSAGES | {"base_url": "https://BASE"}),
]


def code(text: str | None) -> str:
    return f"`{text}`" if text else ""


def row(build: Callable[..., StreamRequest], given: dict[str, Any]) -> str:
    """The line of the table for one call."""
    key = {} if "access_token" in given else {"api_key": "KEY"}
    request = build(model="MODEL", **key, **given)
    body = request.http().json() or {}
    usage = body.get("stream_options", {}).get("include_usage")
    module = build.__module__.rpartition(".")[2]
    secrets = [(name, value) for name, value in request.pairs if name in CREDENTIAL_HEADERS]
    ((header, value),) = secrets
    strategy = request.strategy.name
    cells = [
        code(f"{module}.{build.__name__}"),
        code(request.dialect),
        code(request.url),
        code(f"{header}: {value}"),
        "yes" if usage else "",
        code(None if strategy == "none" else strategy),
        code(request.continues),
    ]
    return "| " + " | ".join(cells) + " |"


def variables() -> list[str]:
    """The lines of the table of variables."""
    lines: list[str] = []
    for provider in PROVIDERS.values():
        keys = ", ".join(map(code, provider.key_variables))
        others = "; ".join(
            f"{code(argument)}: {', '.join(map(code, names))}"
            for argument, names in provider.other_variables.items()
        )
        aliases = ", ".join(map(code, provider.aliases))
        lines.append(f"| {code(provider.name)} | {keys} | {others} | {aliases} |")
    return lines


def page() -> list[str]:
    text = (REPO / "docs" / "providers.md").read_text("utf-8")
    return [line for line in text.splitlines() if line.startswith("| `")]


def test_every_call_is_told_as_it_is() -> None:
    assert [line for line in page() if line.count(" | ") == 6] == [row(*one) for one in CALLS]


def test_every_builder_is_told() -> None:
    modules: dict[str, dict[str, object]] = {
        name: vars(getattr(providers, name)) for name in PROVIDERS
    }
    builders = {
        f"{name}.{function}"
        for name, module in modules.items()
        for function, build in module.items()
        if hasattr(build, "__wrapped__")
    }
    told = {f"{b.__module__.rpartition('.')[2]}.{b.__name__}" for b, _ in CALLS}
    assert told == builders


def test_every_variable_is_told() -> None:
    assert [line for line in page() if line.count(" | ") == 3] == variables()
