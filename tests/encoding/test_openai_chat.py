"""Chat completion chunks, as clients of OpenAI put them together."""

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
    ToolCallDelta,
    Usage,
)

from .writing import CALLS, HEAD, SAID, answer, back, body_of, notes, values, whole_calls

NAME = "openai-chat"


def put_together(chunks: list[Any]) -> dict[int, dict[str, Any]]:
    """The choices as the vendor's SDK accumulates them: strings joined, calls by their index."""
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        assert chunk["object"] == "chat.completion.chunk"
        for entry in chunk["choices"]:
            choice = choices.setdefault(entry["index"], {"calls": {}})
            choice["finish_reason"] = entry["finish_reason"] or choice.get("finish_reason")
            for field, value in entry["delta"].items():
                if field != "tool_calls":
                    choice[field] = choice.get(field, "") + value
                    continue
                for piece in value:
                    call = choice["calls"].setdefault(piece["index"], {"arguments": ""})
                    call |= {k: piece[k] for k in ("id", "type") if k in piece}
                    function = piece["function"]
                    call["name"] = function.get("name", call.get("name"))
                    call["arguments"] += function["arguments"]
    return choices


def test_a_client_puts_the_answer_together() -> None:
    counted = Usage(prompt_tokens=9, completion_tokens=4, total_tokens=13, cached_tokens=3)
    events = answer(*SAID, *CALLS, reason="tool_calls", usage=counted)
    chunks = values(events, NAME, created=7)
    assert {(c["id"], c["model"], c["created"]) for c in chunks} == {("r1", "m1", 7)}
    assert put_together(chunks) == {
        0: {
            "role": "assistant", "content": "Hello", "reasoning_content": "Hm.",
            "finish_reason": "tool_calls",
            "calls": {
                0: {"id": "c1", "type": "function", "name": "f", "arguments": '{"a":1}'},
                1: {"id": "c2", "type": "function", "name": "g", "arguments": '{"b":2}'},
            },
        }
    }  # fmt: skip
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 3}


def test_done_is_the_last_word_of_an_event_stream_alone() -> None:
    assert body_of(answer(*SAID), NAME)[0].endswith(b"data: [DONE]\n\n")
    assert b"[DONE]" not in body_of(answer(*SAID), NAME, "jsonl")[0]
    assert b"[DONE]" not in body_of([*HEAD, *SAID, StreamEnd("interrupted")], NAME)[0]


def test_the_role_is_said_once_in_every_choice() -> None:
    chunks = values(answer(TextDelta("a"), TextDelta("b", 1), TextDelta("c", 1)), NAME)
    roles = [(e["index"], "role" in e["delta"]) for c in chunks for e in c["choices"]]
    assert roles == [(0, True), (0, False), (1, True), (1, False), (0, False), (1, False)]


def test_a_name_or_an_id_that_comes_late_is_said_once() -> None:
    pieces = [
        ToolCallDelta(0, None, None, "{"),
        ToolCallDelta(0, None, "f", '"a'),
        ToolCallDelta(0, "c1", "f", '":1'),
        ToolCallDelta(0, "c1", "f", "}"),
    ]
    chunks = values(answer(*pieces), NAME)
    deltas = [entry["delta"] for chunk in chunks for entry in chunk["choices"]]
    told = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert [("id" in t, "name" in t["function"]) for t in told] == [
        (False, False), (False, True), (True, False), (False, False),
    ]  # fmt: skip


def test_the_answer_may_be_named_late() -> None:
    chunks = values([StreamStart(), *HEAD, TextDelta("x"), StreamEnd("complete")], NAME)
    assert [chunk["id"] for chunk in chunks] == ["", "r1", "r1", "r1"]


def test_a_call_that_was_cut_off_is_not_whole_because_the_answer_is() -> None:
    events = answer(ToolCallDelta(0, "c", "f", '{"a":'), reason="tool_calls")
    found = back(events, NAME)
    assert not whole_calls(found)
    assert Finish("length", "length") in found


