"""Responses of ``streamGenerateContent``: parts, one terminal record, an array left open."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

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
    ToolCallDelta,
    Usage,
)
from sans_io_stream.encoding import Encoder

from .writing import CALLS, HEAD, SAID, answer, back, body_of, notes, values

if TYPE_CHECKING:
    from sans_io_stream.events import Event

NAME = "gemini"


def parts_of(records: list[Any]) -> list[dict[str, Any]]:
    candidates = [candidate for record in records for candidate in record.get("candidates", ())]
    return [part for c in candidates for part in c.get("content", {}).get("parts", ())]


def test_a_client_puts_the_answer_together() -> None:
    counted = Usage(
        prompt_tokens=9, completion_tokens=4, total_tokens=13, reasoning_tokens=1,
        tool_prompt_tokens=2, audio_prompt_tokens=3,
    )  # fmt: skip
    records = values(answer(*SAID, *CALLS, reason="tool_calls", usage=counted), NAME)
    assert [part for part in parts_of(records) if part != {"text": ""}] == [
        {"text": "Hm", "thought": True},
        {"text": ".", "thought": True},
        {"text": "Hel"},
        {"text": "lo"},
        {"functionCall": {"name": "f", "id": "c1", "args": {"a": 1}}},
        {"functionCall": {"name": "g", "id": "c2", "args": {"b": 2}}},
    ]
    assert {(r["responseId"], r["modelVersion"]) for r in records} == {("r1", "m1")}
    assert records[-1]["candidates"][0]["finishReason"] == "STOP"
    assert records[-1]["usageMetadata"] == {
        "promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 13,
        "thoughtsTokenCount": 1, "toolUsePromptTokenCount": 2,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 3}],
    }  # fmt: skip


def test_the_last_word_is_one_record_for_all_candidates() -> None:
    events = answer(TextDelta("a"), TextDelta("b", 1))
    records = values(events, NAME)
    assert [[("finishReason" in c) for c in r["candidates"]] for r in records] == [
        [False], [False], [False], [True, True],
    ]  # fmt: skip


@pytest.mark.parametrize("outcome", ["interrupted", "cancelled"])
def test_an_array_is_left_open_unless_it_ends_in_order(outcome: Any) -> None:
    body, _ = body_of([*HEAD, TextDelta("x"), StreamEnd(outcome)], NAME, "json-array")
    assert not body.endswith(b"]")
    assert len(json.loads(body + b"]")) == 2
    for end in (StreamEnd("complete"), StreamEnd("failed")):
        json.loads(body_of([*HEAD, TextDelta("x"), end], NAME, "json-array")[0])


def test_a_sign_of_life_is_an_empty_line() -> None:
    encoder = Encoder(NAME)
    assert encoder.encode(Heartbeat("x")) == b"\n"


def test_a_signature_stands_in_the_part_of_its_call() -> None:
    signed = {"thoughtSignature": "sig", "tool_call": 0}
    call: list[Event] = [ToolCallDelta(0, None, "f", "{}"), ToolCall(0, None, "f", "{}")]
    events = answer(*call, Usage(prompt_tokens=1), Annotation("signature", signed), TextDelta("x"))
    (part,) = [part for part in parts_of(values(events, NAME)) if "functionCall" in part]
    assert part == {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "sig"}
    assert Annotation("signature", signed) in back(events, NAME)


def test_a_call_that_waits_is_not_lost() -> None:
    call: list[Event] = [ToolCallDelta(0, None, "f", "{}"), ToolCall(0, None, "f", "{}")]
    for end in (StreamEnd("complete"), StreamEnd("interrupted"), StreamEnd("failed")):
        found = back([*HEAD, *call, end], NAME)
        assert ToolCall(0, None, "f", "{}") in found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":\r\n 1e2,"n":12345678901234567890123}', {"a": 100.0, "n": 12345678901234567890123}),
        ("[1]", [1]),
        ("{broken", "{broken"),
        ("", None),
        ("  \n", None),
    ],
)
def test_arguments_are_a_value(text: str, value: Any) -> None:
    records = values(answer(ToolCall(0, "c", "f", text), reason="tool_calls"), NAME)
    (part,) = [part for part in parts_of(records) if "functionCall" in part]
    assert part["functionCall"].get("args") == value


@pytest.mark.parametrize(
    ("finish", "word"),
    [
        (Finish("stop", "stop"), "STOP"),
        (Finish("stop", "1"), "1"),
        (Finish("length", None), "MAX_TOKENS"),
        (Finish("content_filter", "BLOCKLIST"), "BLOCKLIST"),
        (Finish("other", "LANGUAGE"), "LANGUAGE"),
        (Finish("other", "FINISH_REASON_UNSPECIFIED"), "OTHER"),
        (Finish("other", "0"), "OTHER"),
        (Finish("pause", "pause_turn"), "OTHER"),
        (Finish("error", "MALFORMED_FUNCTION_CALL"), "MALFORMED_FUNCTION_CALL"),
        (Finish("error", None), "MALFORMED_RESPONSE"),
    ],
)
def test_reasons(finish: Finish, word: str) -> None:
    events = [*HEAD, TextDelta("x"), finish, StreamEnd("complete")]
    assert values(events, NAME)[-1]["candidates"][0]["finishReason"] == word
    assert back(events, NAME)[-1] == StreamEnd("complete")


def test_a_blocked_prompt_is_told_as_feedback() -> None:
    feedback = {"blockReason": "SAFETY", "safetyRatings": [{"blocked": True}]}
    finish = Finish("content_filter", "promptFeedback:SAFETY")
    events = [*HEAD, Annotation("prompt_feedback", feedback), finish, StreamEnd("complete")]
    records = values(events, NAME)
    assert records[-1]["promptFeedback"] == feedback
    assert "candidates" not in records[-1]
    found = back(events, NAME)
    assert finish in found
    assert Annotation("prompt_feedback", feedback) in found


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ErrorInfo("rate_limit", "m"), {"code": 429, "status": "RESOURCE_EXHAUSTED"}),
        (ErrorInfo("quota", "m", code="quota_exceeded"), {"code": 429, "status": "quota_exceeded"}),
        (ErrorInfo("server", "m", "INTERNAL", 500, 500), {"code": 500, "status": "INTERNAL"}),
        (ErrorInfo("connection", "m"), {"code": 2}),
    ],
)  # fmt: skip
def test_an_error_has_a_number_as_its_code(error: ErrorInfo, told: dict[str, Any]) -> None:
    last = values([*HEAD, StreamEnd("failed", error)], NAME)[-1]
    assert last == {"error": {**told, "message": "m"}}


def test_media_and_annotations_that_have_a_place() -> None:
    media = [MediaDelta("audio/pcm;rate=24000", b"\x00\xff"), MediaDelta(None, b"x")]
    assert [e for e in back(answer(*media), NAME) if isinstance(e, MediaDelta)] == media
    told: list[tuple[str, Any]] = [
        ("signature", {"thoughtSignature": "sig", "thought": True}),
        ("citation", {"citations": [{"uri": "u"}]}),
        ("grounding", {"webSearchQueries": ["q"]}),
        ("url_context", {"urlMetadata": []}),
        ("logprobs", {"chosenCandidates": []}),
        ("logprobs", -0.5),
        ("safety", [{"category": "c", "probability": "HIGH"}]),
        ("finish_message", "why"),
        ("executable_code", {"code": "1", "language": "PYTHON"}),
        ("thought_media", {"mimeType": "image/png", "data": "AA=="}),
    ]
    assert notes(NAME, *[Annotation(kind, data) for kind, data in told]) == told


def test_annotations_of_other_protocols() -> None:
    told: list[tuple[str, Any]] = [
        ("citation", {"url": "u"}),
        ("logprobs", {"content": []}),
        ("signature", {"signature": "s"}),
        ("extra", {"x": 1}),
        ("server_tool_use", {"type": "server_tool_use"}),
    ]
    assert notes(NAME, *[Annotation(kind, data) for kind, data in told]) == []
