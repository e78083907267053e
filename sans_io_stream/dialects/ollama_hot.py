"""The commonest lines of Ollama, read by typed decoders.

The decoder is the recognizer, as for chat completions: it takes a line that has one piece of
text or thinking and no field that is not named here. That ``done`` is false no type can say,
so that one is for the caller to look at.
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

import msgspec

__all__ = [
    "AnyLine",
    "read_generated",
    "read_generated_thought",
    "read_line",
    "read_text",
    "read_thought",
]

Piece = Annotated[str, msgspec.Meta(min_length=1)]


class _Strict(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    pass


class TextMessage(_Strict):
    """A message with text, and nothing else."""

    role: Literal["assistant"]
    content: Piece


class ThoughtMessage(_Strict):
    """A message with thinking, and nothing else."""

    role: Literal["assistant"]
    content: Literal[""]
    thinking: Piece


M = TypeVar("M")


class _Line(_Strict, Generic[M]):
    model: str
    created_at: str
    message: M
    done: bool


class _Generated(_Strict):
    model: str
    created_at: str
    response: Piece
    done: bool


class _GeneratedThought(_Strict):
    model: str
    created_at: str
    response: Literal[""]
    thinking: Piece
    done: bool


class AnyMessage(_Strict):
    """A message with text, which may be empty."""

    role: Literal["assistant"]
    content: str


class AnyLine(_Line[AnyMessage]):
    """A line of ``chat`` that may be the first, or the last with its counts."""

    done_reason: Piece | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None
    prompt_eval_duration: int | None = None
    eval_count: int | None = None
    eval_duration: int | None = None


read_line = msgspec.json.Decoder(AnyLine).decode
read_text = msgspec.json.Decoder(_Line[TextMessage]).decode
read_thought = msgspec.json.Decoder(_Line[ThoughtMessage]).decode
read_generated = msgspec.json.Decoder(_Generated).decode
read_generated_thought = msgspec.json.Decoder(_GeneratedThought).decode
