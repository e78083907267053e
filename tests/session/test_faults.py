"""The answer is delivered whole, or an exact beginning of it with an honest end: whatever the
server does, nothing is lost within what was delivered, and nothing comes twice.

``complete`` means the uncut answer; any other outcome a prefix of its events (where it came
again from its start: of its content). Hypothesis chooses what goes wrong.
"""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sans_io_stream import Delta, Event, Resumed, ResumePoint, StreamEnd, StreamStart
from tests.session.answers import (
    REPLAYED,
    events_of,
    is_part,
    joined,
    only_end,
    session_of,
    transcript_of,
    whole,
)
from tests.session.faults import Fault, FaultyServer, renumbered
from tests.session.peer import Asked, Reply, drive
from tests.session.stories import STORIES as ALL
from tests.session.stories import TICKS, Story

STORIES = {name: story for name, story in ALL.items() if name not in TICKS}
BY_CURSOR = sorted(set(STORIES) - REPLAYED)
CHATS = {"openai-chat", "holysheep"}
HONEST = {"interrupted", "failed"}

broken_at = st.none() | st.floats(0, 1, exclude_max=True)
faults = st.one_of(
    st.builds(Fault, at=broken_at, lost=st.booleans()),
    st.builds(
        Fault,
        st.sampled_from(["again", "twice", "anew", "other", "short"]),
        amount=st.integers(1, 4),
        at=broken_at,
        lost=st.booleans(),
    ),
    st.builds(Fault, st.just("expired"), amount=st.integers(0, 2)),
    st.builds(
        Fault,
        st.just("busy"),
        amount=st.integers(0, 9),
        status=st.sampled_from([408, 409, 425, 429, 500, 502, 503, 504, 529]),
    ),
    st.builds(Fault, st.sampled_from(["refused", "nothing", "told"])),
)
breaks = st.builds(Fault, at=st.floats(0, 1), lost=st.booleans())


def begun_by(first: Fault, more: list[Fault]) -> list[Fault]:
    return [first, *more]


def constant(reply: Reply, _: Asked) -> Reply:
    return reply


scripts = st.builds(begun_by, breaks, st.lists(faults, max_size=7))
sizes = st.sampled_from([1 << 20, 1 << 20, 200, 33, 7])


def deltas_of(events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, Delta)]


def judge(story: Story, events: list[Event], uncut: list[Event]) -> None:
    """``events``, of one session or of several, keep the promise of the first lines."""
    end = events[-1]
    assert isinstance(end, StreamEnd)
    # What came again before anything was visible has had two beginnings.
    begun_again = any(isinstance(event, StreamStart) and event.generation for event in events)
    replayed = story.name in REPLAYED or Resumed("replay") in events or begun_again
    if end.outcome == "complete":
        assert end.error is None
        assert joined(events) == joined(uncut)
        assert transcript_of(events)[0] == transcript_of(uncut)[0]
        if not replayed and story.request.dialect in CHATS:
            # All of a chat may be there without its last word, [DONE].
            assert deltas_of(events) == deltas_of(uncut)
        elif not replayed:
            assert events_of(events) == events_of(uncut)
    else:
        assert end.outcome in HONEST
        assert end.error is not None
        assert is_part(events, uncut)
        if not replayed:
            told = events_of(events)
            assert told == events_of(uncut)[: len(told)]


@pytest.mark.parametrize("name", STORIES)
@given(script=scripts, size=sizes, refuses_checks=st.booleans())
def test_whatever_the_server_does(
    name: str, script: list[Fault], size: int, refuses_checks: bool
) -> None:
    story = STORIES[name]
    server = FaultyServer(story, list(script), refuses_checks=refuses_checks)
    run = drive(session_of(story), server, size=size)
    only_end(run)
    judge(story, run.events, whole(name).events)


