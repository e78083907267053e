"""The request that suits a server: what a client of that protocol would ask, at its path."""

from __future__ import annotations

from typing import Any

from .writers import TERMINATOR

__all__ = ["asking"]

MESSAGES = [{"role": "user", "content": "Hi"}]
CHAT: dict[str, Any] = {"model": "test", "messages": MESSAGES, "stream": True}
ASKED: dict[str, tuple[str, Any]] = {
    "openai-chat": ("/v1/chat/completions", CHAT),
    "holysheep": ("/v1/chat/completions", CHAT),
    "openai-responses": ("/v1/responses", {"model": "test", "input": "Hi", "stream": True}),
    "anthropic": ("/v1/messages", {**CHAT, "max_tokens": 1024}),
    "gemini": (
        "/v1beta/models/test:streamGenerateContent",
        {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    ),
    "gemini-interactions": (
        "/v1beta/interactions",
        {"model": "test", "input": "Hi", "stream": True},
    ),
    "ollama": ("/api/chat", CHAT),
}
"""Path and body by dialect; any other is asked for by GET."""


def asking(dialect: str | None, framing: str | None, mechanism: str) -> dict[str, Any]:
    """The arguments of a ``StreamRequest``, with a path in place of the URL."""
    path, body = ASKED.get(dialect or "", ("/v1/stream", None))
    asked: dict[str, Any] = {"method": "GET" if body is None else "POST", "dialect": dialect}
    headers: dict[str, str] = {}
    if dialect == "gemini" and framing == "sse":
        path += "?alt=sse"
    if dialect == "records":
        asked["terminator"] = TERMINATOR
    if mechanism == "openai-responses" and body is not None:
        body = {**body, "background": True}
        # Without one, a generation whose beginning was never seen is not begun again.
        headers["idempotency-key"] = "test"
    if mechanism == "llamacpp":
        asked["method"], headers["x-conversation-id"] = "POST", "conversation 1"
        body = CHAT if body is None else body
    if body is not None:
        asked["json"] = body
    return {**asked, "path": path, "headers": headers}
