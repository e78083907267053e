"""A chat completion as one document: ``chat.completion``.

Source: the OpenAI API reference, "The chat completion object", and the types of the vendor's
Python SDK. ``reasoning_content`` and ``images`` are of the family, as in the stream.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from ..dialects.openai_chat import DELTA_STRUCTURAL, NAMED
from ..dialects.shapes import is_array, is_object
from .counts import chat_counts
from .openai_chat import BESIDE_DELTA, EMPTY, MIME_TYPE, TAKES_WHOLE

if TYPE_CHECKING:
    from ..events import Annotation, FinishReason
    from ..transcript import ChoiceTranscript, Transcript

__all__ = ["chat_document"]

URL_CITATION: dict[str, Any] = {"url": "", "title": "", "start_index": 0, "end_index": 0}
"""The fields of an annotation, and what stands there where nothing is known."""

REASONS: dict[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "length",
    "error": "length",
    "other": "stop",
}
"""The vendor's type knows five words, and its clients check them. ``length`` is its word for an
answer of which there could be more."""


def chat_document(transcript: Transcript, told: dict[str, Any]) -> dict[str, Any]:
    """The completion. Without known counts there is no ``usage``."""
    usage = transcript.usage
    return {
        "id": told["id"],
        "object": "chat.completion",
        "created": told["created"],
        "model": told["model"],
        "choices": [
            choice_of(index, transcript.choice(index)) for index in sorted({0, *transcript.choices})
        ],
        **({} if usage is None else {"usage": chat_counts(usage)}),
    }


def choice_of(index: int, choice: ChoiceTranscript) -> dict[str, Any]:
    """One choice."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": choice.text or None,
        "refusal": choice.refusal or None,
    }
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.tool_calls:
        message["tool_calls"] = [
            {
                "id": call.id or "",
                "type": "function",
                "function": {"name": call.name or "", "arguments": call.arguments},
            }
            for call in choice.tool_calls
        ]
    add_media(choice, message)
    entry: dict[str, Any] = {"index": index, "message": message, "logprobs": None}
    for annotation in choice.annotations:
        add_annotation(annotation, entry, message)
    if not (message["content"] or message["refusal"] or len(message) > 3):
        # Null says that something else is there instead of a text.
        message["content"] = ""
    return {**entry, "finish_reason": reason_of(choice)}


def reason_of(choice: ChoiceTranscript) -> str:
    """Why the choice ended. A call that was cut off has no other word than ``length``."""
    reason = choice.finish_reason or "stop"
    cut = any(not call.complete for call in choice.tool_calls)
    return "length" if cut and reason in TAKES_WHOLE else REASONS[reason]


def add_media(choice: ChoiceTranscript, message: dict[str, Any]) -> None:
    """Pieces of audio are one; images are one each."""
    images: list[dict[str, Any]] = []
    audio: list[bytes] = []
    for media in choice.media:
        kind = media.mime_type or ""
        if not MIME_TYPE.fullmatch(kind) or kind.startswith("audio/"):
            audio.append(media.data)
            continue
        url = f"data:{kind};base64,{base64.b64encode(media.data).decode()}"
        images.append({"type": "image_url", "image_url": {"url": url}})
    if audio:
        data = base64.b64encode(b"".join(audio)).decode()
        message["audio"] = {"id": "", "expires_at": 0, "transcript": "", "data": data}
    if images:
        message["images"] = images


def add_annotation(note: Annotation, entry: dict[str, Any], message: dict[str, Any]) -> None:
    """What else belongs to the choice, where the document has a place for it."""
    kind, data = note.kind, note.data
    if not data:
        return
    if kind in BESIDE_DELTA:
        entry[BESIDE_DELTA[kind]] = data
    elif kind == "logprobs":
        add_logprobs(data, entry)
    elif kind == "citation":
        for one in data if is_array(data) else [data]:
            add_citation(one, message)
    elif kind == "reasoning_details" and is_array(data):
        message.setdefault(kind, []).extend(data)
    elif kind == "audio" and is_object(data) and "data" not in data:
        audio = message.setdefault(
            "audio", {"id": "", "expires_at": 0, "transcript": "", "data": ""}
        )
        said, piece = audio["transcript"], data.get("transcript")
        audio |= data
        audio["transcript"] = said + piece if isinstance(piece, str) else said
    elif kind == "extra" and is_object(data):
        known = DELTA_STRUCTURAL | NAMED.keys() | message.keys()
        message |= {k: v for k, v in data.items() if k not in known and v not in EMPTY}


def add_citation(data: Any, message: dict[str, Any]) -> None:
    """A citation: an annotation if it is one of OpenAI's, of whichever surface; another
    provider's stands in ``citations``."""
    if not is_object(data) or data.get("type") != "url_citation":
        message.setdefault("citations", []).append(data)
        return
    if not is_object(data.get("url_citation")):
        told = {name: data.get(name, unsaid) for name, unsaid in URL_CITATION.items()}
        data = {"type": "url_citation", "url_citation": told}
    message.setdefault("annotations", []).append(data)


def add_logprobs(data: Any, entry: dict[str, Any]) -> None:
    """Pieces of the lists of tokens, joined."""
    pieces = {"content": data} if is_array(data) else data
    if not is_object(pieces):
        return
    told: dict[str, Any] = entry["logprobs"] or {"content": None, "refusal": None}
    for name, tokens in pieces.items():
        if is_array(tokens):
            held = told.get(name)
            told[name] = [*held, *tokens] if is_array(held) else tokens
        else:
            told.setdefault(name, tokens)
    entry["logprobs"] = told
