"""Gemini Interactions: one interaction as steps, each with its deltas.

``event_type`` in the JSON says what a record is. ``interaction.completed`` is the terminal
record unless its status says that the interaction goes on, and repeats nothing of the answer;
``[DONE]`` follows it. Any record may have an ``event_id``, from which a stored interaction can
be taken up again; any may tell the usage so far. A function call's arguments come as
fragments, or whole with its step; ``step.stop`` completes it. The events of the first preview
(``content.*``) mean the same. Source: the reference of the Interactions API, and the types of
the google-genai SDK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from ..errors import ErrorInfo
from ..events import FinishReason
from ..resume import Cursor, CursorKind
from ..usage_forms import interactions_usage
from .base import Dialect, LimitReached
from .gemini_args import json_text
from .gemini_fields import empty, from_base64
from .parts import byte_size
from .shapes import elements, is_array, is_object, members
from .tolerant import REFUSED

if TYPE_CHECKING:
    from ..events import Event
    from ..framing.items import WireRecord

__all__ = ["GeminiInteractions"]

OLD_NAMES = {
    "interaction.start": "interaction.created",
    "interaction.complete": "interaction.completed",
    "content.start": "step.start",
    "content.delta": "step.delta",
    "content.stop": "step.stop",
}

STRUCTURAL = frozenset({"thought", "model_output", "user_input", "text", "thought_summary"})
"""Types of steps whose start says nothing but that they begin."""

MEDIA = frozenset({"image", "audio", "video", "document"})

SERVER_SIDE = frozenset(
    f"{tool}_{kind}"
    for tool in (
        "code_execution", "file_search", "google_maps", "google_search", "mcp_server_tool",
        "processing", "retrieval", "tool_search", "url_context",
    )
    for kind in ("call", "result")
) | {"function_result"}  # fmt: skip
"""Steps that the server takes by itself, told as annotations under their own names."""

UNDERWAY = frozenset({"in_progress", "queued"})


class GeminiInteractions(Dialect):
    """One interaction."""

    name: ClassVar[str] = "gemini-interactions"
    cursor_kind: ClassVar[CursorKind] = "event_id"
    beginnings: ClassVar[frozenset[str]] = frozenset({"interaction.created", "interaction.start"})
    reasons: ClassVar[dict[str, FinishReason]] = {
        "completed": "stop",
        "requires_action": "pause",
        "incomplete": "length",
        "budget_exceeded": "length",
        "failed": "error",
        "cancelled": "error",
    }

    given: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    """Arguments that came with a step's start: they count if no fragment follows."""

    def reason_of(self, raw: str | None, choice: int) -> FinishReason:
        if raw in ("completed", "requires_action") and self.called(choice):
            return "tool_calls"
        return super().reason_of(raw, choice)

    def peek(self, record: WireRecord) -> Cursor | None:
        try:
            return read_event(record.data).event_id or None
        except REFUSED:
            return None

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        failed = self.read_error(data)
        if not is_object(data):
            if not failed:
                self.unrecognized(record, "not an event: no JSON object", events)
            return
        cursor = data.get("event_id")
        if isinstance(cursor, str) and cursor:
            self.cursor = cursor
        kind = data.get("event_type") or record.type
        kind = OLD_NAMES.get(kind, kind) if isinstance(kind, str) else ""
        if kind in ("interaction.created", "interaction.completed"):
            self.read_interaction(data, kind, events)
        elif kind == "interaction.status_update":
            self.start(data.get("interaction_id"), None, events)
            self.told(data.get("continuation_token"), "continuation_token", events)
            self.read_status(data.get("status"))
        elif kind == "step.start":
            self.read_step(data, events)
        elif kind == "step.delta":
            self.read_delta(data, record, events)
        elif kind == "step.stop":
            self.read_stop(data, events)
        elif not failed:
            self.unrecognized(record, "an event of an unknown type", events)
        metadata = members(data.get("metadata"))
        for usage in (metadata.get("total_usage"), metadata.get("usage"), data.get("usage")):
            self.read_usage(usage, events)
        if kind == "interaction.completed":
            status = members(data.get("interaction")).get("status")
            if not isinstance(status, str) or status not in UNDERWAY:
                self.end(events)

    # ---- the interaction

    def read_interaction(self, data: dict[str, Any], kind: str, events: list[Event]) -> None:
        interaction = members(data.get("interaction"))
        self.start(interaction.get("id"), interaction.get("model"), events)
        self.told(interaction.get("continuation_token"), "continuation_token", events)
        self.read_usage(interaction.get("usage"), events)
        status = interaction.get("status")
        self.read_error({"error": interaction.get("error")})
        self.read_status(status if status or kind == "interaction.created" else "completed")

    def read_status(self, status: Any) -> None:
        """A status in which an interaction stays is why it ended."""
        if not isinstance(status, str) or status in UNDERWAY:
            return
        self.finish(status)
        if status == "failed":
            self.fail(ErrorInfo("provider", "the interaction failed", status))

    def read_usage(self, usage: Any, events: list[Event]) -> None:
        if is_object(usage) and usage:
            self.count_tokens(interactions_usage(usage), events)

    # ---- the steps

    def read_step(self, data: dict[str, Any], events: list[Event]) -> None:
        key = key_of(data)
        step = members(data.get("step") or data.get("content"))
        kind = str(step.get("type", "step"))
        if kind == "function_call":
            self.begin_call(key, step, events)
            return
        if not self.started:
            self.start(None, None, events)
        self.read_error({"error": step.get("error")})
        self.signature(step.get("signature"), key, events)
        self.summary(step.get("summary"), events)
        for part in elements(step.get("content")):
            self.read_part(part, events)
        rest = {
            field: value
            for field, value in step.items()
            if field not in ("type", "error", "signature", "summary", "content")
            and not empty(value)
        }
        if kind not in STRUCTURAL:
            self.annotate(kind, {"index": key, **rest}, events)
        elif rest:
            self.annotate("extra", rest, events)

    def begin_call(self, key: int, step: dict[str, Any], events: list[Event]) -> None:
        id_, name = step.get("id"), step.get("name")
        self.open_call(
            events,
            key=key,
            id=id_ if isinstance(id_, str) and id_ else None,
            name=name if isinstance(name, str) and name else None,
        )
        arguments = step.get("arguments")
        if arguments is not None:
            text = arguments if isinstance(arguments, str) else json_text(arguments)
            if byte_size(text) > self.limits.arguments_bytes:
                limit, what = self.limits.arguments_bytes, f"the arguments of step {key}"
                raise LimitReached("arguments_bytes", limit, what)
            self.given[str(key)] = text
        self.signature(step.get("signature"), key, events)

    def read_delta(self, data: dict[str, Any], record: WireRecord, events: list[Event]) -> None:
        key, delta = key_of(data), members(data.get("delta"))
        kind = str(delta.get("type"))
        if kind == "text":
            self.text(delta.get("text"), events)
            self.citations(delta.get("annotations"), events)
        elif kind == "arguments_delta":
            self.read_arguments(key, delta, record, events)
        elif kind == "function_call":
            # The first preview sent calls whole, as a delta.
            self.begin_call(key, delta, events)
        elif kind == "thought_summary":
            self.summary(delta.get("content"), events)
        elif kind in ("thought_signature", "thought"):
            self.signature(delta.get("signature"), key, events)
            self.text(delta.get("thought"), events, kind="reasoning")
        elif kind == "text_annotation_delta":
            self.citations(delta.get("annotations"), events)
        elif kind in MEDIA:
            self.read_media(delta, events)
        elif kind in SERVER_SIDE:
            told = {field: value for field, value in delta.items() if field != "type"}
            self.annotate(kind, {"index": key, **told}, events)
        else:
            self.unrecognized(record, "a delta of an unknown type", events)

    def read_arguments(
        self, key: int, delta: dict[str, Any], record: WireRecord, events: list[Event]
    ) -> None:
        call = next(
            (call for call in reversed(self.calls) if call.key == key and not call.stopped), None
        )
        fragment = delta.get("arguments")
        if call is None or not isinstance(fragment, str | None):
            self.unrecognized(record, "arguments of no open function call", events)
        elif fragment:
            self.given.pop(str(key), None)
            self.add_arguments(call, fragment, events)

    def read_stop(self, data: dict[str, Any], events: list[Event]) -> None:
        key = key_of(data)
        given = self.given.pop(str(key), "")
        for call in [call for call in self.calls if call.key == key and not call.stopped]:
            self.add_arguments(call, given, events)
            self.stop_call(call, events)
        if not empty(data.get("step_usage")):
            self.annotate("step_usage", {"index": key, **members(data["step_usage"])}, events)

    # ---- what the steps hold

    def read_part(self, part: Any, events: list[Event], *, thinking: bool = False) -> None:
        """One typed part of a content."""
        content = members(part)
        if isinstance(content.get("text"), str):
            self.text(content["text"], events, kind="reasoning" if thinking else "text")
            self.citations(content.get("annotations"), events)
        elif str(content.get("type")) in MEDIA and not thinking:
            self.read_media(content, events)
        elif not empty(part):
            self.annotate("thought_media" if thinking else "extra", part, events)

    def summary(self, content: Any, events: list[Event]) -> None:
        """A summary of thinking: one part, or a list of them."""
        for part in content if is_array(content) else [content]:
            self.read_part(part, events, thinking=True)

    def signature(self, signature: Any, key: int, events: list[Event]) -> None:
        """It has to be sent back with the step that it came with."""
        if isinstance(signature, str) and signature:
            self.annotate("signature", {"index": key, "signature": signature}, events)

    def citations(self, citations: Any, events: list[Event]) -> None:
        for citation in elements(citations):
            self.annotate("citation", citation, events)

    def read_media(self, media: dict[str, Any], events: list[Event]) -> None:
        mime_type = media.get("mime_type")
        body = from_base64(media.get("data"))
        if body:
            self.media(mime_type if isinstance(mime_type, str) else None, body, events, 0)
            media = {field: value for field, value in media.items() if field == "uri" and value}
        if media:
            self.annotate("media", media, events)

    def told(self, value: Any, kind: str, events: list[Event]) -> None:
        """A field that is told by its own name, if it is there."""
        if not empty(value):
            self.annotate(kind, value, events)


class Named(msgspec.Struct, gc=False):
    """What takes a stream up again needs of a record."""

    event_id: str | None = None


read_event = msgspec.json.Decoder(Named).decode


def key_of(data: dict[str, Any]) -> int:
    """The number of the step that a record belongs to."""
    index = data.get("index")
    return index if type(index) is int else 0
