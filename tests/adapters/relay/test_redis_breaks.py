"""Connections to Redis break, and Redis goes away: nothing is written twice, and nothing lost."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.lowlevel import checkpoint

from sans_io_stream_adapters.relay.stores.protocol import News, Overtaken, Spent, StoreError

from .making import id_of, made, meta_of, run_of, sealing
from .redis_proxy import NEVER, Cut, Proxy
from .redis_server import RedisServer, shared_server
from .redis_workers import Workers

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

pytestmark = pytest.mark.anyio

A, B = (id_of(number) for number in (1, 2))
WITHIN = 60.0
"""Seconds after which what does not happen is a failure."""
SHORT = 0.4
"""Seconds of a lease where a call is to fail for want of Redis."""


@pytest.fixture
async def workers(tmp_path: Path, group: TaskGroup) -> AsyncIterator[Workers]:
    workers = Workers(shared_server(), tmp_path)
    yield workers
    await workers.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """One of the test's own, which writes to its disk before it answers."""
    directory = tmp_path / "redis"
    directory.mkdir()
    server = RedisServer(directory, "--appendonly", "yes", "--appendfsync", "always")
    yield server
    server.kill()


@pytest.fixture
async def group() -> AsyncIterator[TaskGroup]:
    async with anyio.create_task_group() as group:
        yield group
        group.cancel_scope.cancel()


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what another task does."""
    with anyio.fail_after(WITHIN):
        while not await true():
            await checkpoint()


async def know_the_scripts(workers: Workers) -> None:
    """Have Redis know them all: what it does not know it does not do at the first call."""
    store, other = await workers.open(), await workers.open()
    await store.create(meta_of(9, "nine"))
    workers.bury(store)
    assert await other.take(id_of(9))
    await other.append(id_of(9), [sealing(1)])
    await other.spend("ann", "2025", Spent())
    await other.delete(id_of(9))


# ---- connections that break


@pytest.mark.parametrize("seed", range(6))
async def test_entries_are_written_once_over_connections_that_break(
    workers: Workers, group: TaskGroup, seed: int
) -> None:
    dice = random.Random(seed)
    proxy = Proxy(workers.server.port, lambda: NEVER)
    await proxy.start(group)
    store = await workers.open(url=proxy.url)
    # The greeting takes some 400 bytes; a batch of entries as many more.
    proxy.plan = lambda: dice.choice(
        [Cut(there=dice.randrange(1, 3000)), Cut(back=dice.randrange(1, 700))]
    )
    workers.server.do("CLIENT", "KILL", "TYPE", "normal")
    last, batches = {A: 0, B: 0}, 0
    for number in (1, 2):
        await store.create(meta_of(number, f"key {number}"))
    while proxy.cuts < 12:
        for number, id in enumerate((A, B), 1):
            begin = last[id] + 1
            last[id] += dice.randrange(1, 5)
            await store.append(id, run_of(begin, last[id], number))
            batches += 1
    proxy.plan = lambda: NEVER
    await store.append(A, [sealing(last[A] + 1)])
    other = await workers.open()
    assert await other.read(A, most=10**6) == [*run_of(1, last[A]), sealing(last[A] + 1)]
    assert await other.read(B, most=10**6) == run_of(1, last[B], 2)
    assert workers.server.do("XLEN", f"{workers.prefix}stream:{B}") == str(batches // 2 + 1)


async def test_what_was_done_before_the_answer_was_lost_is_done_once(
    workers: Workers, group: TaskGroup
) -> None:
    """Of every change: Redis makes it, the answer never comes, and it is asked for again."""
    await know_the_scripts(workers)
    dead = await workers.open()
    await dead.create(meta_of(2))
    await dead.append(B, run_of(1, 2))
    workers.bury(dead)
    proxy = Proxy(workers.server.port, lambda: NEVER)
    await proxy.start(group)
    store = await workers.open(url=proxy.url)

    changes = (
        (lambda: store.create(meta_of(1, "key"), 2), None),
        (lambda: store.append(A, run_of(1, 2)), None),
        (lambda: store.spend("ann", "2026", Spent(1, 2)), Spent(1, 2)),
        (lambda: store.take(B), True),
        (lambda: store.append(B, [sealing(3)]), None),
        (lambda: store.delete(B), None),
    )
    for change, expected in changes:
        proxy.lose = 1
        assert await change() == expected
        assert proxy.lose == 0
    assert await store.read(A) == run_of(1, 2)
    assert await store.find(B) is None
    with pytest.raises(StoreError, match="already"):
        await store.create(meta_of(1, "key"))


async def test_a_stream_that_nobody_knows_of_is_given_up(
    workers: Workers, group: TaskGroup
) -> None:
    """Redis made it this worker's, which never got to hear of it: others may take it."""
    await know_the_scripts(workers)
    proxy = Proxy(workers.server.port, lambda: NEVER)
    await proxy.start(group)
    store, other = await workers.open(SHORT, proxy.url), await workers.open()
    proxy.lose = math.inf
    with pytest.raises(StoreError, match="was not to be had"):
        await store.create(meta_of(1))
    proxy.lose = 0
    assert await other.find(A) == meta_of(1)

    async def released() -> bool:
        return workers.names("written:") == [f"{workers.prefix}written:nobody"]

    await until(released)
    assert await other.orphans() == [meta_of(1)]
    assert await other.take(A)
    await other.append(A, run_of(1, 1))
    with pytest.raises(Overtaken):
        await store.append(A, run_of(1, 1))


