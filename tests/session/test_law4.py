"""Law 4: however often the connection breaks, and wherever, no event is lost and none comes twice.

For every story: a cut at every byte of the response that could matter, orderly or not (at each
of them and both ways in ``make exhaustive``); a second cut in the second response; a crash of
the consumer at every committed token. What is delivered is the uncut answer, event for event;
where the answer came again from its start, its content.
"""

from __future__ import annotations

import pytest

from sans_io_stream import Disconnected, Event, Record, ResumePoint, StreamEnd
from sans_io_stream.session import StreamSession
from tests.session.answers import (
    REPLAYED,
    events_of,
    is_part,
    only_end,
    session_of,
    tokens_of,
    transcript_of,
    whole,
)
from tests.session.peer import Asked, Reply, Run, Server, cut, drive
from tests.session.stories import STORIES, TICKS, Story

ONE_READ = 1 << 20
LINE_ENDS = b"\r\n"
NO_ID_YET = STORIES["last-event-id"]
"""Its first record stands before any id: a break there leaves nothing to go on from."""
CURSOR_OF_BYTES = STORIES["llamacpp"]
"""Each place of a break is one of its own to go on from."""


def breaking(story: Story, *cuts: int | None, lost: bool = True) -> Server:
    """The story's server; its nth response is cut at the nth place."""
    places = list(cuts)

    def serve(asked: Asked) -> Reply:
        reply = story.serve(asked)
        return cut(reply.wire, places.pop(0) if places else None, lost=lost)

    return serve


def length(story: Story) -> int:
    """Of the first response on the wire, in bytes."""
    return len(story.serve(whole(story.name).asked[0]).wire)


def end_on_wire(story: Story, number: int) -> int:
    """Where the record of that number ends in the first response."""
    wire = story.serve(whole(story.name).asked[0]).wire
    record = story.records[number][1]
    return wire.index(record) + len(record)


def check(story: Story, events: list[Event], at: int, replayed: bool = False) -> None:
    """``events``, of one session or of several, are the uncut answer."""
    told = whole(story.name).events
    if story is NO_ID_YET and end_on_wire(story, 0) <= at < end_on_wire(story, 1):
        assert events[-1].outcome == "interrupted"  # type: ignore[union-attr]
        assert events_of(events) == events_of(told)[:1]
        assert isinstance(events_of(told)[0], Record)
        return
    assert events[-1] == StreamEnd("complete")
    if story.name in REPLAYED or replayed:
        assert transcript_of(events) == transcript_of(told)
        assert is_part(events, told)
        assert is_part(told, events)
    else:
        assert events_of(events) == events_of(told)
        assert tokens_of(events) == tokens_of(told)


def cut_at(story: Story, at: int, *, lost: bool, size: int) -> None:
    """Break the first connection there, and check all that is said."""
    run = drive(session_of(story), breaking(story, at, lost=lost), size=size)
    only_end(run)
    try:
        check(story, run.events, at)
    except AssertionError as error:
        how = "lost" if lost else "in order"
        raise AssertionError(f"cut at byte {at}, {how}, reads of {size}") from error


def places(story: Story) -> list[int]:
    """Every place near the end of a line or in a character of several bytes, which are what a
    reader could be confused by, and every fifth of the rest; its end too. With each of the
    places left out, a session does what it does at one that is here."""
    wire = story.serve(whole(story.name).asked[0]).wire
    if story is CURSOR_OF_BYTES:
        return list(range(len(wire) + 1))
    near = {at + n for at, byte in enumerate(wire) for n in range(-2, 4) if byte in LINE_ENDS}
    inside = {at for at, byte in enumerate(wire) if byte & 0x80}
    rest = range(0, len(wire), 5)
    return sorted({at for at in {*near, *inside, *rest} if 0 <= at < len(wire)} | {len(wire)})


@pytest.mark.parametrize("slot", range(2))
@pytest.mark.parametrize("name", STORIES)
def test_a_cut_at_any_byte_loses_nothing(name: str, slot: int) -> None:
    """Orderly and not in turns; at each byte, and both ways, in ``make exhaustive``."""
    story = STORIES[name]
    for number, at in enumerate(places(story)[slot::2]):
        cut_at(story, at, lost=number % 2 == 0, size=ONE_READ)


