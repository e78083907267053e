"""Chat completions as each member of the family writes them, after the vendors' references."""

from __future__ import annotations

from typing import Any

import pytest

from sans_io_stream import (
    Finish,
    Heartbeat,
    ReasoningDelta,
    StreamStart,
    Unrecognized,
    Usage,
)
from tests.dialects.chat_wire import DONE, HEAD, STOP, chat, chunk, counts, text
from tests.dialects.reading import read, sse


def usage_of(*records: Any) -> Usage:
    usage = chat(*records, DONE).of(Usage)[-1]
    assert usage.final
    return usage


def test_azure_begins_without_choices_and_filters_apart() -> None:
    prompt = [{"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False}}}]
    filtered = {"hate": {"filtered": False, "severity": "safe"}}
    apart = {
        "index": 0, "finish_reason": None, "content_filter_results": filtered,
        "content_filter_offsets": {"check_offset": 44, "start_offset": 44, "end_offset": 198},
    }  # fmt: skip
    got = chat(
        {"id": "", "object": "", "created": 0, "model": "", "choices": [],
         "prompt_filter_results": prompt},
        text("Hi"),
        {"id": "", "object": "", "created": 0, "model": "", "choices": [apart]},
        STOP, DONE,
    )  # fmt: skip
    assert got.of(StreamStart)[-1] == StreamStart("chatcmpl-1", "m-1")
    assert got.annotations("content_filter") == [prompt, filtered, apart["content_filter_offsets"]]
    assert (got.transcript.text, got.outcome) == ("Hi", "complete")


def test_deepseek_thinks_counts_cache_hits_and_keeps_alive() -> None:
    records = sse(
        chunk({"content": None, "reasoning_content": "Hm"}),
        chunk({"content": None, "reasoning_content": "."}),
    )
    rest = sse(
        chunk({"content": "So", "reasoning_content": None}),
        chunk(
            reason="stop",
            usage={
                "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
                "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 2,
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
        ),
        DONE,
    )  # fmt: skip
    got = read("deepseek", records + b": keep-alive\n\n" + rest)
    assert got.of(ReasoningDelta) == [ReasoningDelta("Hm"), ReasoningDelta(".")]
    assert got.of(Heartbeat) == [Heartbeat("keep-alive")]
    usage = got.of(Usage)[-1]
    assert (usage.cached_tokens, usage.reasoning_tokens, usage.completion_tokens) == (8, 3, 5)


def test_xai_counts_reasoning_beside_the_completion() -> None:
    usage = usage_of(
        text("x"), STOP,
        counts(
            prompt_tokens=10, completion_tokens=4, total_tokens=44, cost_in_usd_ticks=37_500_000,
            completion_tokens_details={"reasoning_tokens": 30},
        ),
    )  # fmt: skip
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (10, 34, 44)
    assert (usage.reasoning_tokens, usage.cost) == (30, 0.00375)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        # Databricks, LiteLLM and others keep Anthropic's names for the parts.
        ({"prompt_tokens": 26, "completion_tokens": 5, "total_tokens": 31,
          "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2}, (26, 4, 2, 5, None)),
        ({"input_tokens": 9, "output_tokens": 5, "total_tokens": 14,
          "input_tokens_details": {"cached_tokens": 4, "cache_creation_tokens": 1},
          "output_tokens_details": {"reasoning_tokens": 3}}, (9, 4, 1, 5, 3)),
        # A part is never more than its whole, whichever of the two is wrong.
        ({"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8,
          "cache_read_input_tokens": 2, "cache_creation_input_tokens": 2}, (7, 2, 2, 5, None)),
        ({"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8,
          "completion_tokens_details": {"reasoning_tokens": 6}}, (3, None, None, 5, 5)),
        ({"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 99,
          "completion_tokens_details": {"reasoning_tokens": 6}}, (3, None, None, 11, 6)),
        ({"completion_tokens": 5,
          "completion_tokens_details": {"reasoning_tokens": 6}}, (None, None, None, 11, 6)),
    ],
)  # fmt: skip
def test_parts_in_other_spellings_and_parts_beside_their_whole(
    told: dict[str, Any], expected: tuple[int | None, ...]
) -> None:
    usage = usage_of(text("x"), STOP, counts(**told))
    assert expected == (
        usage.prompt_tokens, usage.cached_tokens, usage.cache_write_tokens,
        usage.completion_tokens, usage.reasoning_tokens,
    )  # fmt: skip
    assert usage.raw == told


def test_groq_tells_its_usage_twice_and_its_errors_apart() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "total_time": 0.1}
    groq = {"id": "req_1", "usage": usage}
    got = chat(
        chunk({"role": "assistant", "content": ""}, x_groq={"id": "req_1"}),
        chunk({"reasoning": "Hm"}), text("x"),
        chunk(reason="stop", x_groq=groq, usage=usage), DONE,
    )  # fmt: skip
    assert got.of(ReasoningDelta) == [ReasoningDelta("Hm")]
    assert [counted.final for counted in got.of(Usage)] == [False, True]
    assert chat(text("x"), chunk(reason="stop", x_groq=groq), DONE).of(Usage)[-1].raw == usage
    failed = chat(text("x"), chunk(x_groq={"error": "over capacity"}), DONE)
    assert failed.outcome == "failed"
    assert failed.error is not None
    assert failed.error.message == "over capacity"


def test_openrouter_fails_in_midstream_and_counts_after_it() -> None:
    details = [{"type": "reasoning.text", "text": "Hm", "index": 0}]
    told = {
        "code": 502, "message": "Upstream went away",
        "metadata": {"error_type": "provider_unavailable"},
    }  # fmt: skip
    body = (
        b": OPENROUTER PROCESSING\n\n"
        + sse(
            chunk({"role": "assistant", "content": "", "reasoning": "Hm",
                   "reasoning_details": details}),
            text("par"), text("t"),
            chunk({"content": ""}, "error", error=told, provider="X"),
            counts(prompt_tokens=1, completion_tokens=2, total_tokens=3, cost=0.5),
            DONE,
        )
    )  # fmt: skip
    got = read("openrouter", body)
    assert got.outcome == "failed"
    assert got.error is not None
    assert (got.error.code, got.error.message, got.error.kind) == (
        502, "Upstream went away", "server",
    )  # fmt: skip
    assert got.error.retryable
    assert (got.transcript.text, got.transcript.reasoning) == ("part", "Hm")
    assert got.annotations("reasoning_details") == [details]
    assert got.of(Finish) == [Finish("error", "error")]
    usage = got.of(Usage)[-1]
    assert (usage.cost, usage.final) == (0.5, False)


def test_a_choice_may_fail_by_itself() -> None:
    failing = chunk(reason="error")
    failing["choices"][0]["error"] = {"code": 502, "message": "Upstream went away"}
    got = chat(text("par"), failing, DONE)
    assert got.outcome == "failed"
    assert got.error is not None
    assert (got.error.kind, got.error.message) == ("server", "Upstream went away")
    assert got.annotations("extra") == []
    assert chat(text("x"), {**STOP, "choices": [{**STOP["choices"][0], "error": {}}]}).error is None


def test_vllm_counts_on_every_chunk() -> None:
    def spent(count: int) -> dict[str, Any]:
        return {"prompt_tokens": 5, "completion_tokens": count, "total_tokens": 5 + count}

    got = chat(
        text("a", usage=spent(1)), text("b", usage=spent(2)), text("", usage=spent(2)),
        chunk(reason="stop", usage=spent(3)), counts(**spent(3)), DONE,
    )  # fmt: skip
    assert [usage.completion_tokens for usage in got.of(Usage)] == [1, 2, 3, 3]
    assert got.transcript.usage is not None
    assert got.transcript.usage.total_tokens == 8


@pytest.mark.parametrize(
    "told",
    [
        {"error": {"message": "out of blocks", "type": "InternalServerError", "code": 500}},
        {"object": "error", "message": "out of blocks", "type": "InternalServerError", "code": 500},
    ],
)
def test_vllm_fails_and_says_done_all_the_same(told: dict[str, Any]) -> None:
    got = chat(text("x"), told, DONE)
    assert got.outcome == "failed"
    assert got.error is not None
    assert (got.error.message, got.error.kind, got.error.code) == ("out of blocks", "server", 500)
    assert got.of(Finish) == []
    assert got.annotations("extra") == []


def test_moonshot_counts_in_the_choice_that_ends() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "cached_tokens": 2}
    ending = chunk(reason="stop")
    ending["choices"][0]["usage"] = usage
    told = usage_of(text("x"), ending)
    assert (told.prompt_tokens, told.cached_tokens, told.raw) == (3, 2, usage)
    got = chat(text("x"), {**ending, "usage": usage}, DONE)
    assert [one.final for one in got.of(Usage)] == [False, True]
    assert got.annotations("extra") == []


def test_llamacpp_counts_and_times_in_its_last_chunk() -> None:
    timings = {"prompt_n": 1, "predicted_ms": 5.5}
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    got = chat(text("x"), chunk(reason="stop", usage=usage, timings=timings), DONE)
    assert got.annotations("timings") == [timings]
    assert got.of(Usage)[-1].raw == usage
    assert chat(text("x"), {"error": {"code": 500, "message": "oom", "type": "server_error"}}).error


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"error": "Model is overloaded", "error_type": "overloaded"}, "overloaded"),
        ({"error": {"message": "bad input", "http_status_code": 422}}, "invalid_request"),
    ],
)
def test_tgi_fails_in_words(told: dict[str, Any], kind: str) -> None:
    got = chat(text("x"), told, DONE)
    assert got.outcome == "failed"
    assert got.error is not None
    assert got.error.kind == kind
    assert got.annotations("extra") == []