async def test_what_another_one_has_by_then_is_not_given_up(
    workers: Workers, group: TaskGroup
) -> None:
    await know_the_scripts(workers)
    proxy = Proxy(workers.server.port, lambda: NEVER)
    await proxy.start(group)
    store, other = await workers.open(SHORT, proxy.url), await workers.open()
    proxy.lose = math.inf
    with pytest.raises(StoreError, match="was not to be had"):
        await store.create(meta_of(1))
    proxy.plan = lambda: Cut(there=0)

    async def taken() -> bool:
        # It may still be renewed by what was on its way.
        return await other.take(A)

    await until(taken)
    proxy.plan, proxy.lose = lambda: NEVER, 0
    assert store._open is not None  # pyright: ignore[reportPrivateUsage]
    worker, _ = store._open  # pyright: ignore[reportPrivateUsage]

    async def settled() -> bool:
        return not worker._doubtful  # pyright: ignore[reportPrivateUsage]

    await until(settled)
    await other.close()
    assert await store.orphans() == [meta_of(1)]
    assert workers.names("written:nobody") == []
    assert await store.take(A)


async def test_whoever_learns_late_that_he_took_a_stream_hears_its_end(
    workers: Workers, group: TaskGroup
) -> None:
    """The word may have come while he did not know that it was for him."""
    await know_the_scripts(workers)
    dead = await workers.open()
    await dead.create(meta_of(1))
    workers.bury(dead)
    proxy = Proxy(workers.server.port, lambda: NEVER)
    await proxy.start(group)
    store, other = await workers.open(SHORT, proxy.url), await workers.open()
    await other.tell(A, "end")
    proxy.lose = math.inf
    with pytest.raises(StoreError, match="was not to be had"):
        await store.take(A)
    proxy.lose = 0
    assert await store.take(A)
    found: list[News] = []
    with anyio.fail_after(WITHIN):
        while len(found) < 2:
            found += await store.news()
    assert found == [News(A, word="end")] * 2


async def test_a_connection_that_says_nothing_is_given_up(
    workers: Workers, group: TaskGroup
) -> None:
    """Its other end has gone without a word; a new one is answered."""
    proxy = Proxy(workers.server.port, lambda: NEVER)
    await proxy.start(group)
    store = await workers.open(1.0, proxy.url)
    await store.create(meta_of(1))
    proxy.silent = proxy.made
    await store.append(A, run_of(1, 2))
    await store.append(A, run_of(3, 3))
    assert await store.read(A) == run_of(1, 3)


# ---- Redis goes away


async def test_a_redis_that_comes_back_is_used_again(server: RedisServer, tmp_path: Path) -> None:
    workers = Workers(server, tmp_path)
    store = await workers.open()
    await store.create(meta_of(1))
    await store.append(A, run_of(1, 3))

    async def write() -> None:
        for number in range(4, 40):
            await store.append(A, run_of(number, number))

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        for _ in range(3):
            await anyio.wait_all_tasks_blocked()
            server.kill()
            server.start()
    assert await store.read(A) == run_of(1, 39)
    await workers.close()


