"""Ollama: lines of chat and generate, written after its API reference."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sans_io_stream import (
    Finish,
    MediaDelta,
    ReasoningDelta,
    StreamStart,
    TextDelta,
    ToolCall,
    Unrecognized,
    Usage,
)
from tests.dialects.reading import Read, jsonl, read, sse

HEAD = {"model": "gemma3:1b", "created_at": "2025-08-20T13:48:23.241046Z"}
COUNTS = {
    "total_duration": 171946792,
    "load_duration": 38473250,
    "prompt_eval_count": 16,
    "prompt_eval_duration": 27608250,
    "eval_count": 22,
    "eval_duration": 105611917,
}


def chat(content: str = "", **message: Any) -> dict[str, Any]:
    return {**HEAD, "message": {"role": "assistant", "content": content, **message}, "done": False}


def generate(response: str = "", **fields: Any) -> dict[str, Any]:
    return {**HEAD, "response": response, **fields, "done": False}


def end(reason: str | None = "stop", **fields: Any) -> dict[str, Any]:
    told = {} if reason is None else {"done_reason": reason}
    return {**chat(), "done": True, **told, **COUNTS, **fields}


def ollama(*records: Any, **options: Any) -> Read:
    return read("ollama", jsonl(*records), **options)


def test_chat_tells_text_finish_and_counts() -> None:
    got = ollama(chat("Hel"), chat("lo"), chat(" 🦜"), end())
    assert got.events[:4] == [
        StreamStart(None, "gemma3:1b"),
        TextDelta("Hel"),
        TextDelta("lo"),
        TextDelta(" 🦜"),
    ]
    assert got.outcome == "complete"
    assert got.of(Finish) == [Finish("stop", "stop")]
    last = got.of(Usage)[-1]
    assert (last.prompt_tokens, last.completion_tokens, last.total_tokens) == (16, 22, 38)
    assert last.final
    assert last.raw == COUNTS


def test_generate_tells_text_thinking_and_context() -> None:
    last = {**generate(), "done": True, "done_reason": "stop", "context": [1, 2, 3]}
    got = ollama(
        generate(thinking="Let"), generate(thinking=" me"), generate("The"), generate(" sky"), last
    )
    assert got.transcript.reasoning == "Let me"
    assert got.transcript.text == "The sky"
    assert got.annotations("context") == [[1, 2, 3]]
    assert got.transcript.usage is None


def test_thinking_comes_before_the_text_of_its_line() -> None:
    got = ollama(chat(thinking="Hm"), chat(thinking=","), chat("So", thinking="."), end())
    assert got.events[1:5] == [
        ReasoningDelta("Hm"),
        ReasoningDelta(","),
        ReasoningDelta("."),
        TextDelta("So"),
    ]


def test_tool_calls_come_whole_and_all_with_index_0() -> None:
    def call(name: str, arguments: Any, **fields: Any) -> dict[str, Any]:
        return {"function": {"index": 0, "name": name, "arguments": arguments}, **fields}

    got = ollama(
        chat(tool_calls=[call("weather", {"city": "Paris"}), call("weather", {"city": "Rome"})]),
        chat(tool_calls=[call("now", {}, id="call_7")]),
        end(),
    )
    assert got.of(ToolCall) == [
        ToolCall(0, None, "weather", '{"city":"Paris"}'),
        ToolCall(1, None, "weather", '{"city":"Rome"}'),
        ToolCall(2, "call_7", "now", "{}"),
    ]
    # The reason on the wire is "stop" all the same.
    assert got.of(Finish) == [Finish("tool_calls", "stop")]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [("stop", "stop"), ("length", "length"), ("load", "other"), ("unload", "other")],
)
def test_done_reasons(raw: str, reason: Any) -> None:
    got = ollama(chat("x"), end(raw))
    assert got.of(Finish) == [Finish(reason, raw)]
    assert got.outcome == "complete"


@pytest.mark.parametrize("reason", [None, ""])
def test_done_without_a_reason_is_complete(reason: str | None) -> None:
    got = ollama(chat("x"), end(reason))
    assert got.of(Finish) == [Finish("other", None)]
    assert got.outcome == "complete"
    assert got.of(Usage)[-1].final


def test_an_empty_answer_is_complete() -> None:
    got = ollama(end(None))
    assert got.outcome == "complete"
    assert got.of(Usage)[-1].final


def test_a_done_reason_without_done_ends_the_answer() -> None:
    line = end("length")
    del line["done"]
    got = ollama(chat("x"), line)
    assert (got.outcome, got.transcript.raw_finish_reason) == ("complete", "length")


def test_a_plain_last_line_that_is_done_ends_the_answer() -> None:
    got = ollama(chat("a"), chat("b"), {**chat("c"), "done": True})
    assert (got.transcript.text, got.outcome) == ("abc", "complete")


def test_the_last_line_may_lack_its_line_end() -> None:
    body = jsonl(chat("x"), end()).removesuffix(b"\n")
    assert read("ollama", body).outcome == "complete"


def test_without_done_the_answer_is_interrupted() -> None:
    got = ollama(chat("x"), chat("y"))
    assert got.outcome == "interrupted"
    assert got.of(Finish) == []


def test_a_prompt_that_was_cached_whole_is_not_counted() -> None:
    line = end()
    del line["prompt_eval_count"]
    usage = ollama(chat("x"), line).transcript.usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (None, 22, None)


def test_an_error_line_outweighs_what_came_before() -> None:
    got = ollama(chat("x"), {"error": "model runner has unexpectedly stopped"})
    assert got.outcome == "failed"
    assert got.error is not None
    assert got.error.message == "model runner has unexpectedly stopped"
    assert got.transcript.text == "x"


def test_images_and_progress() -> None:
    picture = base64.b64encode(b"\x89PNG").decode()
    got = ollama(
        {**HEAD, "response": "", "completed": 3, "total": 9, "done": False},
        {**generate(), "image": picture, "done": True, "done_reason": "stop"},
        content_type=None,
    )
    assert got.annotations("progress") == [{"completed": 3, "total": 9}]
    assert got.of(MediaDelta) == [MediaDelta(None, b"\x89PNG")]
    assert ollama(chat("x", images=["no base64!"]), end()).annotations("image") == ["no base64!"]


def test_logprobs_and_unknown_fields_are_annotations() -> None:
    got = ollama({**chat("x"), "logprobs": [{"token": "x"}], "novel": 1}, chat("y", mood="ok"))
    assert got.annotations("logprobs") == [[{"token": "x"}]]
    assert got.annotations("extra") == [{"novel": 1}, {"mood": "ok"}]


def test_the_same_lines_as_an_event_stream() -> None:
    records = (chat("Hel"), chat("lo"), end())
    assert read("ollama", sse(*records)).events == ollama(*records).events


def test_what_is_no_line_of_ollama_is_unrecognized() -> None:
    got = ollama(chat("x"), {"novel": True}, [1], "text", "{broken", end())
    assert [event.data for event in got.of(Unrecognized)] == [
        '{"novel": true}',
        "[1]",
        "text",
        "{broken",
    ]
    assert got.outcome == "complete"


@pytest.mark.parametrize("wrong", [None, 1, "x", [], [1], {}, {"a": 1}, True])
def test_wrong_types_raise_nothing(wrong: Any) -> None:
    ollama(
        {**HEAD, "message": wrong},
        {**HEAD, "response": wrong, "thinking": wrong, "images": wrong},
        {"model": wrong, "created_at": wrong, "message": {"content": wrong, "thinking": wrong}},
        chat(tool_calls=wrong, images=wrong, thinking=wrong),
        chat(
            tool_calls=[
                wrong,
                {"function": wrong},
                {"function": {"name": wrong, "arguments": wrong}},
            ]
        ),
        {**end(), "done_reason": wrong, "eval_count": wrong, "context": wrong, "logprobs": wrong},
        {"error": wrong},
    )
