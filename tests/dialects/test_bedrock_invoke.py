from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sans_io_stream import (
    Annotation,
    Finish,
    Limits,
    StreamDecoder,
    StreamEnd,
    ToolCall,
    Transcript,
    Unrecognized,
    Usage,
)
from tests.dialects.block_wires import (
    ANSWER,
    FRAMES,
    chunk,
    frame,
    lines,
    mangled,
    of,
    outcome,
    read,
    sse,
)

NAME = "bedrock-invoke"
METRICS = {"inputTokenCount": 20, "outputTokenCount": 10, "invocationLatency": 3}
LAST = {"amazon-bedrock-invocationMetrics": METRICS}

TITAN = [
    {"outputText": "One", "index": 0.0, "inputTextTokenCount": 20.0},
    {
        "outputText": " two",
        "index": 0.0,
        "totalOutputTextTokenCount": 10,
        "completionReason": "FINISH",
    },
]
LLAMA = [
    {
        "generation": "One",
        "prompt_token_count": 20,
        "generation_token_count": 1,
        "stop_reason": None,
    },
    {
        "generation": " two",
        "prompt_token_count": None,
        "generation_token_count": 2,
        "stop_reason": "stop",
    },
]
MISTRAL = [
    {"outputs": [{"text": "One", "stop_reason": None}]},
    {"outputs": [{"text": " two", "stop_reason": "length"}]},
]
CHAT = [
    {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "One"}}]},
    {"choices": [{"index": 0, "message": {"content": " two"}, "stop_reason": "stop"}]},
]
DEEPSEEK = [
    {"choices": [{"text": "One", "stop_reason": None}]},
    {"choices": [{"text": " two", "stop_reason": "stop"}]},
]
COMMAND = [{"is_finished": False, "text": "One"}, {"is_finished": False, "text": " two"},
           {"is_finished": True, "finish_reason": "MAX_TOKENS"}]  # fmt: skip
COMMAND_R: list[dict[str, Any]] = [
    {"event_type": "stream-start", "generation_id": "g"},
    {"event_type": "text-generation", "text": "One"},
    {"event_type": "text-generation", "text": " two"},
    {"event_type": "stream-end", "finish_reason": "COMPLETE", "response": {"text": "One two"}},
]
CLAUDE_2 = [
    {"type": "completion", "completion": "One", "stop_reason": None},
    {"completion": " two", "stop_reason": "stop_sequence", "stop": "\n\nHuman:"},
]
NOVA = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"delta": {"text": "One"}, "contentBlockIndex": 0}},
    {"contentBlockDelta": {"delta": {"text": " two"}, "contentBlockIndex": 0}},
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {"messageStop": {"stopReason": "end_turn"}},
]


def chunks(*records: Any) -> bytes:
    return b"".join(map(chunk, records))


def finished(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*records[:-1], {**records[-1], **LAST}]


FAMILIES = [
    (TITAN, "FINISH", "stop"),
    (LLAMA, "stop", "stop"),
    (MISTRAL, "length", "length"),
    (CHAT, "stop", "stop"),
    (DEEPSEEK, "stop", "stop"),
    (COMMAND, "MAX_TOKENS", "length"),
    (COMMAND_R, "COMPLETE", "stop"),
    (CLAUDE_2, "stop_sequence", "stop"),
    (NOVA, "end_turn", "stop"),
]
NAMES = [
    "titan", "llama", "mistral", "chat", "deepseek", "command", "command-r", "claude-2", "nova",
]  # fmt: skip


@pytest.mark.parametrize(("records", "raw", "reason"), FAMILIES, ids=NAMES)
def test_families(records: list[dict[str, Any]], raw: str, reason: Any) -> None:
    events = read(chunks(*finished(records)), NAME, FRAMES)
    said = Transcript.of(events)
    assert said.text == "One two"
    assert of(events, Finish) == [Finish(reason, raw)]
    assert not of(events, Unrecognized)
    assert said.usage is not None
    assert (said.usage.prompt_tokens, said.usage.completion_tokens) == (20, 10)
    assert said.usage.raw == METRICS
    assert said.usage.final
    assert outcome(events) == "complete"
    # Detected, and without the frames.
    assert read(chunks(*finished(records)), None, FRAMES) == events
    assert read(lines(*finished(records)), NAME, "application/x-ndjson") == events


@pytest.mark.parametrize("word", ["USER_CANCEL", "ERROR"])
@pytest.mark.parametrize("family", [COMMAND, COMMAND_R], ids=["command", "command-r"])
def test_what_cohere_cancelled_or_failed(family: list[dict[str, Any]], word: str) -> None:
    last = json.loads(json.dumps(family[-1]).replace("MAX_TOKENS", word).replace("COMPLETE", word))
    events = read(chunks(*finished([*family[:-1], last])), NAME, FRAMES)
    assert outcome(events) == "failed"
    assert of(events, Finish) == [Finish("error", word)]


@pytest.mark.parametrize(("records", "raw", "reason"), FAMILIES, ids=NAMES)
def test_a_cut_answer_is_interrupted(records: list[dict[str, Any]], raw: str, reason: str) -> None:
    events = read(chunks(*records[:-1]), NAME, FRAMES)
    assert outcome(events) == "interrupted"
    assert not of(events, Finish)


