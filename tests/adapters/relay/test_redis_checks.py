"""A Redis that will not do is refused, with what to do about it, and without its password."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sans_io_stream_adapters.relay.stores.protocol import StoreError
from sans_io_stream_adapters.relay.stores.redis import RedisStore
from sans_io_stream_adapters.relay.stores.redis.checks import check

from .making import id_of, meta_of, run_of
from .redis_server import RedisServer

if TYPE_CHECKING:
    from .redis_workers import Workers

pytestmark = pytest.mark.anyio

A = id_of(1)


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that asks for a password, with a user who may do little."""
    user = ["--user", "reader", "on", ">hunter2", "~*", "+@read", "+@connection", "+info"]
    server = RedisServer(tmp_path, "--user", "default", "on", ">hunter2", "~*", "+@all", *user)
    yield server
    server.kill()


GOOD = {"redis_version": "7.0.15", "redis_mode": "standalone", "role": "master", "maxmemory": "0"}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"redis_version": "6.0.16"}, r"6\.2"),
        ({"redis_version": "5.0"}, r"6\.2"),
        ({"redis_version": ""}, r"6\.2"),
        ({"redis_mode": "cluster"}, "Cluster"),
        ({"role": "slave"}, "primary"),
        ({"maxmemory": "9", "maxmemory_policy": "allkeys-lru"}, "noeviction"),
        ({"maxmemory": "9", "maxmemory_policy": "volatile-ttl"}, "noeviction"),
    ],
)
def test_what_will_not_do_is_refused(wrong: dict[str, str], why: str) -> None:
    with pytest.raises(StoreError, match=why):
        check("".join(f"{key}:{value}\r\n" for key, value in {**GOOD, **wrong}.items()))


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"redis_version": "6.2.0"},
        {"redis_version": "10.0"},
        {"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "8.0.1"},
        {"maxmemory": "9", "maxmemory_policy": "noeviction"},
        {"maxmemory": "0", "maxmemory_policy": "allkeys-lru"},
    ],
)
def test_what_will_do_is_not(other: dict[str, str]) -> None:
    text = "".join(f"{key}:{value}\r\n" for key, value in {**GOOD, **other}.items())
    check("# Server\r\n" + text)


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ("", "right user and password"),
        (":hunter3@", "right user and password"),
        ("reader:hunter3@", "right user and password"),
        ("reader:hunter2@", "let this user"),
    ],
)
async def test_who_may_not_is_told_without_the_password(
    locked: RedisServer, user: str, why: str
) -> None:
    store = RedisStore(f"redis://{user}127.0.0.1:{locked.port}")
    with pytest.raises(StoreError, match=why) as refused:
        await store.open()
    # What this test's own frames hold is theirs.
    told = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    told.stack[:] = [frame for frame in told.stack if "tests" not in Path(frame.filename).parts]
    assert len(told.stack) > 1
    assert "hunter" not in "".join(told.format())
    assert "hunter" not in repr(store)
    await store.close()


async def test_the_password_may_be_any_text(locked: RedisServer, tmp_path: Path) -> None:
    locked.do("-a", "hunter2", "--no-auth-warning", "CONFIG", "SET", "requirepass", "p/@:%? w")
    store = RedisStore(f"redis://:p%2F%40%3A%25%3F%20w@127.0.0.1:{locked.port}/3")
    await store.open()
    await store.create(meta_of(1))
    await store.close()


async def test_keys_of_another_program_are_told(workers: Workers) -> None:
    store = await workers.open()
    await store.create(meta_of(1))
    workers.server.do("SET", f"{workers.prefix}stream:{A}", "something else")
    with pytest.raises(StoreError, match="another prefix or database"):
        await store.append(A, run_of(1, 1))


@pytest.mark.parametrize("value", ["", "\x93", "\x91\xc4\x01\xff"])
async def test_what_is_damaged_is_never_given_for_whole(workers: Workers, value: str) -> None:
    store = await workers.open()
    await store.create(meta_of(1))
    await store.append(A, run_of(1, 2))
    workers.server.do("XADD", f"{workers.prefix}stream:{A}", "1-3", "e", value)
    with pytest.raises(StoreError, match="not what was written"):
        await store.read(A)
    assert await store.read(A, most=2) == run_of(1, 2)


async def test_a_part_that_is_missing_is_noticed(workers: Workers) -> None:
    store = await workers.open()
    await store.create(meta_of(1))
    for number in range(1, 6):
        await store.append(A, run_of(number, number))
    for missing in ("1-3", "1-1", "1-5"):
        workers.server.do("XDEL", f"{workers.prefix}stream:{A}", missing)
        with pytest.raises(StoreError, match="not what was written"):
            await store.read(A)
