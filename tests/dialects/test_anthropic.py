from __future__ import annotations

import json
from typing import Any

import pytest

from sans_io_stream import (
    Annotation,
    Finish,
    Heartbeat,
    StreamDecoder,
    StreamStart,
    ToolCall,
    Transcript,
    Unrecognized,
    Usage,
)
from sans_io_stream.dialects.anthropic import STRUCTURAL
from tests.dialects.block_wires import (
    ANSWER,
    PING,
    SSE,
    STOP,
    TOOL,
    Record,
    arguments,
    last,
    lines,
    mangled,
    of,
    outcome,
    read,
    sse,
    start,
    text,
    transcript,
)


def test_an_answer() -> None:
    events = read(sse(*ANSWER), "anthropic")
    assert [type(event).__name__ for event in events] == [
        "StreamStart", "Usage", "ReasoningDelta", "ReasoningDelta", "Annotation", "Heartbeat",
        "TextDelta", "TextDelta", "TextDelta", "ToolCallDelta", "ToolCallDelta", "ToolCallDelta",
        "ToolCall", "Usage", "Finish", "Usage", "StreamEnd",
    ]  # fmt: skip
    assert events[0] == StreamStart("msg_1", "claude-x")
    said = Transcript.of(events)
    assert (said.reasoning, said.text) == ("Let me see.", "Found it: é😀.")
    assert of(events, Annotation) == [Annotation("signature", {"signature": "sig"})]
    assert of(events, Heartbeat) == [Heartbeat("ping")]
    assert of(events, ToolCall) == [ToolCall(0, "toolu_1", "find", '{"a":1}')]
    assert of(events, Finish) == [Finish("tool_calls", "tool_use")]
    assert outcome(events) == "complete"


def test_an_empty_usage_object_counts_nothing() -> None:
    message: dict[str, Any] = {"id": "msg_1", "model": "m", "usage": {}}
    start_: Record = {"type": "message_start", "message": message}
    end: Record = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}
    events = read(sse(start_, text(0, "Hi"), end, STOP), "anthropic")
    assert of(events, Usage) == []
    assert outcome(events) == "complete"


def test_event_names_are_not_needed() -> None:
    named = read(sse(*ANSWER), "anthropic")
    assert read(sse(*ANSWER, named=False), "anthropic") == named
    assert read(lines(*ANSWER), "anthropic", "application/x-ndjson") == named
    array = json.dumps(ANSWER).encode()
    assert read(array, "anthropic", "application/json") == named


def test_without_a_type_the_fields_decide_then_the_event() -> None:
    untyped = [{k: v for k, v in record.items() if k != "type"} for record in ANSWER[:12]]
    events = read(lines(*untyped[:6], *untyped[7:11]), "anthropic", "application/x-ndjson")
    assert Transcript.of(events).text == "Found it: é😀."
    body = sse(*ANSWER[:11]) + b"event: message_stop\ndata: {}\n\n"
    assert outcome(read(body, "anthropic")) == "complete"


def test_the_shortcut_changes_nothing() -> None:
    pieces = [text(1, f" w{n}") for n in range(40)]
    odd = [text(1, ""), {**text(1, "x"), "more": 1}, {**text(9, "y")}, PING, text(1, "z")]
    calls = [arguments(2, f"{n},") for n in range(40)]
    body = sse(*ANSWER[:9], *pieces, *odd, *ANSWER[9:14], *calls, *ANSWER[14:])
    fast = StreamDecoder("anthropic", content_type="text/event-stream")
    slow = StreamDecoder("anthropic", content_type="text/event-stream", shortcuts=False)
    records = [part + b"\n\n" for part in body.split(b"\n\n")[:-1]]
    events = [event for record in records for event in fast.receive_data(record)]
    assert slow.receive_data(body) + slow.receive_eof() == events + fast.receive_eof()


def test_counts_are_laid_over_each_other() -> None:
    first = {"input_tokens": 4, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20}
    told = {
        "input_tokens": None,
        "output_tokens": 50,
        "output_tokens_details": {"thinking_tokens": 52},
    }
    body = sse(start(**first, output_tokens=4), text(0, "x"), last(None, output_tokens=9),
               last("end_turn", **told), STOP)  # fmt: skip
    usages = of(read(body, "anthropic"), Usage)
    final = usages[-1]
    assert isinstance(final, Usage)
    assert final.final
    assert not any(u.final for u in usages[:-1] if isinstance(u, Usage))
    assert (final.prompt_tokens, final.completion_tokens, final.total_tokens) == (124, 50, 174)
    assert (final.cached_tokens, final.cache_write_tokens, final.reasoning_tokens) == (100, 20, 50)
    assert final.raw == {**first, **{k: v for k, v in told.items() if v is not None}}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("pause_turn", "pause"),
        ("compaction", "pause"),
        ("refusal", "refusal"),
        ("something_new", "other"),
    ],
)
def test_reasons(raw: str, reason: str) -> None:
    said = transcript(sse(start(), text(0, "x"), last(raw), STOP), "anthropic")
    assert (said.finish_reason, said.raw_finish_reason) == (reason, raw)


