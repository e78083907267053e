"""Amazon Bedrock's ``InvokeModelWithResponseStream``.

Frames named ``chunk``, each with the model's own JSON in base64 (``bytes``; ``p`` is padding).
What that JSON is depends on the family of the model: Claude's are the records of Anthropic
Messages, Nova's the events of a conversation; all others say their text, reason and counts in
fields of their own, which stand in a table. Bedrock adds its own counts to the last record,
and with them the answer is whole; the model's own usage object, where there is one, counts.
Sources: the Bedrock user guide, "Inference request parameters and response fields for
foundation models"; botocore's service description of ``bedrock-runtime``.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

# A struct's annotations are read when a snapshot is.
from ..events import FinishReason
from ..framing.items import WireRecord
from ..usage_forms import bedrock_usage, chat_usage, flat_usage
from .anthropic import ANTHROPIC_REASONS, Anthropic
from .base import LimitReached
from .bedrock import (
    CONVERSE_EVENTS,
    CONVERSE_REASONS,
    converse_event,
    is_exception,
    read_converse,
    read_failure,
)
from .cohere import finish_error
from .shapes import elements, is_array, is_object, whole_number, word
from .tolerant import TooDeep, Unreadable, read_json
from .tools import argument_text, chat_calls

if TYPE_CHECKING:
    from ..events import Event

__all__ = ["BedrockInvoke"]

METRICS = "amazon-bedrock-invocationMetrics"
GUARDRAIL = "amazon-bedrock-guardrailAction"
TRACE = "amazon-bedrock-trace"

TEXTS = ("outputText", "generation", "completion", "text")
"""Where a family puts its text: Titan, Llama, Claude's text completions, Cohere and others."""
REASONS = ("stop_reason", "completionReason", "finish_reason", "stopReason")
IDS = ("id", "generation_id")


