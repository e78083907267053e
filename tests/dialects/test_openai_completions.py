from __future__ import annotations

import json
from typing import Any

import pytest

from sans_io_stream.errors import ErrorInfo
from sans_io_stream.events import Finish, StreamEnd, StreamStart, TextDelta, Unrecognized, Usage

from .reading import jsonl, read, sse

NAME = "openai-completions"


def chunk(text: Any, reason: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "text": text, "logprobs": None, "finish_reason": reason}
    told = {"id": "cmpl-1", "object": "text_completion", "model": "m", "choices": [choice | more]}
    return told | {"usage": None}


USAGE = {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
COUNTS: dict[str, Any] = {
    "id": "cmpl-1",
    "object": "text_completion",
    "model": "m",
    "choices": [],
    "usage": USAGE,
}


def test_a_plain_completion() -> None:
    said = read(NAME, sse(chunk("Once "), chunk("upon"), chunk("", "stop"), COUNTS, "[DONE]"))
    assert said.outcome == "complete"
    assert said.of(StreamStart) == [StreamStart("cmpl-1", "m")]
    assert said.of(TextDelta) == [TextDelta("Once "), TextDelta("upon")]
    assert said.of(Finish) == [Finish("stop", "stop")]
    assert said.of(Usage)[-1].raw == USAGE
    assert said.of(Usage)[-1].final
    assert said.of(Unrecognized) == []


@pytest.mark.parametrize(
    ("raw", "reason"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter"), ("x", "other")],
)
def test_finish_reasons(raw: str, reason: Any) -> None:
    said = read(NAME, sse(chunk("a", raw), "[DONE]"))
    assert said.of(Finish) == [Finish(reason, raw)]


def test_several_choices() -> None:
    records = [chunk("a", index=0), chunk("b", index=1), chunk("", "stop", 1), chunk("c", "length")]
    said = read(NAME, sse(*records, "[DONE]"))
    assert [c.text for _, c in sorted(said.transcript.choices.items())] == ["ac", "b"]
    assert said.of(Finish) == [Finish("length", "length", 0), Finish("stop", "stop", 1)]


def test_the_text_of_a_choice_may_end_as_in_chat() -> None:
    last: dict[str, Any] = {"object": "text_completion"}
    last["choices"] = [{"delta": {}, "finish_reason": "stop"}]
    assert read(None, sse(chunk("a"), last, "[DONE]")).of(Finish) == [Finish("stop", "stop")]


def test_logprobs() -> None:
    logprobs = {"tokens": ["a"], "token_logprobs": [-1.0]}
    assert read(NAME, sse(chunk("a", logprobs=logprobs))).annotations("logprobs") == [logprobs]


def test_a_cut_and_an_error() -> None:
    assert read(NAME, sse(chunk("a"))).outcome == "interrupted"
    assert read(NAME, sse(chunk("a", "stop")), truncated=True).outcome == "complete"
    said = read(NAME, sse(chunk("a"), {"error": {"message": "m", "code": 500}}, "[DONE]"))
    assert (said.outcome, said.error) == ("failed", ErrorInfo("server", "m", None, 500, 500, True))


def token(text: str, details: Any = None, whole: str | None = None, **more: Any) -> dict[str, Any]:
    piece = {"id": 1, "text": text, "logprob": -0.1, "special": False} | more
    return {"index": 1, "token": piece, "generated_text": whole, "details": details}


@pytest.mark.parametrize(
    ("raw", "reason"), [("eos_token", "stop"), ("stop_sequence", "stop"), ("length", "length")]
)
def test_text_generation_inference(raw: str, reason: Any) -> None:
    details = {"finish_reason": raw, "generated_tokens": 3, "input_length": 4, "seed": None}
    last = token("</s>", details, "Hi there", special=True)
    body = b"data:" + sse(token("Hi")).removeprefix(b"data: ") + sse(token(" there"), last)
    said = read(None, body)
    assert said.of(TextDelta) == [TextDelta("Hi"), TextDelta(" there")]
    assert said.of(Finish) == [Finish(reason, raw)]
    assert said.of(Usage)[-1].raw == details
    assert said.of(Usage)[-1].total_tokens == 7
    assert said.outcome == "complete"


def test_text_that_only_the_last_record_says() -> None:
    details = {"finish_reason": "length", "generated_tokens": 1}
    said = read(NAME, sse(token("", details, "whole")))
    assert said.of(TextDelta) == [TextDelta("whole")]


def test_an_error_of_text_generation_inference() -> None:
    told = {"error": "Model is overloaded", "error_type": "overloaded"}
    said = read(NAME, sse(token("Hi"), told))
    assert said.error == ErrorInfo(
        "overloaded", "Model is overloaded", "overloaded", retryable=True
    )


def native(text: str, **more: Any) -> dict[str, Any]:
    return {"index": 0, "content": text, "stop": False, "tokens_predicted": 1} | more


LAST: dict[str, Any] = {"stop": True, "tokens_evaluated": 9, "tokens_predicted": 2}


@pytest.mark.parametrize(
    ("ending", "raw", "reason"),
    [
        ({"stop_type": "eos"}, "eos", "stop"),
        ({"stop_type": "word"}, "word", "stop"),
        ({"stop_type": "limit"}, "limit", "length"),
        ({"stopped_eos": True}, "eos", "stop"),
        ({"stopped_limit": True, "stopped_eos": False}, "limit", "length"),
    ],
)
def test_llamacpp(ending: dict[str, Any], raw: str, reason: Any) -> None:
    last = native("", **LAST, **ending, model="llama", timings={"predicted_ms": 1})
    said = read(None, sse(native("He"), native("y", stop_type="none"), last))
    assert said.transcript.text == "Hey"
    assert said.transcript.model == "llama"
    assert said.of(Finish) == [Finish(reason, raw)]
    assert said.of(Usage)[-1].raw == {"tokens_evaluated": 9, "tokens_predicted": 2}
    assert said.of(Usage)[-1].total_tokens == 11
    assert said.annotations("timings") == [{"predicted_ms": 1}]
    assert said.outcome == "complete"


def test_llamacpp_with_several_prompts() -> None:
    lasts = [native("", **LAST, stop_type="eos", index=index) for index in (0, 1)]
    said = read(NAME, sse(native("a"), native("b", index=1), *lasts))
    assert [c.text for _, c in sorted(said.transcript.choices.items())] == ["a", "b"]
    assert len(said.of(Finish)) == 2
    assert read(NAME, sse(native("a"), native("b", index=1), lasts[0])).outcome == "interrupted"


def test_writer_never_says_that_it_is_done() -> None:
    said = read(None, sse({"value": "Sure"}, {"value": ","}, {"value": " here"}))
    assert said.transcript.text == "Sure, here"
    assert said.outcome == "interrupted"
    assert said.of(Finish) == []


def test_what_is_not_known_is_told() -> None:
    odd: list[Any] = [{"x": 1}, {"content": 5}, {"token": "t"}, 7, "text", {"value": None}]
    said = read(NAME, sse(chunk("a"), *odd, chunk("", "stop"), "[DONE]"))
    assert len(said.of(Unrecognized)) == len(odd)
    assert said.outcome == "complete"


@pytest.mark.parametrize("wrong", [None, True, -1, 10**30, "x", ["\ud83d"], [], [1], {}, {"a": 1}])
def test_wrong_types(wrong: Any) -> None:
    details = {"finish_reason": "length", "generated_tokens": wrong, "\ud83d": "\ud83d"}
    records: list[Any] = [
        json.dumps(wrong),
        token("a") | {"details": wrong},
        token("a", special=wrong),
    ]
    records += [chunk("a") | {"choices": wrong}, chunk("a") | {"choices": [wrong]}]
    records += [chunk(wrong), chunk("a") | {"usage": wrong}, token("a", details)]
    records += [native("a", index=wrong, stop=wrong, stop_type=wrong, timings=wrong)]
    said = read(NAME, jsonl(*records))
    assert len(said.of(StreamEnd)) == 1
