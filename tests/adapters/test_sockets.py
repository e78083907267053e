"""Law 4 over real sockets: a sample of cuts, under every adapter, loses nothing and tells
nothing twice."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from sans_io_stream import Disconnected, Reconnecting, StreamRequest
from tests.session.answers import events_of, policy_of, whole
from tests.session.faults import Fault, FaultyServer
from tests.session.stories import STORIES, Story
from tests.session.test_law4 import breaking, check, length

from .colours import COLOURS, Told, collect
from .loopback import Loopback, at

QUICK: dict[str, Any] = {"initial_delay": 0.001, "jitter": 0.0}


def told_of(story: Story, server: Loopback, colour: str) -> Told:
    request = at(story.request, server.port)
    return collect(colour, request, policy=policy_of(story, **QUICK), proxy=False)


def places(story: Story) -> list[int]:
    """In the head, behind it, in the first record, in the middle, and before the last byte."""
    every = length(story)
    head = story.serve(whole(story.name).asked[0]).wire.index(b"\r\n\r\n") + 4
    return [0, head - 9, head + 60, every * 2 // 5, every * 4 // 5, every - 1]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("name", STORIES)
def test_a_cut_loses_nothing(name: str, colour: str) -> None:
    story = STORIES[name]
    for number, place in enumerate(places(story)):
        with Loopback(answers=breaking(story, place, lost=bool(number % 2))) as server:
            told = told_of(story, server, colour)
        check(story, told.events, place)
        assert told.stream is not None
        assert told.stream.transcript.end == told.end
        assert (told.raised is None) == (told.end.outcome == "complete")


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("lost", [True, False])
def test_many_cuts_lose_nothing(colour: str, lost: bool) -> None:
    story = STORIES["openai-responses"]
    faults = [Fault(at=part, lost=lost) for part in (0.3, 0.5, 0.2, 0.5, 0.4, 0.6)]
    with Loopback(answers=FaultyServer(story, faults)) as server:
        told = told_of(story, server, colour)
    check(story, told.events, length(story))
    assert told.names.count("Reconnecting") == 6
    assert server.accepted == 7


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("piece", [1, 1 << 20])
def test_however_the_bytes_come(colour: str, piece: int) -> None:
    story = STORIES["interactions"]
    with Loopback(answers=breaking(story, 700), piece=piece) as server:
        told = told_of(story, server, colour)
    assert events_of(told.events) == events_of(whole(story.name).events)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_refused_connection_is_tried_again(colour: str) -> None:
    story = STORIES["interactions"]
    server = Loopback(answers=story.serve, listening=refusing())
    heard: list[tuple[int, float]] = []

    def listen(attempt: int, delay: float) -> None:
        heard.append((attempt, delay))
        server.listening.listen()
        server.__enter__()

    request = at(story.request, server.port)
    policy = policy_of(story, **QUICK)
    told = collect(colour, request, policy=policy, on_reconnect=listen, proxy=False)
    server.__exit__()
    assert heard == [(2, 0.001)]
    lost, again = told.events[:2]
    assert isinstance(lost, Disconnected)
    assert lost.error is not None
    assert (lost.error.kind, lost.error.retryable) == ("connection", True)
    assert "ConnectionRefusedError" in lost.error.message
    assert again == Reconnecting(2, 0.001)
    assert events_of(told.events) == events_of(whole(story.name).events)


def refusing() -> socket.socket:
    """A socket whose port nobody else gets, and at which nobody listens yet."""
    kept = socket.socket()
    kept.bind(("127.0.0.1", 0))
    return kept


class Hasty(Loopback):
    """It answers behind the head, and reads on only to see whether the client goes on."""

    taken = 0

    def serve(self, connection: socket.socket) -> None:
        connection.recv(9)
        connection.sendall(b"HTTP/1.1 413 Too Much\r\ncontent-length: 2\r\n\r\n{}")
        while data := connection.recv(1 << 16):
            self.taken += len(data)


@pytest.mark.parametrize("colour", COLOURS)
def test_an_answer_to_half_a_request_stops_the_other_half(colour: str) -> None:
    body = b"x" * (32 << 20)
    with Hasty() as server:
        url = f"http://127.0.0.1:{server.port}/"
        request = StreamRequest("POST", url, body=body, dialect="openai-chat")
        told = collect(colour, request, proxy=False)
    assert server.accepted == 1
    assert told.end.error is not None
    assert told.end.error.status == 413
    assert server.taken < len(body)
