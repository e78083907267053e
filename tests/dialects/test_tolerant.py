"""JSON that msgspec refuses and servers send: read tolerantly, and told in events that are JSON."""

from __future__ import annotations

import json
import sys

import pytest

from sans_io_stream import (
    Annotation,
    Limits,
    ReasoningDelta,
    StreamDecoder,
    TextDelta,
    ToolCall,
    Unrecognized,
    Usage,
    encode_event,
)
from sans_io_stream.dialects.tolerant import Unreadable, read_json
from tests.dialects.chat_wire import CALLED, DONE, STOP, call, chat, chunk, counts, text
from tests.dialects.reading import feed, jsonl, read, sse

HIGH, LOW, BIRD, LONE = "\ud83e", "\udd9c", "🦜", "\ufffd"


# ---- halves of characters


def test_halves_in_two_records_are_one_character() -> None:
    got = chat(text("a" + HIGH), text(LOW + "b"), STOP, DONE)
    assert got.of(TextDelta) == [TextDelta("a"), TextDelta(BIRD + "b")]


def test_halves_wait_in_their_own_channel() -> None:
    got = chat(
        text(HIGH), chunk({"reasoning_content": HIGH}), text(HIGH, choice=1),
        chunk({"reasoning_content": LOW}), text(LOW, choice=1), text(LOW), STOP,
    )  # fmt: skip
    assert got.of(ReasoningDelta) == [ReasoningDelta(BIRD)]
    assert got.of(TextDelta) == [TextDelta(BIRD, 1), TextDelta(BIRD)]


def test_halves_in_the_arguments_of_calls_that_interleave() -> None:
    got = chat(
        call('{"a":"' + HIGH, 0, "a", "f"), call('{"b":"' + HIGH, 1, "b", "f"),
        call(LOW + '"}', 0), call(LOW + '"}', 1), CALLED, DONE,
    )  # fmt: skip
    assert [json.loads(whole.arguments) for whole in got.of(ToolCall)] == [{"a": BIRD}, {"b": BIRD}]


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        ((LOW,), LONE),
        ((HIGH, "x"), LONE + "x"),
        ((HIGH, HIGH, LOW), LONE + BIRD),
        ((HIGH + "x" + LOW,), LONE + "x" + LONE),
        ((LOW + HIGH, LOW), LONE + BIRD),
        ((HIGH,), LONE),
        ((HIGH, "", LOW), BIRD),
    ],
)
def test_a_half_that_finds_no_other_is_replaced(pieces: tuple[str, ...], whole: str) -> None:
    assert chat(*map(text, pieces), STOP, DONE).transcript.text == whole
    arguments = "".join(
        one.arguments
        for one in chat(call("", 0, "a", "f"), *(call(p, 0) for p in pieces), CALLED, DONE).of(
            ToolCall
        )
    )
    assert arguments == whole
    # Cut off, too, nothing of it is lost.
    assert chat(*map(text, pieces)).transcript.text == whole


def test_halves_in_other_dialects() -> None:
    lines = [
        {"model": "m", "created_at": "t", "response": half, "done": False} for half in (HIGH, LOW)
    ]
    assert read("ollama", jsonl(*lines)).transcript.text == BIRD
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": half}}
        for half in (HIGH, LOW)
    ]
    assert read("anthropic", sse(*deltas)).transcript.text == BIRD


# ---- what else msgspec refuses


def test_numbers_that_are_none() -> None:
    got = read(
        "openai-chat",
        b'data: {"choices":[{"delta":{"content":"x","novel":NaN}}],"t":-Infinity}\n\n',
    )
    assert got.transcript.text == "x"
    assert [json.loads(encode_event(event))["data"] for event in got.of(Annotation)] == [
        {"novel": None},
        {"t": None},
    ]
    big = counts(prompt_tokens=10**40, completion_tokens=3, cost=10**400)
    usage = chat(text("x"), big, STOP).of(Usage)[-1]
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cost) == (None, 3, None)


def test_control_characters_in_strings() -> None:
    body = b'data: {"choices":[{"delta":{"content":"a\tb\x01c"}}]}\n\n'
    assert read("openai-chat", body).transcript.text == "a\tb\x01c"


def test_invalid_utf8_is_replaced() -> None:
    body = b'data: {"choices":[{"delta":{"content":"a\xffb"}}]}\n\n'
    assert read("openai-chat", body).transcript.text == f"a{LONE}b"


def test_usage_of_a_record_that_took_a_tolerant_reading() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "note": HIGH}
    got = chat(text("x"), STOP, counts(**usage), DONE)
    assert got.of(Usage)[-1].raw == {**usage, "note": LONE}


@pytest.mark.parametrize(
    "data", [b"{", b"{]", b'{"a":}', b"nul", b"\x00", b'{"a":1}{"b":2}', b"'x'"]
)
def test_what_is_no_json_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read_json(data, 128)
    got = read("openai-chat", b"data: " + data + b"\n\n" + sse(text("x"), STOP))
    assert len(got.of(Unrecognized)) == 1
    assert got.outcome == "complete"


# ---- depth


def nested(depth: int, inner: str = "1") -> str:
    return "[" * depth + inner + "]" * depth


def test_depth_is_bounded_by_the_limit() -> None:
    limits = Limits(depth=8)
    got = read("openai-chat", sse(f'{{"choices":[],"usage":{{}},"x":{nested(7)}}}'), limits=limits)
    assert got.annotations("extra") != []
    got = read("openai-chat", sse(text("a"), f'{{"x":{nested(8)}}}', text("b")), limits=limits)
    assert (got.outcome, got.transcript.text) == ("failed", "a")
    assert got.error is not None
    assert (got.error.kind, "Limits.depth" in got.error.message) == ("limit", True)
    # Brackets in a string nest nothing.
    assert read("openai-chat", sse(text("[" * 100)), limits=limits).transcript.text == "[" * 100


@pytest.mark.parametrize("near", [*range(-60, 20, 7), 5000])
@pytest.mark.parametrize("odd", ["1", "NaN", '"\\ud83e"'])
def test_depth_near_the_stack_raises_nothing(near: int, odd: str) -> None:
    depth = sys.getrecursionlimit() + near
    limits = Limits(depth=10**6)
    for dialect in ("openai-chat", "ollama", "cohere", "anthropic", "gemini"):
        for record in (
            f'{{"x":{nested(depth, odd)}}}',
            f'{{"choices":[],"error":{nested(depth, odd)}}}',
        ):
            decoder = StreamDecoder(dialect, content_type="text/event-stream", limits=limits)
            feed(decoder, sse(text("a"), record, STOP), 1 << 20)
