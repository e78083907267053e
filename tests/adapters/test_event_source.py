"""A client of plain server-sent events, as browsers' EventSource is one (WHATWG HTML, 9.2).

The server is a script: each connection gets the next body, and what was asked is looked at.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sans_io_stream import (
    Event,
    Heartbeat,
    Record,
    Resumed,
    StreamEnd,
    StreamInterrupted,
    StreamRequest,
    Timeouts,
)
from tests.session.answers import policy_of
from tests.session.peer import Asked, Reply, response
from tests.session.stories import STORIES

from .colours import ASYNC, COLOURS, Told, collect
from .loopback import Loopback, at
from .scripted import STALL, AsyncScripted, Connection, Scripted

POLICY = policy_of(STORIES["openai-responses"], initial_delay=0.001, jitter=0.0)
REQUEST = StreamRequest(
    "POST",
    "http://events.test/stream",
    headers={"x-custom": "kept"},
    body=b"which",
    dialect="records",
    resume="eventsource",
    terminator="[END]",
)


def talk(colour: str, *bodies: str, lost: bool = True, **options: Any) -> tuple[Told, list[Asked]]:
    """What comes of these bodies, all but the last of them cut off."""
    left = [*bodies]

    def answer(_: Asked) -> Reply:
        body = left.pop(0).encode()
        wire = response(body)
        return Reply(wire) if not left else Reply(wire.removesuffix(b"0\r\n\r\n"), lost=lost)

    with Loopback(answers=answer) as server:
        told = collect(colour, at(REQUEST, server.port), policy=POLICY, proxy=False, **options)
    assert not left
    return told, server.asked


def data_of(told: Told) -> list[str]:
    return [event.data for event in told.events if isinstance(event, Record)]


@pytest.mark.parametrize("colour", COLOURS)
def test_the_last_id_is_sent_and_the_request_again(colour: str) -> None:
    told, asked = talk(
        colour, "id: 1\ndata: a\n\nid: zwölf\ndata: b\n\n", "id: 3\ndata: c\n\ndata: [END]\n\n"
    )
    assert data_of(told) == ["a", "b", "c", "[END]"]
    assert told.end == StreamEnd("complete")
    first, second = asked
    assert "last-event-id" not in first.headers
    # As UTF-8, read here as Latin-1.
    assert second.headers["last-event-id"].encode("latin-1").decode() == "zwölf"
    for one in asked:
        assert (one.method, one.path, one.body) == ("POST", "/stream", b"which")
        assert one.headers["x-custom"] == "kept"
        assert one.headers["accept"] == "text/event-stream"
        assert one.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("colour", COLOURS)
def test_an_id_is_kept_through_blocks_without_one(colour: str) -> None:
    told, asked = talk(colour, "id: 1\ndata: a\n\ndata: b\n\nid: 2\n\n: c\n\n", "data: [END]\n\n")
    assert data_of(told) == ["a", "b", "[END]"]
    assert asked[1].headers["last-event-id"] == "2"
    assert [e.id for e in told.events if isinstance(e, Record)][:2] == ["1", "1"]


@pytest.mark.parametrize("colour", COLOURS)
def test_an_empty_id_takes_the_last_one_back(colour: str) -> None:
    told, asked = talk(colour, "id: 1\ndata: a\n\nid\ndata: b\n\n", "data: [END]\n\n")
    assert data_of(told) == ["a", "b", "[END]"]
    assert "last-event-id" not in asked[1].headers


@pytest.mark.parametrize("colour", COLOURS)
def test_what_was_said_in_part_is_dropped(colour: str) -> None:
    told, _ = talk(
        colour,
        "id: 1\ndata: a\n\nid: 2\ndata: half of it\n",
        "id: 2\ndata: all of it\n\ndata: [END]\n\n",
    )
    assert data_of(told) == ["a", "all of it", "[END]"]


@pytest.mark.parametrize("colour", COLOURS)
def test_comments_are_delivered(colour: str) -> None:
    told, _ = talk(colour, ": hello\n\ndata: [END]\n\n")
    assert Heartbeat("hello") in told.events


@pytest.mark.parametrize("colour", COLOURS)
def test_the_server_names_the_time_to_come_back(colour: str) -> None:
    heard: list[float] = []

    def hear(_: int, delay: float) -> None:
        heard.append(delay)

    talk(colour, "retry: 30\nid: 1\ndata: a\n\n", "data: [END]\n\n", on_reconnect=hear)
    assert heard == [0.03]


@pytest.mark.parametrize("colour", COLOURS)
def test_nothing_more_is_asked_behind_204(colour: str) -> None:
    answers = [Reply(response(b"id: 1\ndata: a\n\n")), Reply(response(b"", status=204))]
    with Loopback(answers=lambda _: answers.pop(0)) as server:
        told = collect(colour, at(REQUEST, server.port), policy=POLICY, proxy=False)
    assert data_of(told) == ["a"]
    assert told.end == StreamEnd("complete")
    assert len(server.asked) == 2


@pytest.mark.parametrize("colour", COLOURS)
def test_a_restart_on_demand(colour: str) -> None:
    def seen(stream: Any, event: Event) -> None:
        if isinstance(event, Record) and event.data == "a":
            stream.reconnect()

    told, asked = talk(colour, "id: 1\ndata: a\n\n", "id: 2\ndata: [END]\n\n", seen=seen)
    assert data_of(told) == ["a", "[END]"]
    assert asked[1].headers["last-event-id"] == "1"
    assert any(isinstance(event, Resumed) for event in told.events)


@pytest.mark.parametrize("colour", [*ASYNC, "sync"])
def test_a_silent_server_is_left(colour: str) -> None:
    """The read timeout, on a clock that is a number."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    network = Scripted(
        Connection([head + b"id: 1\ndata: a\n\n", STALL]),
        Connection([head + b": ping\n\n", (20.0, b": ping\n\n"), STALL]),
        Connection([head + b"data: b\n\n", STALL]),
        Connection([head, STALL]),
    )
    told = collect(
        colour,
        replace(REQUEST, terminator=None),
        network=network if colour == "sync" else AsyncScripted(network),
        timeouts=Timeouts(idle=25.0, total=100.0),
        policy=POLICY,
        proxy=False,
    )
    assert data_of(told) == ["a", "b"]
    assert isinstance(told.raised, StreamInterrupted)
    assert network.time == 100.0
    sent = [str(entry[1]) for entry in network.log if entry[0] == "send"]
    assert ["last-event-id: 1" in request for request in sent] == [False, True, True, True]
