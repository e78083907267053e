"""Law 4 end to end: client ⇄ relay ⇄ provider, cut at random bytes on both sides.

Whatever breaks, and wherever, the client gets what one gets whose connections never break, event
for event, cursors included; and the log holds the provider's answer, once. A run is its seed.
"""

from __future__ import annotations

from functools import cache
from random import Random
from typing import TYPE_CHECKING

import pytest

from sans_io_stream import (
    Connected,
    Event,
    ReconnectPolicy,
    Resumed,
    ResumePoint,
    StreamEnd,
    StreamRequest,
)
from sans_io_stream.events import ANSWER_EVENTS, encode_event
from sans_io_stream.relay import START, StreamLog
from sans_io_stream.session import StreamSession
from tests.session.answers import (
    REPLAYED,
    events_of,
    is_part,
    joined,
    only_end,
    transcript_of,
    whole,
)
from tests.session.peer import Asked, Reply, Run, Server, drive
from tests.session.stories import STORIES, Story

from .sides import FORMATS, ID, ONE_READ, PureRelay, ask, breaking, kept, told_by

if TYPE_CHECKING:
    from sans_io_stream.providers.relay import Format

PATIENT = ReconnectPolicy(max_attempts=8, max_retries=8, max_connections=200)
each_format = pytest.mark.parametrize("format", FORMATS)

NO_ID_YET = STORIES["last-event-id"]
"""Nothing can be asked for behind its first record, which has no id."""


def stories_of(format: str) -> list[Story]:
    """What is told in every format; plain records are told in our own alone."""
    return [
        story
        for story in STORIES.values()
        if story is not NO_ID_YET and (format == "native" or story.request.dialect != "records")
    ]


@cache
def uncut(name: str) -> list[Event]:
    """The provider's answer, as a log without a break holds it."""
    log = StreamLog(ID, 0.0)
    kept(log, whole(name).events)
    return held(log)


def held(log: StreamLog) -> list[Event]:
    """All events of a log."""
    found, place = list[Event](), START
    while more := log.read(place):
        place = more[-1][0]
        found += [event for _, event in more]
    return found


def client(request: StreamRequest, token: str | None = None) -> StreamSession:
    return StreamSession(request, resume_from=token, policy=PATIENT, random=lambda: 0.5)


def read(request: StreamRequest, server: Server, random: Random) -> list[Event]:
    """What a client gets, whose process may die in between: it has committed up to its last
    resume point, and goes on from there."""
    committed: list[Event] = []
    token: str | None = None
    for deaths in range(3):
        death = random.randrange(60) if deaths < 2 and random.random() < 0.4 else None

        def dead(run: Run, death: int | None = death) -> bool:
            return death is not None and len(run.events) > death

        size = random.choice((ONE_READ, ONE_READ, 150, 11, 1))
        run = drive(client(request, token), server, size=size, stop=dead)
        if run.events and isinstance(run.events[-1], StreamEnd):
            only_end(run)
            return committed + run.events
        points = [n for n, e in enumerate(run.events) if isinstance(e, ResumePoint)]
        if points:
            committed += run.events[: points[-1] + 1]
            point = run.events[points[-1]]
            assert isinstance(point, ResumePoint)
            token = point.token
    raise AssertionError("the last process did not die")


def run_once(format: Format, seed: int, *, crashes: int = 0) -> None:
    """One story, told through a relay whose connections break on both sides."""
    random = Random(f"{format} {seed}")
    story = random.choice(stories_of(format))
    cuts = random.choice((0, 1, 2, 4))
    relay = PureRelay(story, told_by(story, random, cuts), random, crashes=crashes, cuts=cuts)
    events = read(ask(format), breaking(relay, random, random.choice((0, 1, 3, 6))), random)
    # Whoever reads less than all does so because nobody asks any more.
    relay.advance(ONE_READ)
    log = relay.log
    assert log is not None
    assert relay.begun == 1
    check_log(story, log)
    untouched = PureRelay(story, [], Random(0), log=log)
    expected = drive(client(ask(format)), untouched).events
    told = [event for event in events if type(event) in ANSWER_EVENTS | {ResumePoint}]
    assert told == events_of(expected)
    modes = [event.mode for event in events if isinstance(event, Resumed)]
    # Before the first cursor the stream is asked for from its start.
    first = next((n for n, e in enumerate(events) if isinstance(e, ResumePoint)), len(events))
    early = [event for event in events[:first] if isinstance(event, Resumed)]
    assert modes[len(early) :] == ["continue"] * (len(modes) - len(early))
    end, best = events[-1], expected[-1]
    assert isinstance(end, StreamEnd)
    assert isinstance(best, StreamEnd)
    assert end.outcome == best.outcome
    assert log.end is not None
    assert end.outcome == log.end.outcome