@pytest.mark.parametrize("name", BY_CURSOR)
@given(script=scripts, crash=st.integers(0, 9), size=sizes)
def test_whatever_the_server_does_and_then_the_consumer_crashes(
    name: str, script: list[Fault], crash: int, size: int
) -> None:
    story = STORIES[name]
    server = FaultyServer(story, list(script))

    def stop(events: list[Event]) -> bool:
        return sum(isinstance(event, ResumePoint) for event in events) > crash

    first = drive(session_of(story), server, size=size, stop=lambda run: stop(run.events))
    places = [i for i, event in enumerate(first.events) if isinstance(event, ResumePoint)]
    if not places:
        return
    committed = first.events[: places[min(crash, len(places) - 1)] + 1]
    point = committed[-1]
    assert isinstance(point, ResumePoint)
    # A new process knows of the names before the one in its token nothing, of numbers all.
    server.overlaps = 50 if isinstance(point.cursor, int) else 1
    second = drive(session_of(story, point.token), server, size=size)
    only_end(second)
    judge(story, committed + second.events, whole(name).events)


# ---- one fault at a time, and what has to come of it


def outcome(story: Story, *script: Fault, token: str | None = None) -> tuple[str, list[str]]:
    """How a run under these faults ends, and in which modes it went on."""
    run = drive(session_of(story, token), FaultyServer(story, list(script)))
    end = only_end(run)
    if token is None:
        judge(story, run.events, whole(story.name).events)
    return end.outcome, [event.mode for event in run.events if isinstance(event, Resumed)]


HALF = Fault(at=0.5)


