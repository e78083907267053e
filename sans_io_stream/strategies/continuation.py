"""Continuation: asking the model to go on from the partial answer. The seam is never exact.

One way per provider, as a table: an assistant message that the model goes on with, or a user
turn that quotes what came. Only visible text can be continued: an answer that has begun a tool
call, or only thought so far, cannot. Sources: DeepSeek, "Chat Prefix Completion"; Mistral,
``AssistantMessage.prefix``; vLLM, ``continue_final_message``; Anthropic, "Error recovery" of
streaming (Claude 4.6 and later refuse a prefill).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from ..request import HTTPRequest

__all__ = ["CONTINUATIONS", "continued"]

Body = dict[str, Any]

CLAUDE = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[.-](\d{1,2})(?!\d))?")
LAST_PREFILL = (4, 5)
"""The last Claude that takes a partial assistant turn."""

GO_ON = (
    "Your previous response was interrupted and ended with: {text}\n"
    "Continue from where you left off, without repeating anything."
)


def continued(way: str, first: HTTPRequest, text: str) -> HTTPRequest | None:
    """The request that asks the model to go on behind ``text``; None where there is no way."""
    body = first.json()
    if body is None or not isinstance(body.get("messages"), list) or not text:
        return None
    made = CONTINUATIONS[way](body, text)
    if made is None:
        return None
    return BETA_URL[way](first).with_json(made) if way in BETA_URL else first.with_json(made)


def with_prefix(body: Body, text: str) -> Body:
    """The last message is the assistant's, marked as the beginning of the answer."""
    message = {"role": "assistant", "content": text, "prefix": True}
    return {**body, "messages": [*body["messages"], message]}


def with_final_message(body: Body, text: str) -> Body:
    """The chat template is left open behind the last message."""
    message = {"role": "assistant", "content": text}
    messages = [*body["messages"], message]
    how = {"continue_final_message": True, "add_generation_prompt": False}
    return {**body, **how, "messages": messages}


def with_claude_turn(body: Body, text: str) -> Body:
    """A partial assistant turn up to Claude 4.5, a user's turn from then on."""
    found = CLAUDE.search(str(body.get("model", "")))
    # The oldest names put the version first, and all of them took a prefill.
    version = (int(found[1]), int(found[2] or 0)) if found else None
    if version is not None and version <= LAST_PREFILL and text.rstrip():
        # The API refuses a prefill that ends in white space.
        return {**body, "messages": [*body["messages"], turn("assistant", text.rstrip())]}
    asked = turn("user", GO_ON.format(text=text))
    messages = body["messages"]
    if messages and isinstance(messages[-1], dict) and messages[-1].get("role") == "user":
        messages = [*messages, turn("assistant", text)]
    return {**body, "messages": [*messages, asked]}


def turn(role: str, text: str) -> Body:
    """One message of plain text."""
    return {"role": role, "content": text}


def to_beta(first: HTTPRequest) -> HTTPRequest:
    """DeepSeek takes a prefix only below ``/beta``."""
    parts = urlsplit(first.url)
    path = parts.path.removeprefix("/v1")
    if not path.startswith("/beta/"):
        path = f"/beta{path}"
    return replace(first, url=urlunsplit(parts._replace(path=path)))


CONTINUATIONS: dict[str, Callable[[Body, str], Body | None]] = {
    "anthropic": with_claude_turn,
    "deepseek": with_prefix,
    "mistral": with_prefix,
    "vllm": with_final_message,
}
"""How each provider's model is asked to go on."""

BETA_URL: dict[str, Callable[[HTTPRequest], HTTPRequest]] = {"deepseek": to_beta}
