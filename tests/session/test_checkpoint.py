"""Law 5 for sessions: restoring a snapshot, taken anywhere, changes none of the answer's events.

A run is stopped before each of its steps, small reads included; the snapshot goes to a new
session with the same request, and what both say together is what one would have said.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from sans_io_stream import Event, ResumePoint, SnapshotError, StreamEnd, TextDelta, Transcript
from sans_io_stream.events import ANSWER_EVENTS
from sans_io_stream.policy import ReconnectPolicy, Timeouts
from sans_io_stream.session import Connect, Done, StreamSession, Wait
from tests.session.peer import Asked, Reply, Run, Server, cut, drive, response
from tests.session.stories import STORIES, Story

READ = 97


def told(events: list[Event]) -> list[Event]:
    """What belongs to the answer, and where it can be taken up."""
    return [event for event in events if type(event) in ANSWER_EVENTS | {ResumePoint}]


def policy_of(story: Story) -> ReconnectPolicy:
    return ReconnectPolicy(allow=frozenset({"replay"} if story.name == "chat" else ()))


def after_steps(count: int) -> Callable[[Run], bool]:
    return lambda run: len(run.steps) == count


def content(events: list[Event]) -> tuple[object, ...]:
    answer = Transcript.of(events)
    calls = [(call.name, call.arguments, call.complete) for call in answer.tool_calls]
    return answer.text, answer.reasoning, calls, answer.finish_reason


def breaking(story: Story, at: int) -> Server:
    """A server whose first connection breaks."""
    served: list[Asked] = []

    def serve(asked: Asked) -> Reply:
        served.append(asked)
        reply = story.serve(asked)
        return cut(reply.wire, at) if len(served) == 1 else reply

    return serve


@pytest.mark.parametrize("at", [None, 700], ids=["whole", "breaking"])
@pytest.mark.parametrize("name", STORIES)
def test_restoring_between_any_two_steps_changes_no_event(name: str, at: int | None) -> None:
    story = STORIES[name]
    policy = policy_of(story)
    serve = story.serve if at is None else breaking(story, at)
    whole = drive(StreamSession(story.request, policy=policy), story.serve).events
    steps = len(drive(StreamSession(story.request, policy=policy), serve, size=READ).steps)
    for stop in range(1, steps):
        serve = story.serve if at is None else breaking(story, at)
        session = StreamSession(story.request, policy=policy)
        first = drive(session, serve, size=READ, stop=after_steps(stop))
        blob = session.snapshot(first.now)
        restored = StreamSession.restore(blob, story.request, first.now, policy=policy)
        if session.end is not None:
            assert restored.next_step(first.now) == Done(session.end)
            continue
        second = drive(restored, serve, size=READ, now=first.now)
        together = told(first.events) + told(second.events)
        if story.name == "last-event-id" and second.end.outcome == "interrupted":
            # Broken off before the first id: there is nothing to go on from.
            assert not any(isinstance(event, ResumePoint) for event in first.events)
            assert together == told(whole)[: len(together)]
        else:
            assert content(together) == content(whole), stop
            assert second.end.outcome == "complete"
            if story.name not in ("chat", "interactions-without-ids", "llamacpp"):
                assert together == told(whole), stop
        # Taking a snapshot changes nothing.
        session_end = drive_on(session, story)
        assert isinstance(session_end, StreamEnd)


def drive_on(session: StreamSession, story: Story) -> object:
    """Let the session that was asked for a snapshot go on: its connection is lost."""
    events: list[Event] = []
    now = 1e6
    for _ in range(20):
        step = session.next_step(now)
        if isinstance(step, Done):
            return step.end
        if isinstance(step, Wait | Connect):
            events += session.cancel("enough", now)
        elif session.end is None:
            events += session.connection_lost(ConnectionError("lost"), now)
        else:
            events += session.closed(now)
        if session.end is None and session.next_step(now).__class__.__name__ == "Close":
            events += session.closed(now)
    raise AssertionError("no end")


def latest(run: Run) -> object:
    return run.steps[-1] if run.steps else None


def test_what_remains_of_the_total_time_is_kept() -> None:
    story = STORIES["openai-responses"]
    timeouts = Timeouts(total=100)
    session = StreamSession(story.request, timeouts=timeouts)
    session.start(1000.0)
    blob = session.snapshot(1030.0)
    restored = StreamSession.restore(blob, story.request, 5.0, timeouts=timeouts)
    assert restored.next_step(5.0) == Connect(
        "api.test", 80, 15.0, story.request.http(), response_deadline=75.0
    )
    events = restored.handle_timeout(75.0)
    assert events[-1] == restored.end
    assert "Timeouts.total" in str(events[-1])


def test_a_wait_goes_on_for_as_long_as_it_had_left() -> None:
    story = STORIES["openai-responses"]
    busy = response(b"", status=429, headers={"retry-after": "20"})
    session = StreamSession(story.request)
    first = drive(session, lambda _: Reply(busy), stop=lambda run: isinstance(latest(run), Wait))
    assert first.waits == [20.0]
    session = StreamSession(story.request)
    first = drive(session, lambda _: Reply(busy), stop=lambda run: "Close()" in repr(latest(run)))
    restored = StreamSession.restore(session.snapshot(12.0), story.request, 100.0)
    assert restored.start(100.0) == []
    assert restored.next_step(100.0) == Wait(108.0, "held back")


def test_a_finished_session_stays_finished() -> None:
    story = STORIES["chat"]
    session = StreamSession(story.request)
    drive(session, story.serve)
    restored = StreamSession.restore(session.snapshot(0.0), story.request, 0.0)
    assert restored.start(0.0) == []
    assert restored.next_step(0.0) == Done(StreamEnd("complete"))


def test_what_cannot_be_asked_for_again_ends_at_once() -> None:
    story = STORIES["chat"]
    session = StreamSession(story.request)
    first = drive(
        session,
        story.serve,
        size=READ,
        stop=lambda run: any(isinstance(event, TextDelta) for event in run.events),
    )
    restored = StreamSession.restore(session.snapshot(first.now), story.request, first.now)
    events = restored.start(first.now)
    assert isinstance(events[-1], StreamEnd)
    assert events[-1].outcome == "interrupted"
    assert restored.start(first.now) == []
    assert restored.next_step(first.now) == Done(events[-1])


def test_a_snapshot_holds_no_secret_and_no_request() -> None:
    for story in STORIES.values():
        session = StreamSession(story.request)
        drive(session, story.serve, size=READ, stop=after_steps(20))
        blob = session.snapshot(0.0)
        for secret in (b"secret", b"authorization", b"/v1/", b"api.test", b"idempotency"):
            assert secret not in blob.lower()


def test_damage_and_other_requests_are_refused() -> None:
    story = STORIES["openai-responses"]
    session = StreamSession(story.request)
    session.start(0.0)
    blob = session.snapshot(0.0)
    for place in range(len(blob)):
        damaged = blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :]
        with pytest.raises(SnapshotError):
            StreamSession.restore(damaged, story.request, 0.0)
    with pytest.raises(SnapshotError, match="another"):
        StreamSession.restore(blob, STORIES["chat"].request, 0.0)
    with pytest.raises(SnapshotError):
        StreamSession.restore(msgspec.msgpack.encode({}), story.request, 0.0)
