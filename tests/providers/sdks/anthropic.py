"""Anthropic's SDK."""

from __future__ import annotations

from typing import Any

from .case import KEY, MESSAGES, SCHEMA, SYSTEM, Case, Send, module, read


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


def by_anthropic(name: str, send: Send, fields: dict[str, Any], **more: Any) -> Case:
    return Case(
        name,
        "anthropic.chat",
        "anthropic",
        ANTHROPIC,
        "anthropic",
        send,
        fields,
        default=anthropic_default,
        **more,
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