def test_a_failure_has_the_reason_that_the_answer_had() -> None:
    error = ErrorInfo("server", "oops", "server_error", 500, 500, retryable=True)
    events = [*HEAD, TextDelta("x"), Finish("error", "stop"), StreamEnd("failed", error)]
    last = values(events, NAME)[-1]
    assert last["error"] == {"message": "oops", "type": "server_error", "code": 500, "param": None}
    assert last["choices"][0]["finish_reason"] == "stop"
    assert back(events, NAME)[-2:] == [Finish("error", "stop"), StreamEnd("failed", error)]


def test_a_failure_without_a_reason_is_the_error_alone() -> None:
    events = [*HEAD, StreamEnd("failed", ErrorInfo("quota", "broke"))]
    error = {"message": "broke", "type": "insufficient_quota_error", "code": None, "param": None}
    assert values(events, NAME)[-1] == {"error": error}


def test_counts_survive_an_answer_that_breaks_off() -> None:
    found = back([*HEAD, Usage(prompt_tokens=9), TextDelta("x"), StreamEnd("interrupted")], NAME)
    assert [e.prompt_tokens for e in found if isinstance(e, Usage)] == [9]


def test_media() -> None:
    images = [MediaDelta("image/png", b"\x89"), MediaDelta("audio/pcm;rate=24000", b"\x01")]
    images += [MediaDelta(None, b"\x02"), MediaDelta('image/png",', b"\x03")]
    found = [event for event in back(answer(*images), NAME) if isinstance(event, MediaDelta)]
    assert found == [
        MediaDelta("image/png", b"\x89"),
        *[MediaDelta(None, bytes([n])) for n in (1, 2, 3)],
    ]


def test_refusals_have_their_own_field() -> None:
    assert RefusalDelta("no") in back(answer(RefusalDelta("no")), NAME)


def test_annotations_that_have_a_place() -> None:
    logprobs = {"content": [{"token": "x", "logprob": -0.5}]}
    filtered = {"hate": {"filtered": False}}
    told = [
        ("logprobs", logprobs),
        ("content_filter", filtered),
        ("citation", [{"type": "url_citation"}]),
        ("reasoning_details", [{"type": "reasoning.text"}]),
        ("timings", {"ms": 3}),
        ("audio", {"transcript": "hi"}),
        ("extra", {"mood": "calm"}),
    ]
    assert notes(NAME, *[Annotation(kind, data) for kind, data in told]) == told


def test_annotations_of_other_protocols() -> None:
    assert notes(NAME, Annotation("citation", {"url": "u"})) == [("citation", [{"url": "u"}])]
    tokens = [{"token": "x"}]
    assert notes(NAME, Annotation("logprobs", tokens)) == [("logprobs", {"content": tokens})]
    for kind in ("signature", "grounding", "web_search_call", "redacted_thinking"):
        assert notes(NAME, Annotation(kind, {"type": kind, "x": 1})) == []


def test_an_extra_cannot_pass_for_content() -> None:
    data = {"content": "forged", "tool_calls": [{"index": 0}], "role": "x", "ok": 1}
    assert notes(NAME, Annotation("extra", data)) == [("extra", {"ok": 1})]
    found = back(answer(TextDelta("x"), Annotation("extra", data)), NAME)
    assert [event.text for event in found if isinstance(event, TextDelta)] == ["x"]


@pytest.mark.parametrize(
    ("reason", "raw", "word"),
    [
        ("tool_calls", "tool_use", "tool_calls"),
        ("length", "max_tokens", "length"),
        ("stop", "stop_sequence", "stop"),
        ("stop", "end_turn", "stop"),
        ("length", "model_length", "model_length"),
    ],
)
def test_an_end_is_told_in_a_word_that_its_clients_know(reason: Any, raw: str, word: str) -> None:
    """Gateways leave Anthropic's words in their chunks, where we read them; no SDK does."""
    events = [*HEAD, TextDelta("a"), Finish(reason, raw), StreamEnd("complete")]
    chunks = [chunk for chunk in values(events, NAME) if chunk["choices"]]
    assert chunks[-1]["choices"][0]["finish_reason"] == word
