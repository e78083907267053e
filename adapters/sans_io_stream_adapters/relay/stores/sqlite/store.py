"""Streams in a SQLite file: they outlive the process.

SQLite blocks, so that all of it happens in one thread of its own. What waits there at the same
time becomes one transaction: 500 streams that write at once share the price of a commit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

from sans_io_stream.relay import encode_entry

from ..protocol import Meta, Spent, StoreError
from .database import Database
from .worker import Worker

try:
    from anyio import CancelScope, to_thread
except ImportError as missing:
    raise ImportError("the stores need anyio: pip install 'sans-io-stream[relay]'") from missing

if TYPE_CHECKING:
    from _typeshed import StrPath

    from sans_io_stream.relay import Entry

__all__ = ["SQLiteStore"]

T = TypeVar("T")


class SQLiteStore:
    """A ``Store`` in the file at ``path``, which is made where there is none. Its directory must
    be there, on a local disk; SQLite keeps a second file beside it (``-wal``). Both hold what
    the streams say: only their owner may read them (0600).

    What was appended survives the end of the process, however it ends (``kill -9``). It survives
    a crash of the system or a loss of power whole and in order, but perhaps without the last
    entries, up to 8 MiB of them: readers may then have seen what is gone. With
    ``synchronous="full"`` these survive as well, as far as the disk keeps its word; each
    transaction then waits for the disk.

    One process has the file while it is open; ``open`` raises ``StoreError`` for any other, and
    for a file that is damaged, read-only, not one of streams, or of another schema's version.
    While the file is moved or removed from its path nothing is written, for the same reason as
    always: it would not be there afterwards.
    Once the disk is full ``append`` raises it, and nothing of these entries is there; as soon as
    there is space the same ones are taken. The space of what was deleted is used again, and
    given back to the system in steps once it is more than a quarter of the file.

    Raises ``ValueError`` for a path that is none, and another ``synchronous``.
    """

    def __init__(self, path: StrPath, *, synchronous: Literal["normal", "full"] = "normal") -> None:
        self.path = os.fspath(path)
        self.synchronous: Literal["normal", "full"] = synchronous
        if not self.path or self.path == ":memory:":
            raise ValueError("SQLiteStore needs the path of a file; MemoryStore needs none")
        if synchronous not in ("normal", "full"):
            raise ValueError(f'synchronous is "normal" or "full", not {synchronous!r}')
        self._open: tuple[Database, Worker] | None = None
        self._writing: set[str] = set()
        """The streams that were created or taken since it was opened."""

    async def open(self) -> None:
        """Open the file, or make it. Raises ``StoreError``."""
        if self._open is None:
            database = await to_thread.run_sync(Database, self.path, self.synchronous)
            self._open = database, Worker(database.together, database.sweep)
            self._writing.clear()

    async def close(self) -> None:
        """Do what was handed over, and close the file."""
        if self._open is not None:
            (database, worker), self._open = self._open, None
            with CancelScope(shield=True):
                await to_thread.run_sync(worker.stop)
                await to_thread.run_sync(database.close)

    async def create(self, meta: Meta, most: int | None = None) -> None:
        """As ``Store.create``."""
        # Also where the call is cancelled it is created.
        self._writing.add(meta.id)
        await self._do(lambda database: database.create(meta, most))

    async def find(self, id: str) -> Meta | None:
        """As ``Store.find``."""
        return await self._do(lambda database: database.find(id))

    async def find_key(self, owner: str, idempotency_key: str) -> Meta | None:
        """As ``Store.find_key``."""
        return await self._do(lambda database: database.find_key(owner, idempotency_key))

    async def append(self, id: str, entries: Sequence[Entry]) -> None:
        """As ``Store.append``."""
        entries = tuple(entries)
        written = [encode_entry(one) for one in entries]
        await self._do(lambda database: database.append(id, entries, written))

    async def read(self, id: str, after: int = 0, most: int = 1024) -> list[Entry]:
        """As ``Store.read``."""
        return await self._do(lambda database: database.read(id, after, most))

    async def trim(self, id: str, first: int) -> None:
        """As ``Store.trim``."""
        await self._do(lambda database: database.trim(id, first))

    async def delete(self, id: str) -> None:
        """As ``Store.delete``."""
        await self._do(lambda database: database.delete(id))
        self._writing.discard(id)

    async def orphans(self) -> list[Meta]:
        """As ``Store.orphans``: those of the processes before this one."""
        unsealed = await self._do(Database.unsealed)
        return [meta for meta in unsealed if meta.id not in self._writing]

    async def take(self, id: str) -> bool:
        """As ``Store.take``."""
        orphan = any(meta.id == id for meta in await self.orphans())
        if orphan:
            self._writing.add(id)
        return orphan

    async def ended_before(self, time: float, most: int = 1000) -> list[str]:
        """As ``Store.ended_before``."""
        return await self._do(lambda database: database.ended_before(time, most))

    async def spend(self, owner: str, period: str, more: Spent) -> Spent:
        """As ``Store.spend``."""
        return await self._do(lambda database: database.spend(owner, period, more))

    async def _do(self, work: Callable[[Database], T]) -> T:
        """Have it done in the thread."""
        if self._open is None:
            raise StoreError("the store is not open: open() it first")
        database, worker = self._open
        return await worker.do(lambda: work(database))
