"""The floor: split the whole body into records, decode each with a typed msgspec decoder that
knows only the needed fields. Nothing can be read for less in Python; it has no states, no
checks, no events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from .bodies import Body


class Function(Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class Fragment(Struct, gc=False):
    index: int = 0
    id: str | None = None
    function: Function | None = None


class ChatDelta(Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[Fragment] | None = None


class ChatChoice(Struct, gc=False):
    index: int = 0
    delta: ChatDelta | None = None
    finish_reason: str | None = None


class ChatUsage(Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


class ChatChunk(Struct, gc=False):
    choices: list[ChatChoice] = []
    usage: ChatUsage | None = None


class ResponsesEvent(Struct, gc=False):
    type: str
    sequence_number: int | None = None
    delta: str | None = None


class AnthropicDelta(Struct, gc=False):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None


class AnthropicEvent(Struct, gc=False):
    type: str
    index: int = 0
    delta: AnthropicDelta | None = None


class Part(Struct, gc=False):
    text: str | None = None
    thought: bool | None = None


class Content(Struct, gc=False):
    parts: list[Part] = []


class Candidate(Struct, gc=False):
    content: Content | None = None
    finishReason: str | None = None


class Counts(Struct, gc=False):
    promptTokenCount: int | None = None
    candidatesTokenCount: int | None = None
    thoughtsTokenCount: int | None = None
    totalTokenCount: int | None = None


class GeminiChunk(Struct, gc=False):
    candidates: list[Candidate] = []
    usageMetadata: Counts | None = None


class Message(Struct, gc=False):
    content: str | None = None


class OllamaLine(Struct, gc=False):
    message: Message | None = None
    response: str | None = None
    done: bool = False


TYPES: dict[str, Any] = {
    "openai-chat": ChatChunk,
    "openai-responses": ResponsesEvent,
    "anthropic": AnthropicEvent,
    "gemini": GeminiChunk,
    "ollama": OllamaLine,
}


def floor(body: Body) -> Callable[[], object]:
    """A callable that reads the whole body at the floor's price."""
    decode = msgspec.json.Decoder(TYPES[body.dialect]).decode
    data = body.data.removesuffix(b"data: [DONE]\n\n")

    def lines() -> None:
        for line in data.split(b"\n"):
            if line:
                decode(line)

    def blocks() -> None:
        for block in data.split(b"\n\n"):
            if block:
                decode(block[6:])

    def named_blocks() -> None:
        for block in data.split(b"\n\n"):
            if block:
                decode(block[block.index(b"\n") + 7 :])

    if data.startswith(b"event:"):
        return named_blocks
    return lines if body.framing == "jsonl" else blocks
