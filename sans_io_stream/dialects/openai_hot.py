"""The commonest chunks of chat completions, read by typed decoders.

The decoder is the recognizer: a struct here types everything but the one thing it is for as
None, forbids fields it does not know, fixes the choice and the length of the list, and asks
for a text that is not empty. If it decodes, the record is just that and no check remains; if
not, the tolerant reading takes it. The fields that only describe the chunk are named, so that
no unknown one slips through.
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

import msgspec

__all__ = ["read_call", "read_chunk", "read_text", "read_thought"]

Piece = Annotated[str, msgspec.Meta(min_length=1)]
Empty = Literal[""]


class _Strict(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    pass


class TextPiece(_Strict):
    """``delta`` with text, and nothing else."""

    content: Piece
    role: str | None = None
    refusal: None = None
    tool_calls: None = None
    function_call: None = None
    reasoning_content: Empty | None = None
    reasoning: Empty | None = None


class ThoughtPiece(_Strict):
    """``delta`` with thinking, and nothing else."""

    reasoning_content: Piece
    content: Empty | None = None
    role: str | None = None
    refusal: None = None
    tool_calls: None = None
    function_call: None = None
    reasoning: None = None


class _Arguments(_Strict):
    arguments: Piece
    name: Empty | None = None


class _Fragment(_Strict):
    index: int
    function: _Arguments
    id: Empty | None = None
    type: str | None = None


class CallPiece(_Strict):
    """``delta`` with a fragment of the arguments of one call, and nothing else."""

    tool_calls: tuple[_Fragment]
    content: Empty | None = None
    role: str | None = None
    refusal: None = None
    function_call: None = None
    reasoning_content: Empty | None = None
    reasoning: Empty | None = None


D = TypeVar("D")


class AnyPiece(_Strict):
    """``delta`` with a role, text or thinking, or nothing: all that the ends of a stream have."""

    role: str | None = None
    content: str | None = None
    refusal: None = None
    tool_calls: None = None
    function_call: None = None
    reasoning_content: str | None = None
    reasoning: Empty | None = None


class AnyChoice(_Strict):
    """A choice with such a delta."""

    delta: AnyPiece
    index: Literal[0] = 0
    logprobs: None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None


class _Choice(_Strict, Generic[D]):
    index: Literal[0]
    delta: D
    logprobs: None = None
    finish_reason: None = None
    native_finish_reason: None = None


class Chunk(_Strict, Generic[D]):
    """A chunk of one choice, and nothing beside it."""

    choices: tuple[D]
    id: str = ""
    object: Literal["chat.completion.chunk", ""] = ""
    created: float = 0
    model: str = ""
    service_tier: str | None = None
    system_fingerprint: str | None = None
    usage: None = None
    obfuscation: str | None = None
    p: str | None = None
    provider: str | None = None


read_text = msgspec.json.Decoder(Chunk[_Choice[TextPiece]]).decode
read_thought = msgspec.json.Decoder(Chunk[_Choice[ThoughtPiece]]).decode
read_call = msgspec.json.Decoder(Chunk[_Choice[CallPiece]]).decode
read_chunk = msgspec.json.Decoder(Chunk[AnyChoice]).decode
