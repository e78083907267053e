"""Scripts about trying again: when, how often, through which proxy, and what the user may say."""

from __future__ import annotations

from typing import Any

import pytest

from sans_io_stream import (
    Event,
    ReconnectPolicy,
    Record,
    StreamRequest,
    StreamSession,
    Timeouts,
)
from sans_io_stream.session import Connect, Receive, Send, StartTLS, Wait
from tests.session.peer import Asked, Reply, drive, response
from tests.session.stories import STORIES
from tests.session.test_scripts import CHAT, HEAD, answered, begun, words

SECURE = StreamRequest("GET", "https://api.test/events", dialect="records")


# ---- when


@pytest.mark.parametrize(
    ("headers", "delay"),
    [
        ((), 1.0),
        (("Retry-After: 7",), 7.0),
        (("Retry-After: 0",), 1.0),
        (("Retry-After: 0.5",), 1.0),
        (("Retry-After: soon",), 1.0),
        (("retry-after-ms: 2500",), 2.5),
        (("retry-after-ms: 2500", "Retry-After: 90"), 2.5),
        (
            (
                "Date: Sun, 06 Nov 1994 08:49:37 GMT",
                "Retry-After: Sun, 06 Nov 1994 08:50:07 GMT",
            ),
            30.0,
        ),
        (("Retry-After: Sun, 06 Nov 1994 08:50:07 GMT",), 1.0),
    ],
)
def test_the_delay_is_the_larger_of_theirs_and_ours(headers: tuple[str, ...], delay: float) -> None:
    session = begun()
    events = session.receive_data(answered(429, *headers), 0.0)
    assert words(events) == [
        "Connected 429",
        "Disconnected rate_limit",
        f"Reconnecting 2 after {delay:g}",
    ]
    session.closed(0.0)
    assert session.next_step(0.0) == Wait(delay, "backoff")
    assert session.handle_timeout(delay - 0.1) == []
    assert isinstance(session.next_step(delay - 0.1), Wait)
    session.handle_timeout(delay)
    assert isinstance(session.next_step(delay), Connect)


@pytest.mark.parametrize(
    ("status", "header", "again"),
    [
        *((status, "", True) for status in (408, 409, 425, 429, 500, 501, 502, 503, 504, 505, 529)),
        *((status, "", False) for status in (400, 401, 403, 404, 422)),
        (400, "x-should-retry: true", True),
        (503, "x-should-retry: false", False),
    ],
)
def test_what_is_worth_another_attempt(status: int, header: str, again: bool) -> None:
    session = begun()
    events = session.receive_data(answered(status, *([header] if header else [])), 0.0)
    assert words(events)[-1].startswith("Reconnecting" if again else "StreamEnd failed")


def test_a_wait_that_is_too_long_ends_the_stream_and_says_when_to_come_back() -> None:
    for timeouts, wait in ((None, 4000), (Timeouts(total=60), 61), (None, 9 * 10**13)):
        session = begun(timeouts=timeouts)
        events = session.receive_data(answered(429, f"Retry-After: {wait}"), 0.0)
        assert words(events)[-1] == "StreamEnd failed rate_limit"
        assert session.end is not None
        assert session.end.error is not None
        assert session.end.error.retry_after == min(wait, 1e12)


def test_the_streams_own_reconnection_time_is_kept() -> None:
    story = STORIES["last-event-id"]
    for retry, delay in ((b"retry: 5000\n\n", 5.0), (b"retry: 10\n\n", 1.0)):
        session = begun(story.request)
        session.receive_data(HEAD + retry + b"id: 1\ndata: x\n\n", 0.0)
        events = session.connection_lost(ConnectionResetError("reset"), 0.0)
        assert words(events)[-1] == f"Reconnecting 2 after {delay:g}"


def test_delays_double_and_the_jitter_only_adds() -> None:
    for random, factor in ((None, 1.0), (lambda: 0.0, 1.0), (lambda: 1.0, 1.2)):
        policy = ReconnectPolicy(max_attempts=8, max_retries=7)
        run = drive(
            StreamSession(CHAT, policy=policy, random=random), lambda _: Reply(b"", lost=True)
        )
        assert run.waits == pytest.approx([d * factor for d in (1, 2, 4, 8, 16, 30, 30)])


def test_before_an_answer_there_are_three_retries() -> None:
    run = drive(StreamSession(CHAT), lambda _: Reply(b"", lost=True))
    assert len(run.asked) == 4
    assert words(run.events)[-1] == "StreamEnd interrupted exhausted"
    run = drive(StreamSession(CHAT), lambda _: Reply(answered(503)))
    assert len(run.asked) == 4
    assert words(run.events)[-1].startswith("StreamEnd failed")


