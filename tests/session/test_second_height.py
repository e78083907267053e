"""A driver with an HTTP client of its own gets the events that raw bytes give.

It takes ``Connect.request``, and tells the head, the body and its end; sockets, TLS and the
transfer coding are its client's business.
"""

from __future__ import annotations

import socket

import pytest

from sans_io_stream import (
    Connected,
    ErrorInfo,
    Event,
    OutOfStepError,
    StreamEnd,
    StreamRequest,
    Timeouts,
)
from sans_io_stream.session import Close, Connect, Done, Receive, StreamSession, Wait
from tests.session.answers import policy_of
from tests.session.peer import Asked, Reply, Server, drive
from tests.session.stories import STORIES, Story


def client(asked: Asked, reply: Reply) -> tuple[int, dict[str, str], bytes]:
    """What an HTTP client makes of a reply: status, headers, the decoded body so far."""
    head, _, rest = reply.wire.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    body = b""
    while rest and b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        body, rest = body + rest[:length], rest[length:].removeprefix(b"\r\n")
        if not length:
            break
    return int(lines[0].split()[1]), headers, body


def drive_client(session: StreamSession, server: Server, *, size: int) -> list[Event]:
    """Run ``session`` at its second height."""
    now = 0.0
    events = session.start(now)
    body: list[bytes] = []
    reply = Reply(b"")
    for _ in range(20_000):
        match session.next_step(now):
            case Done():
                return events
            case Connect(request=request):
                target = request.url.partition("//")[2].partition("/")[2]
                asked = Asked(request.method, f"/{target}", dict(request.headers), request.body)
                reply = server(asked)
                status, headers, data = client(asked, reply)
                events += session.response_started(status, headers, now)
                body = [data[i : i + size] for i in range(0, len(data), size)]
            case Receive() if body:
                events += session.receive_body(body.pop(0), now)
            case Receive() if reply.lost:
                events += session.connection_lost(ConnectionResetError("reset"), now)
            case Receive():
                events += session.body_ended(now)
            case Close():
                events += session.closed(now)
            case Wait(until=until):
                now = until
                events += session.handle_timeout(now)
            case step:
                raise AssertionError(step)
    raise AssertionError("no end")


def serving(story: Story, at: int | None) -> Server:
    """The story's server; its first connection is cut behind a chunk's end."""
    asked: list[Asked] = []

    def serve(request: Asked) -> Reply:
        asked.append(request)
        reply = story.serve(request)
        if at is None or len(asked) > 1:
            return reply
        return Reply(b"\r\n".join(reply.wire.split(b"\r\n")[: 4 + 2 * at]) + b"\r\n", lost=True)

    return serve


@pytest.mark.parametrize("at", [None, 3, 6])
@pytest.mark.parametrize("name", STORIES)
def test_both_heights_say_the_same(name: str, at: int | None) -> None:
    story = STORIES[name]
    raw = drive(StreamSession(story.request, policy=policy_of(story)), serving(story, at)).events
    for size in (1, 61, 1 << 20):
        session = StreamSession(story.request, policy=policy_of(story))
        events = drive_client(session, serving(story, at), size=size)
        assert without_framing(events) == without_framing(raw)


def without_framing(events: list[Event]) -> list[Event]:
    """The transfer coding is the client's."""
    return [Connected(e.status) if isinstance(e, Connected) else e for e in events]


SOON = Timeouts(connect=5, response=20)
STORED = StreamRequest(
    "POST",
    "http://api.test/v1/responses",
    json={"background": True, "stream": True},
    dialect="openai-responses",
)
"""It may begin a generation that is stored, and has no idempotency key."""


def asking(request: StreamRequest = STORED, *, told: bool = False) -> StreamSession:
    """The driver's client has the request, at time 0."""
    session = StreamSession(request, timeouts=SOON)
    session.start(0.0)
    step = session.next_step(0.0)
    assert isinstance(step, Connect)
    assert (step.deadline, step.response_deadline) == (5.0, 25.0)
    if told:
        assert session.request_sent(1.0) == []
        assert session.next_step(1.0) == Receive(21.0)
    return session


@pytest.mark.parametrize("told", [False, True])
def test_a_response_that_does_not_come_is_timed_out_at_its_own_deadline(told: bool) -> None:
    session = asking(STORIES["chat"].request, told=told)
    if told:
        assert session.handle_timeout(20.9) == []
    events = session.handle_timeout(21.0 if told else 25.0)
    assert [type(event).__name__ for event in events] == ["Disconnected", "Reconnecting"]
    assert "no response within Timeouts.response (20 s)" in str(events[0])


