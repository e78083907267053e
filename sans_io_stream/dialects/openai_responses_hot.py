"""The commonest events of OpenAI responses, read by typed decoders.

The decoder is the recognizer: if one of these structs decodes, the record is a plain delta of
its type with a sequence number, and no check remains but the output index, and that the number
is the next one. What else stands
in such a record (ids, padding, the index of the part) is not read by the tolerant reading
either, so it needs no types here; logprobs are, so they must be absent or empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

import msgspec

from ..events import Event, ReasoningDelta, ResumePoint, TextDelta
from .base import CALL, TEXT, THOUGHT
from .tolerant import REFUSED

if TYPE_CHECKING:
    from .openai_responses import OpenAIResponses

__all__ = ["LARGEST", "SUMMARY", "read_call", "read_number", "read_text", "run_pieces"]

SUMMARY = 4
"""The hot kind of a summary's deltas, beside those of ``base``."""
LARGEST = 2**63 - 1
"""No number above this one is a cursor: it would fit into no snapshot."""

Piece = Annotated[str, msgspec.Meta(min_length=1)]
Number = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
Kind = TypeVar("Kind")


class Delta(msgspec.Struct, Generic[Kind], gc=False):
    """A delta of one kind.

    The fields stand in the reference's order, which is the fastest to read. ``type`` is no
    tag, since a lone struct would be taken without its tag, too.
    """

    type: Kind
    delta: Piece
    output_index: int
    sequence_number: Number


class TextPiece(msgspec.Struct, gc=False, kw_only=True):
    """A delta of the visible text, without logprobs."""

    type: Literal["response.output_text.delta"]
    delta: Piece
    logprobs: tuple[()] | None = None
    output_index: int
    sequence_number: Number


ThoughtPiece = Delta[Literal["response.reasoning_text.delta"]]
SummaryPiece = Delta[Literal["response.reasoning_summary_text.delta"]]
CallPiece = Delta[
    Literal["response.function_call_arguments.delta", "response.custom_tool_call_input.delta"]
]


class Numbered(msgspec.Struct, gc=False):
    """What takes a stream up again needs of a record."""

    sequence_number: Number | None = None


read_number = msgspec.json.Decoder(Numbered).decode
read_text = msgspec.json.Decoder(TextPiece).decode
read_thought = msgspec.json.Decoder(ThoughtPiece).decode
read_summary = msgspec.json.Decoder(SummaryPiece).decode
read_call = msgspec.json.Decoder(CallPiece).decode

READERS: dict[int, tuple[Callable[[bytes], Any], type[TextDelta | ReasoningDelta]]] = {
    TEXT: (read_text, TextDelta),
    THOUGHT: (read_thought, ReasoningDelta),
    SUMMARY: (read_summary, ReasoningDelta),
}


def run_pieces(
    dialect: OpenAIResponses, rest: Iterable[bytes], events: list[Event]
) -> bytes | None:
    """Read the deltas that go on where the last one stood; see ``Dialect.run``."""
    before = position = dialect.position
    origin, add = dialect.origin, events.append
    odd: bytes | None = None
    assert origin is not None
    assert isinstance(dialect.cursor, int)
    # A number that is not the next one is for ``number`` to judge.
    due = dialect.cursor + 1
    try:
        if dialect.hot == CALL:
            call = dialect.calls[-1]
            for odd in rest:
                piece = read_call(odd)
                if piece.sequence_number != due or piece.output_index != call.key:
                    break
                dialect.add_arguments(call, piece.delta, events)
                position += 1
                add(ResumePoint(due, position, origin))
                due += 1
            else:
                odd = None
        else:
            at = dialect.at
            read, delta = READERS[dialect.hot]
            for odd in rest:
                piece = read(odd)
                if piece.sequence_number != due or piece.output_index != at:
                    break
                position += 1
                add(delta(piece.delta))
                add(ResumePoint(due, position, origin))
                due += 1
            else:
                odd = None
    except REFUSED:
        pass
    dialect.position, dialect.cursor = position, due - 1
    return None if odd is None else dialect.missed(position - before, odd)