@pytest.mark.parametrize("name", BY_CURSOR)
@pytest.mark.parametrize("amount", [1, 2, 3, 50])
def test_records_that_come_again_are_suppressed(name: str, amount: int) -> None:
    story = STORIES[name]
    ended, modes = outcome(story, HALF, Fault("again", amount))
    assert ended == "complete"
    # From the first record on it is all of the answer.
    assert modes in (["continue"], ["replay"][: amount // 50])


@pytest.mark.parametrize("name", BY_CURSOR)
def test_a_server_that_ignores_the_cursor_is_read_as_a_replay(name: str) -> None:
    story = STORIES[name]
    assert outcome(story, HALF, Fault("anew")) == ("complete", ["replay"])


@pytest.mark.parametrize("name", BY_CURSOR)
def test_of_another_answer_nothing_is_delivered(name: str) -> None:
    story = STORIES[name]
    server = FaultyServer(story, [HALF, *[Fault("other")] * 9])
    run = drive(session_of(story), server)
    assert only_end(run).outcome in HONEST
    judge(story, run.events, whole(name).events)
    assert not any(isinstance(event, Resumed) for event in run.events)


@pytest.mark.parametrize("name", BY_CURSOR)
def test_of_another_answer_a_new_process_delivers_nothing(name: str) -> None:
    story = STORIES[name]
    points = [event for event in whole(name).events if isinstance(event, ResumePoint)]
    for point in points[:-1]:
        server = FaultyServer(story, [Fault("other")] * 9, shown=True)
        run = drive(session_of(story, point.token), server)
        assert only_end(run).outcome in HONEST, point
        assert events_of(run.events) == []


@pytest.mark.parametrize("status", [0, 1, 2])
@pytest.mark.parametrize("name", STORIES)
def test_an_expired_cursor_is_a_refusal(name: str, status: int) -> None:
    story = STORIES[name]
    expected = "complete" if story.name == "chat" else "interrupted"
    assert outcome(story, HALF, *[Fault("expired", status)] * 3)[0] == expected


@pytest.mark.parametrize("name", STORIES)
def test_a_server_that_is_busy_for_a_while_delays_and_changes_nothing(name: str) -> None:
    story = STORIES[name]
    script = [HALF, Fault("busy", status=503), Fault("busy", 3, status=429), Fault("refused")]
    assert outcome(story, *script)[0] == "complete"


@pytest.mark.parametrize("name", ["openai-responses"])
def test_records_that_are_missing_are_noticed_by_their_numbers(name: str) -> None:
    story = STORIES[name]
    ended, modes = outcome(story, HALF, Fault("skips"))
    assert (ended, modes) == ("complete", ["replay"])
    assert outcome(story, HALF, Fault("skips"), Fault("expired"))[0] == "interrupted"


@pytest.mark.parametrize("name", ["openai-responses", "interactions-without-ids"])
def test_a_replay_that_ends_too_early_is_a_refusal(name: str) -> None:
    story = STORIES[name]
    script = [HALF, Fault("skips"), Fault("short", 12)] if name[0] == "o" else [HALF]
    ended, modes = outcome(story, *script, *[Fault("short", 12)] * 3)
    assert (ended, modes) == ("interrupted", [])


@pytest.mark.parametrize("name", ["openai-responses", "interactions-without-ids", "llamacpp"])
def test_a_replay_that_differs_is_a_refusal(name: str) -> None:
    story = STORIES[name]
    ended, modes = outcome(story, HALF, *[Fault("other")] * 3)
    assert (ended, modes) == ("interrupted", [])


def test_a_cursor_that_the_check_does_not_know_is_refused() -> None:
    story = STORIES["holysheep-checked"]
    server = FaultyServer(story, [HALF], refuses_checks=True)
    run = drive(session_of(story), server)
    assert only_end(run).outcome == "interrupted"
    assert [asked.path for asked in run.asked] == ["/v1/chat/completions", "/v1/stream/check"]
    assert run.end.error.kind == "cursor"


@pytest.mark.parametrize("name", STORIES)
def test_a_break_behind_the_last_word_changes_nothing(name: str) -> None:
    story = STORIES[name]
    wire = story.serve(whole(name).asked[0]).wire
    for left in range(1, 6):
        for lost in (True, False):
            reply = Reply(wire[:-left], lost)
            run = drive(session_of(story), partial(constant, reply))
            assert run.events == whole(name).events
            assert len(run.asked) == 1


# ---- sequence numbers as servers send them

COUNT = len(STORIES["openai-responses"].records)
NUMBERS: dict[str, list[int | None]] = {
    "jumping": [n + n // 4 * 3 for n in range(COUNT)],
    "from one": [n + 1 for n in range(COUNT)],
    "huge": [n + 2**40 for n in range(COUNT)],
    "constant": [0] * COUNT,
    "none": [None] * COUNT,
    "some": [n if n % 3 else None for n in range(COUNT)],
    "pairs": [n // 2 for n in range(COUNT)],
    "falling": [COUNT - n for n in range(COUNT)],
}
SHARED = {"constant", "pairs"}


@pytest.mark.parametrize("numbers", NUMBERS)
@given(script=scripts, size=sizes)
@example(script=[HALF], size=1 << 20)
@example(script=[HALF, HALF, HALF], size=33)
@settings(max_examples=40)
def test_numbers_of_all_kinds(numbers: str, script: list[Fault], size: int) -> None:
    story = renumbered(STORIES["openai-responses"], NUMBERS[numbers])
    uncut = drive(session_of(story), story.serve)
    assert uncut.end == StreamEnd("complete")
    assert joined(uncut.events) == joined(whole(story.name).events)
    run = drive(session_of(story), FaultyServer(story, list(script)), size=size)
    end = only_end(run)
    if numbers in SHARED and end.outcome != "complete":
        # What was lost behind a number's first record is only known when its second one comes.
        return
    judge(story, run.events, uncut.events)


@pytest.mark.parametrize("numbers", ["jumping", "from one", "huge"])
def test_numbers_that_rise_are_good_cursors(numbers: str) -> None:
    story = renumbered(STORIES["openai-responses"], NUMBERS[numbers])
    uncut = drive(session_of(story), story.serve).events
    for at in (0.3, 0.5, 0.7, 0.9):
        run = drive(session_of(story), FaultyServer(story, [Fault(at=at)]))
        assert events_of(run.events) == events_of(uncut)
        assert run.end == StreamEnd("complete")
