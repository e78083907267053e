"""What every dialect shares: the state of one answer, and its tail.

A dialect turns records into events. Its fields are its whole state (a ``msgspec.Struct``,
so a snapshot is its encoding). A subclass says what its records mean by calling the verbs
of this class (``start``, ``text``, ``call`` …) and never builds the tail itself: ``Finish``
per choice, the final ``Usage``, the last ``ResumePoint`` come from here, when the terminal
record or the end of the body is in.

Reading is tolerant: a record is plain data (dicts and lists), every field may be missing,
null or of a type nobody expected. Speed comes from ``plain``, which a subclass may override
with typed decoders that take exactly its commonest records, and leave all others to ``read``.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

import msgspec

from ..errors import ErrorInfo
from ..events import (
    ANSWER_EVENTS,
    Annotation,
    Event,
    Finish,
    FinishReason,
    Heartbeat,
    MediaDelta,
    ReasoningDelta,
    RefusalDelta,
    ResumePoint,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Unrecognized,
    Usage,
)
from ..framing.items import PlainForm, Unfinished, WireRecord
from ..framing.json_scan import JSONScan
from ..policy import Limits
from ..resume import Cursor, CursorKind, ResumeOrigin
from ..usage import compact_usage, merge_usage, same_counts
from .failure import error_in
from .surrogates import Channel, mend
from .tolerant import REFUSED, TooDeep, Unreadable, read_json, scrub

__all__ = ["Call", "Choice", "Dialect", "LimitReached"]

COLON = 58
TEXT, THOUGHT, CALL = 1, 2, 3
HOT: dict[type, int] = {TextDelta: TEXT, ReasoningDelta: THOUGHT, ToolCallDelta: CALL}
COLD = 16
REMEMBERED_EXTRAS = 64


class LimitReached(Exception):
    """Raised inside a dialect when a limit is exceeded; the decoder ends the stream."""

    def __init__(self, limit: str, size: int, what: str) -> None:
        super().__init__(f"{what} exceeds Limits.{limit} ({size})")
        self.error = ErrorInfo("limit", str(self))


class Choice(msgspec.Struct, gc=False):
    """One alternative answer: its last finish reason, and what it has had."""

    raw_reason: str | None = None
    visible: bool = False
    calls: int = 0
    finished: bool = False


class Call(msgspec.Struct, gc=False):
    """One open tool call. ``key`` is the provider's own number or name for it."""

    index: int
    choice: int
    key: str | int | None = None
    id: str | None = None
    name: str | None = None
    pieces: list[str] = []
    size: int = 0
    kind: str = ""
    scan: JSONScan | None = None
    """Follows the structure of the arguments, once somebody asks whether they are whole."""
    scanned: int = 0
    """How many of the pieces ``scan`` has seen."""
    balanced: bool = False
    """The pieces that ``scan`` has seen are one whole object."""
    broken: bool = False
    """They are none, and can become none any more."""

    @property
    def arguments(self) -> str:
        """The arguments so far."""
        return "".join(self.pieces)


