"""Our own events: all of them, byte for byte those of ``encode_event``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from sans_io_stream import (
    Annotation,
    Connected,
    Disconnected,
    ErrorInfo,
    Finish,
    Heartbeat,
    MediaDelta,
    ReasoningDelta,
    Reconnecting,
    Record,
    RefusalDelta,
    Resumed,
    ResumePoint,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Unrecognized,
    Usage,
    decode_event,
    encode_event,
)
from sans_io_stream.encoding import Encoder
from sans_io_stream.resume import ResumeOrigin

from .writing import back

if TYPE_CHECKING:
    from sans_io_stream.events import Event

RECORD = msgspec.Raw(b'{"id":"c1",\r\n "usage":{"prompt_tokens":9}}')
EVENTS: list[Event] = [
    StreamStart("r", "m", 2),
    TextDelta("x", 1),
    ReasoningDelta("y"),
    RefusalDelta("z"),
    ToolCallDelta(0, "c", "f", "{"),
    MediaDelta("image/png", b"\x89"),
    ToolCall(0, "c", "f", "{}"),
    Annotation("citation", {"a": [1, None]}),
    Usage(prompt_tokens=9, final=True, generation=2, source=RECORD, path="usage"),
    Finish("other", "w"),
    ResumePoint("7", 3, ResumeOrigin("native", "sse_id")),
    Heartbeat("ping"),
    Record("message", "{}", "7"),
    Unrecognized("t", "d", "w"),
    Connected(200, (("content-type", "x"),)),
    Disconnected(ErrorInfo("connection", "reset")),
    Reconnecting(1, 0.5),
    Resumed("restart"),
    StreamEnd("failed", ErrorInfo("limit", "too much")),
]


def test_every_kind_of_event_is_here() -> None:
    from typing import get_args

    from sans_io_stream import Event

    assert {type(event) for event in EVENTS} == set(get_args(Event))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_a_line_is_the_event_as_json(event: Event) -> None:
    assert Encoder("native", "jsonl").encode(event) == encode_event(event) + b"\n"
    assert (
        Encoder("native").encode(event, id="7") == b"id: 7\ndata: " + encode_event(event) + b"\n\n"
    )


def test_a_usage_object_with_line_ends_stays_on_its_line() -> None:
    event = Usage(prompt_tokens=9, source=RECORD)
    line = Encoder("native", "jsonl").encode(event)
    assert line.count(b"\n") == 1
    again = decode_event(line)
    assert isinstance(again, Usage)
    assert again.raw == event.raw
    broken = Usage(prompt_tokens=9, source=msgspec.Raw(b"{\n\ndata: x"))
    assert Encoder("native").encode(broken).count(b"\n") == 2


@pytest.mark.parametrize("outcome", ["complete", "interrupted", "failed", "cancelled"])
def test_every_end_is_told_as_it_is(outcome: str) -> None:
    end = StreamEnd(outcome, ErrorInfo("exhausted", "gave up"))  # type: ignore[arg-type]
    assert back([StreamStart(), end], "native")[-1] == end
