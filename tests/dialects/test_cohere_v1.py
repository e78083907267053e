"""Cohere v1: lines told apart by ``event_type``, written after its API reference."""

from __future__ import annotations

from typing import Any

import pytest

from sans_io_stream import Finish, StreamStart, TextDelta, ToolCall, Unrecognized, Usage
from tests.dialects.reading import Read, jsonl, read, sse

META = {
    "api_version": {"version": "1"},
    "billed_units": {"input_tokens": 9, "output_tokens": 4},
    "tokens": {"input_tokens": 70, "output_tokens": 5},
}


def event(type_: str, **fields: Any) -> dict[str, Any]:
    return {"is_finished": type_ == "stream-end", "event_type": type_, **fields}


START = event("stream-start", generation_id="87a52a39")


def text(piece: str) -> dict[str, Any]:
    return event("text-generation", text=piece)


def chunk(index: int, **delta: Any) -> dict[str, Any]:
    return event("tool-calls-chunk", tool_call_delta={"index": index, **delta})


def end(reason: str = "COMPLETE", **fields: Any) -> dict[str, Any]:
    response = {"generation_id": "87a52a39", "text": "Hello", "meta": META}
    return event("stream-end", finish_reason=reason, response=response, **fields)


def v1(*records: Any, **options: Any) -> Read:
    return read("cohere-v1", jsonl(*records), **options)


def test_text_finish_and_counts() -> None:
    got = v1(START, text("Hel"), text("lo"), end())
    assert got.events[:3] == [StreamStart("87a52a39"), TextDelta("Hel"), TextDelta("lo")]
    assert got.of(Finish) == [Finish("stop", "COMPLETE")]
    assert got.outcome == "complete"
    usage = got.of(Usage)[-1]
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (70, 5, 75)
    assert usage.raw == META


def test_calls_in_fragments_and_then_whole_are_told_once() -> None:
    got = v1(
        START,
        event("tool-calls-chunk", text="I will look."),
        chunk(0, name="search"),
        chunk(0, parameters='{\n    "query": '),
        chunk(0, parameters='"music"\n}'),
        chunk(1, name="now"),
        chunk(1, parameters="{}"),
        event(
            "tool-calls-generation",
            text="I will look.",
            tool_calls=[
                {"name": "search", "parameters": {"query": "music"}},
                {"name": "now", "parameters": {}},
            ],
        ),
        end(),
    )
    assert got.of(ToolCall) == [
        ToolCall(0, None, "search", '{\n    "query": "music"\n}'),
        ToolCall(1, None, "now", "{}"),
    ]
    assert got.of(Finish) == [Finish("tool_calls", "COMPLETE")]
    assert got.annotations("tool_plan") == ["I will look."]


def test_calls_told_only_whole() -> None:
    calls: list[dict[str, Any]] = [
        {"name": "search", "parameters": {"query": "a"}},
        {"name": "search", "parameters": {}},
    ]
    got = v1(START, event("tool-calls-generation", tool_calls=calls), end())
    assert got.of(ToolCall) == [
        ToolCall(0, None, "search", '{"query":"a"}'),
        ToolCall(1, None, "search", "{}"),
    ]


def test_calls_told_only_in_fragments() -> None:
    got = v1(START, chunk(0, name="now"), chunk(0, parameters="{}"), end())
    assert got.of(ToolCall) == [ToolCall(0, None, "now", "{}")]


def test_a_call_that_is_cut_off_is_no_tool_call() -> None:
    got = v1(START, chunk(0, name="search"), chunk(0, parameters='{"que'))
    assert got.outcome == "interrupted"
    assert got.of(ToolCall) == []


@pytest.mark.parametrize(
    ("raw", "reason", "outcome"),
    [
        ("COMPLETE", "stop", "complete"),
        ("MAX_TOKENS", "length", "complete"),
        ("ERROR_LIMIT", "length", "complete"),
        ("ERROR_TOXIC", "content_filter", "complete"),
        ("USER_CANCEL", "error", "failed"),
        ("ERROR", "error", "failed"),
        ("TIMEOUT", "error", "failed"),
    ],
)
def test_finish_reasons(raw: str, reason: Any, outcome: str) -> None:
    got = v1(START, text("x"), end(raw))
    assert got.of(Finish) == [Finish(reason, raw)]
    assert got.outcome == outcome


def test_an_error_with_its_text() -> None:
    got = v1(START, text("x"), end("ERROR", error="the model is overloaded"))
    assert got.error is not None
    assert got.error.message == "the model is overloaded"
    assert v1({"message": "invalid api token"}).outcome == "failed"


def test_search_and_citations_are_annotations() -> None:
    cite = {"start": 0, "end": 2, "text": "He", "document_ids": ["d0"]}
    documents = [{"id": "d0", "text": "x"}]
    got = v1(
        START,
        event("search-queries-generation", search_queries=[{"text": "q"}]),
        event("search-results", search_results=[], documents=documents),
        text("He"),
        event("citation-generation", citations=[cite, cite]),
        end(),
    )
    assert got.annotations("search_queries") == [{"text": "q"}]
    assert got.annotations("search_results") == [{"search_results": [], "documents": documents}]
    assert got.annotations("citation") == [cite, cite]


def test_the_terminal_record_decides() -> None:
    assert v1(START, text("x")).outcome == "interrupted"
    assert v1(START, text("x"), end(), truncated=True).outcome == "complete"
    assert v1(START, end()).outcome == "complete"


def test_the_same_as_an_event_stream() -> None:
    records = (START, text("Hello"), end())
    assert read("cohere-v1", sse(*records)).events == v1(*records).events


def test_unknown_records_are_unrecognized() -> None:
    got = v1(START, event("novel", x=1), "{broken", [1], end())
    assert len(got.of(Unrecognized)) == 3


@pytest.mark.parametrize("wrong", [None, 1, "x", [], [1], {}, {"a": 1}, True])
def test_wrong_types_raise_nothing(wrong: Any) -> None:
    v1(
        event("stream-start", generation_id=wrong),
        {"event_type": wrong},
        event("text-generation", text=wrong),
        event("tool-calls-chunk", text=wrong, tool_call_delta=wrong),
        chunk(0, name=wrong, parameters=wrong, text=wrong),
        event("tool-calls-chunk", tool_call_delta={"index": wrong, "parameters": wrong}),
        event("tool-calls-generation", tool_calls=wrong),
        event("tool-calls-generation", tool_calls=[wrong, {"name": wrong, "parameters": wrong}]),
        event("citation-generation", citations=wrong),
        event("search-results", documents=wrong),
        event("stream-end", finish_reason=wrong, response=wrong, error=wrong),
        event("stream-end", response={"meta": wrong, "finish_reason": wrong}),
    )


def test_what_is_charged_is_no_count() -> None:
    response = {"meta": {"billed_units": META["billed_units"]}}
    got = v1(START, text("x"), event("stream-end", finish_reason="COMPLETE", response=response))
    assert (got.outcome, got.of(Usage)) == ("complete", [])
