"""Anthropic Messages: blocks, each with a start, deltas and a stop.

``message_start`` waits for the first record after it, since it holds the counts of the prompt
and cannot be corrected. Text and thinking stand in a block as long as nothing else comes. A
tool's block stays open until its call is whole, or until something else begins once its
arguments are one whole object. Only where fragments of several calls really alternate are
several blocks open at once; each fragment names its block, so nothing is held back or lost.
A call begins when its id and its name are known (or the call, or the stream, ends), as a
block's start cannot be corrected either.

``message_delta`` and ``message_stop`` come with ``StreamEnd("complete")``; a failure is an
``error`` event; where the answer breaks off, a ``message_delta`` without a reason tells the
counts so far. Refusals are text: the protocol has no channel for them. Sources: the API
reference, "Streaming messages", and the types of the vendor's Python SDK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from ..dialects.anthropic import ANTHROPIC_REASONS, NAMED, WHOLE_BLOCKS, Anthropic
from ..dialects.shapes import is_object
from ..json_scan import JSONScan
from .base import Call, Channel, Format
from .counts import anthropic_counts
from .frames import Comment, Framing, Item, Out, as_json
from .words import ERROR_TYPES, error_fields, finish_word

if TYPE_CHECKING:
    from ..errors import ErrorInfo, ErrorKind
    from ..events import Annotation, FinishReason

__all__ = ["AnthropicFormat"]

BESIDE: dict[FinishReason, str] = {"content_filter": "refusal"}
TYPES: dict[ErrorKind, str] = {**ERROR_TYPES, "quota": "billing_error"}
ANY_DEPTH = 1 << 62

STARTS: dict[str, dict[str, Any]] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}
DELTAS = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}


class Arguments(msgspec.Struct):
    """How far the arguments of a call have come, by their structure."""

    scan: JSONScan = msgspec.field(default_factory=lambda: JSONScan(max_depth=ANY_DEPTH))
    whole: bool = False
    """They are one whole object."""
    other: bool = False
    """They are something else."""

    def add(self, fragment: str) -> None:
        data = fragment.encode("utf-8", "replace")
        rest = data.strip()
        if not rest:
            return
        if not self.scan.depth and (self.whole or not rest.startswith(b"{")):
            self.whole, self.other = False, True
        elif not self.other:
            end = self.scan.feed(data)
            self.whole = end is not None and not data[end:].strip()
            self.other = end is not None and not self.whole


class AnthropicFormat(Format, kw_only=True):
    """One message."""

    name: ClassVar[str] = Anthropic.name
    framings: ClassVar[tuple[Framing, ...]] = ("sse", "jsonl")
    steady: ClassVar[bool] = True
    begins_late: ClassVar[bool] = True

    blocks: int = 0
    """How many blocks have begun."""
    prose: str = ""
    """The kind of the open block of text or thinking, number ``prose_at``; "" if none is."""
    prose_at: int = 0
    open_calls: dict[int, Arguments] = msgspec.field(default_factory=dict[int, "Arguments"])
    """The blocks of calls that have not stopped, by their numbers."""
    last_words: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    """Fields of the ``message_delta`` that ends the message."""

    def record(self, kind: str, out: list[Item], **fields: Any) -> None:
        out.append(Out({"type": kind, **fields}, kind))

    def counts(self) -> dict[str, Any]:
        """The counts so far; an empty object, which says nothing, where none are known."""
        return {} if self.usage is None else anthropic_counts(self.usage)

    def begin(self, out: list[Item]) -> None:
        message: dict[str, Any] = {
            "id": self.response_id or "",
            "type": "message",
            "role": "assistant",
            "model": self.model or "",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": self.counts(),
        }
        self.record("message_start", out, message=message)

    def heartbeat(self, text: str, out: list[Item]) -> None:
        # Before the message's start a ping would be out of order.
        if self.begun:
            self.record("ping", out)
        else:
            out.append(Comment(text))

    # ---- blocks

    def start_block(self, block: dict[str, Any], out: list[Item]) -> int:
        """Begin a block; what is open and whole stops."""
        self.ready(out)
        self.stop_prose(out)
        for number in [n for n, arguments in self.open_calls.items() if arguments.whole]:
            self.stop_call(number, out)
        number = self.blocks
        self.blocks += 1
        self.record("content_block_start", out, index=number, content_block=block)
        return number

    def stop_block(self, number: int, out: list[Item]) -> None:
        self.record("content_block_stop", out, index=number)

    def whole_block(self, block: dict[str, Any], out: list[Item]) -> None:
        self.stop_block(self.start_block(block, out), out)

    def delta(self, number: int, kind: str, fields: dict[str, Any], out: list[Item]) -> None:
        self.record("content_block_delta", out, index=number, delta={**fields, "type": kind})

    def into(self, kind: str, out: list[Item]) -> int:
        """The number of the open block of that kind of prose, begun if it is not open."""
        if self.prose != kind:
            self.prose_at = self.start_block(STARTS[kind], out)
            self.prose = kind
        return self.prose_at

    def stop_prose(self, out: list[Item]) -> None:
        if self.prose:
            self.stop_block(self.prose_at, out)
            self.prose = ""

    def say(self, channel: Channel, text: str, choice: int, out: list[Item]) -> None:
        kind = "thinking" if channel == "reasoning" else "text"
        name, field = DELTAS[kind]
        self.delta(self.into(kind, out), name, {field: text}, out)

    # ---- calls

    def call_piece(self, call: Call, fragment: str, news: bool, out: list[Item]) -> None:
        if fragment:
            call.pieces.append(fragment)
        if call.place >= 0 or (call.id and call.name):
            self.tell_call(call, out)

    def tell_call(self, call: Call, out: list[Item]) -> None:
        """Write what was not yet written of a call, its beginning included."""
        if call.place < 0:
            names = {"id": call.id or "", "name": call.name or ""}
            block: dict[str, Any] = {"type": "tool_use", **names, "input": {}}
            call.place = self.start_block(block, out)
            self.open_calls[call.place] = Arguments()
        fragment = "".join(call.pieces)
        call.pieces.clear()
        if fragment:
            self.delta(call.place, "input_json_delta", {"partial_json": fragment}, out)
            if call.place in self.open_calls:
                self.open_calls[call.place].add(fragment)

    def tell_calls(self, out: list[Item]) -> None:
        """Write what waits for an id or a name that will not come any more."""
        for call in self.calls.values():
            self.tell_call(call, out)

    def stop_call(self, number: int, out: list[Item]) -> None:
        if self.open_calls.pop(number, None) is not None:
            self.stop_block(number, out)

    def call_whole(self, call: Call, out: list[Item]) -> None:
        self.tell_call(call, out)
        self.stop_call(call.place, out)

    # ---- what else there is

    def annotate(self, event: Annotation, out: list[Item]) -> None:
        kind, data = event.kind, event.data
        if kind == "citation" and is_object(data):
            self.delta(self.into("text", out), "citations_delta", {"citation": data}, out)
        elif kind == "signature" and is_object(data) and data.get("signature"):
            self.delta(self.into("thinking", out), "signature_delta", data, out)
        elif kind == "compaction" and is_object(data):
            self.whole_block({**data, "type": kind}, out)
        elif kind in NAMED or (kind == "stop_sequence" and isinstance(data, str)):
            self.last_words[kind] = data
        elif is_object(data) and data.get("type") == kind != "tool_use":
            if kind in WHOLE_BLOCKS or kind.endswith("_result"):
                self.whole_block(data, out)
            elif kind.endswith("_tool_use"):
                self.tell_use(data, out)

    def tell_use(self, data: dict[str, Any], out: list[Item]) -> None:
        """A use of a tool of the server's, whole."""
        given = data.get("input")
        number = self.start_block({**data, "input": {}}, out)
        if given not in (None, "", {}):
            text = given if isinstance(given, str) else as_json(given).decode()
            self.delta(number, "input_json_delta", {"partial_json": text}, out)
        self.stop_block(number, out)

    # ---- the end

    def complete(self, out: list[Item]) -> None:
        self.tell_calls(out)
        self.stop_prose(out)
        word = finish_word(self.finish_of(0), ANTHROPIC_REASONS, BESIDE)
        delta = {"stop_reason": word, "stop_sequence": None, **self.last_words}
        self.record("message_delta", out, delta=delta, usage=self.counts())
        self.record("message_stop", out)

    def interrupt(self, out: list[Item]) -> None:
        self.tell_calls(out)
        if self.usage is not None:
            delta = {"stop_reason": None, "stop_sequence": None}
            self.record("message_delta", out, delta=delta, usage=self.counts())

    def fail(self, error: ErrorInfo, out: list[Item]) -> None:
        self.interrupt(out)
        fields = error_fields(error, TYPES)
        request = fields.pop("request_id", None)
        beside = {} if request is None else {"request_id": request}
        self.record("error", out, error=fields, **beside)
