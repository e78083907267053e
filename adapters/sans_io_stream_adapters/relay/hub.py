"""The hub: the streams that are being made, and those that can still be read.

One task takes each provider's stream, whoever reads it: what comes is appended to the log,
written to the store, and only then shown. Readers wait for a change and hold up nobody. A stream
that nobody reads goes on until the time or the size that is configured for it is over.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import anyio

from sans_io_stream import ErrorInfo, Event, StreamEnd, Usage
from sans_io_stream.relay import START, Entry, Retention, StreamLog, entries_of
from sans_io_stream.usage import merge_usage
from sans_io_stream_adapters.logs import LOG

from .background import Background
from .metrics import Metrics
from .runtimes import changes
from .store import Meta, Store, StoreError

if TYPE_CHECKING:
    from .passing import Source

__all__ = ["Hub", "Running", "interrupted"]

AT_ONCE = 1024
"""Entries that are read from a store at once."""
TICK = 5.0
"""Seconds between two looks at what is to be given up, or dropped."""
IDLE = 60.0
"""Seconds for which a finished stream that nobody reads is kept beside the store."""

NOT_KEPT = StreamEnd(
    "failed", ErrorInfo("server", "the relay could not keep the stream", retryable=True)
)
Open = Callable[[], "Source"]
"""What opens the provider's stream; ``on_error="event"`` is among its options."""


class Over(Protocol):
    """What is told of a stream that ended here."""

    async def __call__(self, running: Running, *, kept: bool) -> None: ...


def interrupted(why: str) -> StreamEnd:
    """The end of a stream that nobody goes on with."""
    return StreamEnd("interrupted", ErrorInfo("truncated", why, retryable=True))


class Running:
    """One stream in this process: its log, and who waits for more of it."""

    def __init__(self, meta: Meta, log: StreamLog, now: float) -> None:
        self.meta = meta
        self.log = log
        self.readers = 0
        self.left = now
        """When somebody read it last."""
        self.unread = 0
        """Bytes that came since."""
        self.stopped: StreamEnd | None = None
        """How it is to end, if it was stopped."""
        self.usages: dict[int, Usage] = {}
        """The last counts of each generation."""
        self.lost: StreamEnd | None = None
        """Why it can be read no further, though its log has no end: it could not be kept."""
        self.scope = anyio.CancelScope()
        self._changes = changes()

    @property
    def end(self) -> StreamEnd | None:
        """Its end, once readers may have it."""
        return self.lost or self.log.end

    @property
    def in_vain(self) -> bool:
        """It has ended, by nobody's wish, and nothing of an answer had come."""
        end, log = self.end, self.log
        if end is None or end.outcome not in ("failed", "interrupted") or log.first > 1:
            return False
        return all(isinstance(event, StreamEnd) for _, event in log.read(START, 1))

    def changed(self, due: float = math.inf) -> Awaitable[bool]:
        """Wait for anything that a reader may have. False where ``due`` came first, on the
        loop's clock."""
        return self._changes.wait(due)

    def now(self) -> float:
        """The time on the loop's clock."""
        return self._changes.now()

    def wake(self) -> None:
        """There is something."""
        self._changes.wake()

    def count(self, usage: Usage) -> None:
        """Counts came."""
        known = self.usages.get(usage.generation)
        self.usages[usage.generation] = merge_usage(known, usage)

    def stop(self, end: StreamEnd) -> None:
        """End the generation, like this."""
        if self.stopped is None and not self.log.sealed:
            self.stopped = end
            self.scope.cancel()


