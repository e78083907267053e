"""Anthropic Messages, as Anthropic itself, Vertex, Foundry and many gateways speak it.

``message_start``; blocks, each with a start, deltas and a stop; ``message_delta`` with the
stop reason and the counts; ``message_stop``, the terminal record. Pings and errors come at
any time. The JSON's own ``type`` decides, where it is missing the fields, and only then the
name of the event. What a text delta says is text whichever block it names, so no open block
needs to be known for it. Sources: the API reference, "Streaming messages"; the types of the
vendor's Python SDK (``RawMessageStreamEvent`` and its beta twin).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from ..events import Event, FinishReason, Heartbeat, ReasoningDelta, TextDelta
from ..usage_forms import anthropic_usage
from .anthropic_hot import read_input, read_text, read_thought
from .base import CALL, TEXT, THOUGHT
from .blocks import BlockDialect
from .failure import error_info
from .shapes import elements, is_object, whole_number
from .tolerant import REFUSED

if TYPE_CHECKING:
    from ..framing.items import WireRecord

__all__ = ["ANTHROPIC_REASONS", "Anthropic", "kind_of"]

ANTHROPIC_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "compaction": "pause",
    "refusal": "refusal",
}

STRUCTURAL = frozenset({"content_block_stop", "message_stop"})
"""Records that say nothing of their own. Empty pieces say nothing either."""

MESSAGE_FIELDS = frozenset(
    {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"}
)
RECORD_FIELDS = frozenset({"type", "message", "delta", "usage", "error"})
NAMED = frozenset(
    {"container", "context_management", "diagnostics", "input_transformations", "stop_details"}
)
"""Fields of a message, of its delta, or beside it, that are annotations of their own name."""

WHOLE_BLOCKS = frozenset({"redacted_thinking", "fallback", "container_upload", "mcp_tool_listing"})
"""Blocks that are whole when they begin; all results of the server's tools are, too."""

SHAPES = {"content_block": "content_block_start", "message": "message_start"}
DELTA_SHAPES = {
    "text": "text_delta",
    "thinking": "thinking_delta",
    "partial_json": "input_json_delta",
    "signature": "signature_delta",
    "citation": "citations_delta",
}
EXPECTED = {TEXT: b"text_delta", THOUGHT: b"thinking_delta", CALL: b"input_json_delta"}


