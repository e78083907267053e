"""Any worker serves any stream, whatever becomes of the workers.

Workers are killed, stopped and come back at random moments; clients move between them, from the
cursors that they have. Every event that any client saw is in the log, none was seen twice or left
out, every stream has one end, and the log is the provider's answer, each of whose words is there
once. A run is its seed, and takes no real time.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Self

import anyio
import pytest

from sans_io_stream import Event, ResumePoint, StreamEnd, StreamStart, TextDelta
from sans_io_stream.relay import place_of
from sans_io_stream.relay.entries import passed_on
from sans_io_stream.resume import ResumeOrigin
from sans_io_stream_adapters.relay.hub import Hub, Open
from sans_io_stream_adapters.relay.reading import Reader
from sans_io_stream_adapters.relay.stores.protocol import StoreError

from .scripted import BACKENDS, Scripted, meta_of, now, virtually
from .shared import LEASE, Common, View

if TYPE_CHECKING:
    from sans_io_stream.relay import Entry
    from sans_io_stream_adapters.relay.stores.protocol import Meta

ORIGIN = ResumeOrigin("openai-responses", "sequence")


class Provider:
    """An answer as it is generated: a record every so often, some of them with a token behind, if
    it can be resumed at all. Whoever asks gets what there is of it, in reads of any size."""

    def __init__(self, random: Random, number: int, resumes: bool) -> None:
        self.meta = meta_of(number)
        self.random = random
        self.began = now()
        self.told_to_end = False
        self.open = 0
        """Connections."""
        count = random.randint(1, 30)
        self.records: list[tuple[float, list[Event]]] = []
        at = 0.0
        for record in range(count):
            at += random.choice((0.0, 0.0, 0.5, 2.0, 8.0))
            events: list[Event] = [TextDelta(f"{record}.{n} ") for n in range(random.randint(1, 3))]
            if not record:
                events.insert(0, StreamStart("r1", "m"))
            if record == count - 1:
                events.append(StreamEnd("complete"))
            if resumes and record < count - 1 and random.random() < 0.6:
                events.append(ResumePoint(record + 1, record + 1, ORIGIN))
            self.records.append((at, events))

    @property
    def said(self) -> list[Event]:
        return [event for _, events in self.records for event in events if passed_on(event)]

    def opening(self, token: str | None = None) -> Scripted:
        points = [(at, e) for at, (_, events) in enumerate(self.records, 1) for e in events]
        return Connection(
            self,
            next((at for at, e in points if isinstance(e, ResumePoint) and e.token == token), 0),
        )


class Connection(Scripted):
    def __init__(self, provider: Provider, after: int) -> None:
        super().__init__()
        self.provider = provider
        self.at = after

    async def __aenter__(self) -> Self:
        self.provider.open += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self.provider.open -= 1
        if not self.handed_over and self.at < len(self.provider.records):
            self.provider.told_to_end = True

    async def batch(self) -> list[Event]:
        provider, found = self.provider, list[Event]()
        if self.at == len(provider.records):
            return []
        await anyio.sleep(max(0.0, provider.began + provider.records[self.at][0] - now()))
        for _ in range(provider.random.randint(1, 4)):
            if self.at == len(provider.records):
                break
            at, events = provider.records[self.at]
            if found and provider.began + at > now():
                break
            self.at += 1
            found += events
        return found


class Noting:
    """An encoder that only notes what it is told."""

    format = "native"
    must_abort = False

    def __init__(self) -> None:
        self.seen: list[tuple[str | None, Event]] = []
        self.ended = False

    def encode(self, event: Event, *, id: str | None = None) -> bytes:
        self.seen.append((id, event))
        return b"x"


@dataclass
class Worker:
    view: View
    hub: Hub
    dead: bool = False
    stopped: bool = False
    scopes: set[anyio.CancelScope] = field(default_factory=set[anyio.CancelScope])
    """Of those who read here."""

    def break_off(self) -> None:
        for scope in self.scopes:
            scope.cancel()


class Run:
    """``workers`` and the streams that they make, for as long as anybody reads."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        slow = random.choice((0.0, 0.0, 0.01, 0.5))
        self.common = Common(lambda: random.choice((0.0, slow, slow * random.random())))
        self.workers: list[Worker] = []
        self.providers = {
            meta_of(number).id: Provider(random, number, random.random() < 0.6)
            for number in range(1, random.randint(2, 5))
        }
        self.deleted: dict[str, float] = {}
        """When a client was told that a stream will end."""
        self.seen: list[tuple[str, list[tuple[str | None, Event]]]] = []

    def again(self, meta: Meta, token: str) -> Open | None:
        provider = self.providers[meta.id]
        return lambda: provider.opening(token)

    async def started(self) -> Worker:
        view = self.common.view(f"w{len(self.workers)}")
        hub = Hub(view, clock=now, heartbeat=5.0)
        worker = Worker(view, hub)
        await hub.open()
        self.workers.append(worker)
        await hub.recover(self.again)
        return worker

    def some(self) -> Worker:
        return self.random.choice([one for one in self.workers if not one.dead])

    async def client(self, id: str) -> None:
        """Reads a stream to its end, here and there."""
        random, seen = self.random, list[tuple[str | None, Event]]()
        self.seen.append((id, seen))
        while not (seen and isinstance(seen[-1][1], StreamEnd)):
            worker = self.some()
            with anyio.CancelScope() as scope:
                worker.scopes.add(scope)
                if random.random() < 0.7:
                    scope.deadline = now() + random.choice((0.1, 1.0, 5.0))
                elif worker.stopped:
                    scope.deadline = now() + 3.0
                await self.read(worker, id, seen)
            worker.scopes.discard(scope)
            await anyio.sleep(random.choice((0.0, 0.3, 2.0)))

    async def read(self, worker: Worker, id: str, seen: list[tuple[str | None, Event]]) -> None:
        at = seen[-1][0] if seen else None
        running = await worker.hub.find(id, 0 if at is None else place_of(at)[1].entry)
        assert running is not None
        place = running.log.place(at)
        noting: Any = Noting()
        noting.seen = seen
        reader = Reader(running, noting, place)
        running.readers += 1
        try:
            while await reader.next():
                if isinstance(seen[-1][1], StreamEnd):
                    return
                while seen and seen[-1][0] is None:
                    # A sign of life.
                    seen.pop()
        finally:
            while seen and seen[-1][0] is None:
                seen.pop()
            running.readers -= 1

    async def begin(self, provider: Provider) -> None:
        await anyio.sleep(self.random.choice((0.0, 1.0, 10.0)))
        provider.began = now()
        worker = self.random.choice([one for one in self.workers if not one.dead])
        if worker.stopped:
            worker.view.come_back()
            worker.stopped = False
        began = anyio.Event()

        async def begin() -> None:
            # Its worker may be killed in it, and then it ends with the test.
            with suppress(StoreError):
                await worker.hub.begin(provider.meta, provider.opening)
            began.set()

        worker.hub.background.start(begin)
        while not began.is_set() and not worker.dead:
            with anyio.move_on_after(5.0):
                await began.wait()
        if await self.common.store.find(provider.meta.id) is None:
            return
        async with anyio.create_task_group() as clients:
            for _ in range(self.random.randint(1, 3)):
                clients.start_soon(self.client, provider.meta.id)
            if self.random.random() < 0.1:
                await anyio.sleep(self.random.choice((0.0, 3.0, 15.0)))
                await self.delete(provider.meta.id)

    async def delete(self, id: str) -> None:
        self.deleted[id] = math.inf
        for _ in range(100):
            worker = self.some()
            with anyio.move_on_after(2.0):
                running = await worker.hub.find(id)
                assert running is not None
                await worker.hub.end(running)
                self.deleted[id] = now()
                return

    async def trouble(self) -> None:
        """Workers die, are stopped for a while, and others start."""
        random = self.random
        for _ in range(random.randint(0, 6)):
            await anyio.sleep(random.choice((0.0, 0.7, 3.0, 9.0)))
            worker = self.some()
            match random.choice(("kill", "stop", "stop", "start")):
                case "kill" if sum(not one.dead and not one.stopped for one in self.workers) > 1:
                    worker.dead = True
                    if not worker.stopped:
                        worker.view.stop()
                    worker.break_off()
                case "stop" if not worker.stopped:
                    worker.stopped = True
                    worker.view.stop()
                    await anyio.sleep(random.choice((0.1, 2.0, LEASE - 0.1, LEASE + 1, 3 * LEASE)))
                    if worker.stopped and not worker.dead:
                        worker.view.come_back()
                        worker.stopped = False
                case "start" if len(self.workers) < 5:
                    await self.started()
                case _:
                    pass

    async def main(self) -> None:
        for _ in range(self.random.randint(2, 3)):
            await self.started()
        async with anyio.create_task_group() as group:
            for provider in self.providers.values():
                group.start_soon(self.begin, provider)
            group.start_soon(self.trouble)
        # What nobody reads ends too; whoever came back late notices that nothing is his.
        for id in self.common.unsealed:
            await self.client(id)
        await anyio.sleep(3 * LEASE)
        await self.check()
        self.common.over.set()
        for worker in self.workers:
            await worker.hub.close(0.0)

    async def check(self) -> None:
        logs: dict[str, list[Entry]] = {}
        for id, provider in self.providers.items():
            if await self.common.store.find(id) is None:
                # Its worker was killed before it was there.
                continue
            entries = logs[id] = await self.common.store.read(id, most=1_000_000)
            events = [event for entry in entries for event in entry.events]
            ends = [event for event in events if isinstance(event, StreamEnd)]
            assert ends == events[-1:], "one end, behind everything"
            assert events[:-1] == provider.said[: len(events) - 1], "each word once"
            outcome = ends[0].outcome
            assert outcome in ("complete", "interrupted", "cancelled")
            if outcome == "complete":
                assert len(events) == len(provider.said)
            if outcome == "cancelled":
                assert id in self.deleted
            if outcome == "interrupted":
                # What was on its way then may still come first.
                assert entries[-1].at < self.deleted.get(id, math.inf) + 2.0
                writers = set(self.common.written[id])
                assert len(writers) > 1 or len(events) == 1, "nobody had to end it"
                assert not any(entry.token for entry in entries), "it could be gone on with"
            assert len(self.common.written[id]) == len(entries)
            live = [one for one in self.workers if not one.dead]
            assert provider.open <= len(self.workers) - len(live), "who lives has left it"
        for id, seen in self.seen:
            place = [
                (f"{id}.{entry.number:010x}.{at:06x}", event)
                for entry in logs[id]
                for at, event in enumerate(entry.events, 1)
            ]
            assert seen == place, "every event, in order, once"


async def many(seeds: range) -> None:
    for seed in seeds:
        try:
            with anyio.fail_after(1_000.0):
                await Run(seed).main()
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("slot", range(4))
def test_no_event_is_lost_or_told_twice(backend: str, slot: int) -> None:
    virtually(backend, many, range(slot * 50, slot * 50 + 50))
