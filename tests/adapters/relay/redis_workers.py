"""Workers that have one Redis, and ways to let one of them look dead: for tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sans_io_stream_adapters.relay.stores.redis import RedisStore

if TYPE_CHECKING:
    from .redis_server import RedisServer

__all__ = ["LONG", "Workers"]

LONG = 60.0
"""Seconds of a lease that does not run out in a test."""


class Workers:
    """Stores with one prefix, that of a directory."""

    def __init__(self, server: RedisServer, path: Path) -> None:
        self.server = server
        self.prefix = f"{path}:"
        self._opened: list[RedisStore] = []
        self._leases: dict[int, str] = {}

    async def open(self, lease: float = LONG, url: str | None = None) -> RedisStore:
        """One more."""
        store = RedisStore(url or self.server.url, prefix=self.prefix, lease=lease)
        before = self.leases()
        await store.open()
        [self._leases[id(store)]] = set(self.leases()) - set(before)
        self._opened.append(store)
        return store

    async def close(self) -> None:
        """All of them."""
        for store in self._opened:
            await store.close()

    def leases(self) -> list[str]:
        """The keys of all leases."""
        return self.names("worker:")

    def names(self, kind: str = "") -> list[str]:
        """The keys of that kind."""
        return [key for key in self.server.names() if key.startswith(self.prefix + kind)]

    def id_of(self, store: RedisStore) -> str:
        """What Redis knows it as."""
        return self._leases[id(store)].rpartition(":")[2]

    def bury(self, store: RedisStore) -> None:
        """Its lease is over, though it lives."""
        self.server.do("DEL", self._leases[id(store)])
