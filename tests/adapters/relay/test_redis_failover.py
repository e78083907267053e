"""What workers do when Redis is another one, or has lost what it had: never two of them write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import anyio
import pytest

from sans_io_stream_adapters.relay.stores.protocol import News, Overtaken, Spent, StoreError

from .making import id_of, meta_of, run_of, sealing
from .redis_proxy import NEVER, Proxy
from .redis_server import RedisServer, free_port
from .redis_workers import Workers

pytestmark = pytest.mark.anyio

A = id_of(1)
WITHIN = 60.0
"""Seconds after which what does not happen is a failure."""
SHORT = 0.4
"""Seconds of a lease where a call is to fail for want of Redis."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    directory = tmp_path / "redis"
    directory.mkdir()
    # A replica has what there is at once.
    told = "--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0"
    server = RedisServer(directory, *told)
    yield server
    server.kill()


@pytest.fixture
def replica(tmp_path: Path, server: RedisServer) -> Iterator[RedisServer]:
    directory = tmp_path / "replica"
    directory.mkdir()
    replica = RedisServer(directory, "--replicaof", "127.0.0.1", str(server.port))
    yield replica
    replica.kill()


async def test_an_epoch_that_was_lost_is_not_anothers(server: RedisServer, tmp_path: Path) -> None:
    """A take-over is lost, and made again by another worker: the epoch has the same number."""
    workers = Workers(server, tmp_path)
    first, second, third = [await workers.open() for _ in range(3)]
    await first.create(meta_of(1))
    await first.append(A, run_of(1, 3))
    server.do("CONFIG", "SET", "appendonly", "no")
    workers.bury(first)
    assert await second.take(A)
    await second.append(A, run_of(4, 5))
    server.kill()
    server.start()
    workers.bury(first)
    assert await third.take(A)
    for entries in (run_of(6, 6), run_of(4, 4), [sealing(4)]):
        with pytest.raises(Overtaken):
            await second.append(A, entries)
    await third.append(A, [*run_of(4, 4), sealing(5)])
    assert await second.read(A) == [*run_of(1, 4), sealing(5)]
    await workers.close()


async def test_a_primary_that_is_one_no_longer_is_left(
    server: RedisServer, replica: RedisServer, tmp_path: Path
) -> None:
    """It answers as before, and takes nothing; where it was there is another one now."""
    async with anyio.create_task_group() as group:
        proxy = Proxy(server.port, lambda: NEVER)
        await proxy.start(group)
        workers = Workers(server, tmp_path)
        store = await workers.open(5.0, proxy.url)
        await store.create(meta_of(1))
        await store.append(A, run_of(1, 3))
        with anyio.fail_after(WITHIN):
            while replica.do("XLEN", f"{workers.prefix}stream:{A}") != "2":
                await anyio.lowlevel.checkpoint()
        replica.do("REPLICAOF", "NO", "ONE")
        proxy.port = replica.port
        server.do("REPLICAOF", "127.0.0.1", str(replica.port))
        await store.append(A, run_of(4, 4))
        await store.append(A, [sealing(5)])
        assert await store.read(A) == [*run_of(1, 4), sealing(5)]
        assert replica.do("HGET", f"{workers.prefix}about:{A}", "sealed") == "5"
        await store.close()
        group.cancel_scope.cancel()


async def test_where_no_other_primary_is_that_is_told(server: RedisServer, tmp_path: Path) -> None:
    workers = Workers(server, tmp_path)
    store = await workers.open(2.0)
    await store.create(meta_of(1))
    server.do("REPLICAOF", "127.0.0.1", str(free_port()))
    why = r"not to be had.*primary, not of a replica"
    async with anyio.create_task_group() as group:
        # It is told to all whose connection is given up, whoever heard it first.
        for number in range(5):
            group.start_soon(refused, why, store.spend, "ann", f"day {number}", Spent())
        group.start_soon(refused, why, store.append, A, run_of(1, 1))
    server.do("REPLICAOF", "NO", "ONE")
    await store.append(A, run_of(1, 1))
    await workers.close()


async def refused(why: str, call: Callable[..., Awaitable[object]], *told: object) -> None:
    with pytest.raises(StoreError, match=why):
        await call(*told)


async def test_what_is_refused_once_is_asked_for_again(server: RedisServer, tmp_path: Path) -> None:
    """News that were refused are told when they are not refused any more."""
    workers = Workers(server, tmp_path)
    writer, reader = await workers.open(), await workers.open()
    await writer.create(meta_of(1))
    await writer.append(A, run_of(1, 3))
    await reader.follow(A, 0)
    stream = f"{workers.prefix}stream:{A}"
    server.do("RENAME", stream, "away")
    server.do("SET", stream, "something else")
    for _ in range(2):
        with pytest.raises(StoreError, match="another prefix"):
            await reader.news()
    server.do("RENAME", "away", stream)
    assert await reader.news() == [News(A, run_of(1, 3))]
    await workers.close()


async def test_what_is_no_redis_is_as_good_as_none(server: RedisServer, tmp_path: Path) -> None:
    """Something answers where Redis was, with what is no answer."""
    async with anyio.create_task_group() as group:
        proxy = Proxy(server.port, lambda: NEVER)
        await proxy.start(group)
        workers = Workers(server, tmp_path)
        store = await workers.open(SHORT, proxy.url)
        await store.create(meta_of(1))
        for answer in (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"\xff" * 40,
            b"$x\r\n",
            b"*-7\r\n",
            b"%2\r\n",
        ):
            proxy.instead = answer
            with pytest.raises(StoreError):
                await store.append(A, run_of(1, 1))
        proxy.instead = None
        await store.append(A, run_of(1, 1))
        assert await store.read(A) == run_of(1, 1)
        await store.close()
        group.cancel_scope.cancel()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_who_was_stopped_himself_asks_once_more(
    server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All the time that a call has is over, and nothing was wrong with Redis."""
    workers = Workers(server, tmp_path)
    first, second = await workers.open(), await workers.open()
    await first.create(meta_of(1))
    await first.append(A, run_of(1, 3))
    loop = asyncio.get_running_loop()
    time, stopped = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: time() + stopped)
    server.stop()
    async with anyio.create_task_group() as group:
        group.start_soon(first.append, A, run_of(4, 4))
        await anyio.wait_all_tasks_blocked()
        stopped = 10 * first.lease
        # Its time is over before there is an answer.
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        server.resume()
    assert await second.read(A) == run_of(1, 4)
    await workers.close()
