"""OpenAI responses: items, each with its beginning, its deltas, and once more whole.

``response.created`` first; text, a refusal and thinking (as a summary) each in an item of one
part, which is done when another begins; a call in an item of its own, done when the call is
whole, so that calls may come at once; ``response.completed``, ``.incomplete`` or ``.failed``
last, with the whole output again, as clients read it there. Hence an encoder holds the whole
answer. Records are numbered without gaps. A call begins when its id and its name are known (or
the call, or the stream, ends), since they stand in the beginning of its item. Source: the
OpenAI API reference, ``responses/streaming``; the types of the vendor's Python SDK.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec

from ..dialects.openai_responses import OpenAIResponses
from ..dialects.openai_responses_tables import SERVER_PIECES, TOOL_ITEMS
from ..dialects.shapes import is_array, is_object
from .base import Call, Channel, Format, first_list
from .counts import responses_counts
from .frames import Item, Out
from .words import error_fields, finish_word

if TYPE_CHECKING:
    from ..errors import ErrorInfo
    from ..events import Annotation, FinishReason, MediaDelta

__all__ = ["OpenAIResponsesFormat"]

INCOMPLETE = "incomplete"
BESIDE: dict[FinishReason, str] = {
    "tool_calls": "completed",
    "refusal": "incomplete:content_filter",
    "pause": "incomplete:pause",
    "error": "incomplete:error",
    "other": "incomplete:other",
}
"""There is no word for a stop at tool calls: it follows from the calls."""

SERVER_EVENTS = {kind: event for event, kind in SERVER_PIECES.items()}
SERVER_ITEMS = frozenset(
    {"mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "compaction"}
)
SERVER_ENDINGS = ("_call", "_call_output")
"""What the items of the server's tools are called, or how that ends."""
IMAGE = "image/"
FORMATS = {"image/svg+xml": "svg"}


class Shape(NamedTuple):
    """How one channel stands on the wire."""

    id: str
    item: dict[str, Any]
    parts: str
    """The field of the item that holds its parts."""
    number: str
    """The field that numbers them."""
    part: dict[str, Any]
    field: str
    """The field of the part that holds its text."""
    part_event: str
    text_event: str


MESSAGE = {"type": "message", "role": "assistant"}
SHAPES: dict[Channel, Shape] = {
    "text": Shape(
        "msg", MESSAGE, "content", "content_index",
        {"type": "output_text", "annotations": [], "logprobs": []}, "text",
        "response.content_part", "response.output_text",
    ),
    "refusal": Shape(
        "msg", MESSAGE, "content", "content_index", {"type": "refusal"}, "refusal",
        "response.content_part", "response.refusal",
    ),
    "reasoning": Shape(
        "rs", {"type": "reasoning"}, "summary", "summary_index", {"type": "summary_text"}, "text",
        "response.reasoning_summary_part", "response.reasoning_summary_text",
    ),
}  # fmt: skip


class OpenItem(msgspec.Struct):
    """The item of text, refusal or thinking that is open."""

    channel: Channel
    index: int
    pieces: list[str] = []
    citations: list[Any] = []


