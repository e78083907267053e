"""Deadlines over each runtime's own sockets, on clocks that jump: whoever says nothing, or
nothing that counts, is left at the stated time, for the stated reason."""

from __future__ import annotations

import itertools
import socket
import sys
from collections.abc import Callable, Iterator

import pytest

from sans_io_stream import ReconnectPolicy, StreamEnd, Timeouts
from tests.session.peer import response
from tests.session.stories import STORIES

from .colours import COLOURS
from .loopback import at
from .virtual import Slow, timed

STORY = STORIES["chat"]
WHOLE = STORY.wire(STORY.after(None))
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
FIRST = HEAD + STORY.records[1][1]
SOON = Timeouts(connect=10, response=60, idle=30, progress=100)

Words = Iterator[tuple[float, bytes]]


def silence() -> Words:
    return iter(())


def half() -> Words:
    return iter([(5.0, FIRST)])


def pings() -> Words:
    return itertools.chain([(0.0, FIRST)], itertools.repeat((15.0, b": ping\n\n")))


def drops() -> Words:
    """A byte a minute, of a record that never ends."""
    endless = b'data: {"choices": [{"delta": {"content": "' + b"x" * 10_000
    return itertools.chain([(0.0, FIRST)], ((60.0, bytes([byte])) for byte in endless))


def late() -> Words:
    """Each word comes before its time is up."""
    cuts = [WHOLE[start : start + 200] for start in range(0, len(WHOLE), 200)]
    return itertools.chain([(59.0, cuts[0])], ((29.0, piece) for piece in cuts[1:]))


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    ("words", "timeouts", "seconds", "reason"),
    [
        (silence, SOON, 60, "Timeouts.response (60 s)"),
        (half, SOON, 35, "Timeouts.idle (30 s)"),
        (pings, SOON, 100, "Timeouts.progress (100 s)"),
        (drops, None, 900, "Timeouts.progress (900 s)"),
        (pings, Timeouts(total=50), 50, "Timeouts.total (50 s)"),
        (silence, Timeouts(total=20), 20, "Timeouts.total (20 s)"),
    ],
)
def test_a_server_is_left_at_the_stated_time(
    words: Callable[[], Words],
    timeouts: Timeouts | None,
    seconds: float,
    reason: str,
    colour: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Slow((words(),)) as server:
        told, took = timed(
            colour,
            server,
            at(STORY.request, server.port),
            monkeypatch,
            timeouts=timeouts,
            policy=ReconnectPolicy(max_attempts=1, max_retries=0),
            proxy=False,
        )
    assert took == pytest.approx(seconds, abs=0.01)
    assert told.end.outcome in ("interrupted", "failed")
    assert told.end.error is not None
    assert reason in str(told.end.error)


@pytest.mark.parametrize("colour", COLOURS)
def test_what_comes_in_time_is_whole(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Slow((late(),)) as server:
        request = at(STORY.request, server.port)
        told, took = timed(colour, server, request, monkeypatch, timeouts=SOON, proxy=False)
    assert told.end == StreamEnd("complete")
    assert took > 100


@pytest.mark.parametrize("colour", COLOURS)
def test_a_wait_is_as_long_as_the_server_wants(
    colour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = response(
        b"{}", status=503, content_type="application/json", headers={"retry-after": "90"}
    )
    with Slow((iter([(1.0, busy)]), iter([(2.0, WHOLE)]))) as server:
        told, took = timed(
            colour,
            server,
            at(STORY.request, server.port),
            monkeypatch,
            policy=ReconnectPolicy(jitter=0),
            proxy=False,
        )
    assert told.end == StreamEnd("complete")
    assert took == pytest.approx(93, abs=0.01)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_handshake_that_stalls(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Slow((silence(),)) as server:
        told, took = timed(
            colour,
            server,
            at(STORY.request, server.port, "https"),
            monkeypatch,
            policy=ReconnectPolicy.never(),
            proxy=False,
        )
    assert took == pytest.approx(10, abs=0.01)
    assert "no TLS with" in str(told.end.error)
    assert "Timeouts.connect (10 s)" in str(told.end.error)


@pytest.mark.skipif(sys.platform != "linux", reason="how a full queue is treated is Linux' way")
@pytest.mark.parametrize("colour", COLOURS)
def test_dialling_that_stalls(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody accepts, and the queue is full: the system lets whoever comes now wait."""
    with Slow(()) as server, socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())
        told, took = timed(
            colour,
            server,
            at(STORY.request, full.getsockname()[1]),
            monkeypatch,
            policy=ReconnectPolicy.never(),
            proxy=False,
        )
    assert took == pytest.approx(10, abs=0.01)
    assert "no connection to" in str(told.end.error)
    assert "Timeouts.connect (10 s)" in str(told.end.error)