def check_log(story: Story, log: StreamLog) -> None:
    """The log holds the provider's answer once, whole or, where nobody can go on, a part."""
    got, all_of_it = held(log), uncut(story.name)
    if log.end != StreamEnd("complete"):
        assert log.end is not None
        assert log.end.outcome == "interrupted"
        assert is_part(got, all_of_it)
        assert story.name in REPLAYED or words(got[:-1]) == words(all_of_it[: len(got) - 1])
    elif story.name in REPLAYED:
        assert transcript_of(got) == transcript_of(all_of_it)
    else:
        assert words(got) == words(all_of_it)


def words(events: list[Event]) -> list[bytes]:
    """Events as they are written: a store keeps no more of them."""
    return [encode_event(event) for event in events]


def run_many(format: Format, seeds: range, *, crashes: int = 0) -> None:
    for seed in seeds:
        try:
            run_once(format, seed, crashes=crashes)
        except AssertionError as error:
            raise AssertionError(f"{format}, seed {seed}, {crashes} crashes") from error


@each_format
def test_cuts_on_both_sides_lose_nothing(format: Format) -> None:
    run_many(format, range(40))


@each_format
def test_a_crash_of_the_relay_loses_nothing(format: Format) -> None:
    run_many(format, range(1_000_000, 1_000_025), crashes=2)


@pytest.mark.exhaustive
@pytest.mark.parametrize("slot", range(8))
@each_format
def test_cuts_on_both_sides_lose_nothing_ever(format: Format, slot: int) -> None:
    run_many(format, range(1_000 + slot * 500, 1_500 + slot * 500))


@pytest.mark.exhaustive
@pytest.mark.parametrize("slot", range(8))
@each_format
def test_crashes_of_the_relay_lose_nothing_ever(format: Format, slot: int) -> None:
    run_many(format, range(2_000_000 + slot * 250, 2_000_250 + slot * 250), crashes=3)


NOT_NAMED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
NAMED = NOT_NAMED.replace(b"\r\n\r\n", f"\r\nX-Stream-Id: {ID}\r\n\r\n".encode())


@each_format
@pytest.mark.parametrize("head", [b"", NOT_NAMED, NAMED], ids=["none", "nameless", "named"])
def test_without_a_key_no_generation_is_begun_twice(format: Format, head: bytes) -> None:
    """A stream whose id came is read; behind any other request nothing can be asked for."""
    story = STORIES["openai-responses"]
    relay = PureRelay(story, told_by(story, Random(0), 0), Random(0))

    def serve(asked: Asked) -> Reply:
        reply = relay(asked)
        return Reply(head, lost=True) if asked.method == "POST" else reply

    run = drive(client(ask(format, key=None)), serve)
    assert [asked.method for asked in run.asked].count("POST") == relay.begun == 1
    if head == NAMED:
        assert only_end(run).outcome == "complete"
        assert joined(run.events) == joined(whole(story.name).events)
    else:
        assert only_end(run).outcome == "interrupted"
        assert not events_of(run.events)


def test_a_generation_can_be_ended_before_its_first_event() -> None:
    session = client(ask("native"))

    def begun(run: Run) -> bool:
        return any(isinstance(event, Connected) for event in run.events)

    drive(session, lambda asked: Reply(NAMED, stalls=True), stop=begun)
    session.cancel(None, 1.0)
    stop = session.stop_request()
    assert stop is not None
    assert (stop.method, stop.url) == ("DELETE", f"http://relay.test/v1/streams/{ID}")
