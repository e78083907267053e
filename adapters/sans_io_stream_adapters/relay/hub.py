"""The hub: the streams that are being made, and those that can still be read.

One task takes each provider's stream, whoever reads it: what comes is appended to the log,
written to the store, and only then shown. Readers wait for a change and hold up nobody. A stream
that nobody reads goes on until the time or the size that is configured for it is over.

Where several workers have one store, streams of other workers are followed (``sharing``), and
those of dead ones taken over (``recovering``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import anyio

from sans_io_stream import ErrorInfo, Event, StreamEnd
from sans_io_stream.relay import Entry, Retention, StreamLog, entries_of
from sans_io_stream_adapters.logs import LOG

from .background import Background
from .operations.metrics import Metrics
from .recovering import Again, Recovery
from .running import CANCELLED, LOST, Running, Writing, interrupted
from .sharing import Sharing, shared
from .stores.protocol import Meta, Overtaken, Store, StoreError, Taken, TooMany, read_all

if TYPE_CHECKING:
    from .passing import Source

__all__ = ["Hub", "Open", "Running", "interrupted"]

TICK = 5.0
"""Seconds between two looks at what is to be given up, or dropped."""
IDLE = 60.0
"""Seconds for which a stream that nobody reads is kept beside the store, once it is finished or
where another worker writes it."""
NOT_KEPT = StreamEnd(
    "failed", ErrorInfo("server", "the relay could not keep the stream", retryable=True)
)
Open = Callable[[], "Source"]
"""What opens the provider's stream; ``on_error="event"`` is among its options."""


class Over(Protocol):
    """What is told of a stream that ended here, or that another worker goes on with."""

    async def __call__(self, running: Running, *, kept: bool) -> None: ...


async def uncounted(running: Running, *, kept: bool) -> None:
    """An ``Over`` that nobody has set."""


