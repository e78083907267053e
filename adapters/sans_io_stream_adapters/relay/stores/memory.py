"""Streams in memory: they end with the process.

Entries are kept as the objects that they are. A hub holds the same ones in its log, so that the
store adds eight bytes to each; alone they take twice what they would as bytes (260 for a word,
measured), and nothing has to be decoded when they are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING

from .protocol import Meta, Spent, StoreError, Taken, TooMany, follow

try:
    from anyio.lowlevel import checkpoint
except ImportError as missing:
    raise ImportError("the stores need anyio: pip install 'sans-io-stream[relay]'") from missing

if TYPE_CHECKING:
    from sans_io_stream.relay import Entry

__all__ = ["MemoryStore"]


class MemoryStore:
    """A ``Store`` that survives nothing. It grows until streams are trimmed or deleted:
    whoever uses it does that in time. ``close`` forgets all of it."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._keys: dict[tuple[str, str], Meta] = {}
        self._spent: dict[str, tuple[str, Spent]] = {}
        """The last period of each owner."""
        self._writing: set[str] = set()
        """The streams that were created or taken since it was opened."""

    async def open(self) -> None:
        """Nobody writes what is there already."""
        self._writing.clear()
        await checkpoint()

    async def close(self) -> None:
        """Forget all streams."""
        self._kept.clear()
        self._keys.clear()
        self._writing.clear()
        await checkpoint()

    async def create(self, meta: Meta, most: int | None = None) -> None:
        """As ``Store.create``."""
        if meta.id in self._kept:
            raise StoreError("there is a stream with that id already: make another id")
        if meta.idempotency_key is not None:
            taken = self._keys.get((meta.owner, meta.idempotency_key))
            if taken is not None:
                raise Taken(taken)
        if most is not None and self._running(meta.owner) >= most:
            raise TooMany
        if meta.idempotency_key is not None:
            self._keys[meta.owner, meta.idempotency_key] = meta
        self._kept[meta.id] = Kept(meta)
        self._writing.add(meta.id)
        await checkpoint()

    async def find(self, id: str) -> Meta | None:
        """As ``Store.find``."""
        await checkpoint()
        kept = self._kept.get(id)
        return None if kept is None else kept.meta

    async def find_key(self, owner: str, idempotency_key: str) -> Meta | None:
        """As ``Store.find_key``."""
        await checkpoint()
        return self._keys.get((owner, idempotency_key))

    async def append(self, id: str, entries: Sequence[Entry]) -> None:
        """As ``Store.append``."""
        kept = self._kept.get(id)
        if kept is None:
            raise StoreError("there is no such stream: create() it before anything is appended")
        kept.append(entries)
        await checkpoint()

    async def read(self, id: str, after: int = 0, most: int = 1024) -> list[Entry]:
        """As ``Store.read``."""
        await checkpoint()
        kept = self._kept.get(id)
        return [] if kept is None else kept.read(after, most)

    async def trim(self, id: str, first: int) -> None:
        """As ``Store.trim``."""
        kept = self._kept.get(id)
        if kept is not None:
            kept.trim(first)
        await checkpoint()

    async def delete(self, id: str) -> None:
        """As ``Store.delete``."""
        kept = self._kept.pop(id, None)
        self._writing.discard(id)
        if kept is not None and kept.meta.idempotency_key is not None:
            del self._keys[kept.meta.owner, kept.meta.idempotency_key]
        await checkpoint()

    async def orphans(self) -> list[Meta]:
        """As ``Store.orphans``."""
        await checkpoint()
        return [
            kept.meta
            for id, kept in self._kept.items()
            if kept.ended is None and id not in self._writing
        ]

    async def take(self, id: str) -> bool:
        """As ``Store.take``."""
        await checkpoint()
        kept = self._kept.get(id)
        orphan = kept is not None and kept.ended is None and id not in self._writing
        if orphan:
            self._writing.add(id)
        return orphan

    async def ended_before(self, time: float, most: int = 1000) -> list[str]:
        """As ``Store.ended_before``."""
        await checkpoint()
        ended = (
            (kept.ended, id)
            for id, kept in self._kept.items()
            if kept.ended is not None and kept.ended < time
        )
        return [id for _, id in nsmallest(most, ended)]

    async def spend(self, owner: str, period: str, more: Spent) -> Spent:
        """As ``Store.spend``."""
        await checkpoint()
        before, spent = self._spent.get(owner, (period, Spent()))
        total = spent + more if before == period else more
        self._spent[owner] = period, total
        return total

    def _running(self, owner: str) -> int:
        """How many streams of an owner have no end."""
        return sum(kept.ended is None and kept.meta.owner == owner for kept in self._kept.values())


class Kept:
    """One stream. ``ended`` is when it was sealed, None before."""

    def __init__(self, meta: Meta) -> None:
        self.meta = meta
        self.ended: float | None = None
        self._entries: list[Entry] = []
        self._gone = 0
        """How many at the front of the list are dropped already: they leave it together."""
        self._last = 0

    def append(self, entries: Sequence[Entry]) -> None:
        follow(entries, self._last, self.ended is not None)
        if entries:
            self._entries.extend(entries)
            self._last = entries[-1].number
            self.ended = entries[-1].at if entries[-1].seals else None

    def read(self, after: int, most: int) -> list[Entry]:
        begin = self._index(after + 1)
        return list(islice(self._entries, begin, begin + max(most, 0)))

    def trim(self, first: int) -> None:
        self._gone = self._index(first)
        if self._gone > len(self._entries) // 2:
            del self._entries[: self._gone]
            self._gone = 0

    def _index(self, number: int) -> int:
        """Where in the list an entry is, or would be; not before what is kept."""
        return max(self._gone, len(self._entries) - 1 - (self._last - number))
