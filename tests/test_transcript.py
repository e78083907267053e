"""Transcript: what events amount to."""

from __future__ import annotations

import pytest

from sans_io_stream import (
    Finish,
    LimitExceeded,
    Limits,
    ReasoningDelta,
    RefusalDelta,
    Resumed,
    StreamEnd,
    StreamFailed,
    StreamInterrupted,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Transcript,
    Usage,
)
from sans_io_stream.errors import AuthenticationFailed, ErrorInfo, RateLimited


def test_pieces_are_joined_by_choice() -> None:
    transcript = Transcript.of(
        [
            StreamStart("r", "m"),
            ReasoningDelta("th"),
            ReasoningDelta("ink"),
            TextDelta("a"),
            TextDelta("x", 1),
            TextDelta("b"),
            RefusalDelta("no"),
            Finish("stop", "stop"),
            Finish("length", "max", 1),
            StreamEnd("complete"),
        ]
    )
    assert (transcript.text, transcript.reasoning, transcript.refusal) == ("ab", "think", "no")
    assert (transcript.choices[1].text, transcript.choices[1].finish_reason) == ("x", "length")
    assert (transcript.response_id, transcript.model) == ("r", "m")
    assert transcript.chunks_received == 6
    transcript.raise_for_outcome()


def test_a_partial_call_is_there_and_marked() -> None:
    transcript = Transcript.of(
        [
            ToolCallDelta(0, "c0", "f", '{"a"'),
            ToolCallDelta(0, "c0", "f", ":1}"),
            ToolCall(0, "c0", "f", '{"a":1}'),
            ToolCallDelta(1, "c1", "g", '{"b'),
        ]
    )
    whole, partial = transcript.tool_calls
    assert (whole.arguments, whole.complete) == ('{"a":1}', True)
    assert (partial.arguments, partial.complete, partial.name) == ('{"b', False, "g")


def test_a_restart_voids_the_text_and_not_the_bill() -> None:
    transcript = Transcript.of(
        [
            StreamStart("r0", "m"),
            TextDelta("void"),
            Usage(prompt_tokens=5, completion_tokens=2),
            Resumed("restart"),
            StreamStart("r1", "m", 1),
            TextDelta("good"),
            Usage(prompt_tokens=5, completion_tokens=9, final=True, generation=1),
        ]
    )
    assert (transcript.text, transcript.response_id) == ("good", "r1")
    assert transcript.usage is not None
    assert transcript.usage.completion_tokens == 9
    assert [usage.completion_tokens for usage in transcript.billed] == [2, 9]


def test_a_continuation_adds_its_counts() -> None:
    transcript = Transcript.of(
        [
            TextDelta("one "),
            Usage(prompt_tokens=5, completion_tokens=2, cached_tokens=1),
            Resumed("continuation"),
            TextDelta("two"),
            Usage(prompt_tokens=7, completion_tokens=3, final=True, generation=1),
        ]
    )
    usage = transcript.usage
    assert transcript.text == "one two"
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == (12, 5, 1)
    assert usage.reasoning_tokens is None
    assert not usage.final


def test_snapshots_of_one_generation_are_never_added() -> None:
    transcript = Transcript.of([Usage(prompt_tokens=4), Usage(prompt_tokens=4, final=True)])
    assert transcript.usage is not None
    assert transcript.usage.prompt_tokens == 4


def test_it_is_bounded_in_bytes() -> None:
    transcript = Transcript(Limits(transcript_bytes=10))
    transcript.add(TextDelta("é" * 5))
    with pytest.raises(LimitExceeded, match="transcript_bytes"):
        transcript.add(TextDelta("x"))
    assert transcript.text == "é" * 5


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (StreamEnd("interrupted"), StreamInterrupted),
        (StreamEnd("failed", ErrorInfo("server", "x")), StreamFailed),
        (StreamEnd("failed", ErrorInfo("rate_limit", "x")), RateLimited),
        (StreamEnd("failed", ErrorInfo("authentication", "x")), AuthenticationFailed),
        (StreamEnd("failed", ErrorInfo("limit", "x")), LimitExceeded),
    ],
)
def test_the_outcome_is_raised(end: StreamEnd, expected: type[Exception]) -> None:
    transcript = Transcript.of([TextDelta("so far"), end])
    with pytest.raises(expected) as raised:
        transcript.raise_for_outcome()
    assert getattr(raised.value, "transcript", None) is transcript
    with pytest.raises(expected):
        end.raise_for_outcome()


def test_without_an_end_it_is_interrupted() -> None:
    with pytest.raises(StreamInterrupted, match="without a StreamEnd"):
        Transcript().raise_for_outcome()
    Transcript.of([StreamEnd("cancelled")]).raise_for_outcome()