def test_claudes_messages() -> None:
    own = read(sse(*ANSWER), "anthropic")
    metrics = [*ANSWER[:-1], {**ANSWER[-1], **LAST}]
    assert read(chunks(*metrics), NAME, FRAMES) == own


def test_novas_own_counts_outweigh_the_metrics() -> None:
    usage = {"inputTokens": 5, "outputTokens": 6, "cacheReadInputTokenCount": 7}
    events = read(chunks(*NOVA, {"metadata": {"usage": usage}, **LAST}), NAME, FRAMES)
    final = of(events, Usage)[-1]
    assert isinstance(final, Usage)
    assert (final.prompt_tokens, final.completion_tokens, final.raw) == (12, 6, usage)


def test_counts_beside_the_text_are_told_at_once() -> None:
    first = of(read(chunks(LLAMA[0]), NAME, FRAMES), Usage)
    assert [(u.prompt_tokens, u.final) for u in first if isinstance(u, Usage)] == [(20, False)]


def test_calls() -> None:
    function = {"name": "find", "arguments": '{"a":1}'}
    call = {"index": 0, "id": "c1", "function": function}
    chat: dict[str, Any] = {
        "choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]
    }
    events = read(chunks({**chat, **LAST}), NAME, FRAMES)
    assert of(events, ToolCall) == [ToolCall(0, "c1", "find", '{"a":1}')]
    cohere: dict[str, Any] = {"event_type": "tool-calls-generation"}
    cohere |= {"tool_calls": [{"name": "find", "parameters": {"a": 1}}]}
    events = read(chunks(cohere, {**COMMAND_R[-1], **LAST}), NAME, FRAMES)
    assert of(events, ToolCall) == [ToolCall(0, None, "find", '{"a":1}')]


def test_guardrails_are_annotations() -> None:
    action: dict[str, Any] = {"amazon-bedrock-guardrailAction": "INTERVENED"}
    trace: dict[str, Any] = {"amazon-bedrock-trace": {"guardrail": {}}}
    events = read(
        chunks({**TITAN[0], **action}, {**TITAN[1], **action, **trace, **LAST}), NAME, FRAMES
    )
    assert of(events, Annotation) == [
        Annotation("extra", action), Annotation("trace", {"guardrail": {}}),
    ]  # fmt: skip


@pytest.mark.parametrize("own", [{"usage": {"inputTokens": 5, "outputTokens": 6}}, {}])
def test_nothing_follows_the_tail_of_a_conversation(own: dict[str, Any]) -> None:
    added: dict[str, Any] = {"amazon-bedrock-trace": {"guardrail": {}}, **LAST}
    events = read(chunks(*NOVA, {"metadata": own, **added}), NAME, FRAMES)
    assert of(events, Annotation) == [Annotation("trace", {"guardrail": {}})]
    assert [type(event) for event in events[-3:]] == [Finish, Usage, StreamEnd]
    assert [event.final for event in events if isinstance(event, Usage)] == [False, True]
    assert outcome(events) == "complete"


@pytest.mark.parametrize(
    "body",
    [
        frame("modelTimeoutException", {"message": "m"}, "exception"),
        frame("BadThing", "m", "error"),
        chunk({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}),
        chunk({"error": {"message": "m"}}),
        lines({"error": {"message": "m"}}),
    ],
    ids=["exception", "error", "typed", "nested", "bare"],
)
def test_errors(body: bytes) -> None:
    content_type = "application/x-ndjson" if body.startswith(b"{") else FRAMES
    before = b"" if body.startswith(b"{") else chunks(*TITAN[:1])
    end = Transcript.of(read(before + body, NAME, content_type)).end
    assert end is not None
    assert end.error is not None
    assert (end.outcome, end.error.message) == ("failed", "m")


@pytest.mark.parametrize(
    "body",
    [
        frame("chunk", {"bytes": "?"}),
        frame("chunk", {"bytes": base64.b64encode(b"{").decode()}),
        frame("chunk", {}),
        frame("chunk", []),
        frame("novel", {"x": 1}),
        chunk({"novel": 1}),
        chunk([1]),
        chunk({"type": "novel"}),
    ],
    ids=["base64", "json", "empty", "array", "frame", "fields", "inner-array", "type"],
)
def test_what_has_no_meaning_is_not_dropped(body: bytes) -> None:
    assert len(of(read(chunks(TITAN[0]) + body, NAME, FRAMES), Unrecognized)) == 1


def test_the_depth_of_the_models_json_is_bounded() -> None:
    decoder = StreamDecoder(NAME, content_type=FRAMES, limits=Limits(depth=8))
    assert outcome(decoder.receive_data(chunk([[[[[[[[[[1]]]]]]]]]]))) == "failed"


@pytest.mark.parametrize("records", [family for family, _, _ in FAMILIES], ids=NAMES)
def test_wrong_types_never_raise(records: list[dict[str, Any]]) -> None:
    whole = finished(records)
    for place, record in enumerate(whole):
        for variant in mangled(record):
            decoder = StreamDecoder(NAME, content_type=FRAMES)
            events = decoder.receive_data(chunks(*whole[:place], variant, *whole[place + 1 :]))
            again = StreamDecoder.restore(decoder.snapshot())
            Transcript.of(events + again.receive_eof())
