"""What workers hear from each other: entries once and in order, and words for a writer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from sans_io_stream_adapters.relay.stores.protocol import News

from .making import id_of, meta_of, run_of, sealing
from .redis_workers import LONG, Workers

if TYPE_CHECKING:
    from sans_io_stream.relay import Entry
    from sans_io_stream_adapters.relay.stores.redis import RedisStore

pytestmark = pytest.mark.anyio

A, B = (id_of(number) for number in (1, 2))


@pytest.fixture
async def writer(workers: Workers) -> RedisStore:
    """A worker with streams A and B of three entries."""
    store = await workers.open()
    for id, number in ((A, 1), (B, 2)):
        await store.create(meta_of(number))
        await store.append(id, run_of(1, 3, number))
    return store


@pytest.fixture
async def reader(workers: Workers, writer: RedisStore) -> RedisStore:
    return await workers.open()


async def news_of(store: RedisStore) -> list[News]:
    """Its news; they come sooner than a read ends by itself."""
    with anyio.fail_after(LONG / 4):
        return await store.news()
    raise AssertionError("not reached")


async def heard(store: RedisStore, id: str, last: int) -> list[Entry]:
    """The entries that news tell of one stream, up to that number."""
    found: list[Entry] = []
    while not found or found[-1].number < last:
        for news in await news_of(store):
            assert news.id == id
            found += news.entries
    return found


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_entries_come_from_the_number_that_was_asked_for(
    reader: RedisStore, after: int
) -> None:
    await reader.follow(A, after)
    assert await news_of(reader) == [News(A, run_of(after + 1, 3))]


async def test_entries_come_once_and_in_order(writer: RedisStore, reader: RedisStore) -> None:
    await reader.follow(A, 3)
    found: list[Entry] = []

    async def listen() -> None:
        found.extend(await heard(reader, A, 61))

    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        for first in range(4, 61, 3):
            await writer.append(A, run_of(first, first + 2))
        await writer.append(A, [sealing(61)])
    assert found == [*run_of(4, 60), sealing(61)]


async def test_they_come_across_a_take_over(
    workers: Workers, writer: RedisStore, reader: RedisStore
) -> None:
    await reader.follow(A, 3)
    await writer.append(A, run_of(4, 4))
    workers.bury(writer)
    third = await workers.open()
    assert await third.take(A)
    await third.append(A, run_of(5, 6))
    assert await heard(reader, A, 6) == run_of(4, 6)
    # Also to one who follows it only now, from a number of before.
    await third.follow(A, 2)
    assert await heard(third, A, 6) == run_of(3, 6)


async def test_what_is_followed_meanwhile_ends_the_read_that_waits(
    writer: RedisStore, reader: RedisStore
) -> None:
    """Both streams come, though the read had begun for none."""
    found: dict[str, list[Entry]] = {A: [], B: []}

    async def listen() -> None:
        while not (found[A] and found[B]):
            for news in await news_of(reader):
                found[news.id] += news.entries

    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        await anyio.wait_all_tasks_blocked()
        await reader.follow(A, 1)
        await reader.follow(B, 2)
    assert found == {A: run_of(2, 3, 1), B: run_of(3, 3, 2)}


async def test_what_is_damaged_is_told_and_the_others_are_no_worse_for_it(
    workers: Workers, writer: RedisStore, reader: RedisStore
) -> None:
    await reader.follow(A, 3)
    await reader.follow(B, 3)
    workers.server.do("XADD", f"{workers.prefix}stream:{A}", "1-4", "e", "\x93")
    await writer.append(B, run_of(4, 4, 2))
    found = await news_of(reader)
    assert sorted(found, key=lambda news: news.id) == sorted(
        [News(A, damaged=True), News(B, run_of(4, 4, 2))], key=lambda news: news.id
    )
    await writer.append(B, run_of(5, 5, 2))
    assert await news_of(reader) == [News(B, run_of(5, 5, 2))]


async def test_what_is_left_is_heard_no_longer(writer: RedisStore, reader: RedisStore) -> None:
    await reader.follow(A, 3)
    await reader.follow(B, 3)
    await reader.leave(A)
    await writer.append(A, run_of(4, 4))
    await writer.append(B, run_of(4, 4, 2))
    assert await news_of(reader) == [News(B, run_of(4, 4, 2))]


async def test_a_cancelled_call_loses_nothing(writer: RedisStore, reader: RedisStore) -> None:
    await reader.follow(A, 3)
    async with anyio.create_task_group() as group:
        group.start_soon(news_of, reader)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    await writer.append(A, run_of(4, 5))
    # The read of the cancelled call still waited for A alone.
    await reader.follow(B, 2)
    found = await news_of(reader)
    found += [] if len(found) == 2 else await news_of(reader)
    assert sorted(found, key=lambda news: news.id) == sorted(
        [News(A, run_of(4, 5)), News(B, run_of(3, 3, 2))], key=lambda news: news.id
    )


async def test_following_anew_begins_where_it_is_told(
    writer: RedisStore, reader: RedisStore
) -> None:
    """Also where a read that waits began further on."""
    await reader.follow(A, 3)
    async with anyio.create_task_group() as group:
        group.start_soon(news_of, reader)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    await writer.append(A, run_of(4, 4))
    await reader.follow(A, 1)
    assert await heard(reader, A, 4) == run_of(2, 4)


async def test_a_writer_hears_the_words_of_others(writer: RedisStore, reader: RedisStore) -> None:
    await reader.tell(A, "read")
    await reader.tell(B, "end")
    await writer.tell(B, "read")
    found: list[News] = []
    while len(found) < 3:
        found += await news_of(writer)
    assert found == [News(A, word="read"), News(B, word="end"), News(B, word="read")]


async def test_whoever_takes_a_stream_hears_its_end(
    workers: Workers, writer: RedisStore, reader: RedisStore
) -> None:
    await reader.tell(A, "end")
    await reader.tell(B, "read")
    workers.bury(writer)
    assert await reader.take(A)
    assert await reader.take(B)
    assert await news_of(reader) == [News(A, word="end")]


async def test_nobody_hears_of_what_is_over(writer: RedisStore, reader: RedisStore) -> None:
    await writer.append(A, [sealing(4)])
    await reader.tell(A, "end")
    await reader.tell(id_of(9), "end")
    await reader.tell(B, "end")
    assert await news_of(writer) == [News(B, word="end")]


async def test_the_end_of_connections_is_not_noticed(
    workers: Workers, writer: RedisStore, reader: RedisStore
) -> None:
    await reader.follow(A, 3)
    found: list[Entry] = []

    async def listen() -> None:
        found.extend(await heard(reader, A, 30))

    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        for number in range(4, 31):
            await writer.append(A, run_of(number, number))
            if number % 5 == 0:
                workers.server.do("CLIENT", "KILL", "TYPE", "normal")
    assert found == run_of(4, 30)
