"""A worker's process is stopped for longer than its lease, or killed: it writes nothing more.

The process, the Redis and the time that passes are real ones.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import anyio
import pytest

from .making import id_of, meta_of, run_of
from .program import ENVIRONMENT, WITHIN

if TYPE_CHECKING:
    from sans_io_stream_adapters.relay.stores.redis import RedisStore

    from .redis_workers import Workers

pytestmark = pytest.mark.anyio

A = id_of(1)
LEASE = 0.5
SEEN = 50
"""Entries that the owner has written, at least, before anything befalls it."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def owner(workers: Workers) -> Iterator[subprocess.Popen[str]]:
    """A process that has written ``SEEN`` entries and goes on."""
    told = [workers.server.url, workers.prefix, str(LEASE)]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.adapters.relay.redis_owner", *told],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert [process.stdout.readline() for _ in range(SEEN)] == [
                f"{number}\n" for number in range(1, SEEN + 1)
            ]
            yield process
        finally:
            process.kill()


async def taken_over(store: RedisStore) -> None:
    """Wait until the owner's lease is over, and take its stream."""
    with anyio.fail_after(WITHIN):
        while not await store.orphans():
            await anyio.lowlevel.checkpoint()
    assert await store.orphans() == [meta_of(1)]
    assert await store.take(A)


async def test_an_owner_that_was_stopped_writes_nothing_when_it_goes_on(
    workers: Workers, owner: subprocess.Popen[str]
) -> None:
    store = await workers.open()
    assert await store.orphans() == []
    assert not await store.take(A)
    owner.send_signal(signal.SIGSTOP)
    await taken_over(store)
    last = (await store.read(A, most=10**6))[-1].number
    await store.append(A, run_of(last + 1, last + 3))
    owner.send_signal(signal.SIGCONT)
    told, _ = owner.communicate(timeout=WITHIN)
    *acknowledged, end = told.split()
    assert end == "Overtaken"
    # All that it was told is kept is there; what it sent while it was stopped is there or not.
    assert last - 1 <= int(([str(SEEN), *acknowledged])[-1]) <= last
    assert await store.read(A, most=10**6) == run_of(1, last + 3)


async def test_an_owner_that_was_killed_has_lost_nothing(
    workers: Workers, owner: subprocess.Popen[str]
) -> None:
    store = await workers.open()
    owner.kill()
    told, _ = owner.communicate(timeout=WITHIN)
    await taken_over(store)
    kept = await store.read(A, most=10**6)
    assert len(kept) - 1 <= int(([str(SEEN), *told.split()])[-1]) <= len(kept)
    await store.append(A, run_of(len(kept) + 1, len(kept) + 1))
    assert await store.read(A, most=10**6) == run_of(1, len(kept) + 1)
