"""Cohere's chat API, version 2: typed events from ``message-start`` to ``message-end``.

``message-end`` is the terminal record, with the finish reason, the counts, and for a failure
its text; the ``[DONE]`` behind it says nothing new. The plan that precedes tool calls is
neither answer nor thinking: an annotation. Source: the Cohere API reference, ``v2/chat-stream``,
and the types of cohere-python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..events import FinishReason
from ..usage_forms import cohere_usage
from .base import Call, Dialect
from .failure import error_info
from .shapes import is_array, is_object, members, word
from .tools import argument_text

if TYPE_CHECKING:
    from ..events import Event
    from ..framing.items import WireRecord

__all__ = ["Cohere", "finish_error"]

STRUCTURAL = frozenset({"content-end", "citation-end"})
"""The records that close what others opened."""

FAILURES = frozenset({"ERROR", "TIMEOUT"})
"""Finish reasons that say that there is no whole answer."""

PIECES = ("text", "thinking")
"""Fields of a content that are texts, whatever its type."""


class Cohere(Dialect):
    """One answer of ``/v2/chat``."""

    name: ClassVar[str] = "cohere"
    beginnings: ClassVar[frozenset[str]] = frozenset({"message-start"})
    reasons: ClassVar[dict[str, FinishReason]] = {
        "COMPLETE": "stop",
        "STOP_SEQUENCE": "stop",
        "MAX_TOKENS": "length",
        "TOOL_CALL": "tool_calls",
        "ERROR": "error",
        "TIMEOUT": "error",
    }

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        if not is_object(data):
            if not self.read_error(data):
                self.unrecognized(record, "not an event of Cohere: no JSON object", events)
            return
        type_ = word(data.get("type")) or record.type
        delta = members(data.get("delta"))
        message = members(delta.get("message"))
        match type_:
            case "content-delta" | "content-start":
                self.content(message.get("content"), events)
                logprobs = data.get("logprobs")
                if logprobs:
                    self.annotate("logprobs", logprobs, events)
            case "tool-plan-delta":
                plan = message.get("tool_plan")
                if plan:
                    self.annotate("tool_plan", plan, events)
            case "tool-call-start" | "tool-call-delta" | "tool-call-end":
                self.read_call(type_, data.get("index"), message.get("tool_calls"), events)
            case "citation-start":
                citations = message.get("citations")
                for citation in citations if is_array(citations) else (citations,):
                    if citation:
                        self.annotate("citation", citation, events)
            case "message-start":
                self.start(data.get("id"), None, events)
            case "message-end":
                self.read_end(data, delta, events)
            case "debug":
                self.annotate("debug", {k: v for k, v in data.items() if k != "type"}, events)
            case _ if type_ in STRUCTURAL or self.read_error(data):
                pass
            case _ if not word(data.get("type")) and word(data.get("message")):
                # The document of a failure: the service names no type then.
                self.fail(error_info(data))
            case _:
                self.unrecognized(record, "an event that the protocol does not name", events)

    def content(self, content: Any, events: list[Event]) -> None:
        """A piece of a content: it tells by its field what it is a piece of."""
        for part in content if is_array(content) else (content,):
            if isinstance(part, str):
                self.text(part, events)
            elif is_object(part):
                self.text(part.get("thinking"), events, kind="reasoning")
                self.text(part.get("text"), events)
                rest = {k: v for k, v in part.items() if k != "type" and k not in PIECES and v}
                if rest:
                    self.annotate("extra", rest, events)

    def read_call(self, type_: str, index: Any, calls: Any, events: list[Event]) -> None:
        """The three records of a tool call. One without an index is about the last call."""
        key = index if type(index) is int else None
        entry = members(calls[0] if is_array(calls) and calls else calls)
        function = members(entry.get("function"))
        arguments = argument_text(function.get("arguments"))
        call = self.open_call_at(key)
        if type_ == "tool-call-start" or (call is None and type_ == "tool-call-delta"):
            id_, name = word(entry.get("id")), word(function.get("name"))
            self.open_call(events, key=key, id=id_, name=name, arguments=arguments)
        elif call is not None:
            self.add_arguments(call, arguments, events)
            if type_ == "tool-call-end":
                self.stop_call(call, events)

    def open_call_at(self, key: int | None) -> Call | None:
        """The open call of that index, or the last one where there is no index."""
        for call in reversed(self.calls):
            if not call.stopped and (key is None or call.key == key):
                return call
        return None

    def read_end(self, data: dict[str, Any], delta: dict[str, Any], events: list[Event]) -> None:
        self.start(data.get("id"), None, events)
        reason = word(delta.get("finish_reason"))
        usage = members(delta.get("usage"))
        counts = cohere_usage(usage)
        if counts is not None:
            self.count_tokens(counts, events)
        finish_error(self, reason, delta)
        logprobs = delta.get("logprobs") or data.get("logprobs")
        if logprobs:
            self.annotate("logprobs", logprobs, events)
        # An empty answer is an answer: it has a finish of its own.
        self.choice(0)[1].visible = True
        self.finish(reason)
        self.end(events)


def finish_error(dialect: Dialect, reason: str | None, ending: dict[str, Any]) -> None:
    """Fail ``dialect`` if the end of a message tells a failure, in words or by its reason."""
    told = ending.get("error")
    if not told and reason not in FAILURES:
        return
    if is_object(told):
        dialect.fail(error_info(told))
        return
    kind = word(ending.get("error_type")) or (reason if reason == "TIMEOUT" else None)
    dialect.fail(error_info({"message": told if isinstance(told, str) else "", "type": kind}))