class OpenAIResponsesFormat(Format, kw_only=True):
    """One response."""

    name: ClassVar[str] = OpenAIResponses.name

    number: int = -1
    """The sequence number of the next record."""
    indexes: int = 0
    """How many items have begun."""
    open: OpenItem | None = None
    output: list[dict[str, Any]] = msgspec.field(default_factory=list[dict[str, Any]])
    """The items that are done."""
    beside: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    """Fields of the response that ends the stream."""

    def __post_init__(self) -> None:
        if self.number < 0:
            self.number = self.options.sequence

    def next_sequence(self) -> int | None:
        return self.number

    # ---- records

    def record(self, kind: str, out: list[Item], **fields: Any) -> None:
        out.append(Out({"type": kind, "sequence_number": self.number, **fields}, kind))
        self.number += 1

    def response(self, status: str, **fields: Any) -> dict[str, Any]:
        return {
            "id": self.response_id or "",
            "object": "response",
            "created_at": self.options.created,
            "status": status,
            "background": self.options.background,
            "error": None,
            "incomplete_details": None,
            "model": self.model or "",
            "output": [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": None,
            **fields,
        }

    def begin(self, out: list[Item]) -> None:
        self.record("response.created", out, response=self.response("in_progress"))

    def rename(self, out: list[Item]) -> None:
        self.record("response.in_progress", out, response=self.response("in_progress"))

    def add_item(self, item: dict[str, Any], out: list[Item]) -> int:
        """An item begins."""
        self.ready(out)
        index = self.indexes
        self.indexes += 1
        self.record("response.output_item.added", out, output_index=index, item=item)
        return index

    def finish_item(self, index: int, item: dict[str, Any], out: list[Item]) -> None:
        self.record("response.output_item.done", out, output_index=index, item=item)
        self.output.append(item)

    # ---- text

    def item(self, open: OpenItem, status: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
        shape = SHAPES[open.channel]
        item = {"id": f"{shape.id}_{open.index}", **shape.item, shape.parts: parts}
        return {**item, "status": status}

    def place(self, open: OpenItem) -> dict[str, Any]:
        """The fields that say to which part an event belongs."""
        shape = SHAPES[open.channel]
        id_ = f"{shape.id}_{open.index}"
        return {"item_id": id_, "output_index": open.index, shape.number: 0}

    def into(self, channel: Channel, out: list[Item]) -> OpenItem:
        """The open item of that channel, begun if it is not open."""
        open = self.open
        if open is None or open.channel != channel:
            self.close_item(out)
            shape = SHAPES[channel]
            open = OpenItem(channel, self.indexes)
            self.add_item(self.item(open, "in_progress", []), out)
            part = {**shape.part, shape.field: ""}
            self.record(f"{shape.part_event}.added", out, **self.place(open), part=part)
            self.open = open
        return open

    def say(self, channel: Channel, text: str, choice: int, out: list[Item]) -> None:
        open = self.into(channel, out)
        open.pieces.append(text)
        beside: dict[str, Any] = {"logprobs": []} if channel == "text" else {}
        kind = f"{SHAPES[channel].text_event}.delta"
        self.record(kind, out, **self.place(open), delta=text, **beside)

    def close_item(self, out: list[Item]) -> None:
        """The open item is done: say it whole."""
        open, self.open = self.open, None
        if open is None:
            return
        shape, place, text = SHAPES[open.channel], self.place(open), "".join(open.pieces)
        part = {**shape.part, shape.field: text}
        if open.citations and text:
            part["annotations"] = open.citations
        beside: dict[str, Any] = {"logprobs": []} if open.channel == "text" else {}
        self.record(f"{shape.text_event}.done", out, **place, **{shape.field: text}, **beside)
        self.record(f"{shape.part_event}.done", out, **place, part=part)
        self.finish_item(open.index, self.item(open, "completed", [part]), out)

    # ---- calls

    def call_item(self, call: Call, status: str, arguments: str) -> dict[str, Any]:
        return {
            "id": f"fc_{call.place}" if call.id else "",
            "type": "function_call",
            "status": status,
            "call_id": call.id or "",
            "name": call.name or "",
            "arguments": arguments,
        }

    def call_piece(self, call: Call, fragment: str, news: bool, out: list[Item]) -> None:
        if fragment:
            call.pieces.append(fragment)
        if call.place >= 0:
            self.call_delta(call, fragment, out)
        elif call.id and call.name:
            self.tell_call(call, out)

    def call_delta(self, call: Call, fragment: str, out: list[Item]) -> None:
        if fragment:
            kind = "response.function_call_arguments.delta"
            self.record(kind, out, **self.call_place(call), delta=fragment)

    def call_place(self, call: Call) -> dict[str, Any]:
        return {"item_id": f"fc_{call.place}", "output_index": call.place}

    def tell_call(self, call: Call, out: list[Item]) -> None:
        """Begin the item of a call, with all fragments that waited."""
        if call.place < 0:
            self.close_item(out)
            call.place = self.indexes
            self.add_item(self.call_item(call, "in_progress", ""), out)
            self.call_delta(call, "".join(call.pieces), out)

    def call_whole(self, call: Call, out: list[Item]) -> None:
        self.end_call(call, "completed", out)

    def end_call(self, call: Call, status: str, out: list[Item]) -> None:
        self.tell_call(call, out)
        arguments = "".join(call.pieces)
        call.pieces.clear()
        if status == "completed":
            kind = "response.function_call_arguments.done"
            name = call.name or ""
            self.record(kind, out, **self.call_place(call), name=name, arguments=arguments)
        self.finish_item(call.place, self.call_item(call, status, arguments), out)

    # ---- what else there is

    def media(self, event: MediaDelta, out: list[Item]) -> None:
        data, kind = base64.b64encode(event.data).decode(), event.mime_type or "audio/"
        self.ready(out)
        if kind.startswith(IMAGE):
            place = {"item_id": f"ig_{self.indexes}", "output_index": self.indexes}
            self.close_item(out)
            self.indexes += 1
            self.record(
                "response.image_generation_call.partial_image", out, **place,
                partial_image_index=0, partial_image_b64=data,
                output_format=FORMATS.get(kind, kind.removeprefix(IMAGE)),
            )  # fmt: skip
        elif kind.startswith("audio/"):
            self.record("response.audio.delta", out, delta=data)

    def annotate(self, event: Annotation, out: list[Item]) -> None:
        kind, data = event.kind, event.data
        if kind == "citation" and is_object(data):
            open = self.into("text", out)
            open.citations.append(data)
            number = len(open.citations) - 1
            told = {**self.place(open), "annotation_index": number, "annotation": data}
            self.record("response.output_text.annotation.added", out, **told)
        elif kind == "logprobs" and (tokens := first_list(data, "content")):
            place = self.place(self.into("text", out))
            self.record("response.output_text.delta", out, **place, delta="", logprobs=tokens)
        elif kind == "encrypted_reasoning" and is_object(data) and data.get("encrypted_content"):
            self.whole_item({"type": "reasoning", "summary": [], **data}, out)
        elif kind == "audio" and is_object(data) and isinstance(data.get("transcript"), str):
            self.ready(out)
            self.record("response.audio.transcript.delta", out, delta=data["transcript"])
        elif kind in SERVER_EVENTS and is_object(data):
            self.ready(out)
            told = {k: v for k, v in data.items() if k not in ("type", "sequence_number")}
            self.record(SERVER_EVENTS[kind], out, **told)
        elif kind == "content_filter" and is_array(data):
            self.beside["content_filters"] = data
        elif kind == "moderation":
            self.beside[kind] = data
        elif is_object(data) and data.get("type") == kind and is_server_item(kind):
            self.whole_item(data, out)

    def whole_item(self, item: dict[str, Any], out: list[Item]) -> None:
        """An item that is told at once."""
        self.close_item(out)
        self.finish_item(self.add_item(item, out), item, out)

    # ---- the end

    def last(self, status: str, out: list[Item], **fields: Any) -> None:
        """The terminal record."""
        usage = None if self.usage is None else responses_counts(self.usage)
        told = self.response(status, output=self.output, usage=usage, **self.beside, **fields)
        self.record(f"response.{status}", out, response=told)

    def complete(self, out: list[Item]) -> None:
        for call in self.calls.values():
            if not call.whole:
                self.end_call(call, INCOMPLETE, out)
        self.close_item(out)
        finish = self.finish_of(0)
        if finish.raw_reason in ("failed", "cancelled"):
            finish = msgspec.structs.replace(finish, raw_reason=None)
        word = finish_word(finish, OpenAIResponses.reasons, BESIDE, infers_calls=True)
        status, _, reason = word.partition(":")
        if status == "completed":
            self.last(status, out)
        else:
            why = (reason or None) if status == INCOMPLETE else word
            self.last(INCOMPLETE, out, incomplete_details=why and {"reason": why})

    def interrupt(self, out: list[Item]) -> None:
        for call in self.calls.values():
            self.tell_call(call, out)

    def fail(self, error: ErrorInfo, out: list[Item]) -> None:
        self.ready(out)
        self.interrupt(out)
        self.last("failed", out, error={"code": None, **error_fields(error)})

    def cancel(self, out: list[Item]) -> None:
        self.ready(out)
        self.interrupt(out)
        self.last("cancelled", out)


def is_server_item(kind: str) -> bool:
    """Whether items of that type belong to the server's own tools."""
    known = kind in SERVER_ITEMS or kind.endswith(SERVER_ENDINGS)
    return known and kind not in TOOL_ITEMS
