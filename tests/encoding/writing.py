"""What the tests of the formats share: events written, their records taken apart, and read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sans_io_stream import (
    Annotation,
    Finish,
    ReasoningDelta,
    StreamDecoder,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from sans_io_stream.encoding import Encoder

if TYPE_CHECKING:
    from sans_io_stream.events import Event

__all__ = ["CALLS", "HEAD", "SAID", "answer", "back", "body_of", "notes", "values", "whole_calls"]

HEAD: list[Event] = [StreamStart("r1", "m1")]
SAID: list[Event] = [ReasoningDelta("Hm"), ReasoningDelta("."), TextDelta("Hel"), TextDelta("lo")]
CALLS: list[Event] = [
    ToolCallDelta(0, "c1", "f", ""),
    ToolCallDelta(0, "c1", "f", '{"a":'),
    ToolCallDelta(1, "c2", "g", '{"b"'),
    ToolCallDelta(0, "c1", "f", "1}"),
    ToolCallDelta(1, "c2", "g", ":2}"),
    ToolCall(0, "c1", "f", '{"a":1}'),
    ToolCall(1, "c2", "g", '{"b":2}'),
]
"""Two calls whose fragments alternate."""


def answer(*events: Event, reason: Any = "stop", usage: Usage | None = None) -> list[Event]:
    """A whole answer around ``events``."""
    counted: list[Event] = [] if usage is None else [usage]
    return [*HEAD, *events, Finish(reason), *counted, StreamEnd("complete")]


def body_of(
    events: list[Event], format: str, framing: str | None = None, **options: Any
) -> tuple[bytes, str]:
    """The body, and its content type."""
    encoder = Encoder(format, framing, **options)
    return b"".join(encoder.encode(event) for event in events), encoder.content_type


def values(events: list[Event], format: str, framing: str | None = None, **options: Any) -> Any:
    """The JSON values of the records, by the simplest reading there is."""
    body, content_type = body_of(events, format, framing, **options)
    if content_type == "application/json":
        return json.loads(body)
    lines = body.decode().split("\n")
    if content_type == "text/event-stream":
        lines = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line and line != "[DONE]"]


def back(events: list[Event], format: str, framing: str | None = None) -> list[Event]:
    """The events that are decoded from what was encoded."""
    body, content_type = body_of(events, format, framing)
    decoder = StreamDecoder(format, content_type=content_type)
    return decoder.receive_data(body) + decoder.receive_eof()


def whole_calls(events: list[Event]) -> list[ToolCall]:
    """The calls that were told whole."""
    return [event for event in events if isinstance(event, ToolCall)]


def notes(format: str, *annotations: Annotation) -> list[tuple[str, Any]]:
    """The annotations of an answer, written and read again."""
    events = back(answer(TextDelta("x"), *annotations), format)
    return [(event.kind, event.data) for event in events if isinstance(event, Annotation)]