class Hub:
    """All streams of one relay. ``clock`` gives seconds since 1970.

    ``away_seconds`` and ``away_bytes`` are how long, and for how many bytes, a generation goes
    on without a reader; None for ever. ``over`` is told of each stream that ends here, and
    whether its end is written down.
    """

    over: Over | None = None

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
        self.background = Background()
        self.closing = False
        self.clock = clock
        self._away_seconds = away_seconds
        self._away_bytes = away_bytes
        self._streams: dict[str, Running] = {}
        # Scopes belong to a loop, which an application is made without.
        self._housekeeping: anyio.CancelScope | None = None
        self._draining: anyio.CancelScope | None = None

    async def open(self) -> None:
        """Make the store ready, and look after the streams from now on."""
        await self.store.open()
        self.closing = False
        self._streams.clear()
        self._housekeeping = anyio.CancelScope()
        self.background.start(self._look_after, self._housekeeping)

    async def recover(self, again: Callable[[Meta, str], Open | None]) -> None:
        """Go on with the streams whose process died: ``again`` gives what opens a stream behind
        the provider's token, None where the provider cannot go on exactly. Those are sealed, and
        so are those whose last entry has no token: from an older one it would come again."""
        for meta in await self.store.orphans():
            try:
                if not await self.store.take(meta.id):
                    continue
                self.metrics.taken_over()
                entries = await self._entries(meta.id)
            except StoreError:
                # Whoever asks for it is told. The others are no worse for it.
                continue
            running = self._streams[meta.id] = self._revive(meta, entries)
            token = entries[-1].token if entries else None
            opening = again(meta, token) if token is not None else None
            if opening is None:
                end = interrupted("the relay was stopped while the provider answered")
                await self._seal(running, end)
            else:
                self.background.start(self._generate, running, opening)

    async def begin(self, meta: Meta, opening: Open, most: int | None = None) -> Running:
        """A stream begins; ``most`` is how many its owner may have. Raises what ``Store.create``
        raises."""
        now = self.clock()
        log = StreamLog(meta.id, now, self.retention, self.heartbeat)
        # It is there before its idempotency key can be found in the store.
        running = self._streams[meta.id] = Running(meta, log, now)
        try:
            # What the store has is generated, also where the client leaves just now.
            with anyio.CancelScope(shield=True):
                await self.store.create(meta, most)
        except BaseException:
            del self._streams[meta.id]
            raise
        self.metrics.of(meta.provider, meta.model).begun += 1
        self.background.start(self._generate, running, opening)
        return running

    async def forget(self, id: str) -> None:
        """Drop a stream that is over. Raises ``StoreError``."""
        await self.store.delete(id)
        self._streams.pop(id, None)

    async def find(self, id: str) -> Running | None:
        """The stream of that id, if it is still kept."""
        running = self._streams.get(id)
        if running is None:
            meta = await self.store.find(id)
            if meta is None:
                return None
            revived = self._revive(meta, await self._entries(id))
            # Another request may have been faster.
            running = self._streams.setdefault(id, revived)
            if running is revived and not running.log.sealed:
                # Nobody writes it any more: its end could not be kept when it came.
                await self._seal(running, interrupted("the relay lost the stream"))
        running.log.trim(self.clock())
        return None if running.log.expired(self.clock()) else running

    async def close(self, seconds: float) -> None:
        """Let what runs end within so many seconds, and seal the rest as interrupted."""
        self.closing = True
        if self._housekeeping is not None:
            self._housekeeping.cancel()
        self._draining = anyio.CancelScope(deadline=anyio.current_time() + seconds, shield=True)
        with self._draining:
            await self.background.wait()
        for running in self._streams.values():
            running.stop(interrupted("the relay is shutting down"))
        with anyio.CancelScope(shield=True):
            await self.background.wait()
            await self.store.close()

    def hurry(self) -> None:
        """Have a ``close`` that waits wait no longer."""
        if self._draining is not None:
            self._draining.cancel()

    # ---- one stream

    async def _generate(self, running: Running, opening: Open) -> None:
        """Take the provider's stream to its end, whoever reads it."""
        end = interrupted("the provider's stream was left")
        series = self.metrics.of(running.meta.provider, running.meta.model)
        series.running += 1
        try:
            with running.scope:
                async with opening() as stream:
                    while batch := await stream.batch():
                        with anyio.CancelScope(shield=True):
                            await self._keep(running, batch)
                        self._consider(running, self.clock())
        except Exception as error:  # noqa: BLE001
            # A task of the loop's must not raise. What the error says is not for clients.
            LOG.error("stream %s ends: %s", running.meta.id, type(error).__name__)
            end = StreamEnd("failed", ErrorInfo("server", "the relay failed"))
        finally:
            series.running -= 1
            with anyio.CancelScope(shield=True):
                await self._seal(running, running.stopped or end)

    async def _keep(self, running: Running, batch: list[Event]) -> None:
        """Append, write, show."""
        log, now, came = running.log, self.clock(), running.now()
        for event in batch:
            if type(event) is Usage:
                running.count(event)
        entries: list[Entry | None] = []
        for events, token in entries_of(batch):
            last = events[-1]
            if isinstance(last, StreamEnd):
                entries.append(log.seal(last, now, events[:-1]))
            else:
                entries.append(log.append(events, now, token))
        await self._write(running, [entry for entry in entries if entry is not None], came)

    async def _seal(self, running: Running, end: StreamEnd) -> None:
        """Nothing more comes: end it like this, if it has no end of its own."""
        entry = running.log.seal(end, self.clock())
        if entry is not None:
            await self._write(running, [entry], running.now())
        if self.over is not None:
            await self.over(running, kept=running.log.end is not None)

    async def _write(self, running: Running, entries: list[Entry], came: float) -> None:
        """Entries are safe, and then seen; what cannot be kept ends the stream. ``came`` is when
        they did, on the loop's clock."""
        if not entries or running.lost is not None:
            return
        log, metrics = running.log, self.metrics
        handed = running.now()
        try:
            await self.store.append(log.id, entries)
        except StoreError as error:
            metrics.store_errors["append"] += 1
            LOG.error("stream %s ends: it cannot be kept: %s", log.id, error)
            running.lost = NOT_KEPT
            running.scope.cancel()
            running.wake()
            return
        log.written(entries[-1].number)
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
        if running.readers:
            running.left, running.unread = now, 0
        elif self._away_seconds is not None and now - running.left > self._away_seconds:
            running.stop(interrupted("nobody read it any more"))
        elif self._away_bytes is not None and running.unread > self._away_bytes:
            running.stop(interrupted("too much came while nobody read it"))

    # ---- all of them

    async def _look_after(self, scope: anyio.CancelScope) -> None:
        """Give up, forget and drop what is due, every few seconds."""
        with scope:
            while True:
                await anyio.sleep(TICK)
                await self.tidy()

    async def tidy(self) -> None:
        """Do at once what is done every few seconds."""
        now = self.clock()
        for id, running in list(self._streams.items()):
            if running.end is None:
                self._consider(running, now)
            elif not running.readers and now - running.left > IDLE:
                del self._streams[id]
            elif running.readers:
                running.left = now
        try:
            for id in await self.store.ended_before(now - self.retention.seconds):
                await self.store.delete(id)
                self._streams.pop(id, None)
        except StoreError:
            # What cannot be dropped today is dropped another time.
            self.metrics.store_errors["tidy"] += 1

    def _revive(self, meta: Meta, entries: list[Entry]) -> Running:
        now = self.clock()
        log = StreamLog.of(meta.id, entries, now, self.retention, self.heartbeat)
        running = Running(meta, log, now)
        for one in entries:
            for event in one.events:
                if type(event) is Usage:
                    running.count(event)
        return running

    @property
    def readers(self) -> int:
        """How many responses streams are read through."""
        return sum(running.readers for running in self._streams.values())

    async def _entries(self, id: str) -> list[Entry]:
        found: list[Entry] = []
        while more := await self.store.read(id, found[-1].number if found else 0, AT_ONCE):
            found += more
        return found
