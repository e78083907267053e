"""A store that several workers have at once, in memory: each has a view of one ``Common``.

A worker that is killed hangs in whatever it does from then on, one that is stopped until it comes
back; what either had handed over is done. Leases run by the clock that jumps. Every call takes a
while, before and behind what it does, so that calls meet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import anyio

from sans_io_stream_adapters.relay.stores.memory import MemoryStore
from sans_io_stream_adapters.relay.stores.protocol import Meta, News, Overtaken, Spent, StoreError

from .scripted import now

if TYPE_CHECKING:
    from sans_io_stream.relay import Entry

__all__ = ["LEASE", "Common", "View"]

LEASE = 9.0
Word = Literal["end", "read"]


def at_once() -> float:
    return 0.0


@dataclass
class Common:
    """What all workers have in common. ``delay`` says how long the next step of a call takes."""

    delay: Callable[[], float] = at_once
    store: MemoryStore = field(default_factory=MemoryStore)
    owners: dict[str, str] = field(default_factory=dict[str, str])
    ended: set[str] = field(default_factory=set[str])
    """Streams that a client has ended."""
    views: dict[str, View] = field(default_factory=dict[str, "View"])
    written: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Who wrote each entry."""
    refused: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Which worker was refused, for which stream."""
    over: anyio.Event = field(default_factory=anyio.Event)
    """Whoever hangs hangs no longer: the test is over."""

    def view(self, name: str) -> View:
        """Another worker."""
        view = self.views[name] = View(self, name)
        return view

    def alive(self, name: str) -> bool:
        """Whether a worker gave a sign of life within the lease."""
        view = self.views[name]
        return not view.closed and now() < view.silent_since + LEASE

    @property
    def unsealed(self) -> list[str]:
        """The streams without an end."""
        kept = self.store._kept.items()  # pyright: ignore[reportPrivateUsage]
        return [id for id, one in kept if one.ended is None]

    def orphaned(self, id: str) -> bool:
        return id in self.unsealed and not self.alive(self.owners[id])

    def tell_all(self) -> None:
        for view in self.views.values():
            view.rings.set()


class View:
    """A ``Shared`` store, as one worker has it."""

    lease = LEASE

    def __init__(self, common: Common, name: str) -> None:
        self.common = common
        self.name = name
        self.silent_since = math.inf
        self.closed = False
        self.away = False
        """Every call fails."""
        self.asked_for_news = 0
        self.followed: dict[str, int] = {}
        self.words: list[News] = []
        self.rings = anyio.Event()
        self._hangs: anyio.Event | None = None

    # ---- what becomes of the worker

    def stop(self) -> None:
        """The whole process does nothing until ``come_back``, which may never be."""
        self._hangs = anyio.Event()
        self.silent_since = now()

    def come_back(self) -> None:
        assert self._hangs is not None
        self._hangs.set()
        self._hangs = None
        self.silent_since = math.inf

    async def _asks(self) -> None:
        """The time until a call arrives, if it does."""
        await self._answered()
        if self.away:
            raise StoreError("the store is away")

    async def _answered(self) -> None:
        """The time until a worker hears of what was done."""
        await anyio.sleep(self.common.delay())
        while self._hangs is not None:
            async with anyio.create_task_group() as group:
                group.start_soon(first_of, group, self._hangs)
                group.start_soon(first_of, group, self.common.over)
            if self.common.over.is_set():
                raise StoreError("the test is over")

    # ---- a store

    async def open(self) -> None:
        self.closed = False
        await self._asks()

    async def close(self) -> None:
        self.closed = True
        await anyio.lowlevel.checkpoint()

    async def create(self, meta: Meta, most: int | None = None) -> None:
        await self._asks()
        self.common.owners.setdefault(meta.id, self.name)
        await self.common.store.create(meta, most)
        await self._answered()

    async def find(self, id: str) -> Meta | None:
        await self._asks()
        return await self.common.store.find(id)

    async def find_key(self, owner: str, idempotency_key: str) -> Meta | None:
        await self._asks()
        return await self.common.store.find_key(owner, idempotency_key)

    async def append(self, id: str, entries: Sequence[Entry]) -> None:
        await self._asks()
        if self.common.owners.get(id) != self.name:
            self.common.refused.append((self.name, id))
            raise Overtaken
        # Its writer counts rightly, or this fails.
        await self.common.store.append(id, entries)
        self.common.written.setdefault(id, []).extend(self.name for _ in entries)
        self.common.tell_all()
        await self._answered()

    async def read(self, id: str, after: int = 0, most: int = 1024) -> list[Entry]:
        await self._asks()
        found = await self.common.store.read(id, after, most)
        await self._answered()
        return found

    async def trim(self, id: str, first: int) -> None:
        await self._asks()
        await self.common.store.trim(id, first)

    async def delete(self, id: str) -> None:
        await self._asks()
        await self.common.store.delete(id)

    async def orphans(self) -> list[Meta]:
        await self._asks()
        metas = [await self.common.store.find(id) for id in self.common.unsealed]
        return [meta for meta in metas if meta is not None and self.common.orphaned(meta.id)]

    async def take(self, id: str) -> bool:
        await self._asks()
        if not self.common.orphaned(id):
            return False
        self.common.owners[id] = self.name
        if id in self.common.ended:
            self.words.append(News(id, word="end"))
            self.rings.set()
        await self._answered()
        return True

    async def ended_before(self, time: float, most: int = 1000) -> list[str]:
        await self._asks()
        return await self.common.store.ended_before(time, most)

    async def spend(self, owner: str, period: str, more: Spent) -> Spent:
        await self._asks()
        return await self.common.store.spend(owner, period, more)

    # ---- a shared one

    async def follow(self, id: str, after: int) -> None:
        await self._asks()
        self.followed[id] = after
        self.rings.set()

    async def leave(self, id: str) -> None:
        await self._asks()
        self.followed.pop(id, None)

    async def news(self) -> list[News]:
        self.asked_for_news += 1
        while True:
            await self._asks()
            self.rings = anyio.Event()
            found, self.words = self.words, []
            for id, after in list(self.followed.items()):
                entries = await self.common.store.read(id, after)
                if entries and id in self.followed:
                    self.followed[id] = entries[-1].number
                    found.append(News(id, entries))
            if found:
                await self._answered()
                return found
            await self.rings.wait()

    async def tell(self, id: str, word: Word) -> None:
        await self._asks()
        if word == "end":
            self.common.ended.add(id)
        writer = self.common.owners.get(id)
        if writer is not None:
            self.common.views[writer].words.append(News(id, word=word))
            self.common.views[writer].rings.set()


async def first_of(group: anyio.abc.TaskGroup, event: anyio.Event) -> None:
    """Wait for it, and then no longer for the others."""
    await event.wait()
    group.cancel_scope.cancel()
