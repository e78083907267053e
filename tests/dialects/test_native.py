"""Our own events, read back from what ``encode_event`` wrote."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sans_io_stream import (
    Annotation,
    Connected,
    Disconnected,
    ErrorInfo,
    Finish,
    Heartbeat,
    Limits,
    MediaDelta,
    ReasoningDelta,
    Reconnecting,
    RefusalDelta,
    Resumed,
    ResumePoint,
    StreamDecoder,
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
from sans_io_stream.dialects.native import Native
from sans_io_stream.events import ANSWER_EVENTS, Event
from sans_io_stream.framing.items import WireRecord
from tests.dialects.reading import SSE, feed, jsonl, read, sse

ANSWER: list[Event] = [
    StreamStart("r1", "m"),
    ReasoningDelta("hm"),
    TextDelta("Hel lo\u2028"),
    TextDelta("\n\ndata: 🦜", 1),
    RefusalDelta("no"),
    ToolCallDelta(0, "c", "f", '{"x":1}'),
    ToolCall(0, "c", "f", '{"x":1}'),
    MediaDelta("image/png", b"\x00\xff"),
    Annotation("citation", {"url": ["u", None]}),
    Unrecognized("t", "d", "w"),
    Usage(prompt_tokens=1),
    Finish("stop", "end_turn"),
    Usage(prompt_tokens=1, completion_tokens=2, final=True),
]
DONE = StreamEnd("complete")


def lines(*events: Event) -> list[str]:
    return [encode_event(event).decode() for event in events]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"{}", b'{"event":"novel"}', b'{"event":"text","text":1}',
        b'{"event":"text","text":"\xed\xa0"}',
        b'{"event":"annotation","kind":"x","data":' + b"[" * 9999 + b"]" * 9999 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused_in_one_way(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_event(data)


@pytest.mark.parametrize("framed", [sse, jsonl])
@pytest.mark.parametrize("dialect", ["native", None])
def test_events_pass_as_they_are(framed: Any, dialect: str | None) -> None:
    got = read(dialect, framed(*lines(*ANSWER, DONE)))
    assert got.events == [*ANSWER, DONE]


def test_counts_that_are_none_are_not_believed() -> None:
    """They are added up, and held against budgets: less than nothing would give some back."""
    told = [
        b'{"event":"usage","prompt_tokens":-5000000,"completion_tokens":7,"cost":-3.5}',
        b'{"event":"usage","completion_tokens":%d,"cost":1e308}' % 10**30,
        b'{"event":"usage","prompt_tokens":0,"total_tokens":9007199254740991,"cost":0.5}',
    ]
    got = read("native", sse(*(one.decode() for one in told), *lines(DONE)))
    assert got.events == [
        Usage(completion_tokens=7),
        Usage(),
        Usage(prompt_tokens=0, total_tokens=2**53 - 1, cost=0.5),
        DONE,
    ]


@pytest.mark.parametrize(
    "end",
    [
        DONE,
        StreamEnd("interrupted", ErrorInfo("truncated", "cut")),
        StreamEnd("failed", ErrorInfo("rate_limit", "slow", retryable=True, retry_after=2.5)),
        StreamEnd("failed"),
        StreamEnd("cancelled"),
    ],
)
def test_the_senders_end_is_the_end(end: StreamEnd) -> None:
    for truncated in (False, True):
        got = read("native", sse(*lines(*ANSWER, end)), truncated=truncated)
        assert got.events == [*ANSWER, end]
    decoder = StreamDecoder("native", content_type=SSE)
    decoder.receive_data(sse(*lines(*ANSWER)))
    assert not decoder.done
    decoder.receive_data(sse(*lines(end)))
    assert decoder.done


def test_the_end_of_input_before_it_is_an_interruption() -> None:
    got = read("native", jsonl(*lines(*ANSWER)))
    assert got.events[:-1] == ANSWER
    assert got.outcome == "interrupted"
    # No end of somebody else's counts.
    assert read("native", sse(*lines(*ANSWER), "[DONE]")).outcome == "interrupted"


def test_what_the_sender_says_of_its_connection_is_not_ours() -> None:
    provider = StreamDecoder("openai-responses", content_type=SSE)
    body = sse({"type": "response.output_text.delta", "delta": "a", "sequence_number": 4})
    point = next(e for e in provider.receive_data(body) if isinstance(e, ResumePoint))
    events: list[Event] = [Connected(200), TextDelta("a"), point, Disconnected()]
    events += [Reconnecting(1, 0.5)]
    got = read("native", jsonl(*lines(*events, Resumed("continue"), Heartbeat("ping"), DONE)))
    assert got.events == [
        Heartbeat("Connected"),
        TextDelta("a"),
        Heartbeat("Disconnected"),
        Heartbeat("Reconnecting"),
        Resumed("continue"),
        Heartbeat("ping"),
        DONE,
    ]


def test_the_records_own_ids_are_the_cursors() -> None:
    blocks = [f"id: {n}\ndata: {line}\n\n" for n, line in enumerate(lines(*ANSWER, DONE))]
    got = read("native", "".join(blocks).encode())
    points = got.of(ResumePoint)
    assert [p.cursor for p in points] == [str(n) for n in range(len(ANSWER) + 1)]
    assert [p.position for p in points] == [*range(1, len(ANSWER) + 1), len(ANSWER)]
    assert [p.ended for p in points] == [False] * len(ANSWER) + [True]
    assert [e for e in got.events if type(e) in ANSWER_EVENTS] == ANSWER


@pytest.mark.parametrize(
    "garbage",
    ["nothing", "{", "[]", "5", "{}", '{"event":"unheard_of"}', '{"event":"text","text":5}'],
)
def test_garbage_is_unrecognized(garbage: str) -> None:
    got = read("native", sse(*lines(TextDelta("a")), garbage, *lines(TextDelta("b"), DONE)))
    assert [type(event) for event in got.events] == [TextDelta, Unrecognized, TextDelta, StreamEnd]
    assert got.outcome == "complete"


def test_events_after_the_end_are_unrecognized() -> None:
    got = read("native", jsonl(*lines(DONE, TextDelta("late"), StreamEnd("failed"))))
    assert [type(event) for event in got.events] == [Unrecognized, Unrecognized, StreamEnd]
    assert got.outcome == "complete"


def test_an_error_of_something_between_fails_the_stream() -> None:
    error = '{"error":{"message":"bad gateway","status":502}}'
    got = read("native", jsonl(*lines(TextDelta("a")), error))
    assert got.outcome == "failed"
    assert got.error is not None
    assert (got.error.kind, got.error.message) == ("server", "bad gateway")


def test_nesting_is_limited() -> None:
    deep = '{"event":"annotation","kind":"k","data":' + "[" * 500 + "]" * 500 + "}"
    got = read("native", jsonl(deep), limits=Limits(depth=100))
    assert got.error is not None
    assert (got.outcome, got.error.kind) == ("failed", "limit")


def test_other_protocols_with_events_are_not_ours() -> None:
    for other in ('{"event":"message","answer":"a"}', '{"event":"text","text":"a","seq":1}'):
        decoder = StreamDecoder()
        feed(decoder, jsonl(other), 999)
        assert decoder.dialect != "native"


def point(cursor: str) -> ResumePoint:
    decoder = StreamDecoder("native")
    decoder.receive_data(f"id: {cursor}\ndata: {lines(TextDelta('a'))[0]}\n\n".encode())
    assert decoder.resume_point is not None
    return decoder.resume_point


@pytest.mark.parametrize(
    "event", [Heartbeat(), Connected(200), Disconnected(ErrorInfo("connection")), point("7")]
)
def test_what_is_of_the_senders_connection_is_no_record_of_the_answer(event: Event) -> None:
    """When the answer is taken up again it need not come again."""
    dialect = Native(limits=Limits())
    assert dialect.pings(WireRecord(encode_event(event)))
    for other in (TextDelta("a"), StreamEnd("complete")):
        assert not dialect.pings(WireRecord(encode_event(other)))
    assert not dialect.pings(WireRecord(b'{"event":"no such"}'))
    assert dialect.pings(WireRecord(b""))


@pytest.mark.parametrize("outcome", ["complete", "interrupted", "failed", "cancelled"])
def test_only_a_good_end_has_the_token_of_an_end(outcome: Any) -> None:
    decoder = StreamDecoder("native", content_type="text/event-stream")
    decoder.receive_data(f"id: 7\ndata: {lines(StreamEnd(outcome))[0]}\n\n".encode())
    told = decoder.resume_point
    assert told is not None
    assert told.cursor == "7"
    assert told.ended is (outcome == "complete")
