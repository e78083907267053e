"""Mistral: chunks written after its API reference; the chat dialect reads them alike."""

from __future__ import annotations

from typing import Any

import pytest

from sans_io_stream import Finish, ReasoningDelta, TextDelta, ToolCall, Usage
from tests.dialects.reading import Read, read, sse


def chunk(delta: Any, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1}
    return {**head, "model": "mistral-large-latest", "choices": [choice], **fields}


@pytest.fixture(params=["mistral", "openai-chat", None])
def dialect(request: pytest.FixtureRequest) -> Any:
    return request.param


def mistral(dialect: str | None, *records: Any, **options: Any) -> Read:
    return read(dialect, sse(*records, "[DONE]"), **options)


def thinking(*parts: Any, **fields: Any) -> dict[str, Any]:
    return {"content": [{"type": "thinking", "thinking": list(parts), **fields}]}


def test_content_as_typed_parts(dialect: str | None) -> None:
    reference = {"type": "reference", "reference_ids": [3, 1]}
    got = mistral(
        dialect,
        chunk({"role": "assistant", "content": ""}),
        chunk(thinking({"type": "text", "text": "Ok"}), p="abc"),
        chunk(thinking({"type": "text", "text": "ay"}, closed=True), p="abcdef"),
        chunk({"content": [{"type": "text", "text": "It is"}, reference]}),
        chunk({"content": " so"}, p="ab"),
        chunk({"content": "."}, "stop"),
    )
    assert got.of(ReasoningDelta) == [ReasoningDelta("Ok"), ReasoningDelta("ay")]
    assert [e.text for e in got.of(TextDelta)] == ["It is", " so", "."]
    assert got.annotations("citation") == [reference]
    assert got.annotations("extra") == []
    assert got.outcome == "complete"


@pytest.mark.parametrize(
    "cached",
    [
        {"num_cached_tokens": 4},
        {"prompt_tokens_details": {"cached_tokens": 4}},
        {"prompt_token_details": {"cached_tokens": 4}},
    ],
)
def test_cached_tokens_in_every_spelling(dialect: str | None, cached: dict[str, Any]) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, **cached}
    got = mistral(dialect, chunk({"content": "a"}, "stop", usage=usage))
    last = got.of(Usage)[-1]
    assert (last.prompt_tokens, last.completion_tokens, last.cached_tokens) == (10, 2, 4)
    assert last.raw == usage


def test_audio_beside_the_prompt_is_part_of_it(dialect: str | None) -> None:
    usage = {"prompt_tokens": 11, "completion_tokens": 15, "total_tokens": 401}
    usage |= {"prompt_tokens_details": {"audio_tokens": 375, "cached_tokens": 9}}  # type: ignore[dict-item]
    got = mistral(dialect, chunk({"content": "a"}, "stop", usage=usage))
    last = got.of(Usage)[-1]
    assert (last.prompt_tokens, last.audio_prompt_tokens, last.total_tokens) == (386, 375, 401)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("model_length", "length"),
        ("error", "error"),
        ("tool_calls", "tool_calls"),
    ],
)
def test_finish_reasons(dialect: str | None, word: str, reason: Any) -> None:
    got = mistral(dialect, chunk({"content": "a"}, word))
    assert got.of(Finish) == [Finish(reason, word)]


def test_fragments_whose_id_says_null_go_on_with_their_call(dialect: str | None) -> None:
    def call(index: int, id_: str, name: str, arguments: str) -> dict[str, Any]:
        function = {"name": name, "arguments": arguments}
        return {"index": index, "id": id_, "type": "function", "function": function}

    got = mistral(
        dialect,
        chunk({"tool_calls": [call(0, "a", "f", "")]}),
        chunk({"tool_calls": [call(0, "null", "", '{"x":')]}),
        chunk({"tool_calls": [call(0, "null", "f", "1}"), call(1, "b", "g", "{}")]}),
        chunk({"content": ""}, "tool_calls"),
    )
    assert got.of(ToolCall) == [ToolCall(0, "a", "f", '{"x":1}'), ToolCall(1, "b", "g", "{}")]


def test_a_cut_before_the_end_is_told(dialect: str | None) -> None:
    got = read(dialect, sse(chunk({"content": "a"})))
    assert got.outcome == "interrupted"


def test_errors_as_mistral_writes_them() -> None:
    error = {"object": "error", "message": "no", "type": "invalid_request_message_order"}
    got = read("mistral", sse(chunk({"content": "a"}), {**error, "code": "3230", "param": None}))
    assert got.outcome == "failed"
    assert got.error is not None
    assert (got.error.message, got.error.code) == ("no", "3230")
