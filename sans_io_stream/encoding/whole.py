"""A whole answer as one JSON document: what a client gets that did not ask for a stream.

Each format says the same in it as in its stream, with the same tables. What a document has no
order for (a text between two calls) stands by kind: thinking, blocks of the server's, text,
calls. Where a stream may say a finish reason in any word, a document says one of those that the
vendors' own types know: clients check them. ``native`` tells any outcome; the others have no
word for an answer that is not whole.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import UnknownDialectError
from ..usage import COUNTS
from .frames import as_json
from .registry import find
from .whole_anthropic import anthropic_document
from .whole_chat import chat_document

if TYPE_CHECKING:
    from ..transcript import ChoiceTranscript, Transcript

__all__ = ["DOCUMENTS", "whole_answer"]


def whole_answer(
    transcript: Transcript,
    format: str,
    *,
    created: int = 0,
    id: str | None = None,
    model: str | None = None,
) -> bytes:
    """The answer as one JSON document, in the ``format`` of that name.

    ``created`` is in seconds since 1970; ``id`` and ``model`` stand in the place of those that
    the provider told. The content type is ``application/json``. Raises ``UnknownDialectError``
    for a format without documents, ``ValueError`` for an answer that is not complete, unless
    the format is ``native``: what went wrong is an ``error_document``.
    """
    name = find(format, None)[0].name
    write = DOCUMENTS.get(name)
    if write is None:
        known = ", ".join(DOCUMENTS)
        raise UnknownDialectError(f"{name} is written as a stream alone; as documents: {known}")
    outcome = transcript.end.outcome if transcript.end is not None else None
    if name != "native" and outcome != "complete":
        raise ValueError(
            f"the answer is not complete but {outcome or 'without its end'}: "
            "send error_document(format, error) instead"
        )
    told = {
        "id": id or transcript.response_id or "",
        "created": created,
        "model": model or transcript.model or "",
    }
    return as_json(write(transcript, told))


def native_document(transcript: Transcript, told: dict[str, Any]) -> dict[str, Any]:
    """The sum of the events. Keys are there whether they say something or not."""
    end, usage = transcript.end, transcript.usage
    choices = {0, *transcript.choices}
    return {
        "id": told["id"] or None,
        "object": "answer",
        "created": told["created"],
        "model": told["model"] or None,
        "outcome": "interrupted" if end is None else end.outcome,
        "error": None if end is None or end.error is None else msgspec.to_builtins(end.error),
        "choices": [native_choice(index, transcript.choice(index)) for index in sorted(choices)],
        "usage": None
        if usage is None
        else {name: value for name in COUNTS if (value := getattr(usage, name)) is not None},
    }


def native_choice(index: int, choice: ChoiceTranscript) -> dict[str, Any]:
    """One alternative answer. A call says whether it is complete."""
    return {
        "index": index,
        "text": choice.text,
        "reasoning": choice.reasoning,
        "refusal": choice.refusal,
        "tool_calls": [
            {
                "index": call.index,
                "id": call.id,
                "name": call.name,
                "arguments": call.arguments,
                "complete": call.complete,
            }
            for call in choice.tool_calls
        ],
        "annotations": [{"kind": one.kind, "data": one.data} for one in choice.annotations],
        "media": [
            {"mime_type": one.mime_type, "data": base64.b64encode(one.data).decode()}
            for one in choice.media
        ],
        "finish_reason": choice.finish_reason,
        "raw_finish_reason": choice.raw_finish_reason,
    }


DOCUMENTS: dict[str, Callable[[Transcript, dict[str, Any]], dict[str, Any]]] = {
    "native": native_document,
    "openai-chat": chat_document,
    "holysheep": chat_document,
    "anthropic": anthropic_document,
}
"""What writes a document, by the name of the format."""
