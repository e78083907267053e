"""Law 8 over each runtime's own sockets: what a server does is told alike by all adapters.

Only what the system words differently is left out: of an error's message its first word
counts, which is the exception's name.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import msgspec
import pytest

from sans_io_stream import Disconnected, Event, ReconnectPolicy, StreamEnd
from tests.session.answers import transcript_of, whole
from tests.session.peer import Asked, Reply, cut, response
from tests.session.stories import STORIES

from .colours import COLOURS, Told, collect
from .loopback import Loopback, at, reset

STORY = STORIES["openai-responses"]


def lost(part: float) -> Callable[[Asked], Reply]:
    def serve(asked: Asked) -> Reply:
        wire = STORY.serve(asked).wire
        return cut(wire, int(part * len(wire)))

    return serve


def ended(part: float) -> Callable[[Asked], Reply]:
    def serve(asked: Asked) -> Reply:
        wire = STORY.serve(asked).wire
        return cut(wire, int(part * len(wire)), lost=False)

    return serve


def says(status: int, **headers: str) -> Callable[[Asked], Reply]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    wire = response(b"{}", status=status, content_type="application/json", headers=named)
    return lambda _: Reply(wire)


def garbage(asked: Asked) -> Reply:
    return Reply(b"SSH-2.0-OpenSSH_9.6\r\n")


def nothing(asked: Asked) -> Reply:
    return Reply(b"", lost=True)


HAPPENINGS: dict[str, list[Callable[[Asked], Reply]]] = {
    "well": [],
    "reset": [lost(0.5)],
    "reset before the head": [nothing, lost(0.01)],
    "an early end": [ended(0.5), ended(0.4)],
    "an end before the head": [ended(0), ended(0.02)],
    "no HTTP": [garbage],
    "busy": [says(503, retry_after_ms="1"), says(429, retry_after_ms="2")],
    "too busy": [says(429, retry_after="4000")],
    "no such key": [says(401)],
    "a bad request": [says(400)],
    "lost, and gone": [lost(0.6), says(404)],
    "all of them": [lost(0.3), says(500), ended(0.2), nothing, lost(0.5)],
}


@dataclass
class Playing(Loopback):
    """What happens to each connection, and then the story."""

    happenings: list[Callable[[Asked], Reply]] = field(
        default_factory=list[Callable[[Asked], Reply]]
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.answers = self.play

    def play(self, asked: Asked) -> Reply:
        return (self.happenings.pop(0) if self.happenings else STORY.serve)(asked)


def alike(event: Event) -> Event:
    """The event without the system's own words."""
    error = event.error if isinstance(event, Disconnected | StreamEnd) else None
    if error is None:
        return event
    word = error.message.split(":")[0]
    return msgspec.structs.replace(event, error=msgspec.structs.replace(error, message=word))


def words(told: Told) -> list[str]:
    """What the connections were lost by."""
    found = [event.error for event in told.events if isinstance(event, Disconnected)]
    return [error.message.split(":")[0] for error in found if error is not None]


def played(colour: str, happenings: list[Callable[[Asked], Reply]]) -> tuple[Told, list[Asked]]:
    # One piece is one read: where ``Resumed`` is told in a replay depends on the reads.
    with Playing(happenings=list(happenings), piece=1 << 20) as server:
        policy = ReconnectPolicy(initial_delay=0.001, jitter=0)
        told = collect(colour, at(STORY.request, server.port), policy=policy, proxy=False)
    hosts = [asked.headers["host"] for asked in server.asked]
    assert hosts == [f"127.0.0.1:{server.port}"] * len(hosts)
    return told, [replace(asked, headers={**asked.headers, "host": ""}) for asked in server.asked]


@pytest.mark.parametrize("name", HAPPENINGS)
def test_all_adapters_tell_the_same(name: str) -> None:
    told, asked = played("sync", HAPPENINGS[name])
    if told.end.outcome == "complete":
        assert transcript_of(told.events) == transcript_of(whole(STORY.name).events)
    for colour in COLOURS:
        again, other = played(colour, HAPPENINGS[name])
        assert [alike(event) for event in again.events] == [alike(event) for event in told.events]
        assert other == asked
        assert type(again.raised) is type(told.raised)


def test_a_reset_is_called_one_by_all() -> None:
    """Runtimes have their own exceptions for it; the system's is told."""
    for colour in COLOURS:
        told, _ = played(colour, HAPPENINGS["reset"])
        assert (colour, words(told)) == (colour, ["ConnectionResetError"])


@pytest.mark.parametrize("colour", COLOURS)
def test_sending_into_a_reset_is_a_loss(colour: str) -> None:
    class Deaf(Loopback):
        def serve(self, connection: socket.socket) -> None:
            connection.recv(9)
            reset(connection)

    with Deaf() as server:
        policy = ReconnectPolicy(max_attempts=1)
        told = collect(colour, at(STORY.request, server.port), policy=policy, proxy=False)
    assert told.end.outcome == "interrupted"
    assert words(told) in (["ConnectionResetError"], ["BrokenPipeError"], [])