async def test_what_redis_has_lost_is_noticed(server: RedisServer, tmp_path: Path) -> None:
    """Entries that were acknowledged are gone: there is no hole, and the writer is told."""
    workers = Workers(server, tmp_path)
    store = await workers.open()
    await store.create(meta_of(1))
    await store.append(A, run_of(1, 3))
    server.do("CONFIG", "SET", "appendonly", "no")
    await store.append(A, run_of(4, 5))
    server.kill()
    server.start()
    with pytest.raises(StoreError, match="Redis has lost entries 4 to 5"):
        await store.append(A, run_of(6, 6))
    assert await store.read(A) == run_of(1, 3)
    with pytest.raises(StoreError, match="entry 6 does not follow entry 3"):
        await store.append(A, run_of(6, 6))
    await store.append(A, [sealing(4)])
    assert await store.read(A) == [*run_of(1, 3), sealing(4)]
    await workers.close()


async def test_a_redis_that_is_away_is_told(server: RedisServer, tmp_path: Path) -> None:
    workers = Workers(server, tmp_path)
    store = await workers.open(SHORT)
    await store.create(meta_of(1))
    server.kill()
    for call in (
        lambda: store.append(A, run_of(1, 1)),
        lambda: store.find(A),
        store.news,
    ):
        with pytest.raises(StoreError, match=r"not to be had for 0\.4 seconds: .*refused"):
            await call()
    server.start()
    await store.append(A, run_of(1, 1))
    assert await store.read(A) == run_of(1, 1)
    await workers.close()


async def test_an_append_that_was_given_up_is_made_once(
    server: RedisServer, tmp_path: Path
) -> None:
    """Redis hangs for longer than anyone waits; then it does what it was sent."""
    workers = Workers(server, tmp_path)
    store = await workers.open(SHORT)
    await store.create(meta_of(1))
    await store.append(A, run_of(1, 2))
    server.stop()
    with pytest.raises(StoreError, match="does not answer"):
        await store.append(A, run_of(3, 4))
    server.resume()
    await store.append(A, run_of(3, 4))
    await store.append(A, run_of(5, 5))
    assert await store.read(A) == run_of(1, 5)
    assert server.do("XLEN", f"{workers.prefix}stream:{A}") == "4"
    await workers.close()


@pytest.mark.parametrize("trimmed", [False, True])
async def test_other_entries_are_not_taken_for_those_that_were_given_up(
    server: RedisServer, tmp_path: Path, trimmed: bool
) -> None:
    """They have the same numbers, and those are there."""
    workers = Workers(server, tmp_path)
    store, other = await workers.open(SHORT), await workers.open()
    await store.create(meta_of(1))
    await store.append(A, run_of(1, 2))
    server.stop()
    with pytest.raises(StoreError, match="not to be had"):
        await store.append(A, run_of(3, 4))
    server.resume()
    if trimmed:
        await other.trim(A, 5)
    with pytest.raises(StoreError, match="entry 3 does not follow entry 4"):
        await store.append(A, run_of(3, 4, 9))
    await store.append(A, run_of(5, 5))
    assert await other.read(A) == run_of(5 if trimmed else 1, 5)
    await workers.close()


async def test_a_lease_that_was_given_up_does_not_come_back(
    server: RedisServer, tmp_path: Path
) -> None:
    """It was to be renewed while Redis had not yet answered that it is given up."""
    workers = Workers(server, tmp_path)
    # Redis knows the script by then: what it does not know it does only when it is sent whole.
    await (await workers.open()).close()
    store = await workers.open(lease=0.9)
    server.stop()
    async with anyio.create_task_group() as group:
        group.start_soon(store.close)
        await anyio.sleep(0.4)
        server.resume()
    assert workers.leases() == []


# ---- Redis refuses


async def test_a_full_redis_takes_nothing_and_later_the_same(
    server: RedisServer, tmp_path: Path
) -> None:
    workers = Workers(server, tmp_path)
    store = await workers.open(SHORT)
    await store.create(meta_of(1))
    await store.append(A, run_of(1, 2))
    server.do("CONFIG", "SET", "maxmemory", "1")
    for entries in ([made(3)], [made(3), sealing(4)]):
        with pytest.raises(StoreError, match=r"OOM.*it is full: raise maxmemory"):
            await store.append(A, entries)
    with pytest.raises(StoreError, match="it is full"):
        await store.create(meta_of(2))
    assert await store.read(A) == run_of(1, 2)
    assert await store.find(B) is None
    assert await store.ended_before(1e12) == []
    # What makes room goes on, and a worker that lives is not taken for dead.
    await store.trim(A, 2)
    assert await store.read(A) == run_of(2, 2)
    workers.bury(store)

    async def renewed() -> bool:
        return len(workers.leases()) == 1

    await until(renewed)
    server.do("CONFIG", "SET", "maxmemory", "0")
    await store.append(A, [made(3), sealing(4)])
    await store.delete(A)
    await workers.close()
