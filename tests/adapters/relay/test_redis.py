"""Several workers have one Redis: one of them writes a stream, whatever the others believe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from sans_io_stream_adapters.relay.stores.protocol import (
    Overtaken,
    Spent,
    StoreError,
    Taken,
    TooMany,
    read_all,
)
from sans_io_stream_adapters.relay.stores.redis import RedisStore

from .making import id_of, made, meta_of, run_of, sealing

if TYPE_CHECKING:
    from sans_io_stream.relay import Entry

    from .redis_workers import Workers

pytestmark = pytest.mark.anyio

A, B = (id_of(number) for number in (1, 2))


@pytest.fixture
async def first(workers: Workers) -> RedisStore:
    """A worker with a stream A of three entries."""
    store = await workers.open()
    await store.create(meta_of(1))
    await store.append(A, run_of(1, 3))
    return store


# ---- who writes


async def test_a_worker_that_was_taken_for_dead_writes_nothing_more(
    workers: Workers, first: RedisStore
) -> None:
    second = await workers.open()
    workers.bury(first)
    assert await second.take(A)
    for entries in (run_of(4, 5), [sealing(4)], run_of(9, 9)):
        with pytest.raises(StoreError):
            await first.append(A, entries)
    assert await second.read(A) == run_of(1, 3)
    await second.append(A, run_of(4, 6))
    with pytest.raises(Overtaken):
        await first.append(A, run_of(4, 4))
    await second.append(A, [sealing(7)])
    assert await first.read(A) == [*run_of(1, 6), sealing(7)]


@pytest.mark.parametrize(
    "entries",
    [[made(4)], [sealing(4)], [made(5)], [made(3)], []],
    ids=["next", "end", "ahead", "behind", "none"],
)
async def test_it_is_told_so_at_its_first_append(
    workers: Workers, first: RedisStore, entries: list[Entry]
) -> None:
    """Also where the number follows what another one has written, and not what it has itself."""
    second = await workers.open()
    workers.bury(first)
    assert await second.take(A)
    with pytest.raises(Overtaken):
        await first.append(A, entries)
    # Nothing that belongs to the end has happened either.
    assert await second.ended_before(1e12) == []
    await second.append(A, [sealing(4)])
    assert await second.ended_before(1e12) == [A]


async def test_who_took_a_stream_back_without_knowing_is_told_so(
    workers: Workers, first: RedisStore
) -> None:
    """It is his own again, in an epoch that he has not begun."""
    second = await workers.open()
    workers.bury(first)
    assert await second.take(A)
    await second.append(A, run_of(4, 4))
    workers.server.do("HSET", f"{workers.prefix}about:{A}", "worker", workers.id_of(first))
    workers.server.do("CLIENT", "KILL", "TYPE", "normal")
    with pytest.raises(Overtaken):
        await first.append(A, run_of(5, 5))


async def test_redis_itself_refuses_an_older_epoch(workers: Workers, first: RedisStore) -> None:
    second = await workers.open()
    workers.bury(first)
    assert await second.take(A)
    stream = f"{workers.prefix}stream:{A}"
    told = workers.server.do("XADD", stream, "NOMKSTREAM", "1-4", "e", "late")
    assert "equal or smaller" in told
    assert await second.read(A) == run_of(1, 3)


@pytest.mark.parametrize("entries", [[made(4)], [sealing(4)]], ids=["next", "end"])
async def test_nothing_comes_to_a_stream_that_was_deleted(
    workers: Workers, first: RedisStore, entries: list[Entry]
) -> None:
    second = await workers.open()
    await second.delete(A)
    for _ in range(2):
        with pytest.raises(StoreError, match="create"):
            await first.append(A, entries)
    assert not [name for name in workers.names() if A in name]
    assert await second.ended_before(1e12) == []


async def test_another_worker_does_not_write(workers: Workers, first: RedisStore) -> None:
    second = await workers.open()
    with pytest.raises(Overtaken):
        await second.append(A, run_of(4, 4))
    with pytest.raises(Overtaken):
        await second.append(A, [])
    await first.append(A, run_of(4, 4))
    assert await second.read(A) == run_of(1, 4)


async def test_one_of_many_takes_a_stream(workers: Workers, first: RedisStore) -> None:
    others = [await workers.open() for _ in range(8)]
    workers.bury(first)
    took: list[int] = []

    async def take(number: int) -> None:
        if await others[number].take(A):
            took.append(number)

    async with anyio.create_task_group() as group:
        for number in range(len(others)):
            group.start_soon(take, number)
    assert len(took) == 1
    for number, other in enumerate(others):
        if number in took:
            await other.append(A, run_of(4, 4))
        else:
            with pytest.raises(Overtaken):
                await other.append(A, run_of(4, 4))


async def test_a_living_worker_keeps_its_streams(workers: Workers, first: RedisStore) -> None:
    second = await workers.open()
    assert await second.orphans() == []
    assert not await second.take(A)
    await first.append(A, run_of(4, 4))


async def test_a_worker_that_was_late_goes_on_where_nobody_was_faster(
    workers: Workers, first: RedisStore
) -> None:
    second = await workers.open()
    workers.bury(first)
    assert await second.orphans() == [meta_of(1)]
    assert await first.orphans() == []
    assert not await first.take(A)
    await first.append(A, run_of(4, 4))
    # Whatever it begins is a sign of life.
    await first.create(meta_of(2))
    assert await second.orphans() == []
    assert not await second.take(A)


async def test_a_closed_worker_has_none(workers: Workers, first: RedisStore) -> None:
    second = await workers.open()
    await first.close()
    assert await second.orphans() == [meta_of(1)]
    assert await second.take(A)
    await second.append(A, run_of(4, 4))
    assert len(workers.leases()) == 1


async def test_who_dies_after_taking_is_followed_by_the_next(
    workers: Workers, first: RedisStore
) -> None:
    """Of a take-over nothing but the mark is there: it is no entry, and no end."""
    stores = [first]
    for _ in range(5):
        store = await workers.open()
        workers.bury(stores[-1])
        assert await store.orphans() == [meta_of(1)]
        assert await store.take(A)
        stores.append(store)
    for store in stores[:-1]:
        with pytest.raises(Overtaken):
            await store.append(A, run_of(4, 4))
    assert await stores[-1].read(A) == run_of(1, 3)
    await stores[-1].append(A, run_of(4, 5))
    assert await first.read(A, 2) == run_of(3, 5)


async def test_entries_of_several_epochs_are_one_stream(
    workers: Workers, first: RedisStore
) -> None:
    store, last = first, 3
    for _ in range(3):
        other = await workers.open()
        workers.bury(store)
        assert await other.take(A)
        await other.append(A, run_of(last + 1, last + 3))
        await other.append(A, run_of(last + 4, last + 4))
        store, last = other, last + 4
    for after in range(last + 1):
        for most in (1, 2, 5, 100):
            assert await first.read(A, after, most) == run_of(after + 1, last)[:most]
    for trimmed in range(1, last + 2):
        await first.trim(A, trimmed)
        assert await store.read(A) == run_of(trimmed, last)
    assert workers.server.do("XLEN", f"{workers.prefix}stream:{A}") == "0"
    other = await workers.open()
    workers.bury(store)
    assert await other.take(A)
    await other.append(A, run_of(last + 1, last + 1))
    assert await first.read(A) == run_of(last + 1, last + 1)


async def test_what_is_large_is_read_in_several_parts(workers: Workers) -> None:
    """So that a lease can be renewed between them, on the same connection."""
    store = await workers.open()
    await store.create(meta_of(1))
    entries = [made(number, text="x" * 1_500_000) for number in range(1, 8)]
    for one in entries[:5]:
        await store.append(A, [one])
    await store.append(A, entries[5:])
    assert await store.read(A) == entries[:3]
    assert await store.read(A, 2, 2) == entries[2:4]
    assert await read_all(store, A) == entries
    workers.server.do("XDEL", f"{workers.prefix}stream:{A}", "1-2")
    with pytest.raises(StoreError, match="not what was written"):
        await store.read(A)
    # One that is larger than a part is read all the same.
    await store.create(meta_of(2))
    huge = made(1, 2, "x" * 9_000_000)
    await store.append(B, [huge, *run_of(2, 3, 2)])
    assert await read_all(store, B) == [huge, *run_of(2, 3, 2)]


async def test_a_lease_is_renewed_and_given_up(workers: Workers) -> None:
    store = await workers.open(lease=0.3)
    workers.bury(store)
    with anyio.fail_after(30):
        while not workers.leases():
            await anyio.lowlevel.checkpoint()
    await store.close()
    assert workers.leases() == []


# ---- what all workers have together


async def test_an_idempotency_key_counts_in_all_workers(workers: Workers) -> None:
    first, second = await workers.open(), await workers.open()
    await first.create(meta_of(1, "key"))
    with pytest.raises(Taken) as taken:
        await second.create(meta_of(2, "key"))
    assert taken.value.meta == meta_of(1, "key")
    assert await second.find_key("ann", "key") == meta_of(1, "key")


async def test_so_do_streams_and_what_they_cost(workers: Workers) -> None:
    first, second = await workers.open(), await workers.open()
    await first.create(meta_of(1), 2)
    await second.create(meta_of(2), 2)
    for store in (first, second):
        with pytest.raises(TooMany):
            await store.create(meta_of(3), 2)
    await first.spend("ann", "2026-11", Spent(1, 2**60))
    assert await second.spend("ann", "2026-11", Spent(1, 1)) == Spent(2, 2**60 + 1)


async def test_old_periods_are_dropped(workers: Workers) -> None:
    store = await workers.open()
    for day in range(1, 60):
        await store.spend("ann", f"day {day:02}", Spent(day))
    assert await store.spend("ann", "day 59", Spent()) == Spent(59)
    assert await store.spend("ann", "day 01", Spent()) == Spent()
    assert int(workers.server.do("HLEN", f"{workers.prefix}spent:ann")) <= 32


async def test_an_owners_name_is_not_taken_for_another(workers: Workers) -> None:
    store = await workers.open()
    await store.create(meta_of(1, "b:c", owner="a"))
    await store.create(meta_of(2, "c", owner="a:b"))
    assert await store.find_key("a", "b:c") == meta_of(1, "b:c", owner="a")


async def test_nothing_is_left_of_a_deleted_stream(workers: Workers) -> None:
    store = await workers.open()
    before = workers.names()
    await store.create(meta_of(1, "key"))
    await store.append(A, [*run_of(1, 3), sealing(4)])
    assert len(workers.names()) > len(before)
    await store.delete(A)
    assert set(workers.names()) - set(before) == {f"{workers.prefix}count"}


async def test_a_sealed_stream_is_nobodys(workers: Workers, first: RedisStore) -> None:
    """Also where it was another's, says Redis, though it is written here still."""
    about, written = (f"{workers.prefix}{key}" for key in (f"about:{A}", "written:nobody"))
    workers.server.do("HSET", about, "worker", "nobody")
    workers.server.do("ZADD", written, "1", A)
    await first.append(A, [sealing(4)])
    assert written not in workers.names()


async def test_redis_drops_a_sealed_stream_that_no_worker_drops(workers: Workers) -> None:
    store = await workers.open()
    for number in (1, 2):
        await store.create(meta_of(number, f"key {number}"))
        await store.append(id_of(number), run_of(1, 3))
    await store.append(A, [sealing(4)])
    for key in workers.names():
        lasts = int(workers.server.do("PTTL", key))
        if key.endswith((A, "key:ann:key 1", "ended")):
            assert 0 < lasts <= 7 * 86400 * 1000
        elif key.endswith((B, "key 2")):
            assert lasts == -1


# ---- wrong values


@pytest.mark.parametrize(
    "url", ["", "redis", "http://host", "redis://", "redis://:secret@host:port/", "unix://"]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL of the Redis server") as refused:
        RedisStore(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong", [{"lease": 0}, {"lease": float("inf")}, {"lease": float("nan")}, {"expire_seconds": 0}]
)
def test_a_time_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"in seconds|for never"):
        RedisStore("redis://localhost", **wrong)


async def test_a_store_that_is_not_open_says_so(workers: Workers) -> None:
    store = RedisStore(workers.server.url)
    with pytest.raises(StoreError, match="open"):
        await store.find(A)
