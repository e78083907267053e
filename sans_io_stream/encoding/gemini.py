"""Gemini ``streamGenerateContent``: records of parts, the last one with the finish reasons.

There is no terminal record: the last record of a whole answer holds the finish reason of
every candidate and the counts, all in one. Until then every candidate has content without a
reason. The first record has one empty part. Counts stand in the next record after they
changed. A call comes whole, and waits for the event after it, as its signature has to stand in
the same part. As a JSON array the body is left open unless it ends in order. Source: the
reference of the Gemini API, ``GenerateContentResponse``; the types of the google-genai SDK.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from ..dialects.failure import kind_of
from ..dialects.gemini import BLOCKED, UNSPECIFIED, Gemini
from ..dialects.gemini_fields import NAMED, PARTS
from ..dialects.shapes import is_array, is_object
from ..events import Annotation, Event, Finish, FinishReason, Heartbeat, MediaDelta, Usage
from .arguments import object_or_text
from .base import Call, Channel, Format
from .counts import gemini_counts
from .frames import Comment, Framing, Item, Out
from .words import finish_word

if TYPE_CHECKING:
    from ..errors import ErrorInfo, ErrorKind

__all__ = ["GeminiFormat"]

BESIDE: dict[FinishReason, str] = {
    "tool_calls": "STOP",
    "error": "MALFORMED_RESPONSE",
    "refusal": "SAFETY",
    "pause": "OTHER",
    "other": "OTHER",
}
"""There is no word for an answer that ends in calls: it follows from them."""
TYPES: dict[ErrorKind, str] = {
    "authentication": "UNAUTHENTICATED",
    "permission": "PERMISSION_DENIED",
    "not_found": "NOT_FOUND",
    "invalid_request": "INVALID_ARGUMENT",
    "rate_limit": "RESOURCE_EXHAUSTED",
    "quota": "QUOTA_EXCEEDED",
    "overloaded": "UNAVAILABLE",
    "timeout": "DEADLINE_EXCEEDED",
    "server": "INTERNAL",
    "content_filter": "CONTENT_FILTER",
}
"""The words of google.rpc.Code, where it has one."""
CODES: dict[ErrorKind, int] = {
    "authentication": 401,
    "permission": 403,
    "not_found": 404,
    "invalid_request": 400,
    "content_filter": 400,
    "rate_limit": 429,
    "quota": 429,
    "server": 500,
    "overloaded": 503,
    "timeout": 504,
}
UNKNOWN = 2
"""google.rpc.Code of an error that nothing is known of."""
RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"

CANDIDATE_FIELDS = {
    "citation": ("citationMetadata", {"citations", "citationSources"}),
    "grounding": ("groundingMetadata", set[str]()),
    "url_context": ("urlContextMetadata", set[str]()),
    "logprobs": ("logprobsResult", {"topCandidates", "chosenCandidates", "logProbabilitySum"}),
}
"""Annotations that are objects beside the content, and keys of which one must be there: the
vendor's SDK takes no others."""
PART_FIELDS = {kind: field for field, kind in PARTS.items()}