def test_keepalives_in_disguise_are_heartbeats() -> None:
    got = chat(text("x"), ": keepalive", text("y"), ": OPENROUTER PROCESSING", " ", STOP, DONE)
    assert [beat.text for beat in got.of(Heartbeat)] == [
        ": keepalive",
        ": OPENROUTER PROCESSING",
        "",
    ]
    assert (got.transcript.text, got.outcome) == ("xy", "complete")


@pytest.mark.parametrize("named", ["ping", "keepalive", "keep-alive", "heartbeat"])
def test_pings_with_data_are_heartbeats(named: str) -> None:
    beats = f"event: {named}\ndata: {{}}\n\n".encode() + sse({"type": named})
    got = read("openai-chat", sse(text("x")) + beats + sse(STOP, DONE))
    assert got.of(Heartbeat) == [Heartbeat("ping")] * 2
    assert got.of(Unrecognized) == []
    assert got.outcome == "complete"


def test_an_error_line_between_the_chunks() -> None:
    body = sse(text("x")) + b'error: {"error": {"message": "slow down", "code": 429}}\n\n'
    got = read("openai-chat", body)
    assert got.outcome == "failed"
    assert got.error is not None
    assert got.error.kind == "rate_limit"


@pytest.mark.parametrize("data", ['{"message": "boom"}', '"boom"', "boom"])
def test_an_event_named_error_is_one_whatever_its_data(data: str) -> None:
    got = read("openai-chat", sse(text("x")) + f"event: error\ndata: {data}\n\n".encode())
    assert got.outcome == "failed"
    assert got.error is not None
    assert got.error.message == "boom"


def test_a_server_nobody_has_named() -> None:
    choice = {
        "index": 0, "delta": {"content": "Hi", "tone": "warm", "nested": {"a": [1]}},
        "finish_reason": None, "score": 0.5, "empty": {},
    }  # fmt: skip
    novel = {**HEAD, "choices": [choice], "shard": 7, "nothing": None}
    again = {**HEAD, "choices": [{**choice, "delta": {"content": "!", "tone": "warm"}}], "shard": 7}
    got = chat(novel, again, STOP, DONE)
    assert got.transcript.text == "Hi!"
    # A piece is told each time, a mark beside the pieces only when it changes.
    assert got.annotations("extra") == [
        {"tone": "warm"}, {"nested": {"a": [1]}}, {"score": 0.5}, {"shard": 7}, {"tone": "warm"},
    ]  # fmt: skip
    assert got.of(Unrecognized) == []
