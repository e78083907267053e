"""OpenAI assistants: the run of a thread (``thread.…`` events).

What a record is stands in its ``object``, how far it is in its ``status``; the event's name
repeats both and is asked only where they are missing. The answer comes in two kinds of
deltas: ``thread.message.delta`` (text) and ``thread.run.step.delta`` (tool calls). The run
itself ends, with its usage, in a status of ``FINAL``; then comes ``done``. A run that asks
for the output of functions (``requires_action``) ends its stream too. Source: the OpenAI API
reference, ``assistants-streaming``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from ..events import FinishReason
from ..usage_forms import chat_usage
from .base import Call, Dialect
from .failure import error_info
from .shapes import elements, is_object, members, short, word
from .tolerant import scrub
from .tools import argument_text

if TYPE_CHECKING:
    from ..events import Event
    from ..framing.items import WireRecord

__all__ = ["OpenAIAssistants"]

OBJECTS = (
    "thread.message.delta",
    "thread.message",
    "thread.run.step.delta",
    "thread.run.step",
    "thread.run",
    "thread",
)
"""The kinds of records, the longer names first: an event's name begins with that of its kind."""
FINAL = frozenset({"requires_action", "completed", "incomplete", "failed", "cancelled", "expired"})
REMEMBERED = 4096