class GeminiFormat(Format, kw_only=True):
    """One streamed ``generateContent`` answer."""

    name: ClassVar[str] = Gemini.name
    framings: ClassVar[tuple[Framing, ...]] = ("sse", "json-array")
    has_choices: ClassVar[bool] = True

    uncounted: bool = False
    """``usage`` was not written since it changed."""
    held: dict[str, Any] | None = None
    """The part of a call that may still get its signature."""
    held_call: tuple[int, int] = (0, 0)
    """The choice and the index of that call."""
    feedback: dict[str, Any] | None = None

    # ---- records

    def response(self, out: list[Item], **fields: Any) -> None:
        told = {key: value for key, value in fields.items() if value}
        if self.uncounted and self.usage is not None:
            self.uncounted = False
            told["usageMetadata"] = gemini_counts(self.usage)
        names = {"modelVersion": self.model, "responseId": self.response_id}
        told |= {key: value for key, value in names.items() if value}
        out.append(Out(told))

    def part(self, choice: int, part: dict[str, Any], out: list[Item]) -> None:
        self.ready(out)
        content = {"parts": [part], "role": "model"}
        self.response(out, candidates=[{"content": content, "index": choice}])

    def beside(self, choice: int, field: str, value: Any, out: list[Item]) -> None:
        """A field of a candidate beside its content."""
        self.ready(out)
        self.response(out, candidates=[{"index": choice, field: value}])

    def heartbeat(self, text: str, out: list[Item]) -> None:
        # The SDK takes any other line, a comment too, for a part of an error.
        out.append(Comment(None))

    def begin(self, out: list[Item]) -> None:
        self.part(0, {"text": ""}, out)

    def rename(self, out: list[Item]) -> None:
        self.part(0, {"text": ""}, out)

    def write(self, event: Event, out: list[Item]) -> None:
        if not isinstance(event, Heartbeat | Usage | Finish):
            signed = isinstance(event, Annotation) and self.sign(event)
            self.release(out)
            if signed:
                return
        super().write(event, out)

    # ---- content

    def say(self, channel: Channel, text: str, choice: int, out: list[Item]) -> None:
        part: dict[str, Any] = {"text": text}
        if channel == "reasoning":
            part["thought"] = True
        self.part(choice, part, out)

    def call_piece(self, call: Call, fragment: str, news: bool, out: list[Item]) -> None:
        call.pieces.append(fragment)

    def call_whole(self, call: Call, out: list[Item]) -> None:
        told: dict[str, Any] = {"name": call.name or ""}
        if call.id:
            told["id"] = call.id
        arguments = object_or_text("".join(call.pieces))
        call.pieces.clear()
        if arguments is not None:
            told["args"] = arguments
        self.held = {"functionCall": told}
        self.held_call = (call.choice, call.index)

    def sign(self, event: Annotation) -> bool:
        """Whether an annotation is the signature of the call that waits; it is added then."""
        data = event.data
        if self.held is None or event.kind != "signature" or not is_object(data):
            return False
        if (event.choice, data.get("tool_call")) != self.held_call:
            return False
        self.held["thoughtSignature"] = data.get("thoughtSignature")
        return True

    def release(self, out: list[Item]) -> None:
        """Write the call that waits."""
        if self.held is not None:
            part, self.held = self.held, None
            self.part(self.held_call[0], part, out)

    def media(self, event: MediaDelta, out: list[Item]) -> None:
        blob = {"data": base64.b64encode(event.data).decode()}
        if event.mime_type:
            blob = {"mimeType": event.mime_type, **blob}
        self.part(event.choice, {"inlineData": blob}, out)

    def annotate(self, event: Annotation, out: list[Item]) -> None:
        kind, data, choice = event.kind, event.data, event.choice
        if kind == "signature" and is_object(data) and data.get("thoughtSignature"):
            thought = {"thought": True} if data.get("thought") is True else {}
            part = {"text": "", **thought, "thoughtSignature": data["thoughtSignature"]}
            self.part(choice, part, out)
        elif kind in CANDIDATE_FIELDS and is_object(data) and data:
            field, needed = CANDIDATE_FIELDS[kind]
            if not needed or not needed.isdisjoint(data):
                self.beside(choice, field, data, out)
        elif kind == "logprobs" and isinstance(data, int | float):
            self.beside(choice, "avgLogprobs", data, out)
        elif kind == "safety" and is_array(data) and data:
            self.beside(choice, "safetyRatings", data, out)
        elif NAMED.get(camel_name(kind)) == kind and isinstance(data, str) and data:
            self.beside(choice, camel_name(kind), data, out)
        elif kind in PART_FIELDS and is_object(data) and data:
            self.part(choice, {PART_FIELDS[kind]: data}, out)
        elif kind == "thought_media" and is_object(data) and data:
            self.part(choice, {"inlineData": data, "thought": True}, out)
        elif kind == "prompt_feedback" and is_object(data):
            # It may hold the word that ends the answer.
            self.feedback = data

    def count(self, out: list[Item]) -> None:
        self.uncounted = True

    # ---- the end

    def word_of(self, choice: int) -> str:
        finish = self.finish_of(choice)
        raw = finish.raw_reason
        if raw is not None and (raw in UNSPECIFIED or raw.startswith(BLOCKED)):
            finish = msgspec.structs.replace(finish, raw_reason=None)
        return finish_word(finish, Gemini.reasons, BESIDE, infers_calls=True)

    def complete(self, out: list[Item]) -> None:
        feedback = self.feedback
        raw = self.finish_of(0).raw_reason or ""
        blocked = raw.removeprefix(BLOCKED) if raw.startswith(BLOCKED) else ""
        if blocked:
            feedback = {**(feedback or {}), "blockReason": blocked}
        content = {"parts": [{"text": ""}], "role": "model"}
        candidates = [
            {"content": content, "index": choice, "finishReason": self.word_of(choice)}
            for choice in self.all_choices()
            if choice or not blocked
        ]
        self.uncounted = self.usage is not None
        self.response(out, candidates=candidates, promptFeedback=feedback)

    def interrupt(self, out: list[Item]) -> None:
        if self.uncounted:
            self.response(out)

    def fail(self, error: ErrorInfo, out: list[Item]) -> None:
        self.interrupt(out)
        fields: dict[str, Any] = {"code": code_of(error), "message": error.message}
        word = word_of(error, fields["code"])
        if word is not None:
            fields["status"] = word
        if error.retry_after is not None:
            delay = {"@type": RETRY_INFO, "retryDelay": f"{error.retry_after}s"}
            fields["details"] = [delay]
        if error.request_id is not None:
            fields["request_id"] = error.request_id
        out.append(Out({"error": fields}))


def code_of(error: ErrorInfo) -> int:
    """The HTTP status of an error, which is its code here; the SDK takes nothing but a number."""
    if isinstance(error.code, int):
        return error.code
    return error.status or CODES.get(error.kind, UNKNOWN)


def word_of(error: ErrorInfo, code: int) -> str | None:
    """The first word that says the kind of an error: its type, its code, or one of ours."""
    status = code if 400 <= code <= 599 else None
    words = (error.type, error.code if isinstance(error.code, str) else None, TYPES.get(error.kind))
    known = [word for word in words if word]
    means = [word for word in known if kind_of(None, word, status) == error.kind]
    return next(iter(means or known), None)


def camel_name(kind: str) -> str:
    """The field that a kind of annotation is named after."""
    first, *rest = kind.split("_")
    return first + "".join(map(str.capitalize, rest))
