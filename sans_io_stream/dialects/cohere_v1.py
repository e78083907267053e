"""Cohere's chat API, version 1: lines of JSON, told apart by ``event_type``.

``stream-end`` is the terminal record and repeats the whole answer; of it only the finish
reason and ``response.meta`` (the counts) are read. Tool calls come in fragments
(``tool-calls-chunk``) and then whole, with objects as arguments (``tool-calls-generation``);
either alone suffices. Source: the Cohere API reference, ``v1/chat-stream``, and the types of
cohere-python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..events import FinishReason
from ..usage_forms import cohere_usage
from .base import Call, Dialect
from .cohere import finish_error
from .failure import error_info
from .shapes import elements, is_array, is_object, members, word
from .tools import argument_text

if TYPE_CHECKING:
    from ..events import Event
    from ..framing.items import WireRecord

__all__ = ["CohereV1"]

NAMED = {
    "search-queries-generation": ("search_queries", "search_queries"),
    "search-results": ("search_results", None),
    "citation-generation": ("citation", "citations"),
    "debug": ("debug", None),
}
"""Event type → kind of the annotation, and the field that holds a list of them (else all)."""

ENVELOPE = frozenset({"event_type", "is_finished"})


class CohereV1(Dialect):
    """One answer of ``/v1/chat``."""

    name: ClassVar[str] = "cohere-v1"
    beginnings: ClassVar[frozenset[str]] = frozenset({"stream-start"})
    reasons: ClassVar[dict[str, FinishReason]] = {
        "COMPLETE": "stop",
        "STOP_SEQUENCE": "stop",
        "MAX_TOKENS": "length",
        "ERROR_LIMIT": "length",
        "ERROR_TOXIC": "content_filter",
        "TOOL_CALL": "tool_calls",
        "ERROR": "error",
        "TIMEOUT": "error",
    }

    whole_calls: int = 0
    """How many calls ``tool-calls-generation`` has told whole."""

    def reason_of(self, raw: str | None, choice: int) -> FinishReason:
        """This version says ``COMPLETE`` when it calls tools, too."""
        called = raw == "COMPLETE" and self.called(choice)
        return "tool_calls" if called else super().reason_of(raw, choice)

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        if not is_object(data):
            if not self.read_error(data):
                self.unrecognized(record, "not an event of Cohere: no JSON object", events)
            return
        type_ = word(data.get("event_type")) or record.type
        match type_:
            case "text-generation":
                self.text(data.get("text"), events)
            case "stream-start":
                self.start(data.get("generation_id"), None, events)
            case "tool-calls-chunk":
                self.plan(data.get("text"), events)
                self.read_fragment(data.get("tool_call_delta"), events)
            case "tool-calls-generation":
                self.read_calls(data.get("tool_calls"), events)
            case "stream-end":
                self.read_end(data, events)
            case _ if type_ in NAMED:
                self.read_named(type_, data, events)
            case _ if self.read_error(data):
                pass
            case _ if not word(data.get("event_type")) and word(data.get("message")):
                # The document of a failure: the service names no type then.
                self.fail(error_info(data))
            case _:
                self.unrecognized(record, "an event that the protocol does not name", events)

    def plan(self, text: Any, events: list[Event]) -> None:
        """What the model means to do with its tools: neither answer nor thinking."""
        if text:
            self.annotate("tool_plan", text, events)

    def read_named(self, type_: str, data: dict[str, Any], events: list[Event]) -> None:
        kind, field = NAMED[type_]
        values = data.get(field) if field is not None else None
        if is_array(values):
            for value in values:
                self.annotate(kind, value, events)
        else:
            self.annotate(kind, {k: v for k, v in data.items() if k not in ENVELOPE}, events)

    def read_fragment(self, delta: Any, events: list[Event]) -> None:
        """A piece of a call: its name, or a fragment of its arguments as JSON text."""
        if not is_object(delta):
            return
        index = delta.get("index")
        key = index if type(index) is int else None
        name, arguments = word(delta.get("name")), argument_text(delta.get("parameters"))
        self.plan(delta.get("text"), events)
        call = self.open_call_at(key)
        if call is None:
            if name or arguments:
                self.open_call(events, key=key, name=name, arguments=arguments)
            return
        news = call.name is None and name is not None
        call.name = call.name or name
        self.add_arguments(call, arguments, events, always=news)

    def open_call_at(self, key: int | None) -> Call | None:
        """The open call of that index, or the last one where there is no index."""
        for call in reversed(self.calls):
            if key is None or call.key == key:
                return call
        return None

    def read_calls(self, calls: Any, events: list[Event]) -> None:
        """The calls told whole: they close those that came in fragments, in their order."""
        for entry in elements(calls):
            if not is_object(entry):
                continue
            number, self.whole_calls = self.whole_calls, self.whole_calls + 1
            call = next((call for call in self.calls if call.index == number), None)
            if call is None:
                name, arguments = word(entry.get("name")), argument_text(entry.get("parameters"))
                call = self.open_call(events, key=number, name=name, arguments=arguments)
            elif not call.pieces:
                self.add_arguments(call, argument_text(entry.get("parameters")), events)
            self.close_call(call, events)

    def read_end(self, data: dict[str, Any], events: list[Event]) -> None:
        response = members(data.get("response"))
        self.start(response.get("generation_id"), None, events)
        reason = word(data.get("finish_reason")) or word(response.get("finish_reason"))
        usage = members(response.get("meta"))
        counts = cohere_usage(usage)
        if counts is not None:
            self.count_tokens(counts, events)
        finish_error(self, reason, data)
        # An empty answer is an answer: it has a finish of its own.
        self.choice(0)[1].visible = True
        self.finish(reason)
        self.end(events)