class OpenAIAssistants(Dialect):
    """One run."""

    name: ClassVar[str] = "openai-assistants"
    done_ends: ClassVar[bool] = True
    reasons: ClassVar[dict[str, FinishReason]] = {
        "completed": "stop",
        "requires_action": "tool_calls",
        "incomplete": "length",
        "failed": "error",
        "cancelled": "error",
        "expired": "error",
    }

    said: dict[str, bool] = msgspec.field(default_factory=dict[str, bool])
    """The ids of the messages and steps that came in deltas."""

    def call_is_whole(self, call: Call, complete: bool) -> bool:
        """A call that nothing closed is whole only where the run waits for its output."""
        return self.reason_of(self.choice(call.choice)[1].raw_reason, call.choice) == "tool_calls"

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        if not is_object(data):
            if not self.read_error(data):
                self.unrecognized(record, "not an event: no JSON object", events)
            return
        event = record.type
        if is_object(data.get("data")) and isinstance(data.get("event"), str):
            # As the SDKs write events down.
            event, data = data["event"], data["data"]
        kind = data.get("object")
        if kind not in OBJECTS:
            kind = next((k for k in OBJECTS if event == k or event.startswith(k + ".")), "")
        if kind == "thread.message.delta":
            self.read_message(data, members(data.get("delta")), events)
        elif kind == "thread.run.step.delta":
            self.read_step_delta(data, events)
        elif kind == "thread.message":
            self.read_whole_message(data, events)
        elif kind == "thread.run.step":
            self.read_step(data, events)
        elif kind == "thread.run":
            self.read_run(data, event, events)
        elif event == "error" and not is_object(data.get("error")):
            self.fail(error_info(data))
        elif not self.read_error(data) and kind != "thread":
            self.unrecognized(record, f"no event of this protocol: {event or 'no type'}", events)

    def unsaid(self, id_: Any) -> bool:
        """Whether no delta came of the message or step with this id."""
        return short(str(id_)) not in self.said and len(self.said) < REMEMBERED

    def remember(self, id_: Any) -> None:
        if len(self.said) < REMEMBERED:
            self.said[short(str(id_))] = True

    # ---- messages

    def read_whole_message(self, data: dict[str, Any], events: list[Event]) -> None:
        """A message repeats its deltas when it ends; it is read if there were none."""
        ended = data.get("status") in ("completed", "incomplete")
        if ended and data.get("role") != "user" and self.unsaid(data.get("id")):
            self.read_message(data, data, events)

    def read_message(
        self, message: dict[str, Any], holder: dict[str, Any], events: list[Event]
    ) -> None:
        self.begin(message, events)
        self.remember(message.get("id"))
        for part in elements(holder.get("content")):
            self.read_part(members(part), events)

    def read_part(self, part: dict[str, Any], events: list[Event]) -> None:
        text = part.get("text")
        if is_object(text):
            self.text(text.get("value"), events)
            for annotation in elements(text.get("annotations")):
                self.annotate("citation", annotation, events)
        elif isinstance(text, str):
            self.text(text, events)
        elif isinstance(part.get("refusal"), str):
            self.text(part["refusal"], events, kind="refusal")
        elif part:
            self.annotate(word(part.get("type")) or "extra", part, events)

    def begin(self, data: dict[str, Any], events: list[Event]) -> None:
        """The answer has begun, if no run said so before."""
        if not self.started:
            self.start(data.get("run_id"), None, events)

    # ---- steps

    def read_step_delta(self, data: dict[str, Any], events: list[Event]) -> None:
        self.begin(data, events)
        self.remember(data.get("id"))
        details = members(members(data.get("delta")).get("step_details"))
        for entry in map(members, elements(details.get("tool_calls"))):
            function = entry.get("function")
            if is_object(function):
                self.read_function(entry, function, data.get("id"), events)
            elif entry:
                self.annotate(word(entry.get("type")) or "extra", entry, events)

    def read_function(
        self, entry: dict[str, Any], function: dict[str, Any], step: Any, events: list[Event]
    ) -> None:
        """A piece of a call to a function: of the open call with its number in its step."""
        key = short(f"{step}:{entry.get('index')}")
        call = next((call for call in self.calls if call.key == key), None)
        id_, name = word(entry.get("id")), word(function.get("name"))
        arguments = argument_text(function.get("arguments"))
        if call is None:
            self.open_call(events, key=key, id=id_, name=name, arguments=arguments)
        else:
            news = (call.id, call.name) != (call.id or id_, call.name or name)
            call.id, call.name = call.id or id_, call.name or name
            self.add_arguments(call, arguments, events, always=news)

    def read_step(self, step: dict[str, Any], events: list[Event]) -> None:
        """A step: its end closes its calls. It opens none: the stream that follows on the
        output of functions begins with the step that called them."""
        if step.get("status") != "completed":
            return
        details = members(step.get("step_details"))
        for entry in map(members, elements(details.get("tool_calls"))):
            call = self.call_with(entry.get("id"))
            if call is not None:
                self.close_call(call, events)
            elif "function" not in entry and self.unsaid(step.get("id")):
                self.annotate(word(entry.get("type")) or "extra", entry, events)

    def call_with(self, id_: Any) -> Call | None:
        return next((call for call in self.calls if id_ and call.id == id_), None)

    # ---- the run

    def read_run(self, run: dict[str, Any], event: str, events: list[Event]) -> None:
        self.start(run.get("id"), run.get("model"), events)
        usage = run.get("usage")
        if is_object(usage):
            counts = scrub(usage) if self.lax else usage
            self.count_tokens(chat_usage(counts, msgspec.json.encode(counts), ""), events)
        status = word(run.get("status")) or event.removeprefix("thread.run.")
        if status not in FINAL:
            return
        action = members(run.get("required_action"))
        wanted = members(action.get("submit_tool_outputs"))
        for entry in map(members, elements(wanted.get("tool_calls"))):
            self.read_wanted(entry, events)
        if is_object(run.get("last_error")):
            self.fail(error_info(run["last_error"]))
        elif status == "failed":
            self.fail(error_info({"message": "the run failed"}))
        elif status == "expired":
            self.cancel(status)
        self.finish(status)

    def read_wanted(self, entry: dict[str, Any], events: list[Event]) -> None:
        """A call whose output the run waits for: it is whole now."""
        function = members(entry.get("function"))
        call = self.call_with(entry.get("id"))
        if call is None:
            id_, name = word(entry.get("id")), word(function.get("name"))
            arguments = argument_text(function.get("arguments"))
            call = self.open_call(events, id=id_, name=name, arguments=arguments)
        self.close_call(call, events)
