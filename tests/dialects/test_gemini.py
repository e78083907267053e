"""Gemini: responses written after the references of the Gemini API and Vertex AI."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sans_io_stream import (
    Finish,
    MediaDelta,
    ReasoningDelta,
    StreamDecoder,
    StreamStart,
    TextDelta,
    Unrecognized,
    Usage,
)
from tests.dialects.gemini_wire import MODEL, counts, response
from tests.dialects.reading import Read, feed, read, sse
from tests.dialects.spoiling import spoiled


def text(words: str, **more: Any) -> dict[str, Any]:
    return response({"text": words}, **more)


def gemini(*records: Any, **options: Any) -> Read:
    return read("gemini", sse(*records), **options)


def test_text_counts_and_finish() -> None:
    got = gemini(
        text("Hel", usage=counts(1)),
        text("lo", usage=counts(2)),
        text(" 🦜", usage=counts(4)),
        text("!", usage=counts(5), finish="STOP"),
    )
    assert got.events[0] == StreamStart("r1", "gemini-2.5-flash")
    assert [e.text for e in got.of(TextDelta)] == ["Hel", "lo", " 🦜", "!"]
    assert got.of(Finish) == [Finish("stop", "STOP")]
    assert [e.completion_tokens for e in got.of(Usage)] == [21, 22, 24, 25, 25]
    last = got.of(Usage)[-1]
    assert (last.prompt_tokens, last.total_tokens, last.reasoning_tokens) == (9, 34, 20)
    assert last.final
    assert last.raw == counts(5)
    assert got.outcome == "complete"


def test_the_finish_waits_for_the_end_and_a_cut_is_known_from_the_transport() -> None:
    records = [text(word, finish="STOP", usage=counts(i)) for i, word in enumerate("abc", 1)]
    got = gemini(*records)
    assert len(got.of(Finish)) == 1
    assert isinstance(got.events[-3], Finish)
    assert got.outcome == "complete"
    assert gemini(*records, truncated=True).outcome == "interrupted"


def test_content_after_a_finish_reason_takes_it_back() -> None:
    cut = gemini(text("a", finish="STOP"), text("b"))
    assert cut.outcome == "interrupted"
    whole = gemini(text("a", finish="STOP"), text("b"), text("c", finish="MAX_TOKENS"))
    assert whole.of(Finish) == [Finish("length", "MAX_TOKENS")]
    assert whole.outcome == "complete"


def test_counts_without_candidates_after_the_finish_take_nothing_back() -> None:
    got = gemini(text("a", finish="STOP"), {"usageMetadata": counts(1), **MODEL})
    assert got.outcome == "complete"
    assert got.of(Usage)[-1].raw == counts(1)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"), ("LANGUAGE", "other"), ("OTHER", "other"),
        ("SPII", "content_filter"), ("IMAGE_SAFETY", "content_filter"), ("NO_IMAGE", "other"),
        ("MALFORMED_FUNCTION_CALL", "error"), ("UNEXPECTED_TOOL_CALL", "error"),
        ("TOO_MANY_TOOL_CALLS", "error"), ("NEVER_SEEN", "other"), (1, "stop"), (2, "length"),
        (3, "content_filter"), (10, "error"), (99, "other"),
    ],
)  # fmt: skip
def test_finish_reasons_in_words_and_numbers(word: Any, reason: Any) -> None:
    got = gemini(text("a"), text("b", finish=word))
    assert got.of(Finish) == [Finish(reason, str(word))]
    assert got.outcome == "complete"


@pytest.mark.parametrize("word", ["FINISH_REASON_UNSPECIFIED", 0, "", None])
def test_an_unspecified_finish_reason_is_none(word: Any) -> None:
    got = gemini(text("a", candidate={"finishReason": word}))
    assert got.of(Finish) == []
    assert got.outcome == "interrupted"


def test_a_blocked_prompt_is_a_finish() -> None:
    ratings = [{"category": "HARM_CATEGORY_HATE_SPEECH", "probability": "HIGH"}]
    feedback = {"blockReason": "PROHIBITED_CONTENT", "safetyRatings": ratings}
    got = gemini({"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 4}})
    assert got.of(Finish) == [Finish("content_filter", "promptFeedback:PROHIBITED_CONTENT")]
    assert got.annotations("prompt_feedback") == [feedback]
    assert got.of(Usage)[-1].prompt_tokens == 4
    assert got.outcome == "complete"


def test_counts_that_later_records_drop_stand() -> None:
    tools = {"toolUsePromptTokenCount": 100, "cachedContentTokenCount": 3}
    got = gemini(
        text("a", usage={**counts(1), **tools}),
        text("b", usage={"promptTokenCount": 9, "candidatesTokenCount": 7}),
        text("c", usage={"trafficType": "ON_DEMAND"}, finish="STOP"),
    )
    last = got.of(Usage)[-1]
    assert (last.prompt_tokens, last.tool_prompt_tokens) == (109, 100)
    assert (last.completion_tokens, last.reasoning_tokens) == (27, 20)
    assert (last.cached_tokens, last.total_tokens) == (3, 136)
    assert last.raw == {"trafficType": "ON_DEMAND"}


def test_equal_counts_are_told_once_and_traffic_alone_counts_nothing() -> None:
    traffic = {"trafficType": "ON_DEMAND"}
    got = gemini(
        *[text(word, usage=traffic) for word in "abcdef"],
        *[text(word, usage={**counts(3), **traffic}) for word in "gh"],
        text("", usage={**counts(3), **traffic, "candidatesTokensDetails": []}, finish="STOP"),
    )
    assert [(e.completion_tokens, e.final) for e in got.of(Usage)] == [(23, False), (23, True)]
    assert got.of(Usage)[-1].raw["candidatesTokensDetails"] == []


def test_audio_has_a_count_of_its_own() -> None:
    heard = [{"modality": "TEXT", "tokenCount": 2}, {"modality": "AUDIO", "tokenCount": 7}]
    plain = [text(word, usage=counts(i)) for i, word in enumerate("abc", 1)]
    got = gemini(
        *plain, text("d", usage={**counts(4), "promptTokensDetails": heard}, finish="STOP")
    )
    assert got.of(Usage)[-1].audio_prompt_tokens == 7
    assert got.transcript.text == "abcd"


def test_thoughts_media_and_parts_of_other_kinds() -> None:
    image = base64.b64encode(b"\x89PNG").decode()
    code = {"language": "PYTHON", "code": "print(1)"}
    got = gemini(
        response({"text": "hm", "thought": True}),
        response({"text": " so", "thought": True, "thoughtSignature": "c2ln"}),
        response({"inlineData": {"mimeType": "image/png", "data": image}}),
        response({"executableCode": code}, {"codeExecutionResult": {"outcome": "OUTCOME_OK"}}),
        response({"fileData": {"fileUri": "gs://a"}}, {"newPart": 1}, finish="STOP"),
    )
    assert [e.text for e in got.of(ReasoningDelta)] == ["hm", " so"]
    assert got.annotations("signature") == [{"thoughtSignature": "c2ln", "thought": True}]
    assert got.of(MediaDelta) == [MediaDelta("image/png", b"\x89PNG")]
    assert got.annotations("executable_code") == [code]
    assert got.annotations("code_execution_result") == [{"outcome": "OUTCOME_OK"}]
    assert got.annotations("file_data") == [{"fileUri": "gs://a"}]
    assert got.annotations("extra") == [{"newPart": 1}]


def test_what_stands_beside_the_content_is_told_if_it_says_something() -> None:
    quiet = [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"}]
    blocked = [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "LOW", "blocked": True}]
    grounding = {"webSearchQueries": ["q"]}
    got = gemini(
        text("a", candidate={"safetyRatings": quiet, "groundingMetadata": {}}),
        text("b", candidate={"groundingMetadata": grounding, "avgLogprobs": -0.5}),
        text("c", candidate={"safetyRatings": blocked, "newField": "x"}, modelStatus="old"),
        text("", candidate={"citationMetadata": {"citations": [1]}}, finish="SAFETY"),
    )
    assert got.annotations("grounding") == [grounding]
    assert got.annotations("logprobs") == [-0.5]
    assert got.annotations("safety") == [blocked]
    assert got.annotations("citation") == [{"citations": [1]}]
    assert got.annotations("extra") == [{"newField": "x"}, {"modelStatus": "old"}]


def test_candidates_finish_one_by_one() -> None:
    def candidate(index: int, words: str, **more: Any) -> dict[str, Any]:
        return {"index": index, "content": {"parts": [{"text": words}]}, **more}

    first = {"candidates": [candidate(0, "a"), candidate(1, "x", finishReason="STOP")]}
    assert gemini(first).outcome == "interrupted"
    got = gemini(first, {"candidates": [candidate(0, "b", finishReason="MAX_TOKENS")]})
    assert got.of(Finish) == [Finish("length", "MAX_TOKENS", 0), Finish("stop", "STOP", 1)]
    assert [got.transcript.choice(i).text for i in (0, 1)] == ["ab", "x"]


def test_snake_case_and_any_framing_read_alike() -> None:
    records = [text("a", usage=counts(1)), text("b", usage=counts(2), finish="STOP")]
    snake = json.dumps(records)
    for name in ("usageMetadata", "promptTokenCount", "candidatesTokenCount", "finishReason",
                 "thoughtsTokenCount", "totalTokenCount", "responseId"):  # fmt: skip
        spelled = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
        snake = snake.replace(name, spelled)
    expected = gemini(*records)
    array = json.dumps(records, indent=2).encode()
    bodies = [sse(*json.loads(snake)), array, snake.encode(), json.dumps(records).encode()]
    for body in bodies:
        got = read("gemini", body, content_type="application/json")
        answers = [event for event in got.events if not isinstance(event, Usage)]
        assert answers == [event for event in expected.events if not isinstance(event, Usage)]
        assert [e.total_tokens for e in got.of(Usage)] == [30, 31, 31]


@pytest.mark.parametrize("as_array", [False, True])
def test_an_error_in_the_stream_outweighs_the_finish(as_array: bool) -> None:
    error: Any = {"code": 503, "message": "overloaded", "status": "UNAVAILABLE", "details": []}
    told = {"error": error}
    got = gemini(text("a", finish="STOP"), [told] if as_array else told)
    assert got.outcome == "failed"
    assert got.error is not None
    assert (got.error.kind, got.error.code, got.error.type) == ("overloaded", 503, "UNAVAILABLE")
    assert got.of(Finish) == [Finish("error", "STOP")]


@pytest.mark.parametrize("record", [{"this": [1]}, {"candidates": 5}, 7, "x", ["x"], "{broken"])
def test_what_is_no_response_is_unrecognized(record: Any) -> None:
    got = gemini(text("a"), record, text("b", finish="STOP"))
    assert len(got.of(Unrecognized)) == 1
    assert got.transcript.text == "ab"
    assert got.outcome == "complete"


def test_wrong_types_anywhere_raise_nothing() -> None:
    record = text("a", usage=counts(1), finish="STOP", candidate={"safetyRatings": [{}]})
    record["candidates"][0]["content"]["parts"] += [
        {"inlineData": {"mimeType": "image/png", "data": "AA=="}, "thoughtSignature": "x"},
        {"functionCall": {"name": "f", "partialArgs": [{"jsonPath": "$.a", "boolValue": True}]}},
    ]
    record |= {"promptFeedback": {"blockReason": "SAFETY", "safetyRatings": []}}
    for other in spoiled(record):
        body = sse(text("b", usage=counts(1)), other, text("c", finish="STOP"))
        events = feed(StreamDecoder("gemini", content_type="text/event-stream"), body, 4096)
        assert "".join(e.text for e in events if isinstance(e, TextDelta)).startswith("b")
