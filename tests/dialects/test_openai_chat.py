"""Chat completions by the book: choices, finish reasons, the end, and what is no chunk."""

from __future__ import annotations

from typing import Any

import pytest

from sans_io_stream import (
    ErrorInfo,
    Finish,
    RefusalDelta,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    Unrecognized,
    Usage,
)
from tests.dialects.chat_wire import CALLED, DONE, HEAD, STOP, call, chat, chunk, counts, text
from tests.dialects.reading import read, sse

# ---- the protocol itself


def test_text_finish_usage_and_the_tail() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    got = chat(
        chunk({"role": "assistant", "content": ""}, usage=None),
        text("Hel", usage=None, obfuscation="x8"),
        text("lo", usage=None, obfuscation=""),
        STOP,
        counts(**usage),
        DONE,
    )
    assert got.events[:3] == [StreamStart("chatcmpl-1", "m-1"), TextDelta("Hel"), TextDelta("lo")]
    assert [type(event) for event in got.events[3:]] == [Usage, Finish, Usage, StreamEnd]
    assert got.of(Usage)[-1].raw == usage
    assert got.outcome == "complete"


def test_choices_interleave_and_each_has_its_finish() -> None:
    got = chat(
        text("a"), text("x", choice=1), text("b"), text("y", choice=1),
        chunk(reason="length", choice=1), STOP, DONE,
    )  # fmt: skip
    assert {n: c.text for n, c in got.transcript.choices.items()} == {0: "ab", 1: "xy"}
    assert got.of(Finish) == [Finish("stop", "stop", 0), Finish("length", "length", 1)]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("stop", "stop"), ("length", "length"), ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"), ("content_filter", "content_filter"),
        ("model_length", "length"), ("eos_token", "stop"), ("stop_sequence", "stop"),
        ("insufficient_system_resource", "error"), ("error", "error"), ("novel", "other"),
    ],
)  # fmt: skip
def test_finish_reasons(raw: str, reason: Any) -> None:
    assert chat(text("x"), chunk(reason=raw), DONE).of(Finish) == [Finish(reason, raw)]


@pytest.mark.parametrize("raw", ["abort", "aborted", "cancelled", "CANCELED"])
def test_a_cancelled_generation_is_not_complete(raw: str) -> None:
    got = chat(text("x"), chunk(reason=raw), DONE)
    assert got.error == ErrorInfo("provider", "the generation was cancelled", raw)
    assert (got.outcome, got.of(Finish)) == ("failed", [Finish("error", raw)])


def test_the_last_finish_reason_counts_and_it_is_told_once() -> None:
    got = chat(text("x", reason="stop"), text("y", reason="stop"), chunk(reason="length"), DONE)
    assert got.of(Finish) == [Finish("length", "length")]
    assert got.transcript.text == "xy"


def test_refusals_and_logprobs() -> None:
    got = chat(chunk({"refusal": "I can"}), chunk({"refusal": "not"}), STOP, DONE)
    assert got.of(RefusalDelta) == [RefusalDelta("I can"), RefusalDelta("not")]
    logged = text("x")
    logged["choices"][0]["logprobs"] = {"content": [{"token": "x", "logprob": -0.1}]}
    assert chat(logged, STOP).annotations("logprobs") == [logged["choices"][0]["logprobs"]]


# ---- the end


def test_done_without_a_finish_reason_is_complete_only_with_content() -> None:
    got = chat(text("x"), DONE)
    assert (got.outcome, got.of(Finish)) == ("complete", [Finish("other", None)])
    assert chat(DONE).outcome == "interrupted"
    assert chat(chunk({"role": "assistant"}), DONE).outcome == "interrupted"


def test_a_finish_reason_without_done_is_complete() -> None:
    usage = counts(prompt_tokens=1, completion_tokens=1, total_tokens=2)
    got = chat(text("x"), STOP, usage)
    assert got.outcome == "complete"
    assert got.of(Usage)[-1].final
    cut = chat(text("x"), STOP, usage, truncated=True)
    assert cut.outcome == "complete"
    assert not cut.of(Usage)[-1].final


def test_one_choice_without_a_reason_is_not_the_whole_answer() -> None:
    records = (text("a"), text("b", choice=1), STOP)
    assert chat(*records).outcome == "interrupted"
    assert chat(*records, DONE).outcome == "complete"


def test_nothing_but_text_is_interrupted() -> None:
    got = chat(text("x"))
    assert (got.outcome, got.of(Finish)) == ("interrupted", [])


def test_legacy_function_calls() -> None:
    got = chat(
        chunk({"role": "assistant", "content": None,
               "function_call": {"name": "weather", "arguments": ""}}),
        chunk({"function_call": {"arguments": '{"city":'}}),
        chunk({"function_call": {"arguments": '"Rome"}'}}),
        chunk(reason="function_call"), DONE,
    )  # fmt: skip
    assert got.of(ToolCall) == [ToolCall(0, None, "weather", '{"city":"Rome"}')]
    assert got.of(Finish) == [Finish("tool_calls", "function_call")]


def test_the_whole_answer_where_a_stream_was_asked_for() -> None:
    message = {"role": "assistant", "content": "Hello"}
    whole = {**HEAD, "object": "chat.completion",
             "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}  # fmt: skip
    got = read("openai-chat", sse(whole))
    assert (got.transcript.text, got.outcome) == ("Hello", "complete")


def test_what_is_no_chunk_is_unrecognized() -> None:
    got = chat(text("x"), {"novel": 1}, [1, 2], "{broken", "plain", STOP, DONE)
    assert len(got.of(Unrecognized)) == 4
    assert got.outcome == "complete"


@pytest.mark.parametrize("wrong", [None, 1, "x", [], [1], {}, {"a": 1}, True, 10**40, -1])
def test_wrong_types_raise_nothing(wrong: Any) -> None:
    chat(
        {"choices": wrong, "usage": wrong, "id": wrong, "model": wrong, "error": None},
        {"choices": [wrong], "x_groq": wrong, "object": wrong},
        {"choices": [{"delta": wrong, "index": wrong, "finish_reason": wrong, "logprobs": wrong}]},
        chunk({"content": wrong, "reasoning_content": wrong, "refusal": wrong, "images": wrong}),
        chunk({"content": [wrong, {"type": wrong, "text": wrong}], "audio": wrong}),
        chunk({"tool_calls": wrong, "function_call": wrong}),
        chunk({"tool_calls": [wrong, {"index": wrong, "id": wrong, "function": wrong}]}),
        call(wrong, wrong, wrong, wrong),
        chunk({"audio": {"data": wrong}, "images": [{"image_url": wrong}]}),
        counts(
            prompt_tokens=wrong, completion_tokens=wrong, prompt_tokens_details=wrong, cost=wrong
        ),
        {"choices": [], "usage": {"prompt_tokens_details": {"cached_tokens": wrong}}},
        {"choices": [], "error": wrong},
        CALLED,
        DONE,
    )


@pytest.mark.parametrize(
    ("told", "completion", "total"),
    [
        ({"completion_tokens": 5, "reasoning_tokens": 7}, 12, 15),
        ({"completion_tokens": 7, "reasoning_tokens": 5}, 7, 10),
        ({"completion_tokens": 7, "reasoning_tokens": 7}, 7, 10),
    ],
)
def test_reasoning_is_part_of_the_completion(
    told: dict[str, int], completion: int, total: int
) -> None:
    got = chat(text("a"), STOP, counts(prompt_tokens=3, **told), DONE)
    usage = got.of(Usage)[-1]
    assert (usage.completion_tokens, usage.total_tokens) == (completion, total)
