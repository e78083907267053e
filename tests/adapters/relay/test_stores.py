"""Every store does what the protocol says, under every loop: ``kinds.py`` lists them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from sans_io_stream_adapters.relay.stores.protocol import (
    MOST_SPENT,
    Meta,
    Spent,
    Store,
    StoreError,
    Taken,
    TooMany,
)

from .kinds import STORES, Kind
from .making import id_of, made, meta_of, run_of, sealing

pytestmark = pytest.mark.anyio


A, B, C = (id_of(number) for number in (1, 2, 3))


@pytest.fixture(params=STORES)
def kind(request: pytest.FixtureRequest) -> Kind:
    return STORES[str(request.param)]


@pytest.fixture
async def store(kind: Kind, tmp_path: Path) -> AsyncIterator[Store]:
    """An open store with a stream A."""
    store = kind.make(tmp_path)
    await store.open()
    await store.create(meta_of(1))
    yield store
    await store.close()


# ---- entries


async def test_what_is_appended_is_read_in_order(store: Store) -> None:
    assert await store.read(A) == []
    await store.append(A, run_of(1, 1))
    await store.append(A, run_of(2, 9))
    await store.append(A, [])
    assert await store.read(A) == run_of(1, 9)
    assert await store.read(A, 4) == run_of(5, 9)
    assert await store.read(A, 9) == []
    assert await store.read(A, 10**12) == []
    assert await store.read(A, -7) == run_of(1, 9)


async def test_no_more_is_read_than_asked_for(store: Store) -> None:
    await store.append(A, run_of(1, 1500))
    assert await store.read(A, most=3) == run_of(1, 3)
    assert await store.read(A, 2, 1) == run_of(3, 3)
    assert await store.read(A) == run_of(1, 1024)
    assert await store.read(A, 1024) == run_of(1025, 1500)
    assert await store.read(A, most=0) == []
    assert await store.read(A, most=-1) == []


@pytest.mark.parametrize("numbers", [[1], [3], [5], [0], [-1], [4, 4], [4, 6], [4, 5, 5]])
async def test_a_number_that_does_not_follow_is_refused(store: Store, numbers: list[int]) -> None:
    await store.append(A, run_of(1, 3))
    with pytest.raises(StoreError, match="does not follow entry"):
        await store.append(A, [made(number) for number in numbers])
    assert await store.read(A) == run_of(1, 3)
    await store.append(A, run_of(4, 4))
    assert await store.read(A) == run_of(1, 4)


async def test_the_first_number_is_1(store: Store) -> None:
    with pytest.raises(StoreError, match="entry 2 does not follow entry 0"):
        await store.append(A, run_of(2, 2))
    assert await store.read(A) == []


async def test_nothing_is_appended_behind_the_end(store: Store) -> None:
    with pytest.raises(StoreError, match="sealed"):
        await store.append(A, [made(1), sealing(2), made(3)])
    await store.append(A, [made(1), sealing(2)])
    for number in (2, 3):
        with pytest.raises(StoreError, match="sealed"):
            await store.append(A, [made(number)])
    assert await store.read(A) == [made(1), sealing(2)]


async def test_a_stream_that_is_not_there_takes_nothing(store: Store) -> None:
    with pytest.raises(StoreError, match="create"):
        await store.append(B, run_of(1, 1))
    with pytest.raises(StoreError, match="create"):
        await store.append(B, [])
    assert await store.read(B) == []
    assert await store.find(B) is None
    await store.trim(B, 5)
    await store.delete(B)
    assert not await store.take(B)


async def test_large_entries_are_whole(store: Store) -> None:
    large = [made(number, text="x" * 3_000_000) for number in (1, 2)]
    await store.append(A, large)
    assert await store.read(A) == large


# ---- trimming and deleting


async def test_what_is_trimmed_is_gone_and_the_rest_is_there(store: Store) -> None:
    await store.append(A, run_of(1, 9))
    for first, kept in ((0, 1), (1, 1), (4, 4), (2, 4), (6, 6), (9, 9)):
        await store.trim(A, first)
        assert await store.read(A) == run_of(kept, 9)
        assert await store.read(A, 8) == run_of(9, 9)
    await store.append(A, run_of(10, 12))
    assert await store.read(A) == run_of(9, 12)
    assert await store.read(A, 3, 2) == run_of(9, 10)


async def test_numbers_go_on_where_all_was_trimmed(store: Store) -> None:
    await store.append(A, run_of(1, 3))
    await store.trim(A, 100)
    assert await store.read(A) == []
    with pytest.raises(StoreError, match="entry 1 does not follow entry 3"):
        await store.append(A, run_of(1, 1))
    await store.append(A, run_of(4, 5))
    assert await store.read(A) == run_of(4, 5)


async def test_a_sealed_stream_is_trimmed_and_stays_sealed(store: Store) -> None:
    await store.append(A, [*run_of(1, 3), sealing(4)])
    await store.trim(A, 4)
    assert await store.read(A) == [sealing(4)]
    await store.trim(A, 5)
    with pytest.raises(StoreError, match="sealed by entry 4"):
        await store.append(A, run_of(5, 5))
    assert await store.ended_before(10.0) == [A]


async def test_nothing_of_a_deleted_stream_is_left(store: Store) -> None:
    await store.create(meta_of(2, "key"))
    await store.append(A, run_of(1, 3))
    await store.append(B, run_of(1, 2000, 2))
    await store.delete(B)
    assert await store.find(B) is None
    assert await store.find_key("ann", "key") is None
    assert await store.read(B) == []
    with pytest.raises(StoreError, match="create"):
        await store.append(B, run_of(2001, 2001, 2))
    await store.create(meta_of(2, "key"))
    assert await store.read(B) == []
    await store.append(B, run_of(1, 2))
    assert await store.read(B) == run_of(1, 2)
    assert await store.read(A) == run_of(1, 3)


# ---- what is known of streams


async def test_a_stream_is_found_as_it_was_made(store: Store) -> None:
    await store.create(meta_of(2, "key"))
    assert await store.find(A) == meta_of(1)
    assert await store.find(B) == meta_of(2, "key")
    assert await store.find_key("ann", "key") == meta_of(2, "key")
    assert await store.find_key("bob", "key") is None
    assert await store.find_key("ann", "kei") is None


async def test_an_id_is_given_once(store: Store) -> None:
    await store.append(A, run_of(1, 1))
    with pytest.raises(StoreError, match="already"):
        await store.create(meta_of(1, "other"))
    assert await store.find(A) == meta_of(1)
    assert await store.find_key("ann", "other") is None
    assert await store.read(A) == run_of(1, 1)


async def test_an_owner_has_an_idempotency_key_once(store: Store) -> None:
    await store.create(meta_of(2, "key"))
    with pytest.raises(Taken) as taken:
        await store.create(meta_of(3, "key"))
    assert taken.value.meta == meta_of(2, "key")
    assert await store.find(C) is None
    await store.create(meta_of(3, "key", owner="bob"))
    await store.create(meta_of(4, owner="bob"))
    await store.create(meta_of(5, owner="bob"))
    await store.create(meta_of(6, "", owner="bob"))
    with pytest.raises(Taken):
        await store.create(meta_of(7, "", owner="bob"))


async def test_what_is_written_here_is_no_orphan(store: Store) -> None:
    await store.create(meta_of(2))
    await store.append(B, run_of(1, 2))
    assert await store.orphans() == []
    assert not await store.take(A)
    assert not await store.take(B)
    await store.append(B, [sealing(3)])


async def test_an_owner_has_so_many_streams_without_an_end(store: Store) -> None:
    for number in (2, 3):
        await store.create(meta_of(number, owner="bob"), 2)
    with pytest.raises(TooMany):
        await store.create(meta_of(4, "key", owner="bob"), 2)
    assert await store.find(id_of(4)) is None
    assert await store.find_key("bob", "key") is None
    await store.create(meta_of(5, owner="eve"), 1)
    await store.append(id_of(2), [sealing(1)])
    await store.create(meta_of(4, "key", owner="bob"), 2)
    # Whoever asks again joins what is there.
    with pytest.raises(Taken):
        await store.create(meta_of(6, "key", owner="bob"), 2)
    await store.delete(id_of(3))
    await store.create(meta_of(6, owner="bob"), 2)


async def test_what_is_spent_is_added_up(store: Store) -> None:
    assert await store.spend("ann", "2026-11", Spent()) == Spent()
    assert await store.spend("ann", "2026-11", Spent(3, 10**15)) == Spent(3, 10**15)
    assert await store.spend("ann", "2026-11", Spent(4, 1)) == Spent(7, 10**15 + 1)
    assert await store.spend("bob", "2026-11", Spent(1)) == Spent(1)
    assert await store.spend("ann", "2026-12", Spent()) == Spent()
    assert await store.spend("ann", "2026-12", Spent(2)) == Spent(2)
    # Providers may tell any number.
    assert await store.spend("ann", "2026-12", Spent(10**30, 5)) == Spent(MOST_SPENT, 5)
    assert await store.spend("ann", "2026-12", Spent(1, 10**30)) == Spent(MOST_SPENT, MOST_SPENT)


async def test_streams_that_ended_are_told_oldest_first(store: Store) -> None:
    for number, at in ((2, 30.0), (3, 10.0), (4, 20.0)):
        await store.create(meta_of(number))
        await store.append(id_of(number), [*run_of(1, 2), sealing(3, at)])
    assert await store.ended_before(10.0) == []
    assert await store.ended_before(30.0) == [id_of(3), id_of(4)]
    assert await store.ended_before(1e12) == [id_of(3), id_of(4), id_of(2)]
    assert await store.ended_before(1e12, 1) == [id_of(3)]
    assert await store.ended_before(1e12, 0) == []
    await store.delete(id_of(3))
    assert await store.ended_before(1e12) == [id_of(4), id_of(2)]


# ---- many at once


async def test_many_write_at_once_and_each_stream_is_in_order(store: Store) -> None:
    async def write(number: int) -> None:
        await store.create(meta_of(number))
        for first in range(1, 20, 3):
            await store.append(id_of(number), run_of(first, first + 2, number))
            assert await store.read(id_of(number), first - 1) == run_of(first, first + 2, number)

    async with anyio.create_task_group() as writers:
        for number in range(2, 42):
            writers.start_soon(write, number)
    for number in range(2, 42):
        assert await store.read(id_of(number)) == run_of(1, 21, number)


async def test_only_those_fail_that_are_at_fault(store: Store) -> None:
    """What writes at the same time as a mistake is none the worse for it."""
    failed: list[int] = []

    async def write(number: int, first: int) -> None:
        try:
            await store.append(id_of(number), run_of(first, first + 1, number))
        except StoreError:
            failed.append(number)

    for number in range(2, 22):
        await store.create(meta_of(number))
    async with anyio.create_task_group() as writers:
        for number in range(2, 26):
            writers.start_soon(write, number, 2 if number % 5 == 0 else 1)
    assert sorted(failed) == [5, 10, 15, 20, 22, 23, 24, 25]
    for number in range(2, 22):
        expected = [] if number in failed else run_of(1, 2, number)
        assert await store.read(id_of(number)) == expected


async def test_one_of_two_writers_of_a_stream_is_refused(store: Store) -> None:
    failed: list[int] = []

    async def write(writer: int) -> None:
        try:
            await store.append(A, run_of(1, 1))
        except StoreError:
            failed.append(writer)

    async with anyio.create_task_group() as writers:
        writers.start_soon(write, 1)
        writers.start_soon(write, 2)
    assert len(failed) == 1
    assert await store.read(A) == run_of(1, 1)


async def test_a_cancelled_append_is_made_all_the_same(store: Store) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await store.append(A, run_of(1, 2))
    assert scope.cancelled_caught
    with pytest.raises(StoreError, match="entry 1 does not follow entry 2"):
        await store.append(A, run_of(1, 2))
    await store.append(A, run_of(3, 3))
    assert await store.read(A) == run_of(1, 3)


# ---- opening and closing


async def test_closing_twice_does_nothing(kind: Kind, tmp_path: Path) -> None:
    store = kind.make(tmp_path)
    await store.close()
    await store.open()
    await store.open()
    await store.close()
    await store.close()


async def test_what_outlives_the_store_is_there_again(kind: Kind, tmp_path: Path) -> None:
    first = kind.make(tmp_path)
    await first.open()
    for number, key in ((1, None), (2, "key"), (3, None)):
        await first.create(meta_of(number, key))
        await first.append(id_of(number), run_of(1, 5, number))
    await first.append(B, [sealing(6, 7.0)])
    await first.trim(C, 10)
    await first.close()
    store = kind.make(tmp_path)
    await store.open()
    if kind.outlives:
        assert await store.orphans() == [meta_of(1), meta_of(3)]
        assert [await store.take(id) for id in (A, A, B, C)] == [True, False, False, True]
        assert await store.orphans() == []
        assert await store.find_key("ann", "key") == meta_of(2, "key")
        assert await store.read(A) == run_of(1, 5, 1)
        assert await store.read(B) == [*run_of(1, 5, 2), sealing(6, 7.0)]
        assert await store.read(C) == []
        assert await store.ended_before(8.0) == [B]
        await store.append(A, run_of(6, 6))
        await store.append(C, run_of(6, 6))
        with pytest.raises(StoreError, match="sealed"):
            await store.append(B, run_of(7, 7))
    else:
        assert await store.orphans() == []
        assert await store.find(A) is None
    await store.close()


def test_what_was_asked_is_in_no_repr() -> None:
    meta = Meta("id", "ann", "openai", "gpt", 0.0, request=b"private", idempotency_key="key-1")
    assert "private" not in repr(meta)
    assert "key-1" not in repr(meta)
