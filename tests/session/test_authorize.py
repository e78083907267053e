"""What each attempt needs of its own: asked for before every connection, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sans_io_stream import (
    Event,
    OutOfStepError,
    ReconnectPolicy,
    StreamRequest,
    StreamSession,
    TextDelta,
    Timeouts,
)
from sans_io_stream.request import HTTPRequest
from sans_io_stream.session import Authorize, Connect, Receive, Send
from tests.session.answers import only_end
from tests.session.peer import Asked, Reply, Run, drive, response
from tests.session.scripts import LOST, script
from tests.session.stories import STORIES

URL = "http://api.test/v1/chat"
ANSWER = (
    b'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


class Stamp:
    """An ``authorize`` that counts."""

    def __init__(self) -> None:
        self.seen: list[HTTPRequest] = []

    def __call__(self, request: HTTPRequest) -> HTTPRequest:
        self.seen.append(request)
        return request.with_headers(authorization=f"Stamp number-{len(self.seen)}")


def request_of(stamp: Stamp, *, redirects: bool | None = None) -> StreamRequest:
    return StreamRequest(
        "POST", URL, json={"a": 1}, dialect="openai-chat", authorize=stamp, redirects=redirects
    )


def test_each_attempt_is_authorized_anew() -> None:
    stamp = Stamp()
    replies = [LOST, Reply(response(b"{}", status=503)), Reply(response(ANSWER))]
    run = drive(StreamSession(request_of(stamp)), script(*replies))
    only_end(run)
    assert run.end.outcome == "complete"
    assert [asked.headers["authorization"] for asked in run.asked] == [
        f"Stamp number-{number}" for number in (1, 2, 3)
    ]
    # Each time it is the request as it was: nothing of an older stamp is in it.
    assert all(request.header("authorization") is None for request in stamp.seen)
    steps = [type(step) for step in run.steps if isinstance(step, Authorize | Connect)]
    assert steps == [Authorize, Connect] * 3


@pytest.mark.parametrize("name", ["openai-responses", "holysheep-checked"])
def test_so_are_the_calls_that_go_on(name: str) -> None:
    story, stamp = STORIES[name], Stamp()
    cuts: list[None] = []

    def serve(asked: Asked, *, cut: bool) -> Reply:
        other = story.other(asked)
        if other is not None:
            return Reply(other)
        records = story.after(story.asked_from(asked))
        if not cut or cuts:
            return Reply(response(b"", pieces=records))
        cuts.append(None)
        return Reply(response(b"", pieces=records[:3])[:-5], lost=True)

    whole = drive(StreamSession(story.request), lambda asked: serve(asked, cut=False))
    request = replace(story.request, authorize=stamp)
    run = drive(StreamSession(request), lambda asked: serve(asked, cut=True))
    stamps = [asked.headers["authorization"] for asked in run.asked]
    assert len(stamps) > 1
    assert stamps == [f"Stamp number-{number + 1}" for number in range(len(stamps))]
    assert [e for e in run.events if type(e).__name__ == "TextDelta"] == [
        e for e in whole.events if type(e).__name__ == "TextDelta"
    ]


def test_nobody_is_asked_where_nothing_is_to_be_authorized() -> None:
    session = StreamSession(StreamRequest("GET", URL))
    session.start(0.0)
    assert isinstance(session.next_step(0.0), Connect)
    with pytest.raises(OutOfStepError):
        session.authorized(HTTPRequest("GET", URL), 0.0)


def test_the_clocks_begin_behind_it() -> None:
    session = StreamSession(request_of(Stamp()))
    session.start(0.0)
    step = session.next_step(0.0)
    assert isinstance(step, Authorize)
    assert session.handle_timeout(1e6) == []
    with pytest.raises(OutOfStepError):
        session.connected(1e6)
    session.authorized(step.request, 1e6)
    step = session.next_step(1e6)
    assert isinstance(step, Connect)
    assert step.deadline == 1e6 + (session.timeouts.connect or 0)


def test_what_comes_back_is_what_goes_out() -> None:
    session = StreamSession(request_of(Stamp()))
    session.start(0.0)
    session.authorized(HTTPRequest("PUT", "http://other.test:81/b?c", (("x", "y"),), b"z"), 0.0)
    step = session.next_step(0.0)
    assert isinstance(step, Connect)
    assert (step.host, step.port) == ("other.test", 81)
    assert step.request.url == "http://other.test:81/b?c"
    session.connected(0.0)
    step = session.next_step(0.0)
    assert isinstance(step, Send)
    assert step.data.startswith(b"PUT /b?c HTTP/1.1\r\n")
    assert step.data.endswith(b"z")


def test_a_header_that_cannot_be_sent_is_refused_at_once() -> None:
    session = StreamSession(request_of(Stamp()))
    session.start(0.0)
    with pytest.raises(ValueError, match="x"):
        session.authorized(HTTPRequest("GET", URL, (("x", "a\r\nb: c"),)), 0.0)
    assert isinstance(session.next_step(0.0), Authorize)


def test_what_fails_there_is_tried_again() -> None:
    session = StreamSession(request_of(Stamp()), policy=ReconnectPolicy(jitter=0))
    session.start(0.0)
    events = session.connection_lost(OSError("no token today"), 0.0)
    assert [type(event).__name__ for event in events] == ["Disconnected", "Reconnecting"]
    session.closed(0.0)
    session.handle_timeout(100.0)
    assert isinstance(session.next_step(100.0), Authorize)


def test_no_stamp_goes_where_a_redirect_leads() -> None:
    stamp = Stamp()
    away = Reply(response(b"", status=307, headers={"location": "http://other.test/x"}))
    run = drive(StreamSession(request_of(stamp)), script(away))
    assert run.end.outcome == "failed"
    assert "does not allow it" in run.end.error.message
    stamp.seen.clear()
    session = StreamSession(request_of(stamp, redirects=True))
    run = drive(session, script(away, Reply(response(ANSWER))))
    assert run.end.outcome == "complete"
    assert len(stamp.seen) == 1
    assert "authorization" not in run.asked[1].headers


def test_no_stamp_is_in_what_a_client_says() -> None:
    session = StreamSession(request_of(Stamp()))
    session.start(0.0)
    step = session.next_step(0.0)
    assert isinstance(step, Authorize)
    session.authorized(step.request.with_headers(authorization="Bearer tok-4711"), 0.0)
    events = session.connection_lost(OSError("sent authorization: Bearer tok-4711"), 0.0)
    assert "tok-4711" not in repr(events)


def test_the_second_height_has_the_same_step() -> None:
    session = StreamSession(request_of(Stamp()))
    session.start(0.0)
    step = session.next_step(0.0)
    assert isinstance(step, Authorize)
    session.authorized(step.request.with_headers(authorization="Stamp"), 0.0)
    step = session.next_step(0.0)
    assert isinstance(step, Connect)
    assert step.request.header("authorization") == "Stamp"
    session.response_started(200, {"content-type": "text/event-stream"}, 0.0)
    assert isinstance(session.next_step(0.0), Receive)
    events = [*session.receive_body(ANSWER, 0.0), *session.body_ended(0.0)]
    assert type(events[-1]).__name__ == "StreamEnd"


def test_it_has_the_time_of_the_whole_answer() -> None:
    session = StreamSession(request_of(Stamp()), timeouts=Timeouts(total=30.0))
    session.start(100.0)
    step = session.next_step(110.0)
    assert isinstance(step, Authorize)
    assert step.deadline == 130.0
    assert session.handle_timeout(129.0) == []
    assert type(session.handle_timeout(130.0)[-1]).__name__ == "StreamEnd"


def test_what_is_no_request_is_refused_at_once() -> None:
    session = StreamSession(request_of(Stamp()))
    session.start(0.0)
    nothing: Any = None
    with pytest.raises(TypeError, match="authorize returns the HTTPRequest that goes out"):
        session.authorized(nothing, 0.0)
    assert isinstance(session.next_step(0.0), Authorize)


@pytest.mark.parametrize("name", ["openai-responses", "holysheep-checked"])
def test_who_goes_on_elsewhere_authorizes_anew(name: str) -> None:
    """A snapshot before any step: it holds no stamp, and the restored session asks for one."""
    story = STORIES[name]
    whole = drive(StreamSession(story.request), story.serve)
    stop = 0
    while True:
        first, second = Stamp(), Stamp()
        session = StreamSession(replace(story.request, authorize=first))
        begun = drive(session, story.serve, size=97, stop=after(stop))
        blob = session.snapshot(begun.now)
        assert b"Stamp" not in blob
        if session.end is not None:
            break
        request = replace(story.request, authorize=second)
        restored = StreamSession.restore(blob, request, begun.now)
        rest = drive(restored, story.serve, size=97, now=begun.now)
        assert rest.end.outcome == "complete"
        asked = [type(step) for step in rest.steps if isinstance(step, Authorize | Connect)]
        assert asked == [Authorize, Connect] * (len(asked) // 2)
        assert [one.headers["authorization"] for one in rest.asked] == [
            f"Stamp number-{number + 1}" for number in range(len(rest.asked))
        ]
        assert text_of([*begun.events, *rest.events]) == text_of(whole.events)
        stop += 1
    assert stop > 4


def after(count: int) -> Callable[[Run], bool]:
    return lambda run: len(run.steps) == count


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))