class Hub:
    """All streams of one relay. ``clock`` gives seconds since 1970.

    ``away_seconds`` and ``away_bytes`` are how long, and for how many bytes, a generation goes
    on without a reader; None for ever. ``over`` is told of each stream that ends here, and
    whether its end is written down.
    """

    def __init__(
        self,
        store: Store,
        *,
        retention: Retention | None = None,
        heartbeat: float = 15.0,
        away_seconds: float | None = None,
        away_bytes: int | None = None,
        clock: Callable[[], float] = time.time,
        metrics: Metrics | None = None,
    ) -> None:
        self.store = store
        self.metrics = Metrics() if metrics is None else metrics
        self.retention = Retention() if retention is None else retention
        self.heartbeat = heartbeat
        self.over: Over = uncounted
        self.background = Background()
        self.closing = False
        self.clock = clock
        self._away_seconds = away_seconds
        self._away_bytes = away_bytes
        self._streams: dict[str, Running] = {}
        self.sharing: Sharing | None = None
        others = shared(store)
        if others is not None:
            self.sharing = Sharing(others, self._streams, clock, self._ended_elsewhere)
        self._recovery = Recovery(self)
        # What goes on until the store is closed, whether streams are made or not.
        self._upkeep = Background()
        # Scopes belong to a loop, which an application is made without.
        self._housekeeping: anyio.CancelScope | None = None
        self._draining: anyio.CancelScope | None = None

    async def open(self) -> None:
        """Make the store ready, and look after the streams from now on."""
        await self._rest()
        await self.store.open()
        self.closing = False
        self._streams.clear()
        self._recovery = Recovery(self)
        self._housekeeping = anyio.CancelScope()
        self._upkeep.start(self._look_after, self._housekeeping)

    async def recover(self, again: Again) -> None:
        """Go on with the streams whose process died, and where the store is shared look for more
        from now on: see ``Recovery``. Raises ``StoreError``."""
        await self._recovery.once(again)
        if self.sharing is not None:
            self._recovery.start(again, self.sharing.store.lease)

    async def begin(self, meta: Meta, opening: Open, most: int | None = None) -> Running:
        """A stream begins; ``most`` is how many its owner may have. Raises what ``Store.create``
        raises."""
        now = self.clock()
        log = StreamLog(meta.id, now, self.retention, self.heartbeat)
        # It is there before its idempotency key can be found in the store.
        running = self._streams[meta.id] = Running(meta, log, now)
        running.write(now)
        try:
            # What the store has is generated, also where the client leaves just now.
            with anyio.CancelScope(shield=True):
                await self.store.create(meta, most)
        except (Taken, TooMany):
            del self._streams[meta.id]
            raise
        except BaseException:
            del self._streams[meta.id]
            if self.sharing is not None:
                # Whether it is there nobody knows. If so it has to get an end.
                self._recovery.owe(meta)
            raise
        self.metrics.of(meta.provider, meta.model).begun += 1
        self.generate(running, opening)
        return running

    async def forget(self, id: str) -> None:
        """Drop a stream that is over. Raises ``StoreError``."""
        await self.store.delete(id)
        await self._drop(id)

    async def end(self, running: Running) -> None:
        """A client ends a generation, whoever writes it. Raises ``StoreError``."""
        running.stop(CANCELLED)
        # Its writer may die before it is sealed, this process as well as another: the store knows.
        if self.sharing is not None and running.end is None:
            await self.sharing.store.tell(running.meta.id, "end")

    async def find(self, id: str, entry: int = 0) -> Running | None:
        """The stream of that id, if it is still kept; with that entry, if it is written: a client
        may have seen it at another worker."""
        running = self._streams.get(id)
        if running is None:
            meta = await self.store.find(id)
            if meta is None:
                return None
            revived = self._revive(meta, await read_all(self.store, id))
            # Another request may have been faster.
            running = self._streams.setdefault(id, revived)
            if running is revived and not running.log.sealed:
                await self._unsealed(running)
        if self.sharing is not None and running.writing is None and running.end is None:
            await self.sharing.visit(running)
        if self.sharing is not None and entry > running.log.last.entry:
            await self.sharing.catch_up(running, entry, self.overtaken)
        running.log.trim(self.clock())
        return None if running.log.expired(self.clock()) else running

    async def close(self, seconds: float) -> None:
        """Let what runs end within so many seconds. What other workers can go on with exactly is
        theirs then, and the rest is sealed as interrupted."""
        self.closing = True
        await self._recovery.stop()
        self._draining = anyio.CancelScope(deadline=anyio.current_time() + seconds, shield=True)
        with self._draining:
            await self.background.wait()
        handed_over = [one for one in self._streams.values() if self._recovery.goes_on(one)]
        for running in handed_over:
            running.hand_over()
        for running in self._streams.values():
            running.stop(interrupted("the relay is shutting down"))
        with anyio.CancelScope(shield=True):
            # What is on its way to the store is there before these are anybody's.
            await self.background.wait()
            for running in handed_over:
                await self.over(running, kept=False)
            # Of these an end would be a lie: other workers go on with them.
            for running in self._streams.values():
                if running.end is None:
                    running.gone = True
                    running.wake()
            await self._rest()
            await self.store.close()

    async def _rest(self) -> None:
        """Look after nothing more."""
        if self._housekeeping is not None:
            self._housekeeping.cancel()
        await self._upkeep.wait()

    def hurry(self) -> None:
        """Have a ``close`` that waits wait no longer."""
        if self._draining is not None:
            self._draining.cancel()

    # ---- who writes a stream

    async def adopt(self, meta: Meta) -> Running:
        """A stream as it was written, which this process writes from now on: it has just been
        taken. Raises ``StoreError``."""
        id, running = meta.id, self._streams.get(meta.id)
        if running is None or running.lost is not None:
            # Where readers were told of an end already, this is another one.
            if running is not None:
                del self._streams[id]
            revived = self._revive(meta, await read_all(self.store, id))
            # A request may have been faster.
            running = self._streams.setdefault(id, revived)
        running.left = self.clock()
        # What the news have not told yet, and never will.
        rest = await read_all(self.store, id, running.log.last.entry)
        if self.sharing is not None:
            await self.sharing.leave(id)
        running.follow(rest)
        running.write(self.clock())
        if self.sharing is not None:
            # Whoever reads it elsewhere says so soon.
            running.hear(self.clock())
        return running

    def generate(self, running: Running, opening: Open) -> None:
        """Take what the provider says, in the background, for as long as this process writes."""
        assert running.writing is not None
        self.background.start(self._generate, running, running.writing, opening)

    async def seal(self, running: Running, end: StreamEnd) -> None:
        """End a stream that this process writes, as it was stopped or else like this."""
        if running.writing is not None:
            await self._seal(running, running.writing, end)

    async def overtaken(self, running: Running, writing: Writing) -> None:
        """Another worker writes it: readers go on with what that one writes."""
        if self.sharing is not None and running.writing is writing:
            await self.sharing.overtaken(running, writing)
            await self.over(running, kept=False)

    def running(self, id: str) -> Running | None:
        """The stream of that id, as far as this process has it already."""
        return self._streams.get(id)

    def _ended_elsewhere(self, id: str) -> None:
        """A client has ended a stream of this process, at another worker."""
        running = self._streams.get(id)
        if running is not None and running.writing is not None:
            running.stop(CANCELLED)
        else:
            self._recovery.end(id)

    async def _unsealed(self, running: Running) -> None:
        """One that has no end, and is not written here."""
        if self._recovery.ending(running.meta.id):
            return
        if self.sharing is None or self._recovery.owes(running.meta.id):
            # Nobody writes it any more: its end could not be kept when it came.
            running.write(self.clock())
            await self.seal(running, LOST)
        else:
            await self.sharing.follow(running)

    async def _drop(self, id: str) -> None:
        """Keep nothing of it beside the store."""
        self._streams.pop(id, None)
        if self.sharing is not None:
            await self.sharing.leave(id)

    # ---- one stream

    async def _generate(self, running: Running, writing: Writing, opening: Open) -> None:
        """Take the provider's stream to its end, whoever reads it."""
        end = interrupted("the provider's stream was left")
        series = self.metrics.of(running.meta.provider, running.meta.model)
        series.running += 1
        try:
            with writing.scope:
                async with opening() as stream:
                    writing.source = stream
                    while batch := await stream.batch():
                        with anyio.CancelScope(shield=True):
                            await self._keep(running, writing, batch)
                        self._consider(running, self.clock())
        except Exception as error:  # noqa: BLE001
            # A task of the loop's must not raise. What the error says is not for clients.
            LOG.error("stream %s ends: %s", running.meta.id, type(error).__name__)
            end = StreamEnd("failed", ErrorInfo("server", "the relay failed"))
        finally:
            series.running -= 1
            with anyio.CancelScope(shield=True):
                await self._seal(running, writing, end)
                if running.lost is not None and running.writing is writing:
                    await self.over(running, kept=False)

    async def _keep(self, running: Running, writing: Writing, batch: list[Event]) -> None:
        """Append, write, show."""
        if running.writing is not writing:
            return
        log, now, came = running.log, self.clock(), running.now()
        entries: list[Entry | None] = []
        for events, token in entries_of(batch):
            last = events[-1]
            if isinstance(last, StreamEnd):
                entries.append(log.seal(last, now, events[:-1]))
            else:
                entries.append(log.append(events, now, token))
        kept = [entry for entry in entries if entry is not None]
        for one in kept:
            running.count(one.events)
        await self._write(running, writing, kept, came)

    async def _seal(self, running: Running, writing: Writing, end: StreamEnd) -> None:
        """Nothing more comes: end it like this, if it has no end of its own."""
        if running.writing is not writing:
            return
        entry = running.log.seal(writing.stopped or end, self.clock())
        if entry is not None:
            await self._write(running, writing, [entry], running.now())
        if running.writing is writing and running.log.end is not None:
            self._recovery.settled(running.meta.id)
            await self.over(running, kept=True)

    async def _write(
        self, running: Running, writing: Writing, entries: list[Entry], came: float
    ) -> None:
        """Entries are safe, and then seen; what cannot be kept ends the stream. ``came`` is when
        they did, on the loop's clock."""
        if not entries or running.lost is not None:
            return
        log, metrics = running.log, self.metrics
        handed = running.now()
        try:
            await self.store.append(log.id, entries)
        except Overtaken:
            await self.overtaken(running, writing)
            return
        except StoreError as error:
            if running.writing is not writing:
                return
            metrics.store_errors["append"] += 1
            if not self._recovery.owes(log.id):
                LOG.error("stream %s ends: it cannot be kept: %s", log.id, error)
            running.lost = NOT_KEPT
            self._recovery.owe(running.meta)
            writing.scope.cancel()
            running.wake()
            return
        if running.writing is not writing:
            # It was overtaken meanwhile. The news tell whether that was written before.
            return
        log.written(entries[-1].number)
        writing.wrote = self.clock()
        now, size = running.now(), sum(entry.size for entry in entries)
        metrics.store_append.add(now - handed)
        metrics.shown.add(now - came)
        metrics.entries += len(entries)
        metrics.entry_bytes += size
        if not running.readers:
            running.unread += size
        first = log.first
        if log.trim(self.clock()) != first:
            # What is dropped here and not there is dropped there with the stream.
            with suppress(StoreError):
                await self.store.trim(log.id, log.first)
        running.wake()

    def _consider(self, running: Running, now: float) -> None:
        """Give a stream up that nobody has read for too long."""
        if running.readers or now < running.read_until:
            running.left, running.unread = now, 0
        elif self._away_seconds is not None and now - running.left > self._away_seconds:
            running.stop(interrupted("nobody read it any more"))
        elif self._away_bytes is not None and running.unread > self._away_bytes:
            running.stop(interrupted("too much came while nobody read it"))

    # ---- all of them

    async def _look_after(self, scope: anyio.CancelScope) -> None:
        """Give up, forget and drop what is due, every few seconds; hear of other workers."""
        with scope:
            async with anyio.create_task_group() as group:
                if self.sharing is not None:
                    group.start_soon(self.sharing.listen)
                while True:
                    await anyio.sleep(TICK)
                    await self.tidy()

    async def tidy(self) -> None:
        """Do at once what is done every few seconds."""
        now = self.clock()
        for id, running in list(self._streams.items()):
            if running.writing is not None and running.end is None:
                self._consider(running, now)
            elif running.readers:
                running.left = now
            elif now - running.left > IDLE:
                await self._drop(id)
        try:
            if self.sharing is not None:
                await self.sharing.look_after()
            else:
                await self._recovery.settle()
            for id in await self.store.ended_before(now - self.retention.seconds):
                await self.store.delete(id)
                await self._drop(id)
        except StoreError:
            # What cannot be done today is done another time.
            self.metrics.store_errors["tidy"] += 1

    def _revive(self, meta: Meta, entries: list[Entry]) -> Running:
        now = self.clock()
        log = StreamLog(meta.id, now, self.retention, self.heartbeat)
        running = Running(meta, log, now)
        running.follow(entries)
        return running

    @property
    def readers(self) -> int:
        """How many responses streams are read through."""
        return sum(running.readers for running in self._streams.values())
