"""The commonest events of OpenAI responses, read by typed decoders.

The decoder is the recognizer: if one of these structs decodes, the record is a plain delta of
its type with a sequence number, and no check remains but the output index. What else stands
in such a record (ids, padding, the index of the part) is not read by the tolerant reading
either, so it needs no types here; logprobs are, so they must be absent or empty.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

__all__ = ["read_call", "read_summary", "read_text", "read_thought"]

Piece = Annotated[str, msgspec.Meta(min_length=1)]


class _Piece(msgspec.Struct, gc=False, tag_field="type"):
    delta: Piece
    sequence_number: int
    output_index: int


class TextPiece(_Piece, gc=False, tag="response.output_text.delta"):
    """A delta of the visible text, without logprobs."""

    logprobs: tuple[()] | None = None


class ThoughtPiece(_Piece, gc=False, tag="response.reasoning_text.delta"):
    """A delta of the thinking itself."""


class SummaryPiece(_Piece, gc=False, tag="response.reasoning_summary_text.delta"):
    """A delta of the summary of the thinking."""


class CallPiece(msgspec.Struct, gc=False):
    """A delta of the arguments of a function, or of the input of a custom tool."""

    type: Literal["response.function_call_arguments.delta", "response.custom_tool_call_input.delta"]
    delta: Piece
    sequence_number: int
    output_index: int


read_text = msgspec.json.Decoder(TextPiece).decode
read_thought = msgspec.json.Decoder(ThoughtPiece).decode
read_summary = msgspec.json.Decoder(SummaryPiece).decode
read_call = msgspec.json.Decoder(CallPiece).decode