def test_a_dial_that_does_not_end_is_timed_out_at_its_own() -> None:
    session = asking()
    events = session.handle_timeout(5.0)
    assert [type(event).__name__ for event in events] == ["Disconnected", "Reconnecting"]
    assert "no connection to http://api.test within Timeouts.connect (5 s)" in str(events[0])


class ReadTimeout(Exception):
    """As httpx has it."""


class ConnectTimeout(Exception):
    """As httpx has it."""


class ClientError(OSError):
    """As aiohttp and requests have theirs: it may be anything."""


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


REFUSED = ConnectionRefusedError(111, "refused")
LOSSES: list[tuple[BaseException | ErrorInfo, bool]] = [
    (REFUSED, True),
    (OSError("all addresses failed"), True),
    (OSError(113, "No route to host"), True),
    (socket.gaierror(-2, "Name or service not known"), True),
    (ConnectTimeout("connecting"), True),
    (ErrorInfo("connection", "refused", type="connect", retryable=True), True),
    (caused(ClientError("wrapped"), REFUSED), True),
    (ExceptionGroup("each address", [REFUSED, OSError(113, "No route")]), True),
    (ExceptionGroup("each address", [REFUSED, ConnectionResetError()]), False),
    (ConnectionResetError(104, "reset"), False),
    (BrokenPipeError(32, "pipe"), False),
    (TimeoutError("read"), False),
    (ReadTimeout("read"), False),
    (ClientError("wrapped"), False),
    (RuntimeError("whatever"), False),
    (ErrorInfo("connection", "reset", retryable=True), False),
]


@pytest.mark.parametrize(("error", "again"), LOSSES, ids=[repr(error)[:40] for error, _ in LOSSES])
def test_what_failed_before_it_was_sent_is_asked_again(
    error: BaseException | ErrorInfo, again: bool
) -> None:
    session = asking()
    session.connection_lost(error, 4.0)
    assert (session.end is None) is again
    # What begins nothing that is stored is asked again anyway, and so is what has a key.
    keyed = StreamRequest(
        "POST", STORED.url, {"idempotency-key": "k"}, STORED.body, dialect="openai-responses"
    )
    for request in (STORIES["chat"].request, keyed):
        session = asking(request)
        session.connection_lost(error, 4.0)
        assert session.end is None
    # With the client's word there is nothing to guess.
    session = asking(told=True)
    session.connection_lost(error, 4.0)
    assert session.end is not None
    assert session.end.outcome == "interrupted"
    # With sockets neither: what fails before ``connected`` has sent nothing.
    session = asking()
    session.connected(0.0)
    session.connection_lost(OSError("gone"), 0.0)
    # The failed send is followed by a look, and nothing more can be known.
    assert session.end is None


@pytest.mark.parametrize("told", [False, True])
def test_a_request_whose_response_did_not_come_is_not_sent_again_blindly(told: bool) -> None:
    session = asking(told=told)
    events = session.handle_timeout(25.0)
    assert isinstance(events[-1], StreamEnd)
    assert events[-1].outcome == "interrupted"


@pytest.mark.parametrize("how", ["snapshot", "reconnect"])
def test_a_request_that_the_client_has_is_not_sent_again_blindly(how: str) -> None:
    session = asking(told=True)
    if how == "snapshot":
        session = StreamSession.restore(session.snapshot(2.0), STORED, 2.0)
        session.start(2.0)
    else:
        session.reconnect(2.0)
    assert session.end is not None


def test_with_sockets_a_failed_dial_is_tried_again_whatever_it_was() -> None:
    """Known from the first connection on, which was one of sockets."""
    session = StreamSession(STORED, timeouts=SOON)
    session.start(0.0)
    session.connected(0.0)
    session.reconnect(0.0)
    session.closed(0.0)
    session.handle_timeout(0.0)
    events = session.connection_lost(TimeoutError("dial"), 0.0)
    assert type(events[-1]).__name__ == "Reconnecting"
    session.closed(0.0)
    session.handle_timeout(100.0)
    assert isinstance(session.next_step(100.0), Connect)
    # However late this is said.
    events = session.handle_timeout(900.0)
    assert type(events[-1]).__name__ == "Reconnecting"
    assert "Timeouts.connect" in str(events[0])


def test_the_heights_are_not_mixed() -> None:
    session = StreamSession(STORIES["chat"].request)
    session.start(0.0)
    session.connected(0.0)
    before = session.next_step(0.0)
    with pytest.raises(OutOfStepError):
        session.response_started(200, {}, 0.0)
    with pytest.raises(OutOfStepError):
        session.request_sent(0.0)
    with pytest.raises(OutOfStepError):
        session.receive_body(b"x", 0.0)
    assert session.next_step(0.0) == before
