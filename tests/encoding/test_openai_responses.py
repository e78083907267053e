"""Responses, as clients read them: item by item, and once more whole at the end."""

from __future__ import annotations

from typing import Any

import pytest

from sans_io_stream import (
    Annotation,
    ErrorInfo,
    Finish,
    MediaDelta,
    RefusalDelta,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from sans_io_stream.encoding import Encoder

from .writing import CALLS, HEAD, SAID, answer, back, body_of, notes, values, whole_calls

NAME = "openai-responses"


def put_together(records: list[Any]) -> list[dict[str, Any]]:
    """The items, from the deltas alone; fails where the records are out of order."""
    items: dict[int, dict[str, Any]] = {}
    for record in records:
        kind, place = record["type"], record.get("output_index")
        if kind == "response.output_item.added":
            assert place == len(items)
            items[place] = {"type": record["item"]["type"], "said": "", "done": None}
        elif kind.endswith(".delta"):
            assert items[place]["done"] is None
            items[place]["said"] += record["delta"]
        elif kind in ("response.output_text.done", "response.reasoning_summary_text.done"):
            assert record["text"] == items[place]["said"]
        elif kind == "response.function_call_arguments.done":
            assert record["arguments"] == items[place]["said"]
        elif kind == "response.output_item.done":
            items[place]["done"] = record["item"]
    return list(items.values())


def test_a_client_puts_the_answer_together() -> None:
    counted = Usage(prompt_tokens=9, completion_tokens=4, total_tokens=13, reasoning_tokens=1)
    events = answer(*SAID, *CALLS, TextDelta("!"), reason="tool_calls", usage=counted)
    records = values(events, NAME, created=7, background=True, sequence=5)
    assert [record["sequence_number"] for record in records] == [*range(5, 5 + len(records))]
    first, last = records[0], records[-1]
    assert (first["type"], last["type"]) == ("response.created", "response.completed")
    for response in (first["response"], last["response"]):
        told = [response[name] for name in ("id", "model", "created_at", "background")]
        assert told == ["r1", "m1", 7, True]
    items = put_together(records)
    assert [(item["type"], item["said"]) for item in items] == [
        ("reasoning", "Hm."),
        ("message", "Hello"),
        ("function_call", '{"a":1}'),
        ("function_call", '{"b":2}'),
        ("message", "!"),
    ]
    output = last["response"]["output"]
    assert output == [item["done"] for item in items]
    assert output[1]["content"][0]["text"] == "Hello"
    assert {item["status"] for item in output} == {"completed"}
    assert [output[2][name] for name in ("call_id", "name")] == ["c1", "f"]
    assert last["response"]["usage"] == {
        "input_tokens": 9, "output_tokens": 4, "total_tokens": 13,
        "output_tokens_details": {"reasoning_tokens": 1},
    }  # fmt: skip


def test_the_event_name_is_the_type() -> None:
    blocks = body_of(answer(*SAID), NAME)[0].decode().rstrip("\n").split("\n\n")
    for block in blocks:
        name, data = block.split("\n")
        assert data.startswith(f'data: {{"type":"{name.removeprefix("event: ")}",')


def test_the_next_number_can_be_asked_for() -> None:
    encoder = Encoder(NAME, sequence=3)
    assert encoder.sequence == 3
    assert len(encoder.records(HEAD[0])) == 1
    assert encoder.sequence == 4
    assert len(encoder.records(TextDelta("x"))) == 3
    assert encoder.sequence == 7
    assert Encoder("openai-chat").sequence is None


def test_a_call_that_was_cut_off_is_incomplete() -> None:
    events = answer(ToolCallDelta(0, "c", "f", '{"a":'), reason="length")
    last = values(events, NAME)[-1]["response"]
    assert last["output"][0]["status"] == "incomplete"
    assert not whole_calls(back(events, NAME))


def test_a_call_without_an_id_gets_none() -> None:
    piece, whole = ToolCallDelta(0, None, "f", "{}"), ToolCall(0, None, "f", "{}")
    assert whole_calls(back(answer(piece, whole, reason="tool_calls"), NAME)) == [whole]


def test_the_answer_may_be_named_late() -> None:
    records = values([StreamStart(), *HEAD, StreamEnd("complete")], NAME)
    assert [record["type"] for record in records] == [
        "response.created", "response.in_progress", "response.completed",
    ]  # fmt: skip
    found = back([StreamStart(), *HEAD, StreamEnd("complete")], NAME)
    assert [e for e in found if isinstance(e, StreamStart)] == [StreamStart(), *HEAD]


@pytest.mark.parametrize(
    ("finish", "status", "why"),
    [
        (Finish("stop", "end_turn"), "completed", None),
        (Finish("tool_calls", None), "completed", None),
        (Finish("length", "max_tokens"), "incomplete", "max_output_tokens"),
        (Finish("length", "incomplete:max_tokens"), "incomplete", "max_tokens"),
        (Finish("refusal", "refusal"), "incomplete", "content_filter"),
        (Finish("other", "brand new"), "incomplete", "brand new"),
        (Finish("error", "failed"), "incomplete", "error"),
        (Finish("other", "incomplete"), "incomplete", None),
    ],
)
def test_reasons(finish: Finish, status: str, why: str | None) -> None:
    events = [*HEAD, TextDelta("x"), finish, StreamEnd("complete")]
    last = values(events, NAME)[-1]
    assert last["type"] == f"response.{status}"
    assert last["response"]["incomplete_details"] == (why and {"reason": why})
    assert back(events, NAME)[-1] == StreamEnd("complete")


def test_a_failure_is_the_response_that_failed() -> None:
    error = ErrorInfo("rate_limit", "slow", "tokens", "rate_limit_exceeded", retryable=True)
    events = [*HEAD, Usage(prompt_tokens=9), TextDelta("x"), StreamEnd("failed", error)]
    last = values(events, NAME)[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["error"] == {
        "code": "rate_limit_exceeded", "message": "slow", "type": "tokens",
    }  # fmt: skip
    assert last["response"]["usage"] == {"input_tokens": 9}
    assert back(events, NAME)[-1] == StreamEnd("failed", error)


def test_a_cancelled_answer_is_said_to_be() -> None:
    last = values([*HEAD, TextDelta("x"), StreamEnd("cancelled")], NAME)[-1]
    assert last["type"] == "response.cancelled"


def test_refusals_and_media() -> None:
    media = [
        MediaDelta("image/png", b"\x89"),
        MediaDelta("image/svg+xml", b"<"),
        MediaDelta(None, b"a"),
    ]
    found = back(answer(RefusalDelta("no"), *media, TextDelta("x")), NAME)
    assert RefusalDelta("no") in found
    assert [event for event in found if isinstance(event, MediaDelta)] == media


def test_annotations_that_have_a_place() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    piece = {"item_id": "ci_1", "output_index": 9, "delta": "print(1)"}
    told: list[tuple[str, Any]] = [
        ("citation", {"type": "url_citation", "url": "u"}),
        ("logprobs", [{"token": "x", "logprob": -1.0}]),
        ("encrypted_reasoning", {"id": "rs_9", "encrypted_content": "gAAA"}),
        ("web_search_call", search),
        ("code_interpreter_call_code", piece),
        ("audio", {"transcript": "hi"}),
        ("content_filter", [{"blocked": False}]),
        ("moderation", {"flagged": False}),
    ]
    assert notes(NAME, *[Annotation(kind, data) for kind, data in told]) == told


def test_annotations_of_other_protocols() -> None:
    tokens = {"content": [{"token": "x"}]}
    assert notes(NAME, Annotation("logprobs", tokens)) == [("logprobs", tokens["content"])]
    for kind in ("signature", "server_tool_use", "function_call", "message", "extra"):
        assert notes(NAME, Annotation(kind, {"type": kind, "signature": "x"})) == []