class Dialect(msgspec.Struct, kw_only=True, gc=False):
    """The state of one answer. See the module's text for the rules of subclasses."""

    name: ClassVar[str]
    reasons: ClassVar[dict[str, FinishReason]] = {}
    """The provider's finish reasons in our words; unknown ones are ``other``."""
    strict: ClassVar[bool] = False
    """True where the framing's grammar is followed to the letter (plain event streams)."""
    cursor_kind: ClassVar[CursorKind] = "sse_id"
    terminator: ClassVar[bytes] = b"[DONE]"
    takes_text: ClassVar[bool] = False
    """True where a body of plain text is the answer."""
    lead_end: ClassVar[bytes] = b""
    """Where the part of a record that stays the same ends; see ``framing.sse``."""
    events_per_delta: ClassVar[int] = 0
    """How many events a plain delta gives (2 with a resume point); 0 for no shortcuts."""

    limits: Limits
    shortcuts: bool = True
    generation: int = 0
    is_text: bool = False
    """The body is plain text: what comes are pieces of it, not records."""

    started: bool = False
    response_id: str | None = None
    model: str | None = None
    choices: dict[int, Choice] = {}
    calls: list[Call] = []
    call_count: int = 0
    usage: Usage | None = None
    error: ErrorInfo | None = None
    ended: bool = False
    """The provider's terminal record is in, and the tail is out."""
    cursor: Cursor | None = None
    """The cursor of the last record that had one."""
    base: Cursor | None = None
    origin: ResumeOrigin | None = None
    position: int = 0
    halves: list[Channel] | None = None
    """High surrogates that wait for their other half."""
    extras: dict[str, int] | None = None
    lax: bool = False
    """The record at hand took a tolerant reading."""
    hot: int = 0
    """The kind of delta that ``run`` expects (see ``HOT``); 0 for none."""
    armed_at: int = 0
    """The ``position`` at which ``hot`` was set."""
    cold: int = 0
    """Records to read before a shortcut is tried again."""

    # ---- what a subclass defines

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        """Turn one record, its JSON already read into ``data``, into events."""
        raise NotImplementedError

    def said_all(self, truncated: bool) -> bool:
        """Whether the provider has said that the answer is complete, at the end of the body."""
        return self.ended or (not truncated and self.all_finished())

    def reason_of(self, raw: str | None, choice: int) -> FinishReason:
        """The normalized finish reason. ``choice`` is for those that depend on its content."""
        return self.reasons.get(raw or "", "other")

    def told_end(self) -> StreamEnd | None:
        """The end that the sender itself told, in a protocol that can tell every outcome."""
        return None

    # ---- what the decoder calls

    def plain(self, payloads: list[bytes], form: PlainForm, events: list[Event]) -> None:
        """Append the events of bare items. Raises ``LimitReached``."""
        rest = iter(payloads)
        while True:
            payload = self.run(rest, events) if self.hot else next(rest, None)
            if payload is None:
                return
            begin = len(events)
            self.take(form.whole(payload), events)
            if self.shortcuts and self.events_per_delta:
                self.arm(events, begin)

    def one(self, payload: bytes) -> list[Event] | None:
        """``run`` for a record that is alone in its read; None if it is of another kind."""
        events: list[Event] = []
        return events if self.run((payload,), events) is None else None

    def run(self, rest: Iterable[bytes], events: list[Event]) -> bytes | None:
        """The shortcut: read the records that are like the one before them, typed.

        Returns the first one that is not, or None when all are read. Must give the events
        that ``take`` would give. A dialect without shortcuts never gets here.
        """
        self.hot = 0
        return next(iter(rest), None)

    def arm(self, events: list[Event], begin: int) -> None:
        """Expect more of what the last record was, if it was one plain delta."""
        if self.cold:
            self.cold -= 1
            return
        count = len(events) - begin
        if count > 1 and type(events[begin]) is StreamStart:
            # A first record may be a plain delta, too.
            begin, count = begin + 1, count - 1
        if count == self.events_per_delta and self.halves is None:
            self.hot = HOT.get(type(events[begin]), 0)
            self.armed_at = self.position

    def missed(self, hits: int, payload: bytes) -> bytes:
        """A record was not as expected, after ``hits`` that were; hands ``payload`` back.

        If nothing was since it was armed, the shortcut rests for a while: what comes is of
        another form.
        """
        self.hot = 0
        self.cold = 0 if hits or self.position != self.armed_at else COLD
        return payload

    def take(self, record: WireRecord, events: list[Event]) -> None:
        """Append the events of one record, its resume point last. Raises ``LimitReached``."""
        begin = len(events)
        ended = self.ended
        # What this record changes, no shortcut has checked.
        self.hot = 0
        before, self.cursor = self.cursor, None
        try:
            self.interpret(record, events)
        finally:
            own, self.cursor = self.cursor, before
            for event in events[begin:]:
                if type(event) in ANSWER_EVENTS:
                    self.position += 1
        if own is None and self.cursor_kind == "sse_id":
            own = record.id
        if own is None and self.ended and not ended:
            own = before
        if own is not None:
            self.mark(own, events)

    def interpret(self, record: WireRecord, events: list[Event]) -> None:
        """Append the events of one record: heartbeats and terminators, else what it says."""
        data = record.data
        if not data or data[0] == COLON or data.isspace():
            events.append(Heartbeat(data.decode("utf-8", "replace").strip()))
        elif data.startswith(self.terminator):
            self.end(events)
        else:
            try:
                value, self.lax = read_json(data, self.limits.depth)
                readable = record
                if self.lax:
                    # What is kept of the record (usage objects) must be JSON for everybody.
                    clean = msgspec.json.encode(scrub(value))
                    readable = WireRecord(clean, record.type, record.id, record.headers)
                self.read(value, readable, events)
            except Unreadable as error:
                self.unrecognized(record, str(error), events)
                value = data.decode("utf-8", "replace")
            except RecursionError:
                # Limits.depth is the user's to raise; the interpreter's stack is not ours.
                value = "nested too deeply for this interpreter's stack"
                self.unrecognized(record, value, events)
            except TooDeep:
                raise LimitReached("depth", self.limits.depth, "the JSON of a record") from None
            if record.type == "error" and self.error is None:
                # Whatever stands in it, the event itself says that it is one.
                self.fail(error_in({"error": value or "error"}) or ErrorInfo("provider"))

    def blank(self, id: str | None, events: list[Event]) -> None:
        """A block without data: its id counts all the same."""
        if id is not None and self.cursor_kind == "sse_id":
            self.mark(id, events)

    def accepts(self, item: Unfinished, truncated: bool) -> bool:
        """Whether a record that lacks its terminator counts: real streams end so."""
        data = item.record.data
        if self.strict and not item.closed:
            return False
        if truncated and not item.closed:
            return False
        return data.startswith(self.terminator) or is_json(data)

    def take_error(self, value: bytes, events: list[Event]) -> None:
        """The value of a line ``error: …``, which some servers send between the records."""
        try:
            told, _ = read_json(value, self.limits.depth)
        except (Unreadable, TooDeep):
            told = value.decode("utf-8", "replace")
        if not self.read_error(told):
            self.read_error({"error": told})

    def mark(self, cursor: Cursor, events: list[Event]) -> None:
        """Append the resume point behind a record that has a cursor."""
        self.cursor = cursor
        events.append(self.point(cursor))

    def point(self, cursor: Cursor) -> ResumePoint:
        """The resume point at ``cursor``. While no tool call is open, all share one origin."""
        held = bool(self.calls)
        if not held:
            self.base = cursor
        base = self.base if held else None
        origin = self.origin
        if (
            origin is None
            or origin.held != held
            or origin.base != base
            or origin.response_id != self.response_id
        ):
            kind: CursorKind = self.cursor_kind
            origin = self.origin = ResumeOrigin(self.name, kind, self.response_id, held, base)
        return ResumePoint(cursor, self.position, origin, self.ended)

    def close(self, truncated: bool, events: list[Event]) -> bool:
        """The body has ended: append what is still owed. True if the answer is complete."""
        begin = len(events)
        complete = self.error is None and self.said_all(truncated)
        self.release(events)
        if not self.ended:
            self.tail(events, complete, final=complete and not truncated)
        self.position += sum(type(event) in ANSWER_EVENTS for event in events[begin:])
        if complete and not self.ended and self.cursor is not None:
            self.ended = True
            self.mark(self.cursor, events)
        return complete

    # ---- the verbs: what a record may say

    def start(self, response_id: Any, model: Any, events: list[Event]) -> None:
        """The answer has begun; tell its id and model as soon as each is known."""
        known = (self.response_id, self.model)
        if not self.response_id and isinstance(response_id, str) and response_id:
            self.response_id = response_id
        if not self.model and isinstance(model, str) and model:
            self.model = model
        if not self.started or known != (self.response_id, self.model):
            self.started = True
            events.append(StreamStart(self.response_id, self.model, self.generation))

    def choice(self, index: Any) -> tuple[int, Choice]:
        """The choice of that index (0 where the index is missing or no number)."""
        number = index if type(index) is int else 0
        choice = self.choices.get(number)
        if choice is None:
            if len(self.choices) >= self.limits.choices:
                raise LimitReached("choices", self.limits.choices, "the number of choices")
            choice = self.choices[number] = Choice()
        return number, choice

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
        state = self.choices.get(choice) or self.choice(choice)[1]
        state.visible = True
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
        name = f"{choice}:{field}"
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
        if self.call_count >= self.limits.tool_calls:
            raise LimitReached("tool_calls", self.limits.tool_calls, "the number of tool calls")
        number, state = self.choice(choice)
        state.visible = True
        call = Call(state.calls, number, key, id, name, [])
        state.calls += 1
        self.call_count += 1
        self.calls.append(call)
        self.add_arguments(call, arguments, events, always=True)
        return call

    def add_arguments(
        self, call: Call, fragment: str, events: list[Event], always: bool = False
    ) -> None:
        """A fragment of the arguments; one that is empty is told only if ``always``."""
        fragment = self.whole(fragment, "arguments", call.choice, call.index)
        if fragment:
            call.pieces.append(fragment)
            call.size += len(fragment) if fragment.isascii() else len(fragment.encode())
            limit = self.limits.arguments_bytes
            if call.size > limit:
                raise LimitReached(
                    "arguments_bytes", limit, f"the arguments of tool call {call.index}"
                )
        if fragment or always:
            events.append(ToolCallDelta(call.index, call.id, call.name, fragment, call.choice))

    def close_call(self, call: Call, events: list[Event]) -> None:
        """The arguments of ``call`` are complete."""
        if self.halves is not None:
            self.release(events, call)
        if call in self.calls:
            self.calls.remove(call)
        events.append(ToolCall(call.index, call.id, call.name, call.arguments, call.choice))

    def count_tokens(self, usage: Usage, events: list[Event]) -> None:
        """A snapshot of the token counts: merged, per field the last non-null value wins."""
        old, self.usage = self.usage, merge_usage(self.usage, usage)
        if not same_counts(old, self.usage):
            events.append(self.usage)

    def finish(self, raw: Any, choice: int = 0) -> None:
        """A finish reason: kept until the end, since providers repeat and revise it."""
        if raw is not None and raw != "":
            self.choice(choice)[1].raw_reason = raw if isinstance(raw, str) else str(raw)

    def fail(self, error: ErrorInfo) -> None:
        """The provider told an error: it outweighs everything else. The first one counts."""
        if self.error is None:
            self.error = error

    def unrecognized(self, record: WireRecord, why: str, events: list[Event]) -> None:
        """A record without a normalized meaning."""
        text = record.data.decode("utf-8", "replace")
        events.append(Unrecognized(record.type, text, why))

    def read_error(self, data: Any) -> bool:
        """Whether ``data`` tells an error, in any of the shapes of the wire; keeps it."""
        error = error_in(data)
        if error is None:
            return False
        self.fail(error)
        return True

    def end(self, events: list[Event]) -> None:
        """The terminal record is in: give the tail. A second one says nothing new."""
        if not self.ended:
            self.release(events)
            complete = self.error is None and self.content_seen()
            self.ended = True
            self.tail(events, complete, final=complete)

    # ---- the tail

    def all_finished(self) -> bool:
        """Whether every choice that appeared has a finish reason, and there is one."""
        return bool(self.choices) and all(
            choice.raw_reason is not None for choice in self.choices.values()
        )

    def content_seen(self) -> bool:
        """Whether anything of an answer has come."""
        return any(c.visible or c.raw_reason is not None for c in self.choices.values())

    def tail(self, events: list[Event], complete: bool, *, final: bool) -> None:
        """``ToolCall``s still owed, ``Finish`` per choice, the final ``Usage``, the resume point."""
        for call in list(self.calls):
            if self.call_is_whole(call, complete):
                self.close_call(call, events)
        for index, choice in sorted(self.choices.items()):
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
        choice = self.choices[call.choice]
        if choice.raw_reason is None and not complete:
            return False
        reason = self.reason_of(choice.raw_reason, call.choice)
        if reason in ("tool_calls", "stop"):
            return True
        return is_json(call.arguments)


def is_json(text: str | bytes) -> bool:
    """Whether ``text`` is one whole JSON value."""
    try:
        msgspec.json.decode(text)
    except REFUSED:
        return False
    return True


def hash_of(value: Any) -> int:
    """A number that is the same for the same plain data, in every process."""
    data = msgspec.json.encode(value)
    return zlib.crc32(data) << 24 | (len(data) & 0xFFFFFF)
