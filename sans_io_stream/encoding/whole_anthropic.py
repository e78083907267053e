"""A message of Anthropic's as one document: ``message``.

Choice 0 alone. A call that was never whole is left out, since its input has to be an object,
and the message ends by ``max_tokens`` then. Source: Anthropic's API reference, "Create a
Message", and the types of the vendor's Python SDK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..dialects.anthropic import ANTHROPIC_REASONS, NAMED, WHOLE_BLOCKS
from ..dialects.shapes import is_object
from .arguments import object_or_text
from .counts import anthropic_counts

if TYPE_CHECKING:
    from ..events import Annotation, FinishReason
    from ..transcript import ChoiceTranscript, ToolCallTranscript, Transcript

__all__ = ["anthropic_document"]

REASONS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
    "error": "max_tokens",
    "other": "end_turn",
}
"""The vendor's type knows no word beside these and the two that are kept in ``reason_of``."""


def anthropic_document(transcript: Transcript, told: dict[str, Any]) -> dict[str, Any]:
    """The message. Where no counts are known, ``usage`` is an empty object."""
    choice = transcript.choice(0)
    usage = transcript.usage
    beside = {
        note.kind: note.data
        for note in choice.annotations
        if note.kind in NAMED or (note.kind == "stop_sequence" and isinstance(note.data, str))
    }
    return {
        "id": told["id"],
        "type": "message",
        "role": "assistant",
        "model": told["model"],
        "content": blocks_of(choice),
        "stop_reason": reason_of(choice),
        "stop_sequence": None,
        "usage": {} if usage is None else anthropic_counts(usage),
        **beside,
    }


def reason_of(choice: ChoiceTranscript) -> str:
    """Why the message ended; the provider's own word where it is one of this protocol."""
    reason, raw = choice.finish_reason or "stop", choice.raw_finish_reason
    if any(not call.complete for call in choice.tool_calls) and reason in ("stop", "tool_calls"):
        return "max_tokens"
    return raw if raw and ANTHROPIC_REASONS.get(raw) == reason else REASONS[reason]


def blocks_of(choice: ChoiceTranscript) -> list[dict[str, Any]]:
    """The content. A signature holds for one stretch of thinking: of several, none does."""
    blocks: list[dict[str, Any]] = []
    signatures = [text for note in choice.annotations if (text := signature_in(note))]
    if choice.reasoning or signatures:
        signature = signatures[0] if len(signatures) == 1 else ""
        blocks.append({"type": "thinking", "thinking": choice.reasoning, "signature": signature})
    blocks += [note.data for note in choice.annotations if is_block(note)]
    if text := choice.text + choice.refusal:
        citations = [
            note.data
            for note in choice.annotations
            if note.kind == "citation" and is_object(note.data) and is_place(note.data)
        ]
        blocks.append({"type": "text", "text": text, "citations": citations or None})
    blocks += [call_block(call) for call in choice.tool_calls if call.complete]
    return blocks


def signature_in(note: Annotation) -> str | None:
    """The signature of some thinking, if the annotation is one."""
    if note.kind != "signature" or not is_object(note.data):
        return None
    signature = note.data.get("signature")
    return signature if isinstance(signature, str) else None


def is_place(citation: dict[str, Any]) -> bool:
    """Whether a citation is one of this protocol: ``char_location`` and its like."""
    return str(citation.get("type")).endswith("_location")


def is_block(note: Annotation) -> bool:
    """Whether the annotation is a block of this protocol."""
    kind, data = note.kind, note.data
    if not is_object(data) or data.get("type") != kind or kind == "tool_use":
        return False
    return kind in WHOLE_BLOCKS or kind.endswith(("_result", "_tool_use"))


def call_block(call: ToolCallTranscript) -> dict[str, Any]:
    """One call. The input has to be an object: what is none (a tool of OpenAI's that takes any
    text) stands in one, as its ``input``."""
    text = call.arguments.strip()
    given: Any = object_or_text(text) or {}
    if isinstance(given, str) or (text and not text.startswith("{")):
        given = {"input": given}
    names = {"id": call.id or "", "name": call.name or ""}
    return {"type": "tool_use", **names, "input": given}