def test_a_row_starts_afresh_only_when_something_new_was_delivered_exactly() -> None:
    story = STORIES["openai-responses"]

    def one_more(asked: Asked, records: int = 1) -> Reply:
        """Each connection breaks behind its first records."""
        cursor = story.asked_from(asked)
        wire = response(b"", pieces=story.after(cursor)[:records])[:-5]
        return Reply(wire, lost=True)

    # Of any four records one tells something; those that do not are nothing new.
    run = drive(StreamSession(story.request), lambda asked: one_more(asked, 4))
    assert run.end.outcome == "complete"
    assert set(run.waits) == {1.0}

    def nothing_new(asked: Asked) -> Reply:
        return one_more(asked) if asked.method == "POST" else Reply(HEAD, lost=True)

    run = drive(StreamSession(story.request), nothing_new)
    assert run.waits == [1.0, 2.0, 4.0, 8.0]
    assert words(run.events)[-1] == "StreamEnd interrupted exhausted"

    run = drive(StreamSession(story.request, policy=ReconnectPolicy(max_connections=7)), one_more)
    assert len(run.asked) == 7
    assert words(run.events)[-1] == "StreamEnd interrupted exhausted"


def test_never_is_one_connection() -> None:
    run = drive(
        StreamSession(CHAT, policy=ReconnectPolicy.never()), lambda _: Reply(b"", lost=True)
    )
    assert len(run.asked) == 1
    assert run.end.outcome == "interrupted"


# ---- event sources


def test_an_event_source_goes_on_after_an_orderly_end_and_stops_at_204() -> None:
    request = StreamRequest("GET", "http://a.test/", dialect="records", resume="eventsource")
    bodies = [
        b"id: 1\ndata: one\n\ndata: cut",
        b"data: two\n\nid\ndata: no id\n\n",
        b"data: three\n\n",
    ]

    def serve(asked: Asked) -> Reply:
        return Reply(HEAD + bodies.pop(0)) if bodies else Reply(b"HTTP/1.1 204 No\r\n\r\n")

    run = drive(StreamSession(request), serve)
    ids = [asked.headers.get("last-event-id") for asked in run.asked]
    assert ids == [None, "1", None, None]
    records = [event.data for event in run.events if isinstance(event, Record)]
    assert records == ["one", "two", "no id", "three"]
    assert run.end.outcome == "complete"


# ---- proxies


@pytest.mark.parametrize("tls", [False, True])
def test_a_proxy_is_spoken_to_with_connect(tls: bool) -> None:
    scheme, port = ("https", 8443) if tls else ("http", 3128)
    session = StreamSession(SECURE, proxy=f"{scheme}://user:pass@proxy.test:{port}")
    session.start(0.0)
    step: Any = session.next_step(0.0)
    assert (step.host, step.port) == ("proxy.test", port)
    session.connected(0.0)
    if tls:
        assert session.next_step(0.0) == StartTLS("proxy.test", 10.0)
        session.tls_started(0.0)
    step = session.next_step(0.0)
    assert step.data.startswith(b"CONNECT api.test:443 HTTP/1.1\r\n")
    assert b"Basic dXNlcjpwYXNz" in step.data
    assert "dXNl" not in repr(step)
    session.sent(0.0)
    assert session.next_step(0.0) == Receive(10.0)
    assert session.receive_data(b"HTTP/1.1 200 Established\r\n\r\n", 0.0) == []
    assert session.next_step(0.0) == StartTLS("api.test", 10.0)
    session.tls_started(0.0)
    step = session.next_step(0.0)
    assert isinstance(step, Send)
    assert b"proxy-authorization" not in step.data.lower()


@pytest.mark.parametrize(
    ("status", "last"),
    [(407, "StreamEnd failed authentication"), (502, "Reconnecting 2 after 1")],
)
def test_a_proxy_may_refuse(status: int, last: str) -> None:
    session = StreamSession(SECURE, proxy="http://user:pass@proxy.test:3128")
    session.start(0.0)
    session.connected(0.0)
    session.sent(0.0)
    events = session.receive_data(answered(status, body=b"no"), 0.0)
    assert words(events)[-1] == last
    assert "pass" not in repr(events)
    assert "dXNl" not in repr(events)


# ---- the user


def test_reconnecting_on_demand_takes_the_stream_up() -> None:
    story = STORIES["last-event-id"]
    session = begun(story.request)
    session.receive_data(HEAD + b"id: 1\ndata: x\n\n", 0.0)
    assert words(session.reconnect(5.0)) == ["Disconnected connection", "Reconnecting 2 after 0"]
    session.closed(5.0)
    session.handle_timeout(5.0)
    step = session.next_step(5.0)
    assert isinstance(step, Connect)
    assert step.request.header("last-event-id") == "1"


def test_nothing_is_begun_before_it_may_be() -> None:
    session = StreamSession(CHAT)
    session.not_before(10.0, 0.0)
    session.start(0.0)
    assert session.next_step(0.0) == Wait(10.0, "held back")
    assert session.handle_timeout(9.0) == []
    session.handle_timeout(10.0)
    assert isinstance(session.next_step(10.0), Connect)
    session.connection_lost(OSError("refused"), 10.0)
    session.not_before(60.0, 10.0)
    session.closed(10.0)
    step = session.next_step(10.0)
    assert isinstance(step, Wait)
    assert step.until == 60.0


def test_there_is_one_end_and_it_is_last() -> None:
    for story in STORIES.values():
        events: list[Event] = drive(StreamSession(story.request), story.serve).events
        ends = [event for event in events if type(event).__name__ == "StreamEnd"]
        assert ends == [events[-1]]
        assert "secret" not in repr(events)
