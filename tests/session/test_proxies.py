"""A proxy that refuses: told at once, stalled, reset, and with a time to come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sans_io_stream import Event, StreamRequest, StreamSession
from sans_io_stream.session import Close, Receive, Wait
from tests.session.test_scripts import answered, words

SECURE = StreamRequest("GET", "https://api.test/events", dialect="records")
PLAIN = StreamRequest("GET", "http://api.test/events", dialect="records")
UNFINISHED = b"HTTP/1.1 407 Log in\r\nContent-Length: 500\r\n\r\nuser:pass please"


def asked(scheme: str = "http", request: StreamRequest = SECURE) -> StreamSession:
    """The proxy has been asked for a tunnel, at time 0."""
    session = StreamSession(request, proxy=f"{scheme}://user:pass@proxy.test:3128")
    session.start(0.0)
    session.connected(0.0)
    if scheme == "https":
        session.tls_started(0.0)
    session.sent(0.0)
    assert session.next_step(0.0) == Receive(10.0)
    return session


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("how", ["stalls", "is reset", "ends"])
def test_a_refusal_is_one_once_its_head_is_there(how: str, scheme: str) -> None:
    session = asked(scheme)
    assert session.receive_data(UNFINISHED, 0.0) == []
    assert session.next_step(0.0) == Receive(10.0)
    ends: dict[str, Callable[[], list[Event]]] = {
        "stalls": lambda: session.handle_timeout(10.0),
        "is reset": lambda: session.connection_lost(ConnectionResetError("reset"), 1.0),
        "ends": lambda: session.receive_eof(1.0),
    }
    events: Any = ends[how]()
    assert words(events) == ["StreamEnd failed authentication"]
    assert events[0].error.status == 407
    assert "Log in" in events[0].error.message
    assert session.next_step(10.0) == Close()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("how", "kind"), [("stalls", "timeout"), ("is reset", "connection"), ("ends", "truncated")]
)
def test_a_proxy_that_says_nothing_is_asked_again(how: str, kind: str, scheme: str) -> None:
    session = asked(scheme)
    session.receive_data(b"HTTP/1.1 407", 0.0)
    ends: dict[str, Callable[[], list[Event]]] = {
        "stalls": lambda: session.handle_timeout(10.0),
        "is reset": lambda: session.connection_lost(ConnectionResetError("reset"), 1.0),
        "ends": lambda: session.receive_eof(1.0),
    }
    assert words(ends[how]()) == [f"Disconnected {kind}", "Reconnecting 2 after 1"]


@pytest.mark.parametrize("request_", [SECURE, PLAIN], ids=["https", "http"])
@pytest.mark.parametrize(
    ("status", "headers", "last"),
    [
        (407, (), "StreamEnd failed authentication"),
        (407, ("x-should-retry: true",), "Reconnecting 2 after 1"),
        (403, (), "StreamEnd failed permission"),
        (404, (), "StreamEnd interrupted connection"),
        (503, (), "Reconnecting 2 after 1"),
        (503, ("Retry-After: 60",), "Reconnecting 2 after 60"),
        (503, ("retry-after-ms: 2500",), "Reconnecting 2 after 2.5"),
        (503, ("Retry-After: 4000",), "StreamEnd interrupted connection"),
        (503, ("x-should-retry: false",), "StreamEnd interrupted connection"),
        (429, ("Retry-After: 7",), "Reconnecting 2 after 7"),
        *((status, (), "Reconnecting 2 after 1") for status in (408, 409, 425, 500, 502, 529)),
    ],
)
def test_its_head_is_read_as_any_other(
    status: int, headers: tuple[str, ...], last: str, request_: StreamRequest
) -> None:
    session = asked(request=request_)
    events = session.receive_data(answered(status, *headers), 0.0)
    assert words(events)[-1] == last
    assert "Connected" not in repr(events)
    if last.startswith("StreamEnd") and "Retry-After: 4000" in headers:
        assert session.end is not None
        assert session.end.error is not None
        assert session.end.error.retry_after == 4000
    if last.startswith("Reconnecting"):
        session.closed(0.0)
        assert session.next_step(0.0) == Wait(float(last.rpartition(" ")[2]), "backoff")