class BedrockInvoke(Anthropic):
    """One answer of whichever family of models."""

    name: ClassVar[str] = "bedrock-invoke"
    accept: ClassVar[str] = "application/vnd.amazon.eventstream"
    events_per_delta: ClassVar[int] = 0
    reasons: ClassVar[dict[str, FinishReason]] = {
        **CONVERSE_REASONS,
        **ANTHROPIC_REASONS,
        "FINISH": "stop",
        "FINISHED": "stop",
        "STOP_CRITERIA_MET": "stop",
        "LENGTH": "length",
        "CONTENT_FILTERED": "content_filter",
        "COMPLETE": "stop",
        "STOP_SEQUENCE": "stop",
        "MAX_TOKENS": "length",
        "TOOL_CALL": "tool_calls",
        "ERROR": "error",
        "ERROR_TOXIC": "content_filter",
        "ERROR_LIMIT": "length",
        "stop": "stop",
        "length": "length",
        "tool_calls": "tool_calls",
        "content_filter": "content_filter",
        "endoftext": "stop",
    }

    flat: bool = False
    """The counts so far are single fields of the records, not a usage object."""
    ending: bool = False
    """The record at hand is the last: the tail comes behind all that Bedrock adds to it."""

    def end(self, events: list[Event]) -> None:
        self.ending = True

    def interpret(self, record: WireRecord, events: list[Event]) -> None:
        if not read_failure(self, record):
            super().interpret(record, events)

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        packed = data.get("bytes") if is_object(data) else None
        try:
            if isinstance(packed, str):
                inner = base64.b64decode(packed, validate=True)
                data, self.lax = read_json(inner, self.limits.depth)
                record = WireRecord(inner)
        except (binascii.Error, ValueError, Unreadable) as error:
            self.unrecognized(record, f"no JSON in the chunk: {error}", events)
        except TooDeep:
            raise LimitReached("depth", self.limits.depth, "the JSON of a record") from None
        else:
            self.read_model(data, record, events)
        if self.ending:
            super().end(events)

    def read_model(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        """One record of the model's own stream, with what Bedrock adds to it."""
        if not is_object(data):
            super().read(data, record, events)
            return
        own = {key: value for key, value in data.items() if not key.startswith("amazon-bedrock-")}
        terminal = own.get("type") == "message_stop"
        silent = terminal or (data and not own)
        if not silent and not self.read_family(own, record, events):
            super().read(own, record, events)
        self.extra(GUARDRAIL, data.get(GUARDRAIL), events)
        if data.get(TRACE):
            self.annotate("trace", data[TRACE], events)
        metrics = data.get(METRICS)
        if is_object(metrics) and (self.usage is None or self.flat):
            self.count_tokens(bedrock_usage(self.encodable(metrics)), events)
        if terminal or is_object(metrics):
            self.end(events)

    def read_family(self, data: dict[str, Any], record: WireRecord, events: list[Event]) -> bool:
        """Read a record of any family but Claude's messages. False if it is of none."""
        if isinstance(data.get("type"), str) and data["type"] != "completion":
            return False
        if any(name in CONVERSE_EVENTS or is_exception(name) for name in data):
            event = converse_event(data, "")
            return event is not None and read_converse(self, *event, events)
        if data.get("error"):
            return self.read_error(data)
        told = self.read_choices(data, events) or self.read_single(data, events)
        if told:
            self.read_counts(data, record, events)
        return told

    def read_choices(self, data: dict[str, Any], events: list[Event]) -> bool:
        """Alternatives in a list: chat chunks, and Mistral's ``outputs``."""
        for name in ("choices", "outputs"):
            entries = data.get(name)
            if is_array(entries):
                self.begin(data, events)
                for position, entry in enumerate(entries):
                    if is_object(entry):
                        self.read_choice(entry, position, events)
                return True
        return False

    def read_choice(self, entry: dict[str, Any], position: int, events: list[Event]) -> None:
        index = whole_number(entry.get("index"))
        number = self.choice(position if index is None else index)[0]
        delta = entry.get("delta", entry.get("message"))
        if is_object(delta):
            thinking = delta.get("reasoning_content") or delta.get("reasoning")
            self.text(thinking, events, number, "reasoning")
            self.text(delta.get("content"), events, number)
            self.text(delta.get("refusal"), events, number, "refusal")
            if is_array(calls := delta.get("tool_calls")):
                chat_calls(self, calls, number, events)
        self.text(entry.get("text"), events, number)
        self.finish(reason_in(entry), number)

    def read_single(self, data: dict[str, Any], events: list[Event]) -> bool:
        """One alternative's text, or an event of Cohere's."""
        kind = data.get("event_type")
        raw = reason_in(data)
        field = next((field for field in TEXTS if isinstance(data.get(field), str)), None)
        if field is None and raw is None and not isinstance(kind, str):
            return False
        self.begin(data, events)
        index = whole_number(data.get("index")) or 0
        if isinstance(kind, str):
            self.read_cohere(kind, data, events)
        elif field is not None:
            self.text(data[field], events, self.choice(index)[0])
        finish_error(self, word(raw), data)
        self.finish(raw, index)
        return True

    def read_cohere(self, kind: str, data: dict[str, Any], events: list[Event]) -> None:
        """An event of Cohere's chat. The last one repeats the answer, which is not told twice."""
        if kind == "text-generation":
            self.text(data.get("text"), events)
        elif kind == "tool-calls-generation":
            calls = data.get("tool_calls")
            for call in elements(calls):
                if is_object(call):
                    arguments = argument_text(call.get("parameters", {}))
                    name = word(call.get("name"))
                    self.close_call(self.open_call(events, name=name, arguments=arguments), events)
        elif kind == "citation-generation":
            citations = data.get("citations")
            for citation in elements(citations):
                self.annotate("citation", citation, events)
        elif kind not in ("stream-start", "stream-end"):
            self.annotate(kind, data, events)

    def begin(self, data: dict[str, Any], events: list[Event]) -> None:
        id_ = next((data[key] for key in IDS if data.get(key)), None)
        self.start(id_, data.get("model"), events)

    def read_counts(self, data: dict[str, Any], record: WireRecord, events: list[Event]) -> None:
        data = self.encodable(data)
        usage = data.get("usage")
        if is_object(usage):
            source = msgspec.json.encode(usage)
            self.count_tokens(chat_usage(usage, source, ""), events)
        elif (counts := flat_usage(data)) is not None:
            self.flat = self.flat or self.usage is None
            self.count_tokens(counts, events)


def reason_in(holder: dict[str, Any]) -> Any:
    """The reason to stop, under whichever name."""
    return next((holder[key] for key in REASONS if holder.get(key)), None)
