"""HolySheep: chunks written after the gateway's documentation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sans_io_stream import (
    Finish,
    Heartbeat,
    Limits,
    ReasoningDelta,
    ResumePoint,
    StreamDecoder,
    StreamStart,
    TextDelta,
    ToolCall,
    Unrecognized,
    Usage,
)
from sans_io_stream.events import join_deltas
from tests.dialects.reading import Read, feed, jsonl, read, sse
from tests.dialects.spoiling import spoiled


def chunk(number: int, content: str | None = None, **fields: Any) -> dict[str, Any]:
    delta = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": delta, "finish_reason": fields.pop("finish", None)}
    return {"id": f"evt_{number}", "object": "chat.completion.chunk", "choices": [choice], **fields}


def holysheep(*records: Any, **options: Any) -> Read:
    return read("holysheep", sse(*records), **options)


@pytest.mark.parametrize("framed", [sse, jsonl])
def test_every_id_is_a_cursor_and_never_the_response(framed: Any) -> None:
    usage = {"promptTokens": 3, "candidatesTokens": 2, "totalTokens": 5}
    records = [
        chunk(1, "Hel", model="gpt-4.1"),
        chunk(2, "lo"),
        chunk(3, finish="stop", usage=usage),
        "[DONE]",
    ]
    got = read("holysheep", framed(*records))
    assert got.events[0] == StreamStart(None, "gpt-4.1")
    points = got.of(ResumePoint)
    assert [(p.cursor, p.position) for p in points] == [
        ("evt_1", 2), ("evt_2", 3), ("evt_3", 4), ("evt_3", 6),
    ]  # fmt: skip
    assert [p.ended for p in points] == [False, False, False, True]
    assert {(p.origin.kind, p.origin.response_id) for p in points} == {("event_id", None)}
    assert got.transcript.text == "Hello"
    assert got.transcript.response_id is None
    last = got.of(Usage)[-1]
    assert (last.prompt_tokens, last.completion_tokens, last.total_tokens) == (3, 2, 5)
    assert last.raw == usage
    assert got.of(Finish) == [Finish("stop", "stop")]
    assert got.outcome == "complete"


def test_another_field_may_name_the_response() -> None:
    got = holysheep(chunk(1, "a", response_id="resp_1"), chunk(2, "b"), "[DONE]")
    assert got.of(StreamStart) == [StreamStart("resp_1", None)]
    assert got.annotations("extra") == []


@pytest.mark.parametrize(
    "flat",
    [
        {"content": "a"},
        {"text": "a"},
        {"delta": "a"},
        {"delta": {"content": "a"}},
        {"choices": [{"text": "a"}]},
        {"choices": [{"delta": "a"}]},
        {"choices": [{"message": {"content": "a"}}]},
    ],
)
def test_flat_chunks(flat: dict[str, Any]) -> None:
    got = holysheep({"id": "e1", **flat}, {"id": "e2", "finish_reason": "stop"})
    assert got.of(TextDelta) == [TextDelta("a")]
    assert got.of(Finish) == [Finish("stop", "stop")]
    assert got.annotations("extra") == []
    assert got.outcome == "complete"


def test_model_finish_and_counts_may_stand_beside_the_chunks() -> None:
    got = holysheep(
        {"id": "e1", "reasoning_content": "hm"},
        {"id": "e2", "content": "a"},
        {"id": "e3", "model": "claude-sonnet-4.5"},
        {"finishReason": "end_turn"},
        {"usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}},
    )
    assert got.of(ReasoningDelta) == [ReasoningDelta("hm")]
    assert got.transcript.model == "claude-sonnet-4.5"
    assert got.of(Finish) == [Finish("stop", "end_turn")]
    assert got.of(Usage)[-1].total_tokens == 3
    assert [p.cursor for p in got.of(ResumePoint)] == ["e1", "e2", "e3", "e3"]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (
            {"promptTokens": 9, "candidatesTokens": 5, "thoughtsTokens": 4, "totalTokens": 18},
            (9, 9),
        ),
        (
            {"promptTokens": 9, "candidatesTokens": 9, "thoughtsTokens": 4, "totalTokens": 18},
            (9, 9),
        ),
        ({"promptTokenCount": 9, "candidatesTokenCount": 5, "thoughtsTokenCount": 4}, (9, 9)),
        ({"inputTokens": 9, "outputTokens": 9}, (9, 9)),
        ({"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}, (9, 9)),
    ],
)
def test_counts_in_every_spelling(usage: dict[str, Any], expected: tuple[int, int]) -> None:
    got = holysheep(chunk(1, "a", finish="stop", usage=usage))
    last = got.of(Usage)[-1]
    assert (last.prompt_tokens, last.completion_tokens) == expected
    assert last.total_tokens == 18
    assert last.raw == usage


@pytest.mark.parametrize(
    ("word", "reason"),
    [("STOP", "stop"), ("max_tokens", "length"), ("SAFETY", "content_filter"), ("odd", "other")],
)
def test_finish_reasons_of_the_providers_behind_it(word: str, reason: Any) -> None:
    assert holysheep(chunk(1, "a", finish=word)).of(Finish) == [Finish(reason, word)]


def test_tool_calls_and_a_cut() -> None:
    def call(**function: Any) -> dict[str, Any]:
        entry = {"index": 0, "id": "c", "function": function}
        return {"choices": [{"index": 0, "delta": {"tool_calls": [entry]}}]}

    first, second = call(name="f", arguments='{"x"'), call(arguments=":1}")
    cut = holysheep({"id": "1", **first}, {"id": "2", **second})
    assert (cut.of(ToolCall), cut.outcome) == ([], "interrupted")
    end = {"id": "3", "finish_reason": "tool_calls"}
    got = holysheep({"id": "1", **first}, {"id": "2", **second}, end)
    assert got.of(ToolCall) == [ToolCall(0, "c", "f", '{"x":1}')]
    assert got.of(Finish) == [Finish("tool_calls", "tool_calls")]


@pytest.mark.parametrize("at", [2, 15, 40, 96])
def test_a_text_split_over_two_records_is_joined(at: int) -> None:
    whole = json.dumps(chunk(2, "b é 🦜", model="m"), ensure_ascii=False)
    got = holysheep(chunk(1, "a"), whole[:at], whole[at:], chunk(3, finish="stop"))
    assert got.transcript.text == "ab é 🦜"
    assert got.of(Unrecognized) == []
    assert [p.cursor for p in got.of(ResumePoint)] == ["evt_1", "evt_2", "evt_3", "evt_3"]


def test_a_split_text_may_end_the_body_without_its_terminator() -> None:
    body = sse(chunk(1, "a"), '{"id":"e2","finish', '_reason":"stop"}').removesuffix(b"\n\n")
    got = read("holysheep", body)
    assert got.of(Unrecognized) == []
    assert got.of(Finish) == [Finish("stop", "stop")]


def test_halves_that_do_not_make_a_whole_are_unrecognized() -> None:
    got = holysheep('{"id":"e1",', '{"id":"e2",', chunk(3, "c"), '{"id":', chunk(4, "d"), "[DONE]")
    assert len(got.of(Unrecognized)) == 3
    assert got.transcript.text == "cd"
    assert got.outcome == "complete"
    assert len(holysheep('{"id":"e1",', "[DONE]").of(Unrecognized)) == 1
    assert len(holysheep(chunk(1, "a"), '{"id":"e1",').of(Unrecognized)) == 1
    assert len(holysheep("{]", "nothing", chunk(1, "a")).of(Unrecognized)) == 2


def test_a_keep_alive_may_stand_between_the_halves() -> None:
    got = holysheep('{"id":"e1",', ": keepalive", '"content":"a"}', "[DONE]")
    assert got.transcript.text == "a"
    assert len(got.of(Heartbeat)) == 1


def test_halves_are_bounded() -> None:
    half, rest = '{"content":"' + "x" * 60, "y" * 60 + '"}'
    assert holysheep(half, rest).transcript.text.endswith("y")
    got = holysheep(half, rest, limits=Limits(record_bytes=len(half + rest)))
    assert got.transcript.text.endswith("y")
    got = holysheep(chunk(1, "a"), half, rest, limits=Limits(record_bytes=len(half + rest) - 1))
    assert (got.transcript.text, got.outcome) == ("a", "failed")
    assert got.error is not None
    assert got.error.kind == "limit"
    assert "Limits.record_bytes" in got.error.message
    assert got.of(Unrecognized) == []


def test_what_makes_no_text_together_exceeds_no_limit() -> None:
    half, other = '{"content":"' + "x" * 60, '{"content":"' + "y" * 60 + '"}'
    got = holysheep(half, other, half, "{" * 60, limits=Limits(record_bytes=100))
    assert got.transcript.text == "y" * 60
    assert len(got.of(Unrecognized)) == 3


def test_plain_text_is_the_answer() -> None:
    words = "Grüße 🦜\n: not a comment\n\n  {not JSON}\n"
    for step in (1, 3, 1000):
        decoder = StreamDecoder("holysheep", content_type="text/plain; charset=utf-8")
        events = join_deltas(feed(decoder, words.encode(), step))
        assert [e.text for e in events if isinstance(e, TextDelta)] == [words]
        assert events[-1].outcome == "complete"  # type: ignore[union-attr]
    cut = StreamDecoder("holysheep", content_type="text/plain")
    assert feed(cut, b"Hello", 5, truncated=True)[-1].outcome == "interrupted"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "words",
    [
        "[1] Grüße\n[2] more\n",
        "[link](there)",
        "{not JSON}\n",
        "{name}: hello\n{name}: bye",
        "data: the facts\n\nand more",
        "data:\n- one\n- two\n",
        "event: a party\nwhen: noon\n",
    ],
)
def test_plain_text_may_begin_like_a_stream(words: str) -> None:
    body = words.encode()
    for cut in range(1, len(body) + 1):
        decoder = StreamDecoder("holysheep", content_type="text/plain")
        events = [*decoder.receive_data(body[:cut]), *decoder.receive_data(body[cut:])]
        events = join_deltas([*events, *decoder.receive_eof()])
        assert [e.text for e in events if isinstance(e, TextDelta)] == [words]
        assert not any(isinstance(e, Unrecognized) for e in events)


@pytest.mark.parametrize("framed", [sse, jsonl])
def test_chunks_under_a_type_of_plain_text(framed: Any) -> None:
    body = framed(chunk(1, "Hel"), chunk(2, "lo", finish="stop"))
    for cut in range(1, len(body) + 1):
        decoder = StreamDecoder("holysheep", content_type="text/plain")
        events = [*decoder.receive_data(body[:cut]), *decoder.receive_data(body[cut:])]
        events += decoder.receive_eof()
        assert [e.text for e in events if isinstance(e, TextDelta)] == ["Hel", "lo"]
        assert events[-1].outcome == "complete"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "record",
    [
        {"error": {"type": "rate_limit_error", "message": "slow down"}},
        {"id": "e2", "error": {"type": "rate_limit_error", "message": "slow down"}},
        {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "slow down"}},
    ],
)
def test_errors_in_the_stream(record: dict[str, Any]) -> None:
    got = holysheep(chunk(1, "a"), record)
    assert got.outcome == "failed"
    assert got.error is not None
    assert (got.error.kind, got.error.message) == ("rate_limit", "slow down")
    assert got.of(Unrecognized) == []


def test_what_is_no_chunk_is_unrecognized() -> None:
    got = holysheep(chunk(1, "a"), {"foo": 1}, 5, "[DONE]")
    assert len(got.of(Unrecognized)) == 2


def test_it_is_never_detected() -> None:
    got = read(None, sse(chunk(1, "a"), chunk(2, "b", finish="stop"), "[DONE]"))
    assert got.transcript.response_id == "evt_1"


def test_wrong_types_anywhere_raise_nothing() -> None:
    record = chunk(1, "a", finish="stop", usage={"promptTokens": 1}, model="m", response_id="r")
    for other in [*spoiled(record), *spoiled({"id": "e", "delta": "a", "tool_calls": [{}]})]:
        body = sse(chunk(0, "x"), other, chunk(2, "y"))
        decoder = StreamDecoder("holysheep", content_type="text/event-stream")
        events = feed(decoder, body, 999)
        assert "x" in [e.text for e in events if isinstance(e, TextDelta)]