@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize("name", STORIES)
def test_a_cut_before_the_first_byte_or_behind_the_last_loses_nothing(
    name: str, lost: bool
) -> None:
    story = STORIES[name]
    for at in (0, length(story)):
        cut_at(story, at, lost=lost, size=ONE_READ)


@pytest.mark.parametrize(
    ("lost", "size", "first", "step"),
    [(True, 1, 3, 397), (False, 1, 50, 397), (True, 13, 1, 97)],
)
@pytest.mark.parametrize("name", STORIES)
def test_a_cut_loses_nothing_at_any_read_size_in_order_or_not(
    name: str, lost: bool, size: int, first: int, step: int
) -> None:
    story = STORIES[name]
    for at in range(first, length(story) + 1, step):
        cut_at(story, at, lost=lost, size=size)


@pytest.mark.exhaustive
@pytest.mark.parametrize("size", [ONE_READ, 1, 2, 7, 64])
@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize("name", STORIES)
def test_every_cut_at_every_read_size(name: str, lost: bool, size: int) -> None:
    story = STORIES[name]
    for at in range(length(story) + 1):
        cut_at(story, at, lost=lost, size=size)


# ---- more than one cut


def cut_twice(story: Story, at: int, again: int, *, lost: bool, size: int) -> None:
    """Break the first connection at one place, and the second at another."""
    run = drive(session_of(story), breaking(story, at, again, lost=lost), size=size)
    only_end(run)
    if story is NO_ID_YET and run.end.outcome == "interrupted":
        # Either break came behind the first record and before the first id.
        assert not tokens_of(run.events)
        assert events_of(run.events) == events_of(whole(story.name).events)[:1]
        return
    try:
        check(story, run.events, length(story))
    except AssertionError as error:
        raise AssertionError(f"cuts at {at} and {again}, reads of {size}") from error


