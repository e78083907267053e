"""Ollama, chat and generate: JSON lines, each a piece of the answer, the last with the counts.

``done`` or a ``done_reason`` ends the answer (servers and proxies leave out the one or the
other); an ``error`` line may come at any time under HTTP 200. Tool calls arrive whole, with
objects as arguments, without ids, and all with index 0: their order tells them apart. Final
counts and durations stand in the record itself, beside an answer that may be large, so they
are copied out of it. Source: the Ollama API reference, ``docs/api.md``, and its ``api/types.go``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from ..events import Event, FinishReason, ReasoningDelta, TextDelta
from ..policy import Timeouts
from ..usage_forms import ollama_usage
from .base import TEXT, THOUGHT, Dialect
from .ollama_hot import (
    AnyLine,
    read_generated,
    read_generated_thought,
    read_line,
    read_text,
    read_thought,
)
from .shapes import elements, is_array, is_object, members, word
from .tolerant import REFUSED, read_json
from .tools import argument_text

if TYPE_CHECKING:
    from ..framing.items import PlainForm, WireRecord

__all__ = ["Ollama"]

STRUCTURAL = frozenset(
    {
        "model", "created_at", "message", "response", "thinking", "tool_calls", "done",
        "done_reason", "error", "image", "images", "remote_model", "remote_host",
        "total", "total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration",
        "eval_count", "eval_duration",
    }
)  # fmt: skip
"""Fields of a record that are read below, or only tell about the record itself."""

NAMED = {"logprobs": "logprobs", "context": "context", "completed": "progress"}
"""Fields that have a name of their own as annotations."""

MESSAGE_STRUCTURAL = frozenset(
    {"role", "content", "thinking", "tool_calls", "images", "tool_name", "tool_call_id"}
)

GENERATE_FIELDS = frozenset({"response", "thinking", "tool_calls", "image", "images"})
MEDIA_FIELDS = frozenset({"tool_calls", "image", "images"})
DEPTH = 2
"""How deep the lines are that are read typed."""
GENERATED = 8
"""Added to the kind of delta that is expected, where it is one of ``generate``."""


class Ollama(Dialect):
    """One answer of ``/api/chat`` or ``/api/generate``."""

    name: ClassVar[str] = "ollama"
    accept: ClassVar[str] = "application/x-ndjson"
    # The first answer of a model waits until it is loaded.
    timeouts: ClassVar[Timeouts] = Timeouts(response=900.0)
    events_per_delta: ClassVar[int] = 1
    reasons: ClassVar[dict[str, FinishReason]] = {"stop": "stop", "length": "length"}

    generated: bool = False
    """The last record was one of ``generate``."""

    def reason_of(self, raw: str | None, choice: int) -> FinishReason:
        """Ollama says ``stop`` when it calls tools, too."""
        reason = super().reason_of(raw, choice)
        called = reason == "stop" and self.called(choice)
        return "tool_calls" if called else reason

    def arm(self, events: list[Event], begin: int) -> None:
        if self.model:
            super().arm(events, begin)
            if self.hot and self.generated:
                self.hot += GENERATED

    def one(self, payload: bytes) -> list[Event] | None:
        if self.hot != TEXT:
            return super().one(payload)
        try:
            line = read_text(payload)
            if not line.done:
                return [TextDelta(line.message.content)]
        except REFUSED:
            pass
        self.missed(0, payload)
        return None

    def plain(self, payloads: list[bytes], form: PlainForm, events: list[Event]) -> None:
        if self.hot == TEXT and len(payloads) > 1:
            # All or nothing: cheaper than to keep count, and mostly it is all, but for the last.
            *most, last = payloads
            lines = map(read_text, most)
            told: list[Event]
            try:
                told = [TextDelta(line.message.content) for line in lines if not line.done]
            except REFUSED:
                told = []
            if len(told) == len(most):
                events += told
                self.position += len(told)
                payloads = [last]
        super().plain(payloads, form, events)

    def run(self, rest: Iterable[bytes], events: list[Event]) -> bytes | None:
        begin = len(events)
        append = events.append
        odd: bytes | None = None
        try:
            if self.hot == TEXT:
                for odd in rest:
                    line = read_text(odd)
                    if line.done:
                        break
                    append(TextDelta(line.message.content))
                else:
                    odd = None
            elif self.hot == THOUGHT:
                for odd in rest:
                    thought = read_thought(odd)
                    if thought.done:
                        break
                    append(ReasoningDelta(thought.message.thinking))
                else:
                    odd = None
            elif self.hot == GENERATED + TEXT:
                for odd in rest:
                    piece = read_generated(odd)
                    if piece.done:
                        break
                    append(TextDelta(piece.response))
                else:
                    odd = None
            elif self.hot == GENERATED + THOUGHT:
                for odd in rest:
                    idea = read_generated_thought(odd)
                    if idea.done:
                        break
                    append(ReasoningDelta(idea.thinking))
                else:
                    odd = None
            else:
                odd = next(iter(rest), None)
        except REFUSED:
            pass
        hits = len(events) - begin
        self.position += hits
        return None if odd is None else self.missed(hits, odd)

    def interpret(self, record: WireRecord, events: list[Event]) -> None:
        if self.cold >= 0 and not record.type and self.limits.depth >= DEPTH:
            try:
                line = read_line(record.data)
            except REFUSED:
                pass
            else:
                self.lax = False
                self.read_line(line, record, events)
                return
        super().interpret(record, events)

    def read_line(self, line: AnyLine, record: WireRecord, events: list[Event]) -> None:
        """A line of text, or none: those around the deltas, most of a short answer."""
        self.generated = False
        self.start(None, line.model, events)
        if line.message.content:
            self.text(line.message.content, events)
        if line.done or line.done_reason is not None:
            counts = read_json(record.data, self.limits.depth)[0]
            self.read_end(counts, line.done_reason, events)

    def read_end(self, data: dict[str, Any], reason: str | None, events: list[Event]) -> None:
        usage = ollama_usage(data)
        if usage is not None:
            self.count_tokens(usage, events)
        # An empty answer is an answer: it has a finish of its own.
        self.choice(0)[1].visible = True
        self.finish(reason)
        self.end(events)

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        failed = self.read_error(data)
        if not is_object(data):
            if not failed:
                self.unrecognized(record, "not a line of Ollama: no JSON object", events)
            return
        message, response = data.get("message"), data.get("response")
        self.generated = response is not None
        reason = word(data.get("done_reason"))
        done = data.get("done") is True or reason is not None
        spoke = done or is_object(message) or isinstance(response, str)
        if not spoke and not failed and not self.belongs(data):
            self.unrecognized(record, "neither message, response nor done", events)
            return
        if not failed:
            self.start(None, data.get("model"), events)
        if is_object(message):
            self.read_message(message, events)
        if not GENERATE_FIELDS.isdisjoint(data):
            # What generate says stands beside ``response``, not in a message.
            self.read_piece(data, response, events)
        for field, value in () if STRUCTURAL.issuperset(data) else data.items():
            if field not in STRUCTURAL and value is not None and value != []:
                kind = NAMED.get(field)
                if kind is None:
                    self.extra(field, value, events)
                elif kind == "progress":
                    progress = {"completed": value, "total": data.get("total")}
                    self.annotate(kind, progress, events)
                else:
                    self.annotate(kind, value, events)
        if done:
            self.read_end(data, reason, events)

    def belongs(self, data: dict[str, Any]) -> bool:
        """Whether a line without message and response is one of the stream all the same."""
        return isinstance(data.get("done"), bool) or "model" in data

    def read_message(self, message: dict[str, Any], events: list[Event]) -> None:
        self.read_piece(message, message.get("content"), events)
        for field, value in () if MESSAGE_STRUCTURAL.issuperset(message) else message.items():
            if field not in MESSAGE_STRUCTURAL and value is not None and value not in ("", [], {}):
                self.annotate("extra", {field: value}, events)

    def read_piece(self, holder: dict[str, Any], content: Any, events: list[Event]) -> None:
        """Thinking, text, tool calls and images: of a message, or of a ``generate`` line."""
        thinking = holder.get("thinking")
        if thinking:
            self.text(thinking, events, kind="reasoning")
        if content:
            self.text(content, events)
        if MEDIA_FIELDS.isdisjoint(holder):
            return
        for entry in elements(holder.get("tool_calls")):
            if is_object(entry):
                self.whole_call(entry, events)
        images = holder.get("images")
        for image in images if is_array(images) else (holder.get("image"),):
            self.image(image, events)

    def whole_call(self, entry: dict[str, Any], events: list[Event]) -> None:
        function = members(entry.get("function")) or entry
        name = word(function.get("name"))
        arguments = argument_text(function.get("arguments"))
        call = self.open_call(events, id=word(entry.get("id")), name=name, arguments=arguments)
        self.close_call(call, events)

    def image(self, image: Any, events: list[Event]) -> None:
        """A generated image, in base64."""
        if not isinstance(image, str) or not image:
            return
        try:
            data = base64.b64decode(image, validate=True)
        except (binascii.Error, ValueError):
            self.annotate("image", image, events)
        else:
            self.media(None, data, events, 0)
