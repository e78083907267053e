"""A driver with an HTTP client of its own gets the events that raw bytes give.

It takes ``Connect.request``, and tells the head, the body and its end; sockets, TLS and the
transfer coding are its client's business.
"""

from __future__ import annotations

import pytest

from sans_io_stream import Connected, Event, OutOfStepError, Timeouts
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


def test_a_response_that_does_not_come_is_timed_out_at_its_own_deadline() -> None:
    session = StreamSession(STORIES["chat"].request, timeouts=Timeouts(connect=5, response=20))
    session.start(0.0)
    step = session.next_step(0.0)
    assert isinstance(step, Connect)
    assert (step.deadline, step.response_deadline) == (5.0, 25.0)
    events = session.handle_timeout(25.0)
    assert [type(event).__name__ for event in events] == ["Disconnected", "Reconnecting"]


def test_the_heights_are_not_mixed() -> None:
    session = StreamSession(STORIES["chat"].request)
    session.start(0.0)
    session.connected(0.0)
    before = session.next_step(0.0)
    with pytest.raises(OutOfStepError):
        session.response_started(200, {}, 0.0)
    with pytest.raises(OutOfStepError):
        session.receive_body(b"x", 0.0)
    assert session.next_step(0.0) == before
