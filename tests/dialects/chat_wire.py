"""Chunks of chat completions, as the servers of that family write them."""

from __future__ import annotations

from typing import Any

from tests.dialects.reading import Read, read, sse

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1"}


def chunk(delta: Any = None, reason: Any = None, choice: int = 0, **fields: Any) -> dict[str, Any]:
    """One chunk with one choice; ``fields`` stand beside the choices."""
    entry: dict[str, Any] = {
        "index": choice,
        "delta": {} if delta is None else delta,
        "finish_reason": reason,
    }
    return {**HEAD, "choices": [entry], **fields}


def text(piece: str, **options: Any) -> dict[str, Any]:
    return chunk({"content": piece}, **options)


def counts(**usage: Any) -> dict[str, Any]:
    """The chunk with the counts, which has no choices."""
    return {**HEAD, "choices": [], "usage": usage}


def call(
    arguments: Any = None,
    index: Any = None,
    id: Any = None,
    name: Any = None,
    choice: int = 0,
) -> dict[str, Any]:
    """A chunk with one fragment of a tool call; what is None is left out."""
    function = {"name": name, "arguments": arguments}
    entry = {
        "index": index,
        "id": id,
        "function": {key: value for key, value in function.items() if value is not None},
    }
    fragment = {key: value for key, value in entry.items() if value is not None}
    return chunk({"tool_calls": [fragment]}, choice=choice)


STOP = chunk(reason="stop")
CALLED = chunk(reason="tool_calls")
DONE = "[DONE]"


def chat(*records: Any, dialect: str = "openai-chat", **options: Any) -> Read:
    return read(dialect, sse(*records), content_type="text/event-stream", **options)
