"""Cohere v2: typed events, written after its API reference."""

from __future__ import annotations

from typing import Any

import pytest

from sans_io_stream import (
    Annotation,
    Finish,
    ReasoningDelta,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Unrecognized,
    Usage,
)
from tests.dialects.reading import Read, jsonl, read, sse

START: dict[str, Any] = {
    "id": "66dec7d7",
    "type": "message-start",
    "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}},
}
USAGE = {
    "billed_units": {"input_tokens": 46, "output_tokens": 14},
    "tokens": {"input_tokens": 1445, "output_tokens": 43, "reasoning_tokens": 28},
    "cached_tokens": 704,
}


def message(type_: str, index: int | None = None, **fields: Any) -> dict[str, Any]:
    numbered = {} if index is None else {"index": index}
    return {"type": type_, **numbered, "delta": {"message": fields}}


def piece(index: int = 0, type_: str = "content-delta", **content: Any) -> dict[str, Any]:
    return message(type_, index, content=content)


def call(index: int, id_: str, name: str, arguments: str = "") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return message(
        "tool-call-start",
        index,
        tool_calls={"id": id_, "type": "function", "function": function},
    )


def fragment(index: int, arguments: str) -> dict[str, Any]:
    return message("tool-call-delta", index, tool_calls={"function": {"arguments": arguments}})


def end(reason: str | None = "COMPLETE", **fields: Any) -> dict[str, Any]:
    return {
        "type": "message-end",
        "delta": {"finish_reason": reason, "usage": USAGE, **fields},
    }


def cohere(*records: Any, names: bool = True, **options: Any) -> Read:
    return read("cohere", sse(*records, "[DONE]", names=names), **options)


def test_text_finish_and_counts() -> None:
    got = cohere(
        START,
        piece(0, "content-start", type="text", text=""),
        piece(text="Hel"),
        piece(text="lo"),
        {"type": "content-end", "index": 0},
        end(),
    )
    assert got.events[:3] == [StreamStart("66dec7d7"), TextDelta("Hel"), TextDelta("lo")]
    assert got.of(Finish) == [Finish("stop", "COMPLETE")]
    assert got.outcome == "complete"
    usage = got.of(Usage)[-1]
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (1445, 43, 1488)
    assert (usage.cached_tokens, usage.reasoning_tokens) == (704, 28)
    assert usage.final
    assert usage.raw == USAGE


def test_thinking_is_reasoning_and_a_plan_is_neither() -> None:
    got = cohere(
        START,
        message("tool-plan-delta", tool_plan="I will"),
        piece(0, "content-start", type="thinking", thinking="H"),
        piece(thinking="m"),
        piece(1, "content-start", type="text", text="S"),
        piece(1, text="o"),
        end(),
    )
    assert got.events[1:6] == [
        Annotation("tool_plan", "I will"),
        ReasoningDelta("H"),
        ReasoningDelta("m"),
        TextDelta("S"),
        TextDelta("o"),
    ]


@pytest.mark.parametrize(("reason", "whole"), [("TOOL_CALL", True), ("MAX_TOKENS", False)])
def test_a_call_that_ends_in_its_arguments_is_what_the_reason_says(
    reason: str, whole: bool
) -> None:
    ended = {"type": "tool-call-end", "index": 0}
    got = cohere(START, call(0, "a", "weather", '{"city":'), ended, end(reason))
    assert got.of(ToolCall) == ([ToolCall(0, "a", "weather", '{"city":')] if whole else [])


def test_parallel_tool_calls_close_each_with_its_own_record() -> None:
    got = cohere(
        START,
        call(0, "a", "weather"),
        fragment(0, '{"city":'),
        call(1, "b", "now", "{"),
        fragment(0, '"Paris"}'),
        {"type": "tool-call-end", "index": 0},
        fragment(1, "}"),
        {"type": "tool-call-end", "index": 1},
        end("TOOL_CALL"),
    )
    assert got.of(ToolCall) == [
        ToolCall(0, "a", "weather", '{"city":"Paris"}'),
        ToolCall(1, "b", "now", "{}"),
    ]
    kinds = [type(event) for event in got.events]
    assert kinds.index(ToolCall) < kinds.index(Finish)
    assert got.of(Finish) == [Finish("tool_calls", "TOOL_CALL")]


def test_a_call_without_arguments_is_whole() -> None:
    got = cohere(
        START, call(0, "a", "now"), {"type": "tool-call-end", "index": 0}, end("TOOL_CALL")
    )
    assert got.of(ToolCall) == [ToolCall(0, "a", "now", "")]


def test_records_of_a_call_without_an_index_are_about_the_last_one() -> None:
    start, delta = call(0, "a", "now"), fragment(0, "{}")
    del start["index"], delta["index"]
    got = cohere(START, start, delta, {"type": "tool-call-end"}, end("TOOL_CALL"))
    assert got.of(ToolCall) == [ToolCall(0, "a", "now", "{}")]


