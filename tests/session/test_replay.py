"""Replay: what comes again is compared per channel, and nothing new gets out before it has.

Borders of deltas, ids, counts and the number of details that come with deltas mean nothing;
content, names and whole events do.
"""

from __future__ import annotations

import pytest

from sans_io_stream import (
    Annotation,
    Event,
    Finish,
    MediaDelta,
    ReasoningDelta,
    Record,
    RefusalDelta,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from sans_io_stream.session.replay import Delivered, Replay

LIMIT = 1 << 20


def replay_of(*delivered: Event, limit: int = LIMIT, started: bool = True) -> Replay:
    known = Delivered()
    known.note(list(delivered))
    return Replay(known, limit, started)


def arguments(text: str, index: int = 0, name: str | None = None) -> ToolCallDelta:
    return ToolCallDelta(index=index, arguments=text, name=name)


def test_only_what_is_new_comes_out_at_any_border() -> None:
    text = "Hello, wörld 🦜!"
    for size in range(1, 6):
        for delivered in range(1, len(text)):
            replay = replay_of(*(TextDelta(letter) for letter in text[:delivered]))
            told: list[Event] = []
            for place in range(0, len(text), size):
                told += replay.admit([TextDelta(text[place : place + size])])
            assert "".join(e.text for e in told if isinstance(e, TextDelta)) == text[delivered:]
            assert replay.caught_up
            assert not replay.why


def test_nothing_comes_out_before_all_channels_have_come_again() -> None:
    replay = replay_of(TextDelta("ab"), ReasoningDelta("cd"))
    assert replay.admit([TextDelta("abX")]) == []
    assert replay.admit([ReasoningDelta("c")]) == []
    assert not replay.caught_up
    assert replay.admit([ReasoningDelta("dY"), Finish("stop")]) == [
        TextDelta("X"),
        ReasoningDelta("Y"),
        Finish("stop"),
    ]


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (TextDelta("Hello"), TextDelta("Jello")),
        (TextDelta("Hello"), TextDelta("Hellp")),
        (TextDelta("ö"), TextDelta("ä")),
        (ReasoningDelta("a"), ReasoningDelta("b")),
        (RefusalDelta("a"), RefusalDelta("b")),
        (arguments('{"a"'), arguments('{"b"')),
        (arguments("", name="f"), arguments("", name="g")),
        (MediaDelta(data=b"\0\1", mime_type="a/b"), MediaDelta(data=b"\0\2", mime_type="a/b")),
        (Record("m", "x"), Record("m", "y")),
        (Record("tick", "x"), Record("tock", "x")),
        (ToolCall(0, "c", "f", "{}"), ToolCall(0, "c", "g", "{}")),
    ],
)
def test_another_content_is_refused_and_nothing_comes_out(first: Event, again: Event) -> None:
    replay = replay_of(first, TextDelta("!"))
    assert replay.admit([again, TextDelta("!"), TextDelta("more")]) == []
    assert "differs" in replay.why
    assert not replay.caught_up
    assert replay.admit([first, TextDelta("!")]) == []


def test_channels_are_apart() -> None:
    one, other = TextDelta("a", choice=0), TextDelta("a", choice=1)
    assert replay_of(one).admit([other]) == []
    replay = replay_of(one, other)
    assert replay.admit([other, one, TextDelta("b", choice=1)]) == [TextDelta("b", choice=1)]
    replay = replay_of(arguments("1", 0), arguments("2", 1))
    assert replay.admit([arguments("23", 1), arguments("1", 0)]) == [arguments("3", 1)]


def test_ids_and_counts_mean_nothing() -> None:
    replay = replay_of(StreamStart("a"), Usage(prompt_tokens=1), TextDelta("x"))
    again: list[Event] = [
        StreamStart("b"),
        Usage(prompt_tokens=2),
        TextDelta("x"),
        Usage(prompt_tokens=3),
    ]
    assert replay.admit(again) == [Usage(prompt_tokens=3)]
    replay = replay_of(ToolCall(0, "c1", "f", "{}"))
    assert replay.admit([ToolCall(0, "c2", "f", "{}")]) == []
    assert replay.caught_up


def test_a_start_that_was_not_delivered_is_new() -> None:
    start = StreamStart("a")
    assert replay_of(started=False).admit([start, TextDelta("x")]) == [start, TextDelta("x")]
    assert replay_of(started=True).admit([start, TextDelta("x")]) == [TextDelta("x")]


@pytest.mark.parametrize("kind", ["content_filter", "extra", "logprobs", "timings"])
def test_details_beside_deltas_may_be_fewer_or_more(kind: str) -> None:
    detail = Annotation(kind, {"a": 1})
    replay = replay_of(TextDelta("a"), detail, TextDelta("b"), detail)
    assert replay.admit([TextDelta("ab"), TextDelta("c")])[-1] == TextDelta("c")
    assert not replay.why


def test_an_annotation_is_known_by_its_kind_and_number() -> None:
    first, second = Annotation("citation", {"id": 1}), Annotation("citation", {"id": 2})
    replay = replay_of(first)
    assert replay.admit([]) == []
    assert replay.admit([second, first]) == [first]


def test_a_replay_that_is_shorter_never_catches_up() -> None:
    replay = replay_of(TextDelta("abc"))
    assert replay.admit([TextDelta("ab"), Finish("stop"), StreamEnd("complete")]) == []
    assert not replay.caught_up


def test_what_is_held_back_is_bounded() -> None:
    replay = replay_of(TextDelta("ab"), limit=10)
    assert replay.admit([ReasoningDelta("x" * 10)]) == []
    assert not replay.why
    assert replay.admit([ReasoningDelta("x")]) == []
    assert "held back" in replay.why


def test_what_is_kept_does_not_grow_with_the_answer() -> None:
    known = Delivered()
    for _ in range(5000):
        known.note([TextDelta("word ")])
    assert len(known.pending) < 1000
    known.settle()
    assert known.pending == []
    assert known.channels["text:0"].size == 25_000
    again = Delivered()
    again.note([TextDelta("word " * 5000)])
    again.settle()
    assert known == again
