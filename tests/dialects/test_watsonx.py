"""watsonx.ai: text generation, and its chat in the protocol of OpenAI's."""

from __future__ import annotations

from typing import Any

import pytest

from sans_io_stream import (
    ErrorInfo,
    Finish,
    ResumePoint,
    StreamStart,
    TextDelta,
    Unrecognized,
    Usage,
)
from tests.dialects.reading import Read, read, sse


def record(piece: str, count: int, stop: str = "not_finished", **fields: Any) -> dict[str, Any]:
    result = {
        "generated_text": piece,
        "generated_token_count": count,
        "input_token_count": 0 if count else 8,
        "stop_reason": stop,
    }
    return {
        "model_id": "google/flan-ul2",
        "created_at": "2024-03-01T07:40:24.839Z",
        "results": [{**result, **fields}],
    }


def watsonx(*records: Any, **options: Any) -> Read:
    return read("watsonx", sse(*records), **options)


def test_text_finish_and_growing_counts() -> None:
    got = watsonx(record("", 0), record("the", 1), record(" sun", 2), record("", 3, "eos_token"))
    assert got.events[0] == StreamStart(None, "google/flan-ul2")
    assert got.of(TextDelta) == [TextDelta("the"), TextDelta(" sun")]
    assert got.of(Finish) == [Finish("stop", "eos_token")]
    assert got.outcome == "complete"
    usage = got.of(Usage)[-1]
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (8, 3, 11)
    assert usage.final
    assert usage.raw == {"input_token_count": 8, "generated_token_count": 3}


def test_its_ids_are_those_of_the_event_stream() -> None:
    body = b"".join(
        b"id: %d\nevent: message\n" % number + sse(value)
        for number, value in enumerate((record("a", 1), record("b", 2, "eos_token")), 1)
    )
    got = read("watsonx", body)
    assert [point.cursor for point in got.of(ResumePoint)] == ["1", "2", "2"]
    assert got.of(ResumePoint)[-1].ended


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("eos_token", "stop"),
        ("EOS_TOKEN", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("token_limit", "length"),
        ("time_limit", "length"),
        ("error", "error"),
    ],
)
def test_stop_reasons(raw: str, reason: Any) -> None:
    assert watsonx(record("x", 1), record("", 1, raw)).of(Finish) == [Finish(reason, raw)]


@pytest.mark.parametrize("word", ["cancelled", "CANCELLED"])
def test_a_cancelled_generation(word: str) -> None:
    got = watsonx(record("x", 1), record("", 1, word))
    assert got.outcome == "failed"
    assert got.error == ErrorInfo("provider", "the generation was cancelled", word)
    assert got.of(Finish) == [Finish("error", word)]


def test_not_finished_is_interrupted() -> None:
    got = watsonx(record("x", 1), record("y", 2))
    assert got.outcome == "interrupted"
    assert got.of(Finish) == []


def test_warnings_moderations_and_tokens_are_annotations() -> None:
    warned = {**record("x", 1), "system": {"warnings": [{"id": "disclaimer_warning"}]}}
    checked = record(
        "y", 2, moderations={"hap": [{"score": 0.9}]}, generated_tokens=[{"text": "y"}]
    )
    got = watsonx(warned, checked, {**record("", 2, "eos_token", mood=1), "novel": 2})
    assert got.annotations("warning") == [{"id": "disclaimer_warning"}]
    assert got.annotations("moderation") == [{"hap": [{"score": 0.9}]}]
    assert got.annotations("logprobs") == [[{"text": "y"}]]
    assert got.annotations("extra") == [{"mood": 1}, {"novel": 2}]


def test_its_errors() -> None:
    told = {
        "errors": [{"code": "token_quota_reached", "message": "the quota is used up"}],
        "trace": "abc",
        "status_code": 429,
    }
    got = watsonx(record("x", 1), told)
    assert got.outcome == "failed"
    assert got.error is not None
    assert (got.error.code, got.error.message) == ("token_quota_reached", "the quota is used up")
    assert (got.error.status, got.error.kind) == (429, "rate_limit")


def test_its_chat_is_openais_with_a_model_id() -> None:
    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model_id": "ibm/granite"}
        return {**head, "created": 1, "created_at": "2025-01-01", "choices": [choice]}

    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    got = watsonx(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Hel"}),
        chunk({"content": "lo"}),
        chunk({}, "stop"),
        {**chunk({}), "choices": [], "usage": usage},
    )
    assert got.events[0] == StreamStart("chatcmpl-1", "ibm/granite")
    assert got.transcript.text == "Hello"
    assert got.outcome == "complete"
    assert got.of(Usage)[-1].raw == usage
    assert got.annotations("extra") == []


def test_what_is_neither_is_unrecognized() -> None:
    got = watsonx(record("x", 1), {"novel": 1}, [1], record("", 1, "eos_token"))
    assert len(got.of(Unrecognized)) == 2
    assert got.outcome == "complete"


@pytest.mark.parametrize("wrong", [None, 1, "x", [], [1], {}, {"a": 1}, True])
def test_wrong_types_raise_nothing(wrong: Any) -> None:
    fields = {
        "generated_text": wrong,
        "generated_token_count": wrong,
        "input_token_count": wrong,
        "stop_reason": wrong,
        "moderations": wrong,
    }
    watsonx(
        {"model_id": wrong, "results": wrong, "system": wrong},
        {"results": [wrong, fields], "system": {"warnings": wrong}},
        {"choices": wrong, "model_id": wrong},
        {"errors": wrong},
    )