@pytest.mark.parametrize("name", STORIES)
def test_a_second_cut_in_the_second_response_loses_nothing(name: str) -> None:
    story = STORIES[name]
    size = length(story)
    for number, at in enumerate(range(29, size, size // 15)):
        for again in range(number, size - at // 2 + 150, size // 7):
            cut_twice(story, at, again, lost=number % 2 == 0, size=(ONE_READ, 31)[number % 2])


@pytest.mark.exhaustive
@pytest.mark.parametrize("slot", range(8))
@pytest.mark.parametrize("name", STORIES)
def test_every_pair_of_cuts(name: str, slot: int) -> None:
    story = STORIES[name]
    for at in range(slot * 3, length(story), 24):
        for again in range(slot, length(story) + 150, 11):
            cut_twice(story, at, again, lost=(at + again) % 2 == 0, size=ONE_READ)


@pytest.mark.parametrize("name", sorted(set(STORIES) - REPLAYED - {NO_ID_YET.name}))
def test_a_stream_that_breaks_after_every_few_bytes_is_delivered_once(name: str) -> None:
    story, most = STORIES[name], 300 if name in TICKS else 700

    def serve(asked: Asked) -> Reply:
        # A little more than the head and one record: each connection brings something new.
        wire = story.serve(asked).wire
        return cut(wire, min(len(wire), most), lost=len(wire) % 2 == 0)

    run = drive(session_of(story), serve)
    only_end(run)
    check(story, run.events, length(story))
    assert len(run.asked) >= 3


# ---- the consumer crashes


def resumed(story: Story, token: str, server: Server, size: int = ONE_READ) -> Run:
    return drive(session_of(story, token), server, size=size)


def crashes(story: Story, events: list[Event]) -> list[tuple[str, list[Event]]]:
    """Each committed token, and what had been committed with it."""
    return [
        (event.token, events[: place + 1])
        for place, event in enumerate(events)
        if isinstance(event, ResumePoint)
    ]


@pytest.mark.parametrize("name", STORIES)
def test_a_crash_at_every_committed_token_loses_nothing(name: str) -> None:
    story = STORIES[name]
    found = crashes(story, whole(name).events)
    assert bool(found) == (name not in REPLAYED)
    for token, committed in found:
        for size in (ONE_READ, 1, 17):
            run = resumed(story, token, story.serve, size)
            assert only_end(run) == StreamEnd("complete")
            check(story, committed + run.events, length(story))
            assert len(token) < 1024


@pytest.mark.parametrize("name", sorted(set(STORIES) - REPLAYED))
def test_the_token_of_the_end_connects_nowhere(name: str) -> None:
    story = STORIES[name]
    last = tokens_of(whole(name).events)[-1]
    run = resumed(story, last, story.serve)
    assert run.events == [StreamEnd("complete")]
    assert run.asked == []


@pytest.mark.parametrize("name", sorted(set(STORIES) - REPLAYED))
def test_a_crash_after_a_cut_loses_nothing(name: str) -> None:
    story = STORIES[name]
    for at in range(11, length(story), length(story) // 8):
        run = drive(session_of(story), breaking(story, at))
        for token, committed in crashes(story, run.events):
            second = resumed(story, token, story.serve)
            check(story, committed + second.events, at)


@pytest.mark.parametrize("name", sorted(set(STORIES) - REPLAYED))
def test_at_any_byte_a_crash_after_the_last_token_loses_nothing(name: str) -> None:
    """The connection breaks, the consumer crashes with it, and a new session goes on."""
    story, tried = STORIES[name], set[str]()
    for at in places(story)[::2]:
        server = breaking(story, at)

        def stop(run: Run) -> bool:
            return any(isinstance(event, Disconnected) for event in run.events)

        run = drive(session_of(story), server, stop=stop)
        found = crashes(story, run.events)
        if found and found[-1][0] not in tried:
            # What was committed is the same wherever behind it the connection broke.
            token, committed = found[-1]
            tried.add(token)
            second = resumed(story, token, story.serve)
            check(story, committed + second.events, at)
    assert len(tried) >= len(tokens_of(whole(name).events)) - 1


@pytest.mark.parametrize("name", sorted(set(STORIES) - REPLAYED))
def test_a_new_process_that_is_cut_off_loses_nothing(name: str) -> None:
    """Also while it reads in silence what had been committed."""
    story = STORIES[name]
    for number, (token, committed) in enumerate(crashes(story, whole(name).events)):
        for at in range(number * 7, length(story), length(story) // 12):
            server = breaking(story, at, None if number % 2 else at // 2 + 99)
            run = resumed(story, token, server, (ONE_READ, 23)[at % 2])
            only_end(run)
            check(story, committed + run.events, length(story))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", sorted(set(STORIES) - REPLAYED))
def test_a_crash_at_every_token_of_every_cut_run(name: str) -> None:
    story = STORIES[name]
    for at in range(length(story)):
        run = drive(session_of(story), breaking(story, at, lost=at % 2 == 0))
        for token, committed in crashes(story, run.events):
            second = resumed(story, token, breaking(story, at), (ONE_READ, 5)[at % 2])
            check(story, committed + second.events, at)


@pytest.mark.parametrize("name", sorted(set(STORIES) - REPLAYED))
def test_a_crash_in_a_process_that_had_crashed_loses_nothing(name: str) -> None:
    story = STORIES[name]
    first = crashes(story, whole(name).events)
    for token, committed in first[:: max(1, len(first) // 4)]:
        second = resumed(story, token, breaking(story, length(story) // 2))
        for again, more in crashes(story, second.events):
            third = resumed(story, again, story.serve)
            check(story, committed + more + third.events, length(story))


# ---- where nothing can be resumed


@pytest.mark.parametrize(("lost", "step"), [(True, 3), (False, 5)])
def test_without_a_way_to_go_on_a_cut_leaves_an_honest_beginning(lost: bool, step: int) -> None:
    story = STORIES["chat"]
    told = events_of(whole("chat").events)
    finished = end_on_wire(story, len(story.records) - 2)
    for at in range(0, length(story), step):
        run = drive(StreamSession(story.request), breaking(story, at, lost=lost))
        end = only_end(run)
        events = events_of(run.events)
        if end.outcome == "complete":
            assert at < end_on_wire(story, 1) or at >= finished - 2
            assert transcript_of(events)[0] == transcript_of(told)[0]
        else:
            assert end.outcome == "interrupted"
            assert events == told[: len(events)]
            assert len(run.asked) == 1
