"""Lines of Ollama's chat: whole calls, one last line, and nothing that is no JSON."""

from __future__ import annotations

from typing import Any

import pytest

from sans_io_stream import (
    Annotation,
    ErrorInfo,
    Finish,
    Heartbeat,
    MediaDelta,
    StreamEnd,
    TextDelta,
    ToolCall,
    Usage,
)

from .writing import CALLS, HEAD, SAID, answer, back, body_of, notes, values

NAME = "ollama"


def test_a_client_puts_the_answer_together() -> None:
    counted = Usage(prompt_tokens=9, completion_tokens=4, total_tokens=13)
    lines = values(answer(*SAID, *CALLS, reason="tool_calls", usage=counted), NAME, created=86400)
    assert {line["model"] for line in lines} == {"m1"}
    assert {line["created_at"] for line in lines} == {"1970-01-02T00:00:00Z"}
    messages = [line["message"] for line in lines]
    assert "".join(message["content"] for message in messages) == "Hello"
    assert "".join(message.get("thinking", "") for message in messages) == "Hm."
    calls = [call for message in messages for call in message.get("tool_calls", ())]
    assert calls == [
        {"id": "c1", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}},
        {"id": "c2", "function": {"index": 1, "name": "g", "arguments": {"b": 2}}},
    ]
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    assert lines[-1]["done_reason"] == "stop"
    assert (lines[-1]["prompt_eval_count"], lines[-1]["eval_count"]) == (9, 4)


def test_every_line_is_json_whatever_keeps_it_alive() -> None:
    events = [Heartbeat("a"), *answer(TextDelta("x"), Heartbeat("b"))]
    body, _ = body_of(events, NAME)
    assert b"" not in body.rstrip(b"\n").split(b"\n")
    assert len(values(events, NAME)) == 4


def test_a_call_without_arguments_has_an_empty_object() -> None:
    events = answer(ToolCall(0, None, "f", ""), reason="tool_calls")
    assert ToolCall(0, None, "f", "{}") in back(events, NAME)


@pytest.mark.parametrize(
    ("finish", "word"),
    [
        (Finish("stop", "end_turn"), "stop"),
        (Finish("tool_calls", "tool_use"), "stop"),
        (Finish("length", None), "length"),
        (Finish("other", "load"), "load"),
        (Finish("content_filter", "SAFETY"), "content_filter"),
    ],
)
def test_reasons(finish: Finish, word: str) -> None:
    assert values([*HEAD, finish, StreamEnd("complete")], NAME)[-1]["done_reason"] == word


def test_durations_of_its_own_stay() -> None:
    raw = b'{"prompt_eval_count":9,"eval_count":4,"eval_duration":123,"total_duration":456}'
    usage: Any = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    events = answer(TextDelta("x"), usage=Usage(**usage, source=raw_of(raw)))
    assert values(events, NAME)[-1]["eval_duration"] == 123
    forged = b'{"eval_count":4,"prompt_eval_count":9,"error":"no","done_reason":"x_count"}'
    last = values(answer(TextDelta("x"), usage=Usage(**usage, source=raw_of(forged))), NAME)[-1]
    assert "error" not in last
    assert last["done_reason"] == "stop"


def raw_of(data: bytes) -> Any:
    import msgspec

    return msgspec.Raw(data)


def test_a_failure_is_an_error_line() -> None:
    error = ErrorInfo("server", "oops", "server_error", None, 500, retryable=True)
    last = values([*HEAD, StreamEnd("failed", error)], NAME)[-1]
    assert last == {"error": "oops", "error_type": "server_error", "status_code": 500}
    assert back([*HEAD, StreamEnd("failed", error)], NAME)[-1] == StreamEnd("failed", error)


def test_media_and_annotations() -> None:
    assert MediaDelta(None, b"x") in back(answer(MediaDelta("image/png", b"x")), NAME)
    told: list[tuple[str, Any]] = [
        ("logprobs", [{"token": "x"}]),
        ("context", [1, 2]),
        ("progress", {"completed": 1, "total": 2}),
    ]
    assert notes(NAME, *[Annotation(kind, data) for kind, data in told]) == told
    assert notes(NAME, Annotation("citation", {"url": "u"}), Annotation("extra", {"x": 1})) == []
