"""The state of one answer: what a record may say of it, and its tail.

The *verbs* (``start``, ``text``, ``open_call`` …) are what the dialects say their records
with; each appends its events. The *tail* is always the same, whatever was said before it:
``ToolCall``s still owed, ``Finish`` per choice, the final ``Usage``, the last ``ResumePoint``.
It comes with the terminal record or at the end of the body. All fields are state, so that a
snapshot is their encoding.
"""

from __future__ import annotations

import zlib
from typing import Any, ClassVar, Literal

import msgspec

from ..errors import ErrorInfo
from ..events import (
    ANSWER_EVENTS,
    Annotation,
    Event,
    Finish,
    FinishReason,
    MediaDelta,
    ReasoningDelta,
    RefusalDelta,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from ..policy import Limits, Timeouts
from ..usage import compact_usage, merge_usage, same_counts
from .marks import Marked
from .parts import Call, Choice, LimitReached, byte_size
from .shapes import short, whole_number
from .surrogates import Channel, mend
from .tolerant import is_json, scrub

__all__ = ["Answer", "Call", "Choice", "LimitReached", "hash_of"]

REMEMBERED_EXTRAS = 64
LONGEST_REASON = 256
"""Characters of a finish reason that are kept."""


CANCELLED = frozenset(
    {"abort", "aborted", "canceled", "cancelled", "user_cancel", "user_cancelled"}
)
"""Finish reasons, in lower case, that say that the answer was cancelled (watsonx, Cohere, vLLM,
TensorRT-LLM): an answer that somebody stopped is not whole, in whichever dialect."""


class Answer(Marked, kw_only=True, gc=False):
    """One answer, as far as its records have told it."""

    reasons: ClassVar[dict[str, FinishReason]] = {}
    """The provider's finish reasons in our words; unknown ones are ``other``."""
    timeouts: ClassVar[Timeouts] = Timeouts()
    """How long its servers may be silent."""
    accept: ClassVar[str] = "text/event-stream"
    """The media type to ask for."""

    limits: Limits
    generation: int = 0

    started: bool = False
    model: str | None = None
    choices: tuple[Choice, ...] = ()
    calls: tuple[Call, ...] = ()
    """The open ones."""
    usage: Usage | None = None
    error: ErrorInfo | None = None
    halves: list[Channel] | None = None
    """High surrogates that wait for their other half."""
    extras: dict[str, int] | None = None
    lax: bool = False
    """The record at hand took a tolerant reading."""

    def holds(self) -> bool:
        return bool(self.calls) or self.halves is not None

    # ---- what a dialect may define

    def said_all(self, truncated: bool) -> bool:
        """Whether the provider has said that the answer is complete, at the end of the body."""
        said = self.ended and self.content_seen()
        return said or (not truncated and self.all_finished())

    def reason_of(self, raw: str | None, choice: int) -> FinishReason:
        """The normalized finish reason. ``choice`` is for those that depend on its content."""
        return self.reasons.get(raw or "", "other")

    def told_end(self) -> StreamEnd | None:
        """The end that the sender itself told, in a protocol that can tell every outcome."""
        return None

    # ---- the verbs: what a record may say

    def start(self, response_id: Any, model: Any, events: list[Event]) -> None:
        """The answer has begun; tell its id and model as soon as each is known."""
        if self.started and self.response_id and self.model:
            return
        known = (self.response_id, self.model)
        if not self.response_id and isinstance(response_id, str) and response_id:
            self.response_id = response_id
        if not self.model and isinstance(model, str) and model:
            self.model = model
        if not self.started or known != (self.response_id, self.model):
            self.started = True
            events.append(StreamStart(self.response_id, self.model, self.generation))

    def rename(self, model: Any, events: list[Event]) -> None:
        """From here on another model answers."""
        if isinstance(model, str) and model and model != self.model:
            self.model = model
            events.append(StreamStart(self.response_id, model, self.generation))

    def choice(self, index: Any) -> tuple[int, Choice]:
        """The choice of that index (0 where the index is missing or no number)."""
        number = index if type(index) is int else whole_number(index) or 0
        for choice in self.choices:
            if choice.index == number:
                return number, choice
        if len(self.choices) >= self.limits.choices:
            raise LimitReached("choices", self.limits.choices, "the number of choices")
        choice = Choice(number)
        self.choices = (*self.choices, choice)
        return number, choice

    def called(self, choice: int) -> bool:
        """Whether a choice has had tool calls."""
        return any(known.index == choice and known.calls for known in self.choices)

    def text(
        self,
        text: Any,
        events: list[Event],
        choice: int = 0,
        kind: Literal["text", "reasoning", "refusal"] = "text",
    ) -> None:
        """A piece of text, thinking or refusal; nothing if it is empty or no string."""
        if not isinstance(text, str) or not text:
            return
        text = self.whole(text, kind, choice)
        if not text:
            return
        self.choice(choice)[1].visible = True
        if kind == "text":
            events.append(TextDelta(text, choice))
        elif kind == "reasoning":
            events.append(ReasoningDelta(text, choice))
        else:
            events.append(RefusalDelta(text, choice))

    def whole(self, text: str, kind: str, choice: int, index: int = 0) -> str:
        """``text`` without lone surrogates: a high one waits for its half in its channel."""
        if self.halves is None and text.isascii():
            return text
        text, self.halves = mend(text, self.halves, kind, choice, index)
        return text

    def release(self, events: list[Event], of: Call | None = None) -> None:
        """Give out, as U+FFFD, the surrogates whose other half never came; of one call, or all."""
        halves, self.halves = self.halves or [], None
        waiting: list[Channel] = []
        lone = "\ufffd"
        for channel in halves:
            call = next((c for c in self.calls if channel.belongs_to(c.choice, c.index)), None)
            if of is not None and call is not of:
                waiting.append(channel)
            elif call is not None:
                self.add_arguments(call, lone, events)
            elif channel.kind == "text":
                events.append(TextDelta(lone, channel.choice))
            elif channel.kind == "reasoning":
                events.append(ReasoningDelta(lone, channel.choice))
            elif channel.kind == "refusal":
                events.append(RefusalDelta(lone, channel.choice))
        self.halves = waiting or None

    def media(self, mime_type: str | None, data: bytes, events: list[Event], choice: int) -> None:
        """A piece of image or audio data."""
        self.choice(choice)[1].visible = True
        events.append(MediaDelta(mime_type, data, choice))

    def annotate(self, kind: str, data: Any, events: list[Event], choice: int = 0) -> None:
        """Something else that belongs to the answer."""
        if self.lax:
            data = scrub(data)
        events.append(Annotation(kind, data, choice))

    def extra(self, field: str, value: Any, events: list[Event], choice: int = 0) -> None:
        """A field of a record that no protocol names: told again only when it changes."""
        if value is None:
            return
        if self.lax:
            value = scrub(value)
        mark = hash_of(value)
        name = f"{choice}:{short(field)}"
        if self.extras is None:
            self.extras = {}
        if self.extras.get(name) == mark:
            return
        if len(self.extras) < REMEMBERED_EXTRAS or name in self.extras:
            self.extras[name] = mark
        events.append(Annotation("extra", {field: value}, choice))

    def open_call(
        self,
        events: list[Event],
        *,
        key: str | int | None = None,
        id: str | None = None,
        name: str | None = None,
        choice: int = 0,
        arguments: str = "",
    ) -> Call:
        """A tool call begins. Appends its first ``ToolCallDelta``."""
        if sum(known.calls for known in self.choices) >= self.limits.tool_calls:
            raise LimitReached("tool_calls", self.limits.tool_calls, "the number of tool calls")
        number, state = self.choice(choice)
        state.visible = True
        call = Call(state.calls, number, key, id, name, [])
        state.calls += 1
        self.calls = (*self.calls, call)
        self.add_arguments(call, arguments, events, always=True)
        return call

    def add_arguments(
        self, call: Call, fragment: str, events: list[Event], always: bool = False
    ) -> None:
        """A fragment of the arguments; one that is empty is told only if ``always``."""
        plain = fragment.isascii()
        if not plain or self.halves is not None:
            fragment = self.whole(fragment, "arguments", call.choice, call.index)
            plain = False
        if fragment:
            call.pieces.append(fragment)
            call.size += len(fragment) if plain else len(fragment.encode())
            limit = self.limits.arguments_bytes
            if call.size > limit:
                raise LimitReached(
                    "arguments_bytes", limit, f"the arguments of tool call {call.index}"
                )
        if always and byte_size(call.id) + byte_size(call.name) > self.limits.arguments_bytes:
            # What is told always is its beginning, or an id or a name that came late.
            limit, what = self.limits.arguments_bytes, f"the id and name of tool call {call.index}"
            raise LimitReached("arguments_bytes", limit, what)
        if fragment or always:
            events.append(ToolCallDelta(call.index, call.id, call.name, fragment, call.choice))

    def close_call(self, call: Call, events: list[Event]) -> None:
        """The arguments of ``call`` are complete."""
        if self.halves is not None:
            self.release(events, call)
        self.drop_call(call)
        events.append(ToolCall(call.index, call.id, call.name, call.arguments, call.choice))

    def stop_call(self, call: Call, events: list[Event]) -> None:
        """The end of ``call`` was told. Where its arguments are no JSON, only the reason to stop
        will say whether the model wrote them so or was cut off in them: it stays open."""
        if call.pieces and not is_json(call.arguments):
            call.stopped = True
        else:
            self.close_call(call, events)

    def drop_call(self, call: Call) -> None:
        """``call`` is open no more."""
        self.calls = tuple(other for other in self.calls if other is not call)

    def count_tokens(self, usage: Usage, events: list[Event]) -> None:
        """A snapshot of the token counts: merged, per field the last non-null value wins."""
        if self.generation:
            usage = msgspec.structs.replace(usage, generation=self.generation)
        old, self.usage = self.usage, merge_usage(self.usage, usage)
        if not same_counts(old, self.usage):
            events.append(self.usage)

    def finish(self, raw: Any, choice: int = 0) -> None:
        """A finish reason: kept until the end, since providers repeat and revise it."""
        if raw is not None and raw != "":
            told = raw if isinstance(raw, str) else str(raw)
            self.choice(choice)[1].raw_reason = told[:LONGEST_REASON]
            if told.lower() in CANCELLED:
                self.cancel(told)

    def fail(self, error: ErrorInfo) -> None:
        """The provider told an error: it outweighs everything else. The first one counts."""
        if self.error is None:
            self.error = error

    def cancel(self, word: str | None) -> None:
        """The provider says, in this word, that the answer was cancelled: it is not whole."""
        self.fail(ErrorInfo("provider", "the generation was cancelled", word))

    def end(self, events: list[Event]) -> None:
        """The terminal record is in: give the tail. A second one says nothing new."""
        if not self.ended:
            if self.halves is not None:
                self.release(events)
            complete = self.error is None and self.content_seen()
            self.ended = True
            self.tail(events, complete, final=complete)

    # ---- the tail

    def close(self, truncated: bool, events: list[Event]) -> bool:
        """The body has ended: append what is still owed. True if the answer is complete."""
        begin = len(events)
        complete = self.error is None and self.said_all(truncated)
        if self.halves is not None:
            self.release(events)
        if not self.ended:
            self.tail(events, complete, final=complete and not truncated)
        if len(events) > begin:
            self.position += sum(type(event) in ANSWER_EVENTS for event in events[begin:])
        if complete and not self.ended and self.cursor is not None:
            self.ended = True
            self.mark(self.cursor, events)
        return complete

    def all_finished(self) -> bool:
        """Whether every choice that appeared has a finish reason, and there is one."""
        for choice in self.choices:
            if choice.raw_reason is None:
                return False
        return bool(self.choices)

    def content_seen(self) -> bool:
        """Whether anything of an answer has come."""
        return any(c.visible or c.raw_reason is not None for c in self.choices)

    def tail(self, events: list[Event], complete: bool, *, final: bool) -> None:
        """Give the ``ToolCall``s still owed, ``Finish`` per choice, and the final ``Usage``."""
        for call in self.calls:
            if self.call_is_whole(call, complete):
                self.close_call(call, events)
        choices = self.choices
        if len(choices) > 1:
            choices = tuple(sorted(choices, key=lambda choice: choice.index))
        for choice in choices:
            index = choice.index
            if choice.finished:
                continue
            if choice.raw_reason is not None:
                choice.finished = True
                reason = "error" if self.error else self.reason_of(choice.raw_reason, index)
                events.append(Finish(reason, choice.raw_reason, index))
            elif complete and choice.visible:
                choice.finished = True
                events.append(Finish("other", None, index))
        if final and self.usage is not None:
            self.usage = msgspec.structs.replace(compact_usage(self.usage), final=True)
            events.append(self.usage)

    def call_is_whole(self, call: Call, complete: bool) -> bool:
        """Whether a call that nothing closed is complete all the same, at the end."""
        choice = self.choice(call.choice)[1]
        if choice.raw_reason is None and not complete:
            return False
        reason = self.reason_of(choice.raw_reason, call.choice)
        if reason in ("tool_calls", "stop"):
            return True
        return is_json(call.arguments)


def hash_of(value: Any) -> int:
    """A number that is the same for the same plain data, in every process."""
    data = msgspec.json.encode(value)
    return zlib.crc32(data) << 24 | (len(data) & 0xFFFFFF)
