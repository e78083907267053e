"""Gemini Interactions: events written after its API reference."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sans_io_stream import (
    ErrorInfo,
    Finish,
    Limits,
    MediaDelta,
    ReasoningDelta,
    ResumePoint,
    StreamDecoder,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Unrecognized,
    Usage,
)
from tests.dialects.reading import Read, feed, jsonl, read, sse
from tests.dialects.spoiling import spoiled

COUNTS = {
    "total_tokens": 1983,
    "total_input_tokens": 22,
    "total_cached_tokens": 0,
    "total_output_tokens": 590,
    "total_tool_use_tokens": 198,
    "total_thought_tokens": 1173,
}


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {**fields, "event_type": kind}


def created(**fields: Any) -> dict[str, Any]:
    interaction = {"id": "v1_a", "status": "in_progress", "model": "gemini-2.5-flash"}
    return event("interaction.created", interaction=interaction, **fields)


def completed(status: str = "completed", **fields: Any) -> dict[str, Any]:
    interaction = {"id": "v1_a", "status": status, "model": "gemini-2.5-flash", **fields}
    return event("interaction.completed", interaction=interaction)


def start(index: int, kind: str, **step: Any) -> dict[str, Any]:
    return event("step.start", index=index, step={"type": kind, **step})


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return event("step.delta", index=index, delta={"type": kind, **fields})


def stop(index: int, **fields: Any) -> dict[str, Any]:
    return event("step.stop", index=index, **fields)


def interaction(*records: Any, **options: Any) -> Read:
    return read("gemini-interactions", sse(*records), **options)


def test_thoughts_text_and_counts() -> None:
    got = interaction(
        created(),
        event("interaction.status_update", interaction_id="v1_a", status="in_progress"),
        start(0, "thought"),
        delta(0, "thought_summary", content={"type": "text", "text": "hm"}),
        delta(0, "thought_signature", signature=""),
        delta(0, "thought_signature", signature="c2ln"),
        stop(0),
        start(1, "model_output"),
        delta(1, "text", text="Hel"),
        delta(1, "text", text="lo"),
        delta(1, "text_annotation_delta", annotations=[{"url": "u"}, {"url": "v"}]),
        stop(1),
        completed(usage=COUNTS),
        "[DONE]",
    )
    assert got.of(StreamStart) == [StreamStart("v1_a", "gemini-2.5-flash")]
    assert got.of(ReasoningDelta) == [ReasoningDelta("hm")]
    assert got.of(TextDelta) == [TextDelta("Hel"), TextDelta("lo")]
    assert got.annotations("signature") == [{"index": 0, "signature": "c2ln"}]
    assert got.annotations("citation") == [{"url": "u"}, {"url": "v"}]
    assert got.of(Finish) == [Finish("stop", "completed")]
    last = got.of(Usage)[-1]
    assert (last.prompt_tokens, last.completion_tokens, last.total_tokens) == (220, 1763, 1983)
    assert (last.reasoning_tokens, last.tool_prompt_tokens, last.cached_tokens) == (1173, 198, 0)
    assert last.final
    assert last.raw == COUNTS
    assert got.outcome == "complete"


def test_arguments_come_as_fragments_or_with_the_step() -> None:
    got = interaction(
        created(),
        start(0, "function_call", id="c0", name="f", arguments={}),
        start(1, "function_call", id="c1", name="g", arguments={"y": "é"}),
        delta(0, "arguments_delta", arguments='{"x"'),
        delta(0, "arguments_delta", arguments=":1}"),
        stop(1),
        stop(0),
        completed("requires_action"),
    )
    assert got.of(ToolCall) == [
        ToolCall(1, "c1", "g", '{"y":"é"}'),
        ToolCall(0, "c0", "f", '{"x":1}'),
    ]
    assert [e.arguments for e in got.of(ToolCallDelta) if e.index == 0] == ["", '{"x"', ":1}"]
    assert got.of(Finish) == [Finish("tool_calls", "requires_action")]


def test_a_call_that_is_cut_off_is_never_whole() -> None:
    got = interaction(
        created(),
        start(0, "function_call", id="c0", name="f", arguments={}),
        delta(0, "arguments_delta", arguments='{"x":1}'),
    )
    assert got.of(ToolCall) == []
    assert got.outcome == "interrupted"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("completed", "stop"),
        ("requires_action", "pause"),
        ("incomplete", "length"),
        ("budget_exceeded", "length"),
        ("something_new", "other"),
    ],
)
def test_every_status_ends(status: str, reason: Any) -> None:
    got = interaction(created(), start(0, "model_output"), delta(0, "text", text="a"),
                      completed(status))  # fmt: skip
    assert got.of(Finish) == [Finish(reason, status)]
    assert got.outcome == "complete"


@pytest.mark.parametrize("status", ["in_progress", "queued"])
def test_an_interaction_that_goes_on_has_not_ended(status: str) -> None:
    records = [created(), delta(0, "text", text="a"), completed(status)]
    got = interaction(*records)
    assert (got.outcome, got.of(Finish)) == ("interrupted", [])
    got = interaction(*records, delta(0, "text", text="b"), completed())
    assert (got.outcome, got.transcript.text) == ("complete", "ab")


def test_arguments_that_come_with_their_step_are_bounded() -> None:
    begun = start(0, "function_call", id="c", name="f", arguments={"x": "y" * 9})
    assert interaction(created(), begun, limits=Limits(arguments_bytes=17)).outcome == "interrupted"
    got = interaction(created(), begun, limits=Limits(arguments_bytes=16))
    assert got.error is not None
    assert "Limits.arguments_bytes" in got.error.message


@pytest.mark.parametrize(("status", "whole"), [("requires_action", True), ("incomplete", False)])
def test_a_call_that_stops_in_its_arguments_is_what_the_status_says(
    status: str, whole: bool
) -> None:
    got = interaction(
        created(), start(0, "function_call", id="c", name="f"),
        delta(0, "arguments_delta", arguments='{"x"'), stop(0), completed(status),
    )  # fmt: skip
    assert got.of(ToolCall) == ([ToolCall(0, "c", "f", '{"x"')] if whole else [])


def test_a_cancelled_interaction() -> None:
    got = interaction(created(), delta(0, "text", text="a"), completed("cancelled"))
    assert got.outcome == "failed"
    assert got.error == ErrorInfo("provider", "the generation was cancelled", "cancelled")
    assert got.of(Finish) == [Finish("error", "cancelled")]


def test_a_failed_interaction_has_failed() -> None:
    got = interaction(created(), delta(0, "text", text="a"), completed("failed"))
    assert got.outcome == "failed"
    assert got.of(Finish) == [Finish("error", "failed")]
    why = {"code": 13, "message": "broken", "status": "INTERNAL"}
    got = interaction(created(), start(0, "model_output", error=why), completed("failed"))
    assert got.error is not None
    assert (got.error.kind, got.error.message) == ("server", "broken")


@pytest.mark.parametrize(
    "record",
    [
        event("error", error={"code": "deadline_exceeded", "message": "late"}),
        {"error": {"code": 504, "message": "late", "status": "DEADLINE_EXCEEDED"}},
    ],
)
def test_errors_in_the_stream(record: dict[str, Any]) -> None:
    got = interaction(created(), delta(0, "text", text="a"), record)
    assert got.outcome == "failed"
    assert got.error is not None
    assert (got.error.kind, got.error.message) == ("timeout", "late")


def test_every_event_id_is_a_resume_point() -> None:
    got = interaction(
        created(event_id="e0"),
        start(0, "model_output"),
        {**delta(0, "text", text="a"), "event_id": "e1"},
        {**stop(0), "event_id": "e2"},
        {**completed(), "event_id": "e3"},
        "[DONE]",
    )
    points = got.of(ResumePoint)
    assert [(p.cursor, p.position, p.ended) for p in points] == [
        ("e0", 1, False), ("e1", 2, False), ("e2", 2, False), ("e3", 3, True),
    ]  # fmt: skip
    assert points[-1].origin.kind == "event_id"
    assert points[-1].origin.response_id == "v1_a"


def test_server_side_steps_and_media() -> None:
    image = base64.b64encode(b"img").decode()
    got = interaction(
        created(metadata={"total_usage": {"total_input_tokens": 3, "total_output_tokens": 0}}),
        start(0, "google_search_call", id="s"),
        delta(0, "google_search_call", arguments={"queries": ["q"]}),
        delta(1, "google_search_result", result=[1], is_error=False),
        delta(2, "image", data=image, mime_type="image/png"),
        delta(2, "video", uri="https://v"),
        stop(2, step_usage={"total_tokens": 1}),
        completed(),
    )
    assert got.annotations("google_search_call") == [
        {"index": 0, "id": "s"},
        {"index": 0, "arguments": {"queries": ["q"]}},
    ]
    assert got.annotations("google_search_result") == [
        {"index": 1, "result": [1], "is_error": False}
    ]
    assert got.of(MediaDelta) == [MediaDelta("image/png", b"img")]
    assert got.annotations("media") == [{"type": "video", "uri": "https://v"}]
    assert got.annotations("step_usage") == [{"index": 2, "total_tokens": 1}]
    assert got.of(Usage)[0].prompt_tokens == 3


def test_a_stream_without_its_last_event_is_interrupted() -> None:
    assert interaction(created(), delta(0, "text", text="a")).outcome == "interrupted"
    got = interaction(created(), delta(0, "text", text="a"), truncated=True)
    assert got.outcome == "interrupted"


def test_names_of_the_first_preview_and_of_the_events_alone() -> None:
    interaction = {"id": "i", "status": "completed", "model": "m"}
    records = [
        event("interaction.start", interaction={"id": "i", "model": "m"}),
        event("content.start", index=0, content={"type": "text"}),
        event("content.delta", index=0, delta={"type": "text", "text": "a"}),
        event("content.stop", index=0),
        event("content.delta", index=1, delta={"type": "function_call", "id": "c", "name": "f",
                                               "arguments": {"x": 1}}),
        event("content.stop", index=1),
        event("interaction.complete", interaction=interaction),
    ]  # fmt: skip
    got = read("gemini-interactions", jsonl(*records))
    assert got.transcript.text == "a"
    assert got.of(ToolCall) == [ToolCall(0, "c", "f", '{"x":1}')]
    assert got.of(Finish) == [Finish("tool_calls", "completed")]
    body = b'event: step.delta\ndata: {"index":0,"delta":{"type":"text","text":"b"}}\n\n'
    assert read("gemini-interactions", body).transcript.text == "b"


@pytest.mark.parametrize(
    "record",
    [event("step.jump"), delta(0, "smell", data=1), delta(9, "arguments_delta", arguments="{"), 5],
)
def test_what_is_unknown_is_unrecognized(record: Any) -> None:
    got = interaction(created(), record, completed())
    assert len(got.of(Unrecognized)) == 1
    assert got.outcome == "complete"


def test_wrong_types_anywhere_raise_nothing() -> None:
    records = [
        created(metadata={"usage": COUNTS}, event_id="e"),
        start(0, "function_call", id="c", name="f", arguments={}),
        start(0, "thought", summary=[{"text": "x"}], signature="s", content=[{"text": "y"}]),
        delta(0, "arguments_delta", arguments="{"),
        delta(0, "thought_summary", content={"text": "x"}),
        delta(0, "image", data="AAAA", mime_type="image/png"),
        delta(0, "text_annotation_delta", annotations=[{}]),
        stop(0, step_usage={}),
        completed(usage=COUNTS),
    ]
    for record in records:
        for other in spoiled(record):
            body = sse(*records[:2], other, completed())
            feed(StreamDecoder("gemini-interactions", content_type="text/event-stream"), body, 999)