class Anthropic(BlockDialect):
    """One message."""

    name: ClassVar[str] = "anthropic"
    events_per_delta: ClassVar[int] = 1
    heartbeats: ClassVar[frozenset[str]] = frozenset({"ping"})
    beginnings: ClassVar[frozenset[str]] = frozenset({"message_start"})
    reasons: ClassVar[dict[str, FinishReason]] = ANTHROPIC_REASONS

    # ---- the shortcut

    def one(self, payload: bytes) -> list[Event] | None:
        hot = self.hot
        told: list[Event]
        try:
            if hot == TEXT:
                told = [TextDelta(read_text(payload).delta.text)]
            elif hot == THOUGHT:
                told = [ReasoningDelta(read_thought(payload).delta.thinking)]
            elif not hot:
                return None
            else:
                told = []
                self.run_input(payload, told)
        except REFUSED:
            self.missed(0, payload)
            return None
        return told

    def run(self, rest: Iterable[bytes], events: list[Event]) -> bytes | None:
        begin, tell = len(events), events.append
        odd: bytes | None = None
        try:
            if self.hot == TEXT:
                for odd in rest:
                    tell(TextDelta(read_text(odd).delta.text))
            elif self.hot == THOUGHT:
                for odd in rest:
                    tell(ReasoningDelta(read_thought(odd).delta.thinking))
            else:
                for odd in rest:
                    self.run_input(odd, events)
            odd = None
        except REFUSED:
            pass
        finally:
            self.position += len(events) - begin
        return None if odd is None else self.missed(len(events) - begin, odd)

    def run_input(self, payload: bytes, events: list[Event]) -> None:
        """One fragment of the arguments of the call opened last. Raises if it is not that."""
        piece = read_input(payload)
        if not self.calls or piece.index != self.calls[-1].key:
            raise msgspec.ValidationError("a fragment of another block")
        self.add_arguments(self.calls[-1], piece.delta.partial_json, events)

    def missed(self, hits: int, payload: bytes) -> bytes:
        # Another kind of record is no sign that the next delta has another form.
        other = EXPECTED[self.hot] not in payload
        return super().missed(hits + other, payload)

    # ---- the records

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        if not is_object(data):
            if not self.read_error(data):
                self.unrecognized(record, "not a record of a message: no JSON object", events)
            return
        kind = kind_of(data) or record.type
        handler = HANDLERS.get(kind)
        if kind == "error":
            if not self.read_error(data):
                self.fail(error_info(data))
            return
        failed = bool(data.get("error")) and self.read_error(data)
        if handler is not None:
            if not handler(self, data, events):
                self.unrecognized(record, f"not a {kind} as it should be", events)
        elif not failed:
            self.unrecognized(record, "no known type", events)

    def read_ping(self, data: dict[str, Any], events: list[Event]) -> bool:
        events.append(Heartbeat("ping"))
        return True

    def read_message_start(self, data: dict[str, Any], events: list[Event]) -> bool:
        message = data.get("message")
        if not is_object(message):
            return False
        self.abandon_blocks()
        self.start(message.get("id"), message.get("model"), events)
        content = message.get("content")
        for index, block in enumerate(elements(content)):
            self.read_block_start({"index": index, "content_block": block}, events)
            self.stop_block(index, events)
        self.read_usage(message.get("usage"), events)
        self.read_stop(message, events)
        return True

    def read_whole(self, data: dict[str, Any], events: list[Event]) -> bool:
        """A server that answers whole sends the message itself."""
        self.read_message_start({"message": data}, events)
        self.end(events)
        return True

    def read_block_start(self, data: dict[str, Any], events: list[Event]) -> bool:
        block, index = data.get("content_block"), whole_number(data.get("index"))
        kind = block.get("type") if is_object(block) else None
        if not is_object(block) or not isinstance(kind, str):
            return False
        self.ensure_start(events)
        if kind == "tool_use":
            self.begin_call(index, block.get("id"), block.get("name"), block, events)
            self.read_call_fields(block, events)
        elif kind.endswith("_tool_use"):
            self.begin_use(index, kind, block, events)
        else:
            self.displace(index, events)
            if kind == "text":
                self.text(block.get("text"), events)
                citations = block.get("citations")
                for citation in elements(citations):
                    self.annotate("citation", citation, events)
            elif kind == "thinking":
                self.text(block.get("thinking"), events, kind="reasoning")
                self.read_fields("signature", block, events, "thinking")
            elif kind == "compaction":
                self.read_fields("compaction", block, events)
            elif kind in WHOLE_BLOCKS or kind.endswith("_result"):
                self.annotate(kind, block, events)
                served_by = block.get("to")
                if kind == "fallback" and is_object(served_by):
                    # The server went over to another model: it is the one that answers.
                    self.rename(served_by.get("model"), events)
            else:
                return False
        return True

    def read_call_fields(self, block: dict[str, Any], events: list[Event]) -> None:
        """What else a call's block says: a toolset, or a caller other than the model."""
        told = {k: v for k, v in block.items() if k not in ("type", "id", "name", "input")}
        caller = told.get("caller")
        if is_object(caller) and caller.get("type") == "direct":
            del told["caller"]
        if any(value is not None for value in told.values()):
            self.annotate("tool_use", {"id": block.get("id"), **told}, events)

    def read_fields(
        self, kind: str, holder: dict[str, Any], events: list[Event], without: str = ""
    ) -> None:
        """All that ``holder`` says, as one annotation; nothing if it says nothing."""
        told = {k: v for k, v in holder.items() if k not in ("type", without)}
        if any(value not in (None, "", []) for value in told.values()):
            self.annotate(kind, told, events)

    def read_block_delta(self, data: dict[str, Any], events: list[Event]) -> bool:
        delta = data.get("delta")
        if not is_object(delta):
            return False
        self.ensure_start(events)
        kind = delta.get("type")
        if not isinstance(kind, str):
            kind = next((kind for field, kind in DELTA_SHAPES.items() if field in delta), "")
        if kind == "text_delta" and isinstance(delta.get("text"), str):
            self.text(delta["text"], events)
        elif kind == "thinking_delta" and isinstance(delta.get("thinking"), str):
            self.text(delta["thinking"], events, kind="reasoning")
        elif kind == "input_json_delta" and isinstance(delta.get("partial_json"), str):
            return self.add_input(whole_number(data.get("index")), delta["partial_json"], events)
        elif kind == "signature_delta":
            self.read_fields("signature", delta, events)
            return "signature" in delta
        elif kind == "citations_delta" and is_object(delta.get("citation")):
            self.annotate("citation", delta["citation"], events)
        elif kind == "compaction_delta":
            self.read_fields("compaction", delta, events)
        else:
            return False
        return True

    def read_block_stop(self, data: dict[str, Any], events: list[Event]) -> bool:
        self.stop_block(whole_number(data.get("index")), events)
        return True

    def read_message_delta(self, data: dict[str, Any], events: list[Event]) -> bool:
        delta, usage = data.get("delta"), data.get("usage")
        if not is_object(delta) and not is_object(usage):
            return False
        self.ensure_start(events)
        self.read_usage(usage, events)
        if is_object(delta):
            self.read_stop(delta, events)
        self.read_beside(data, RECORD_FIELDS, events)
        return True

    def read_message_stop(self, data: dict[str, Any], events: list[Event]) -> bool:
        self.end(events)
        return True

    def read_usage(self, usage: Any, events: list[Event]) -> None:
        if is_object(usage) and usage:
            self.count_tokens(anthropic_usage(self.encodable(usage), self.usage), events)

    def read_stop(self, holder: dict[str, Any], events: list[Event]) -> None:
        """Why the message stopped, and what it says beside that."""
        self.finish(holder.get("stop_reason"))
        sequence = holder.get("stop_sequence")
        if isinstance(sequence, str) and sequence:
            self.annotate("stop_sequence", sequence, events)
        self.read_beside(holder, MESSAGE_FIELDS, events)

    def read_beside(
        self, holder: dict[str, Any], known: frozenset[str], events: list[Event]
    ) -> None:
        for field, value in holder.items():
            if field not in known and value not in (None, [], {}):
                if field in NAMED:
                    self.annotate(field, value, events)
                else:
                    self.extra(field, value, events)

    def ensure_start(self, events: list[Event]) -> None:
        """A gateway may leave the message's start out."""
        if not self.started:
            self.start(None, None, events)


def kind_of(data: dict[str, Any]) -> str:
    """What kind of record ``data`` is by its own word, else by its fields; "" if unknown."""
    kind = data.get("type")
    if isinstance(kind, str):
        return kind
    if is_object(data.get("delta")):
        return "content_block_delta" if "index" in data else "message_delta"
    return next((kind for field, kind in SHAPES.items() if is_object(data.get(field))), "")


Handler = Callable[[Anthropic, dict[str, Any], list[Event]], bool]
HANDLERS: dict[str, Handler] = {
    "message_start": Anthropic.read_message_start,
    "content_block_start": Anthropic.read_block_start,
    "content_block_delta": Anthropic.read_block_delta,
    "content_block_stop": Anthropic.read_block_stop,
    "message_delta": Anthropic.read_message_delta,
    "message_stop": Anthropic.read_message_stop,
    "message": Anthropic.read_whole,
    "ping": Anthropic.read_ping,
}
