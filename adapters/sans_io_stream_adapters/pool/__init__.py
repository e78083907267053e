"""Pools: many streams, a bounded number of them at a time, on any runtime.

``scheduling`` says who may run and ``pooling`` what a pool knows, without any runtime; ``pooled``
is one stream, ``reading`` what comes out, ``stats`` what is told, ``errors`` what is raised.
``driver`` spawns and waits, by what ``tasks`` says a runtime is; ``tasks_asyncio`` and
``tasks_scoped`` (trio and anyio) are that, with ``bell`` and ``scope``. Threads are in ``sync``.
"""

from __future__ import annotations

from .errors import PoolCancelled, PoolFull, StreamCancelled
from .pooling import PoolOptions
from .stats import PoolStats, SessionStats

__all__ = [
    "PoolCancelled",
    "PoolFull",
    "PoolOptions",
    "PoolStats",
    "SessionStats",
    "StreamCancelled",
]
