"""Every state a session can be in: what may be said there, and that it can be cancelled.

A state is reached by the calls that lead to it; beside it stands what is in step. Whatever
else is said raises and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sans_io_stream import Event, OutOfStepError, StreamRequest, StreamSession
from sans_io_stream.session import Close, Done, Receive, Send
from tests.session.stories import STORIES
from tests.session.test_scripts import CHAT, HEAD, LARGE, TEXT, WHOLE, answered, begun, words

SECURE = StreamRequest("POST", "https://api.test/v1/chat", json={"m": 1}, dialect="openai-chat")
CALLS: dict[str, Callable[[StreamSession], list[Event]]] = {
    "connected": lambda s: s.connected(0.0),
    "request_sent": lambda s: s.request_sent(0.0),
    "tls_started": lambda s: s.tls_started(0.0),
    "sent": lambda s: s.sent(0.0),
    "closed": lambda s: s.closed(0.0),
    "receive_data": lambda s: s.receive_data(b"x", 0.0),
    "receive_eof": lambda s: s.receive_eof(0.0),
    "response_started": lambda s: s.response_started(200, {}, 0.0),
    "receive_body": lambda s: s.receive_body(b"x", 0.0),
    "body_ended": lambda s: s.body_ended(0.0),
}
RAW = {"receive_data", "receive_eof"}


def secure(proxy: str | None, *steps: str | bytes) -> StreamSession:
    session = StreamSession(SECURE, proxy=proxy)
    session.start(0.0)
    for step in steps:
        if isinstance(step, bytes):
            assert session.receive_data(step, 0.0) == []
        else:
            CALLS[step](session)
    return session


def started(*data: bytes, request: StreamRequest = CHAT) -> StreamSession:
    session = begun(request)
    for piece in data:
        session.receive_data(piece, 0.0)
    return session


def calling(*, told: bool, head: bool) -> StreamSession:
    """A driver with an HTTP client of its own."""
    session = StreamSession(CHAT)
    session.start(0.0)
    if told:
        session.request_sent(0.0)
    if head:
        session.response_started(200, {"content-type": "text/event-stream"}, 0.0)
        session.receive_body(TEXT, 0.0)
    return session


def raw(connected: bool) -> StreamSession:
    session = StreamSession(CHAT)
    session.start(0.0)
    if connected:
        session.connected(0.0)
    return session


def checking() -> StreamSession:
    """The answer to a check of a cursor has begun."""
    story = STORIES["holysheep-checked"]
    session = begun(story.request)
    session.receive_data(HEAD + b"".join(story.after(None)[:3]), 0.0)
    session.connection_lost(ConnectionResetError("reset"), 0.0)
    session.closed(0.0)
    session.handle_timeout(1.0)
    session.connected(1.0)
    session.sent(1.0)
    session.receive_data(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{", 1.0)
    return session


def waiting() -> StreamSession:
    session = started(answered(503))
    session.closed(0.0)
    return session


HTTP, HTTPS = "http://proxy.test:3128", "https://proxy.test:8443"
ASKED = ("connected", "sent")
STATES: dict[str, tuple[Callable[[], StreamSession], set[str]]] = {
    "idle": (lambda: StreamSession(CHAT), set()),
    "connecting": (lambda: raw(False), {"connected", "request_sent", "response_started"}),
    "proxy TLS": (lambda: secure(HTTPS, "connected"), {"tls_started"}),
    "asking for a tunnel": (lambda: secure(HTTP, "connected"), {"sent"}),
    "tunnel": (lambda: secure(HTTP, *ASKED), RAW),
    "half a tunnel": (lambda: secure(HTTP, *ASKED, b"HTTP/1.1 200"), RAW),
    "refused tunnel": (
        lambda: secure(HTTP, *ASKED, b"HTTP/1.1 407 X\r\nContent-Length: 9\r\n\r\nno"),
        RAW,
    ),
    "TLS": (lambda: secure(None, "connected"), {"tls_started"}),
    "TLS in a tunnel": (
        lambda: secure(HTTP, *ASKED, b"HTTP/1.1 200 OK\r\n\r\n"),
        {"tls_started"},
    ),
    "sending": (lambda: raw(True), {"sent", *RAW}),
    "looking": (lambda: begun(LARGE), RAW),
    "answered while sending": (lambda: started(HEAD + TEXT, request=LARGE), {"sent", *RAW}),
    "head": (begun, RAW),
    "body": (lambda: started(HEAD + TEXT), RAW),
    "error body": (lambda: started(b"HTTP/1.1 500 X\r\nContent-Length: 9\r\n\r\n{"), RAW),
    "check": (checking, RAW),
    "last look": (lambda: started(HEAD + WHOLE), RAW),
    "client": (lambda: calling(told=True, head=False), {"response_started"}),
    "client's body": (lambda: calling(told=False, head=True), {"receive_body", "body_ended"}),
    "client's body, told": (lambda: calling(told=True, head=True), {"receive_body", "body_ended"}),
    "closing": (lambda: started(answered(503)), {"closed"}),
    "waiting": (waiting, set()),
}


@pytest.mark.parametrize("state", STATES)
def test_cancel_ends_every_state_at_once(state: str) -> None:
    session = STATES[state][0]()
    events = session.cancel("the budget of 5 dollars is spent", 1.0)
    assert words(events) == ["StreamEnd cancelled cancelled"]
    assert "budget" in str(events[0])
    if state not in ("idle", "waiting"):
        assert session.next_step(1.0) == Close()
        session.closed(1.0)
    assert session.next_step(1.0) == Done(events[0])  # type: ignore[arg-type]
    assert session.cancel(None, 1.0) == []
    assert session.handle_timeout(9.0) == []
    assert session.connection_lost(OSError("x"), 9.0) == []


@pytest.mark.parametrize("state", STATES)
def test_what_is_out_of_step_raises_and_changes_nothing(state: str) -> None:
    make, in_step = STATES[state]
    for name, call in CALLS.items():
        session = make()
        if name in in_step:
            call(session)
            continue
        before = session.snapshot(1.0)
        step = session.next_step(1.0) if state != "idle" else None
        with pytest.raises(OutOfStepError, match=name):
            call(session)
        assert session.snapshot(1.0) == before
        if step is not None:
            assert session.next_step(1.0) == step


def test_nothing_is_asked_before_the_start() -> None:
    with pytest.raises(OutOfStepError, match="start"):
        StreamSession(CHAT).next_step(0.0)


# ---- an answer that comes before the request is whole


def test_behind_an_early_answer_the_rest_is_sent_and_the_answer_read() -> None:
    session = begun(LARGE)
    assert words(session.receive_data(HEAD + TEXT, 0.0))[-1] == "TextDelta"
    sent = b""
    while isinstance(step := session.next_step(0.0), Send):
        sent += step.data
        assert session.sent(0.0) == []
        if session.next_step(0.0) == Receive(0.0):
            # Between two pieces the answer goes on.
            assert words(session.receive_data(TEXT, 0.0)) == ["TextDelta"]
    assert len(sent) > 2 * 64 * 1024
    assert LARGE.body.endswith(sent)
    assert session.next_step(0.0) == Receive(300.0)
    assert words(session.receive_data(TEXT, 1.0)) == ["TextDelta"]
    assert words(session.receive_data(WHOLE, 1.0))[-1] == "Usage"
    assert words(session.receive_eof(1.0)) == ["StreamEnd complete"]


def test_behind_the_last_word_of_an_early_answer_nothing_more_is_sent() -> None:
    session = begun(LARGE)
    session.receive_data(HEAD + WHOLE, 0.0)
    assert session.next_step(0.0) == Receive(1.0)
    assert words(session.handle_timeout(1.0)) == ["StreamEnd complete"]


@pytest.mark.parametrize("how", ["lost", "timeout"])
def test_an_early_answer_is_read_on_when_the_sending_fails(how: str) -> None:
    session = begun(LARGE)
    session.receive_data(HEAD + TEXT, 0.0)
    assert isinstance(session.next_step(0.0), Send)
    if how == "lost":
        assert session.connection_lost(BrokenPipeError("pipe"), 0.0) == []
    else:
        assert session.handle_timeout(300.0) == []
    assert session.next_step(300.0) == Receive(600.0)
    assert words(session.receive_data(WHOLE, 300.0))[-1] == "Usage"
