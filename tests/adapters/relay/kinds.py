"""The stores that are tested against the protocol: a line each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sans_io_stream_adapters.relay.stores.memory import MemoryStore
from sans_io_stream_adapters.relay.stores.redis import RedisStore
from sans_io_stream_adapters.relay.stores.sqlite import SQLiteStore

from .redis_server import shared_server

if TYPE_CHECKING:
    from sans_io_stream_adapters.relay.stores.protocol import Store

__all__ = ["BACKENDS", "STORES", "Kind"]


class Kind(NamedTuple):
    """How a store is made in a directory of its own, whether its streams outlive it, and how
    many examples of a search are worth their time."""

    make: Callable[[Path], Store]
    outlives: bool
    examples: int = 20


def in_memory(path: Path) -> Store:
    return MemoryStore()


def in_file(path: Path) -> Store:
    return SQLiteStore(path / "streams.db")


def in_redis(path: Path) -> Store:
    return RedisStore(shared_server().url, prefix=f"{path}:")


STORES = {
    "memory": Kind(in_memory, outlives=False),
    "sqlite": Kind(in_file, outlives=True),
    "redis": Kind(in_redis, outlives=True, examples=8),
}
BACKENDS = ["asyncio", "trio"]
