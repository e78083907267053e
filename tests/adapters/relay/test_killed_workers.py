"""Workers are killed while a hundred streams run: what was seen is there, and all go on, once.

The Redis, the workers, the providers and the signals are real. Nothing sleeps: a worker is killed
when its readers have seen so many events more.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import msgspec
import pytest

from sans_io_stream import Event, StreamEnd, Transcript, Usage
from sans_io_stream.encoding import Encoder
from sans_io_stream.relay import START, Entry, LogReader, StreamLog
from sans_io_stream.relay.entries import passed_on

from .crowd import Client, Format, Pace, Raw, Seen, fields_of
from .fleet import EXACT, PLAIN, WITHIN, Fleet

if TYPE_CHECKING:
    from sans_io_stream_adapters.relay.stores.protocol import Meta

pytestmark = pytest.mark.anyio

STREAMS = 100
PIECES = 80
TEXT = " ".join(f"word {number}," for number in range(PIECES)) + " 🦜"
EVERY = 0.05
"""Seconds from one record of a provider's to the next."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Crowd:
    """So many streams at once, of both kinds, in both formats; a new one for each that ends, until
    ``last`` says that these are the last ones."""

    def __init__(self, fleet: Fleet, streams: int) -> None:
        self.pace = Pace()
        self.seen: list[Seen] = []
        self.last = False
        self._fleet = fleet
        self._streams = streams
        self._begun = 0

    async def read(self) -> None:
        """Until all have ended."""
        async with anyio.create_task_group() as group:
            for number in range(self._streams):
                group.start_soon(self._reads, number)

    async def _reads(self, number: int) -> None:
        model = f"{(EXACT, PLAIN)[number % 2]}/m"
        format: Format = ("native", "openai-chat")[number // 2 % 2]
        while True:
            self._begun += 1
            await self._one(model, format, f"key {self._begun}", number)
            if self.last:
                return

    async def _one(self, model: str, format: Format, key: str, number: int) -> None:
        url, pace = self._fleet.door.url, self.pace
        async with anyio.create_task_group() as group:
            first = Raw(pace, format) if number % 5 == 0 else Client(pace, format)
            read = first.begin if isinstance(first, Raw) else first.read
            self.seen.append(first)
            group.start_soon(read, url, model, key)
            if number % 10 < 2:
                # There is a second one, who reads it at any other worker.
                await first.named.wait()
                if first.id:
                    second = Raw(pace, "native")
                    self.seen.append(second)
                    group.start_soon(second.join, url, first.id)


# ---- what holds in the end


def plain(event: Event) -> Event:
    """An event as it is, wherever in a record it stood."""
    return msgspec.structs.replace(event, path="") if isinstance(event, Usage) else event


def blocks_of(
    meta: Meta, entries: list[Entry], format: Format, *, counts: bool
) -> list[tuple[str, bytes]]:
    """What a reader of these entries gets in that format, from the start to the end, with token
    counts or without: the cursors and the data of its events."""
    log = StreamLog(meta.id, meta.created)
    log.follow(entries)
    encoder = Encoder(format, "sse", created=int(meta.created))
    reader = LogReader(log, encoder, START, counts=counts)
    body = b""
    while data := reader.read():
        body += data
    found: list[tuple[str, bytes]] = []
    for block in body.split(b"\n\n"):
        fields = fields_of(block)
        if b"id" in fields:
            found.append((fields[b"id"].decode(), fields.get(b"data", b"")))
    return found


def check_kept(meta: Meta, entries: list[Entry]) -> None:
    """One stream, as it stands in the store."""
    assert [one.number for one in entries] == list(range(1, len(entries) + 1))
    events = [event for one in entries for event in one.events]
    ends = [event for event in events if isinstance(event, StreamEnd)]
    assert ends == events[-1:]
    told = Transcript.of(events)
    if ends[0].outcome == "complete":
        assert told.text == TEXT
        assert told.usage is not None
    else:
        assert ends[0].outcome == "interrupted"
        assert TEXT.startswith(told.text)
        # It can only be gone on with behind a token of the provider's.
        assert meta.provider == PLAIN or not any(one.token for one in entries)


def check_seen(seen: Seen, meta: Meta, entries: list[Entry]) -> None:
    """What one reader had of it: all of it, once, at the places where it stands."""
    assert len(set(seen.cursors)) == len(seen.cursors)
    assert seen.cursors == sorted(seen.cursors)
    end = entries[-1].events[-1]
    assert isinstance(end, StreamEnd)
    if isinstance(seen, Raw):
        # Without asking for them there are none in that format.
        counts = seen.format == "native"
        assert seen.blocks == blocks_of(meta, entries, seen.format, counts=counts)
        assert seen.outcome in ("", end.outcome)
        return
    assert isinstance(seen, Client)
    assert set(seen.resumed) <= {"continue", "replay"}
    assert seen.end is not None
    assert seen.end.outcome == end.outcome
    blocks = blocks_of(meta, entries, seen.format, counts=True)
    assert set(seen.cursors) <= {cursor for cursor, _ in blocks}
    mine = [event for event in seen.events if passed_on(event)]
    kept = [event for one in entries for event in one.events]
    if seen.format == "native":
        assert [plain(event) for event in mine] == [plain(event) for event in kept]
    assert Transcript.of(mine).text == Transcript.of(kept).text


async def check(fleet: Fleet, crowd: Crowd) -> None:
    """All of it."""
    await fleet.until_sealed()
    kept = await fleet.kept()
    for meta, entries in kept.values():
        check_kept(meta, entries)
    for seen in crowd.seen:
        if seen.id:
            check_seen(seen, *kept[seen.id])
    # Nothing was asked twice of anybody.
    begun = [one for one in fleet.exact.seen.requests if one.method == "POST"]
    assert len(begun) + len(fleet.plain.seen.requests) <= await fleet.created()


# ---- and what befalls them


Befalls = Callable[[Fleet, Crowd, random.Random], Awaitable[None]]


async def while_they_read(
    fleet: Fleet, befalls: Befalls, seed: int = 0, streams: int = STREAMS
) -> Crowd:
    """A crowd that has read to the end, whatever befell the workers."""
    crowd = Crowd(fleet, streams)
    async with anyio.create_task_group() as group:
        group.start_soon(crowd.read)
        await crowd.pace.more(1)
        await crowd.pace.all()
        await befalls(fleet, crowd, random.Random(seed))
    await check(fleet, crowd)
    return crowd


def kills(count: int, both: float = 0.0) -> Befalls:
    """One worker after the other is killed and started again, so many times; both of them at once
    with that probability."""

    async def befalls(fleet: Fleet, crowd: Crowd, dice: random.Random) -> None:
        for number in range(count):
            await crowd.pace.more(dice.randrange(1, 500))
            if number % 2 or count < 3:
                # All have gone on since the last time. Else that one's are still to be taken.
                await crowd.pace.all()
            crowd.last = number == count - 1
            victims = [0, 1] if dice.random() < both else [number % 2]
            for victim in victims:
                await fleet.kill(victim)
            for victim in victims:
                await fleet.start(victim)

    return befalls


async def test_two_workers_are_killed_one_after_the_other(tmp_path: Path) -> None:
    with anyio.fail_after(WITHIN):
        async with Fleet(tmp_path, TEXT, PIECES, EVERY) as fleet:
            crowd = await while_they_read(fleet, kills(2))
    clients = [one for one in crowd.seen if isinstance(one, Client)]
    assert {one.end.outcome for one in clients if one.end} == {"complete", "interrupted"}
    assert sum("continue" in one.resumed for one in clients) >= STREAMS // 4


async def test_a_worker_is_stopped_for_longer_than_its_lease(tmp_path: Path) -> None:
    async def befalls(fleet: Fleet, crowd: Crowd, dice: random.Random) -> None:
        crowd.last = True
        both = set(await fleet.names("worker"))
        fleet.send(0, signal.SIGSTOP)
        while len(living := await fleet.names("worker")) > 1:
            pass
        [stopped] = both - set(living)
        while stopped in await fleet.names("written"):
            pass
        # All that it had is the other one's; it does not know that yet.
        fleet.send(0, signal.SIGCONT)
        await crowd.pace.all()

    with anyio.fail_after(WITHIN):
        async with Fleet(tmp_path, TEXT, PIECES, EVERY) as fleet:
            crowd = await while_they_read(fleet, befalls, streams=40)
    # Nobody lost his connection.
    assert not any(one.resumed for one in crowd.seen if isinstance(one, Client))


async def test_a_worker_that_is_told_to_end_hands_its_streams_over(tmp_path: Path) -> None:
    """Those that others go on with exactly: each is complete, and its provider was not told to
    end it."""

    async def befalls(fleet: Fleet, crowd: Crowd, dice: random.Random) -> None:
        crowd.last = True
        assert await fleet.terminate(0) == 0
        await crowd.pace.all()

    with anyio.fail_after(WITHIN):
        async with Fleet(tmp_path, TEXT, PIECES, EVERY, drain=0) as fleet:
            crowd = await while_they_read(fleet, befalls, streams=40)
            assert not any(one.path.endswith("/cancel") for one in fleet.exact.seen.requests)
    ends = [one.end for one in crowd.seen if isinstance(one, Client) and one.end]
    told = {end.error.message for end in ends if end.outcome == "interrupted" and end.error}
    assert "the relay is shutting down" in told


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(1, 7))
async def test_workers_are_killed_many_times(seed: int, tmp_path: Path) -> None:
    with anyio.fail_after(10 * WITHIN):
        async with Fleet(tmp_path, TEXT, PIECES, EVERY) as fleet:
            await while_they_read(fleet, kills(20, both=0.2), seed)