def test_a_call_that_is_cut_off_is_no_tool_call() -> None:
    body = sse(START, call(0, "a", "now"), fragment(0, '{"city":'))
    got = read("cohere", body)
    assert got.outcome == "interrupted"
    assert got.of(ToolCall) == []
    assert got.of(ToolCallDelta)[-1].arguments == '{"city":'
    assert (
        cohere(START, call(0, "a", "n"), fragment(0, '{"c'), end("MAX_TOKENS")).of(ToolCall) == []
    )


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("TOOL_CALL", "tool_calls"),
        ("NOVEL", "other"),
    ],
)
def test_finish_reasons(raw: str, reason: Any) -> None:
    got = cohere(START, piece(text="x"), end(raw))
    assert got.of(Finish) == [Finish(reason, raw)]
    assert got.outcome == "complete"


@pytest.mark.parametrize(
    ("delta", "told"),
    [
        (
            {"finish_reason": "ERROR", "error": "invalid tool", "error_type": "INVALID_TOOL"},
            ("provider", "INVALID_TOOL", "invalid tool"),
        ),
        ({"finish_reason": "TIMEOUT"}, ("timeout", "TIMEOUT", "")),
        (
            {"finish_reason": "USER_CANCEL"},
            ("provider", "USER_CANCEL", "the generation was cancelled"),
        ),
        ({"finish_reason": "ERROR", "usage": {}}, ("provider", None, "")),
        (
            {"error": {"type": "rate_limited", "message": "slow down"}},
            ("rate_limit", "rate_limited", "slow down"),
        ),
    ],
)
def test_failures_stand_in_the_last_record(
    delta: dict[str, Any], told: tuple[str, str | None, str]
) -> None:
    got = cohere(START, piece(text="x"), {"type": "message-end", "delta": delta})
    assert got.outcome == "failed"
    assert got.error is not None
    assert (got.error.kind, got.error.type, got.error.message) == told
    assert not any(usage.final for usage in got.of(Usage))


@pytest.mark.parametrize(
    "document",
    [{"message": "invalid api token"}, {"error": {"message": "invalid api token"}}],
)
def test_a_document_of_an_error_between_the_events(document: Any) -> None:
    got = read("cohere", sse(START, document))
    assert got.outcome == "failed"
    assert got.error is not None
    assert got.error.message == "invalid api token"


def test_citations_logprobs_and_debug_are_annotations() -> None:
    cite: dict[str, Any] = {
        "start": 0,
        "end": 1,
        "text": "x",
        "sources": [],
        "type": "TEXT_CONTENT",
    }
    logprobs = {"token_ids": [1], "text": "x", "logprobs": [-0.1]}
    got = cohere(
        START,
        {**piece(text="x"), "logprobs": logprobs},
        message("citation-start", 0, citations=cite),
        {"type": "citation-end", "index": 0},
        {"type": "debug", "prompt": "<s>"},
        end(),
    )
    assert got.annotations("citation") == [cite]
    assert got.annotations("logprobs") == [logprobs]
    assert got.annotations("debug") == [{"prompt": "<s>"}]


def test_message_end_is_the_terminal_record_and_done_alone_is_not() -> None:
    body = sse(START, piece(text="x"), end())
    assert read("cohere", body).outcome == "complete"
    assert read("cohere", body, truncated=True).outcome == "complete"
    assert read("cohere", sse(START, piece(text="x"))).outcome == "interrupted"


def test_without_event_names_and_as_json_lines() -> None:
    records = (START, piece(text="Hel"), piece(text="lo"), end())
    named = cohere(*records)
    assert cohere(*records, names=False).events == named.events
    assert read("cohere", jsonl(*records)).events == named.events


def test_an_empty_answer_is_complete() -> None:
    got = cohere(START, end())
    assert (got.outcome, got.of(Finish)) == ("complete", [Finish("stop", "COMPLETE")])


def test_unknown_records_and_fields_are_not_lost() -> None:
    got = cohere(START, {"type": "novel", "x": 1}, [1], "{broken", piece(text="x", colour="red"))
    assert [event.data for event in got.of(Unrecognized)] == [
        '{"type": "novel", "x": 1}',
        "[1]",
        "{broken",
    ]
    assert got.annotations("extra") == [{"colour": "red"}]


@pytest.mark.parametrize("wrong", [None, 1, "x", [], [1], {}, {"a": 1}, True])
def test_wrong_types_raise_nothing(wrong: Any) -> None:
    cohere(
        {"type": "message-start", "id": wrong, "delta": wrong},
        {"type": wrong, "delta": wrong},
        {"type": "content-delta", "delta": {"message": wrong}, "logprobs": wrong},
        piece(text=wrong, thinking=wrong),
        message("content-delta", content=wrong),
        message("tool-plan-delta", tool_plan=wrong),
        message("tool-call-start", tool_calls=wrong),
        message("tool-call-delta", tool_calls={"id": wrong, "function": wrong}),
        message("tool-call-delta", tool_calls={"function": {"name": wrong, "arguments": wrong}}),
        {"type": "tool-call-end", "index": wrong},
        message("citation-start", citations=wrong),
        {"type": "debug", "prompt": wrong},
        {"type": "message-end", "delta": {"finish_reason": wrong, "usage": wrong, "error": wrong}},
        names=False,
    )
    cohere({"type": "message-end", "delta": {"usage": {"tokens": wrong, "cached_tokens": wrong}}})


def test_what_is_charged_is_no_count() -> None:
    ending = {"finish_reason": "COMPLETE", "usage": {"billed_units": USAGE["billed_units"]}}
    got = cohere(START, piece(text="x"), {"type": "message-end", "delta": ending})
    assert (got.outcome, got.of(Usage)) == ("complete", [])