def test_counts_that_never_end_growing_are_bounded() -> None:
    delta = '{"type":"message_delta","delta":{},"usage":{"output_tokens":%d,"k%d":"%s"}}'
    body = sse(start(input_tokens=9, output_tokens=1))
    decoder = StreamDecoder("anthropic", content_type=SSE)
    events = decoder.receive_data(body)
    for number in range(200):
        record = delta % (number, number, "x" * 1000)
        events = decoder.receive_data(f"data: {record}\n\n".encode())
        assert len(decoder.snapshot()) < 100_000
    (usage,) = (event for event in events if isinstance(event, Usage))
    assert (usage.prompt_tokens, usage.completion_tokens) == (9, 199)


def test_what_the_message_says_beside_its_reason() -> None:
    told = last("refusal")
    details = {"type": "refusal", "category": "cyber"}
    told["delta"] |= {"stop_details": details, "stop_sequence": "\n\n", "novel": [1]}
    told["context_management"] = {"applied_edits": []}
    events = read(sse(start(), told, STOP), "anthropic")
    assert [(a.kind, a.data) for a in Transcript.of(events).annotations] == [
        ("stop_sequence", "\n\n"),
        ("stop_details", details),
        ("extra", {"novel": [1]}),
        ("context_management", {"applied_edits": []}),
    ]
    assert outcome(events) == "complete"


def test_a_whole_message_where_a_stream_belongs() -> None:
    content = [{"type": "text", "text": "Hi"}, {"type": "tool_use", **TOOL, "input": {"a": 1}}]
    message = {**start()["message"], "content": content, "stop_reason": "tool_use"}
    events = read(json.dumps(message).encode(), None, "application/json")
    assert Transcript.of(events).text == "Hi"
    assert of(events, ToolCall) == [ToolCall(0, "toolu_1", "find", '{"a":1}')]
    assert outcome(events) == "complete"


# ---- the end


@pytest.mark.parametrize(
    ("records", "truncated", "ends"),
    [
        (ANSWER, False, "complete"),
        (ANSWER, True, "complete"),
        (ANSWER[:-1], False, "complete"),
        (ANSWER[:-1], True, "interrupted"),
        (ANSWER[:-2], False, "interrupted"),
        (ANSWER[:1], False, "interrupted"),
    ],
)
def test_when_an_answer_is_complete(records: list[Record], truncated: bool, ends: str) -> None:
    assert outcome(read(sse(*records), "anthropic", truncated=truncated)) == ends


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        ('{"type":"error","error":{"type":"overloaded_error","message":"m"}}', "overloaded", "m"),
        (
            '{"type":"error","error":{"type":"api_error","message":"m"},"request_id":"r"}',
            "server",
            "m",
        ),
        ('{"error":{"type":"rate_limit_error","message":"m"}}', "rate_limit", "m"),
        ('{"message":"m"}', "provider", "m"),
        ("{}", "provider", ""),
        ('{"type":"error","error":"m"}', "provider", "m"),
    ],
)
@pytest.mark.parametrize("before", [0, 9, len(ANSWER)])
def test_errors(data: str, kind: str, message: str, before: int) -> None:
    body = sse(*ANSWER[:before]) + f"event: error\ndata: {data}\n\n".encode()
    events = read(body, "anthropic")
    error = Transcript.of(events).end
    assert error is not None
    assert error.error is not None
    assert error.outcome == "failed"
    assert (error.error.kind, error.error.message) == (kind, message)
    assert not of(events, Unrecognized)


def test_an_error_document() -> None:
    body = (
        b'{"type":"error","error":{"type":"authentication_error","message":"no"},"request_id":"r"}'
    )
    end = Transcript.of(read(body, "anthropic", "application/json", status=401)).end
    assert end is not None
    assert end.error is not None
    assert (end.error.kind, end.error.status, end.error.request_id) == ("authentication", 401, "r")


# ---- what should not be


@pytest.mark.parametrize(
    "record",
    [
        {"type": "message_pause"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "hologram"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "hologram_delta"}},
        {
            "type": "content_block_delta",
            "index": 7,
            "delta": {"type": "input_json_delta", "partial_json": "{"},
        },
        {"type": "message_start"},
        [1],
    ],
)
def test_what_has_no_meaning_is_not_dropped(record: Any) -> None:
    body = sse(*ANSWER[:3]) + f"data: {json.dumps(record)}\n\n".encode()
    assert len(of(read(body, "anthropic"), Unrecognized)) == 1


def test_every_record_says_something_or_is_structural() -> None:
    decoder = StreamDecoder("anthropic", content_type="text/event-stream")
    for record in ANSWER:
        events = decoder.receive_data(sse(record))
        empty = "" in record.get("delta", record.get("content_block", {})).values()
        assert events or record["type"] in STRUCTURAL or empty, record


@pytest.mark.parametrize("record", ANSWER)
def test_wrong_types_never_raise(record: Record) -> None:
    for variant in mangled(record):
        decoder = StreamDecoder("anthropic", content_type="application/x-ndjson")
        place = ANSWER.index(record)
        events = decoder.receive_data(lines(*ANSWER[:place], variant, *ANSWER[place + 1 :]))
        again = StreamDecoder.restore(decoder.snapshot())
        Transcript.of(events + again.receive_eof())
