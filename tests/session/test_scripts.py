"""Scripts: what happens to a session, when, and the events and steps that come of it.

Each is a row of calls with their times; beside it stand the events it must give, in a word
each, and the step that must follow. Nothing sleeps: a time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sans_io_stream import (
    Connected,
    Disconnected,
    Event,
    Reconnecting,
    StreamEnd,
    StreamRequest,
    StreamSession,
    Timeouts,
)
from sans_io_stream.session import Close, Connect, Done, Receive, Send, Wait
from tests.session.peer import Reply, drive
from tests.session.stories import STORIES, sse

CHAT = STORIES["chat"].request
LARGE = StreamRequest(
    "POST", "http://api.test/v1/chat/completions", json={"m": "x" * 200_000}, dialect="openai-chat"
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
TEXT = sse({"choices": [{"index": 0, "delta": {"content": "Hi"}}]})
WHOLE = b"".join(STORIES["chat"].after(None))


def begun(request: StreamRequest = CHAT, **options: Any) -> StreamSession:
    """A session whose request is sent, as far as one slice goes, at time 0."""
    session = StreamSession(request, **options)
    assert session.start(0.0) == []
    assert session.connected(0.0) == []
    assert session.sent(0.0) == []
    return session


def words(events: list[Event]) -> list[str]:
    """Each event in a word, with what matters of it."""
    told: list[str] = []
    for event in events:
        name = type(event).__name__
        if isinstance(event, Connected):
            name += f" {event.status}"
        elif isinstance(event, Reconnecting):
            name += f" {event.attempt} after {event.delay:g}"
        elif isinstance(event, Disconnected):
            name += f" {event.error.kind if event.error else ''}"
        elif isinstance(event, StreamEnd):
            name += f" {event.outcome}" + (f" {event.error.kind}" if event.error else "")
        told.append(name)
    return told


def answered(status: int, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# ---- sending


def test_a_large_request_is_sent_in_slices_with_a_look_between_them() -> None:
    session = StreamSession(LARGE)
    session.start(0.0)
    session.connected(0.0)
    sent = b""
    for now in range(4):
        step = session.next_step(now)
        assert isinstance(step, Send)
        assert len(step.data) <= 64 * 1024
        sent += step.data
        session.sent(now)
        if now < 3:
            # What lies there is asked for, and nothing does.
            assert session.next_step(now) == Receive(now)
            assert session.handle_timeout(now) == []
    assert sent.endswith(LARGE.body)
    assert session.next_step(3) == Receive(303.0)


@pytest.mark.parametrize("status", [401, 413])
def test_an_answer_before_the_request_is_sent_ends_the_sending(status: int) -> None:
    session = begun(LARGE)
    events = session.receive_data(answered(status, body=b"no"), 0.0)
    kind = {401: "authentication", 413: "invalid_request"}[status]
    assert words(events) == [f"Connected {status}", f"StreamEnd failed {kind}"]
    assert session.next_step(0.0) == Close()
    assert session.closed(0.0) == []
    assert session.next_step(0.0) == Done(events[-1])  # type: ignore[arg-type]


def test_an_interim_answer_while_sending_lets_the_request_go_on() -> None:
    session = begun(LARGE)
    assert session.receive_data(b"HTTP/1.1 100 Continue\r\n\r\n", 0.0) == []
    assert isinstance(session.next_step(0.0), Send)


def test_behind_a_failed_send_an_answer_is_read_for_a_moment() -> None:
    session = StreamSession(LARGE)
    session.start(0.0)
    session.connected(0.0)
    assert session.connection_lost(BrokenPipeError("pipe"), 5.0) == []
    assert session.next_step(5.0) == Receive(6.0)
    events = session.receive_data(answered(413), 5.5)
    assert words(events) == ["Connected 413", "StreamEnd failed invalid_request"]


@pytest.mark.parametrize("how", ["silence", "end", "lost"])
def test_behind_a_failed_send_nothing_may_wait(how: str) -> None:
    session = StreamSession(LARGE)
    session.start(0.0)
    session.connected(0.0)
    session.connection_lost(BrokenPipeError("pipe"), 5.0)
    assert session.handle_timeout(5.9) == []
    ends: dict[str, Callable[[], list[Event]]] = {
        "silence": lambda: session.handle_timeout(6.0),
        "end": lambda: session.receive_eof(5.9),
        "lost": lambda: session.connection_lost(ConnectionResetError("reset"), 5.9),
    }
    events = ends[how]()
    assert words(events) == ["Disconnected connection", "Reconnecting 2 after 1"]
    assert "pipe" in str(events[0])


def test_a_send_that_does_not_end_is_timed_out() -> None:
    session = StreamSession(LARGE, timeouts=Timeouts(response=30))
    session.start(0.0)
    session.connected(0.0)
    step = session.next_step(0.0)
    assert isinstance(step, Send)
    assert step.deadline == 30.0
    assert session.handle_timeout(30.0) == []
    assert session.next_step(30.0) == Receive(31.0)
    events = session.handle_timeout(31.0)
    assert words(events) == ["Disconnected timeout", "Reconnecting 2 after 1"]


# ---- heads


def test_interim_heads_are_skipped_and_a_switch_of_protocols_fails() -> None:
    session = begun()
    assert session.receive_data(b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.0) == []
    events = session.receive_data(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 0.0)
    assert words(events) == ["StreamEnd failed framing"]


def test_a_head_that_does_not_come_is_timed_out() -> None:
    session = begun(timeouts=Timeouts(response=20))
    assert session.next_step(0.0) == Receive(20.0)
    assert session.handle_timeout(19.9) == []
    assert words(session.handle_timeout(20.0)) == ["Disconnected timeout", "Reconnecting 2 after 1"]


def test_a_content_coding_is_refused() -> None:
    session = begun()
    events = session.receive_data(HEAD[:-2] + b"Content-Encoding: gzip\r\n\r\n", 0.0)
    assert words(events)[-1] == "StreamEnd failed framing"
    assert "gzip" in str(events[-1])


def test_a_redirect_is_not_followed_with_credentials() -> None:
    session = begun()
    events = session.receive_data(answered(307, "Location: https://other.test/"), 0.0)
    assert words(events) == ["Connected 307", "StreamEnd failed provider"]
    assert "redirects=True" in str(events[-1])


def test_a_redirect_that_is_allowed_is_followed_at_once() -> None:
    session = begun(StreamRequest("GET", "http://api.test/a", dialect="records"))
    assert words(session.receive_data(answered(302, "Location: /b"), 0.0)) == ["Connected 302"]
    session.closed(0.0)
    assert session.next_step(0.0) == Wait(0.0, "redirected")
    session.handle_timeout(0.0)
    step = session.next_step(0.0)
    assert isinstance(step, Connect)
    assert step.request.url == "http://api.test/b"


def test_redirects_do_not_go_round_for_ever() -> None:
    request = StreamRequest("GET", "http://api.test/a", dialect="records")
    run = drive(StreamSession(request), lambda _: Reply(answered(302, "Location: /a")))
    assert len(run.asked) == 6
    assert words(run.events)[-1] == "StreamEnd failed provider"


# ---- bodies and their clocks


def test_a_slow_consumer_makes_no_timeout() -> None:
    session = begun(timeouts=Timeouts(idle=10, progress=20))
    session.receive_data(HEAD, 1.0)
    # An hour passes until the next Receive is asked for.
    assert session.next_step(3600.0) == Receive(3610.0)
    assert words(session.receive_data(TEXT, 3605.0)) == ["StreamStart", "TextDelta"]
    assert session.handle_timeout(9999.0) == []
    assert session.next_step(9999.0) == Receive(10009.0)


def test_a_stale_deadline_is_no_deadline() -> None:
    session = begun(timeouts=Timeouts(idle=10))
    session.receive_data(HEAD, 0.0)
    assert session.next_step(0.0) == Receive(10.0)
    session.receive_data(TEXT, 9.9)
    assert session.next_step(9.9) == Receive(19.9)
    assert session.handle_timeout(10.0) == []


def test_silence_is_timed_out() -> None:
    session = begun(timeouts=Timeouts(idle=10))
    session.receive_data(HEAD, 0.0)
    session.next_step(0.0)
    events = session.handle_timeout(10.0)
    assert words(events) == ["Disconnected timeout", "Reconnecting 2 after 1"]
    assert "Timeouts.idle (10 s)" in str(events[0])


def test_a_server_that_only_pings_makes_no_progress() -> None:
    session = begun(timeouts=Timeouts(idle=10, progress=25))
    session.receive_data(HEAD, 0.0)
    for now in (8.0, 16.0, 24.0):
        assert session.next_step(now - 8) == Receive(min(now + 2, 25.0))
        assert words(session.receive_data(b": ping\n\n", now)) == ["Heartbeat"]
    assert session.next_step(24.0) == Receive(25.0)
    events = session.handle_timeout(25.0)
    assert words(events) == ["Disconnected timeout", "Reconnecting 2 after 1"]
    assert "Timeouts.progress (25 s)" in str(events[0])


def test_one_byte_a_minute_is_no_silence_but_no_progress_either() -> None:
    session = begun(timeouts=Timeouts(idle=90, progress=600))
    session.receive_data(HEAD, 0.0)
    now = 0.0
    for byte in TEXT:
        step = session.next_step(now)
        assert isinstance(step, Receive)
        assert step.deadline is not None
        if step.deadline <= now + 60:
            break
        now += 60
        assert session.receive_data(bytes([byte]), now) == []
    assert now == 540.0
    assert words(session.handle_timeout(600.0))[0] == "Disconnected timeout"


def test_the_total_deadline_ends_everything() -> None:
    session = begun(timeouts=Timeouts(total=30))
    session.receive_data(HEAD + TEXT, 1.0)
    assert session.next_step(1.0) == Receive(30.0)
    events = session.handle_timeout(30.0)
    assert words(events) == ["StreamEnd interrupted timeout"]
    assert session.next_step(30.0) == Close()


def test_behind_the_last_word_it_is_read_on_for_a_moment() -> None:
    session = begun()
    events = session.receive_data(HEAD + WHOLE, 0.0)
    assert words(events)[-2:] == ["Finish", "Usage"]
    assert session.next_step(0.0) == Receive(1.0)
    assert words(session.receive_data(b": bye\n\n", 0.5)) == ["Heartbeat"]
    assert session.handle_timeout(0.9) == []
    assert words(session.handle_timeout(1.0)) == ["StreamEnd complete"]
    assert session.next_step(1.0) == Close()


@pytest.mark.parametrize("how", ["end", "lost", "flood"])
def test_behind_the_last_word_nothing_is_asked_for_again(how: str) -> None:
    session = begun()
    session.receive_data(HEAD + WHOLE, 0.0)
    ends: dict[str, Callable[[], list[Event]]] = {
        "end": lambda: session.receive_eof(0.1),
        "lost": lambda: session.connection_lost(ConnectionResetError("reset"), 0.1),
        "flood": lambda: session.receive_data(b":" + b"x" * 70_000, 0.1),
    }
    assert words(ends[how]())[-1] == "StreamEnd complete"
    session.closed(0.1)
    assert isinstance(session.next_step(0.1), Done)


def test_an_error_behind_the_finish_counts() -> None:
    session = begun()
    session.receive_data(HEAD + WHOLE, 0.0)
    late = sse({"error": {"message": "overdrawn", "type": "billing_error"}})
    assert words(session.receive_data(late, 0.1))[-1].startswith("StreamEnd failed")


def test_an_error_document_has_a_deadline_of_its_own() -> None:
    session = begun()
    head = b"HTTP/1.1 500 Oops\r\nContent-Length: 500\r\n\r\n"
    assert words(session.receive_data(head + b'{"error"', 5.0)) == ["Connected 500"]
    assert session.next_step(5.0) == Receive(15.0)
    assert words(session.handle_timeout(15.0)) == ["Disconnected server", "Reconnecting 2 after 1"]


def test_204_ends_a_plain_event_stream() -> None:
    session = begun(StreamRequest("GET", "http://api.test/a", dialect="records"))
    events = session.receive_data(b"HTTP/1.1 204 No Content\r\n\r\n", 0.0)
    assert words(events) == ["Connected 204", "StreamEnd complete"]
