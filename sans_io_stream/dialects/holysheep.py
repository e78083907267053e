"""HolySheep, the unified gateway: chat chunks whose ``id`` is the event id of the chunk.

What differs from the chat family: every chunk's ``id`` is a cursor, so the response has no id
unless another field names it; ``model``, ``usage`` and ``finish_reason`` stand in the chunks
or beside them; a chunk may be flat (``{"id": …, "content": "…"}``); counts may be spelled as
Google does; and a JSON text may be split over two records: an unfinished one waits for the
next, and both are unrecognized if they do not make one value together. A body of plain text
is the answer itself, unless its first line proves that it is a stream (``framing.sniff``).
Since only the meaning of ``id`` tells it from chat chunks, it is never detected. Source:
HolySheep's API documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..events import FinishReason
from ..framing.items import Unfinished, WireRecord
from ..json_scan import JSONScan
from ..resume import Cursor, CursorKind
from ..usage_forms import holysheep_usage
from .base import COLON, LimitReached
from .gemini import Gemini
from .openai_chat import OpenAIChat
from .shapes import is_array, is_object, members
from .tolerant import TooDeep, Unreadable, is_json, read_json, read_object

if TYPE_CHECKING:
    from ..events import Event

__all__ = ["HolySheep"]

RESPONSE_IDS = ("response_id", "responseId", "completion_id", "stream_id")
FINISH = ("finish_reason", "finishReason")
USAGE = ("usage", "usageMetadata")
FLAT = (
    "role", "content", "text", "reasoning_content", "reasoning", "refusal", "tool_calls",
    "function_call",
)  # fmt: skip
"""Fields of a delta, which flat chunks have themselves."""

BESIDE = frozenset({*RESPONSE_IDS, *FINISH, *USAGE, "id", "index", "delta", "choices", "type"})
"""Fields of a chunk that are read here."""

KNOWN = BESIDE | set(FLAT) | {"model", "object", "created"}


class HolySheep(OpenAIChat):
    """One answer of the gateway."""

    name: ClassVar[str] = "holysheep"
    cursor_kind: ClassVar[CursorKind] = "event_id"
    takes_text: ClassVar[bool] = True
    # Every chunk has an id and a resume point of its own: the chat family's shortcuts end there.
    events_per_delta: ClassVar[int] = 0
    typed: ClassVar[bool] = False
    lead_end: ClassVar[bytes] = b""
    reasons: ClassVar[dict[str, FinishReason]] = {
        **Gemini.reasons,
        **OpenAIChat.reasons,
        "end_turn": "stop",
        "complete": "stop",
        "safety": "content_filter",
        "tool_call": "tool_calls",
        "pause_turn": "pause",
    }

    half: WireRecord | None = None
    """An unfinished JSON text that waits for the next record."""

    def said_all(self, truncated: bool) -> bool:
        return not truncated if self.is_text else super().said_all(truncated)

    # ---- records that are no chunk by themselves

    def interpret(self, record: WireRecord, events: list[Event]) -> None:
        data = record.data
        if self.is_text:
            if not self.started:
                self.start(None, None, events)
            self.text(data.decode("utf-8", "replace"), events)
        elif not data or data[0] == COLON or data.isspace():
            super().interpret(record, events)
        elif self.half is not None:
            self.join(self.half, record, events)
        elif data.startswith(self.terminator):
            # It has no id of its own; the event stream's is the cursor there, if it has one.
            self.cursor = record.id or None
            super().interpret(record, events)
        elif self.goes_on(data):
            self.half = record
        else:
            super().interpret(record, events)

    def join(self, half: WireRecord, record: WireRecord, events: list[Event]) -> None:
        """Read ``half`` and ``record`` as one JSON text, or else each as what it is."""
        self.half = None
        whole = WireRecord(half.data + record.data, half.type, record.id or half.id)
        if self.readable(whole.data):
            limit = self.limits.record_bytes
            if len(whole.data) > limit:
                raise LimitReached("record_bytes", limit, "a JSON text over two records")
            super().interpret(whole, events)
            return
        self.unrecognized(half, "a JSON text that no record goes on with", events)
        if record.data.startswith(self.terminator) or self.readable(record.data):
            super().interpret(record, events)
        else:
            self.unrecognized(record, "not JSON, nor with the record before it", events)

    def goes_on(self, data: bytes) -> bool:
        """Whether ``data`` may be the first part of a JSON text."""
        if data.lstrip()[:1] not in (b"{", b"["):
            return False
        scan = JSONScan(max_depth=self.limits.depth)
        return scan.feed(data) is None and not scan.too_deep

    def readable(self, data: bytes) -> bool:
        """Whether ``data`` is JSON, or nests so deep that the limit has to say so."""
        try:
            read_json(data, self.limits.depth)
        except Unreadable:
            return False
        except TooDeep:
            return True
        return True

    def accepts(self, item: Unfinished, truncated: bool) -> bool:
        if self.half is not None and not truncated and is_json(self.half.data + item.record.data):
            return True
        return super().accepts(item, truncated)

    def close(self, truncated: bool, events: list[Event]) -> bool:
        half, self.half = self.half, None
        if half is not None:
            self.unrecognized(half, "cut off by the end of the body", events)
            self.position += 1
        return super().close(truncated, events)

    def peek(self, record: WireRecord) -> Cursor | None:
        cursor = own_id(read_object(record.data, self.limits.depth), record)
        return cursor or None

    # ---- chunks

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        if not is_object(data):
            super().read(data, record, events)
            return
        self.cursor = own_id(data, record)
        if KNOWN.isdisjoint(data):
            if not self.read_error(data):
                self.unrecognized(record, "not a chunk: no field of one", events)
            return
        chunk = {field: value for field, value in data.items() if field not in BESIDE}
        told = (data.get(field) for field in RESPONSE_IDS)
        chunk["id"] = next((value for value in told if isinstance(value, str) and value), None)
        chunk["choices"] = self.choices_of(data)
        for field in FLAT:
            chunk.pop(field, None)
        super().read(chunk, record, events)
        for path in USAGE:
            usage = data.get(path)
            if is_object(usage):
                self.count_tokens(holysheep_usage(usage, record.data, path), events)
        for field in FINISH:
            self.finish(data.get(field))

    def choices_of(self, data: dict[str, Any]) -> list[Any]:
        """The choices of a chunk, in the form of chat chunks."""
        choices = data.get("choices")
        if is_array(choices) and choices:
            return [self.choice_of(choice) if is_object(choice) else choice for choice in choices]
        if not any(field in data for field in ("delta", *FLAT)):
            return []
        return [self.choice_of({field: data.get(field) for field in ("index", "delta", *FLAT)})]

    def choice_of(self, choice: dict[str, Any]) -> dict[str, Any]:
        """A choice with its delta as an object, whatever form it has."""
        told = dict(choice)
        reason = told.pop("finishReason", None)
        if reason and not told.get("finish_reason"):
            told["finish_reason"] = reason
        delta = told.get("delta")
        if is_object(told.get("message")) and not is_object(delta):
            return told
        flat = {field: told.pop(field) for field in FLAT if told.get(field) is not None}
        if isinstance(delta, str):
            flat["content"] = delta
        if not flat.get("content") and isinstance(flat.get("text"), str):
            flat["content"] = flat.pop("text")
        told["delta"] = {**flat, **members(delta)}
        return told

    def reason_of(self, raw: str | None, choice: int) -> FinishReason:
        word = raw or ""
        reason = self.reasons.get(word) or self.reasons.get(word.lower(), "other")
        if reason == "stop" and self.called(choice):
            return "tool_calls"
        return reason


def own_id(chunk: dict[str, Any], record: WireRecord) -> str | None:
    """The event id of a chunk."""
    cursor = chunk.get("id")
    if cursor is None or cursor == "":
        cursor = record.id
    if isinstance(cursor, str | int) and not isinstance(cursor, bool):
        return str(cursor)
    return None
