"""1,000 streams opened and abandoned in every way there is: nothing of them is left.

Descriptors, threads and tasks are counted before and after; the server is a process of its
own, so that all that is counted is the client's.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from typing import Any

import anyio
import pytest
import trio

from sans_io_stream import ReconnectPolicy, StreamRequest, TextDelta
from sans_io_stream_adapters import anyio as on_anyio
from sans_io_stream_adapters import asyncio as on_asyncio
from sans_io_stream_adapters import sync as on_sync
from sans_io_stream_adapters import trio as on_trio
from sans_io_stream_adapters.testing import FaultServer, Stall

EACH = 32
"""How many streams are abandoned in each way: 1,000 in all."""
ONCE = ReconnectPolicy.never()


class Unwanted(Exception):
    """What a consumer raises in its own block."""


@pytest.fixture(scope="module")
def servers() -> Generator[tuple[StreamRequest, StreamRequest]]:
    """Requests for an answer that comes, and for one that stalls behind its first words."""
    stalls = [Stall.in_event(4)] * 2000
    with (
        FaultServer("openai-chat", pieces=4, own_process=True) as good,
        FaultServer("openai-chat", pieces=8, faults=stalls, own_process=True) as stalling,
    ):
        yield good.request(), stalling.request()


@pytest.fixture(autouse=True)
def nothing_is_left(servers: object) -> Generator[None]:
    gc.collect()
    before = counted()
    yield
    gc.collect()
    # Less of them is no fault: a thread of an earlier test may have ended meanwhile.
    assert all(after <= then for after, then in zip(counted(), before, strict=True)), before


def counted() -> tuple[int, int]:
    """Descriptors and threads of this process."""
    return len(os.listdir("/proc/self/fd")), threading.active_count()


Way = Callable[[Any, StreamRequest, StreamRequest], Awaitable[Any]]
"""Opens a stream by the first argument, and abandons it."""


# ---- the ways


async def never_read(open_stream: Any, good: StreamRequest, _: StreamRequest) -> Any:
    async with open_stream(good, proxy=False) as stream:
        return stream


async def left_after_the_first_words(open_stream: Any, good: StreamRequest, _: Any) -> Any:
    async with open_stream(good, proxy=False) as stream:
        async for event in stream:
            if isinstance(event, TextDelta):
                break
    return stream


async def raised_out_of(open_stream: Any, good: StreamRequest, _: Any) -> Any:
    stream = open_stream(good, proxy=False)
    with suppress(Unwanted):
        async with stream:
            async for _event in stream:
                raise Unwanted
    return stream


async def closed_by_another_task(open_stream: Any, _: Any, stalling: StreamRequest) -> Any:
    async def close(stream: Any) -> None:
        # The reader has come to the stall.
        while not stream.transcript.text:
            await anyio.lowlevel.checkpoint()
        await stream.aclose()

    stream = open_stream(stalling, proxy=False)
    async with anyio.create_task_group() as group:
        group.start_soon(close, stream)
        async for _event in stream:
            pass
    return stream


async def cancelled(open_stream: Any, _: Any, stalling: StreamRequest) -> Any:
    stream = open_stream(stalling, proxy=False)
    with anyio.CancelScope() as scope:
        async with stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    # Delivered at the next wait, which is for what never comes.
                    scope.cancel()
    assert scope.cancelled_caught
    return stream


async def cancelled_at_once(open_stream: Any, good: StreamRequest, _: Any) -> Any:
    stream = open_stream(good, proxy=False)
    with anyio.CancelScope() as scope:
        scope.cancel()
        async with stream:
            async for _event in stream:
                pass
    return stream


async def never_entered(open_stream: Any, good: StreamRequest, _: Any) -> Any:
    stream = open_stream(good, proxy=False)
    await stream.aclose()
    return stream


WAYS: list[Way] = [
    never_read,
    never_entered,
    left_after_the_first_words,
    raised_out_of,
    closed_by_another_task,
    cancelled,
    cancelled_at_once,
]


async def abandon(open_stream: Any, way: Way, requests: tuple[Any, Any]) -> None:
    for _ in range(EACH):
        stream = await way(open_stream, *requests)
        assert stream.transcript.end.outcome == "cancelled"
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


@pytest.mark.parametrize("way", WAYS)
def test_on_asyncio(way: Way, servers: tuple[StreamRequest, StreamRequest]) -> None:
    async def main() -> None:
        await abandon(on_asyncio.open_stream, way, servers)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


@pytest.mark.parametrize("way", WAYS)
def test_on_trio(way: Way, servers: tuple[StreamRequest, StreamRequest]) -> None:
    async def main() -> None:
        tasks = trio.lowlevel.current_statistics().tasks_living
        await abandon(on_trio.open_stream, way, servers)
        assert trio.lowlevel.current_statistics().tasks_living == tasks

    trio.run(main)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("way", WAYS)
def test_on_anyio(way: Way, backend: str, servers: tuple[StreamRequest, StreamRequest]) -> None:
    anyio.run(abandon, on_anyio.open_stream, way, servers, backend=backend)


# ---- blocking


def sync_never_read(good: StreamRequest, _: StreamRequest) -> Any:
    with on_sync.open_stream(good, proxy=False) as stream:
        return stream


def sync_left(good: StreamRequest, _: StreamRequest) -> Any:
    with on_sync.open_stream(good, proxy=False) as stream:
        for event in stream:
            if isinstance(event, TextDelta):
                break
    return stream


def sync_raised_out_of(good: StreamRequest, _: StreamRequest) -> Any:
    stream = on_sync.open_stream(good, proxy=False)
    with suppress(Unwanted), stream:
        for _event in stream:
            raise Unwanted
    return stream


def sync_closed_by_another_thread(_: StreamRequest, stalling: StreamRequest) -> Any:
    stream = on_sync.open_stream(stalling, proxy=False)
    spoke = threading.Event()

    def close() -> None:
        spoke.wait()
        stream.close()

    closer = threading.Thread(target=close)
    closer.start()
    for event in stream:
        if isinstance(event, TextDelta):
            spoke.set()
    closer.join()
    return stream


@pytest.mark.parametrize(
    "way", [sync_never_read, sync_left, sync_raised_out_of, sync_closed_by_another_thread]
)
def test_blocking(
    way: Callable[[StreamRequest, StreamRequest], Any],
    servers: tuple[StreamRequest, StreamRequest],
) -> None:
    for _ in range(EACH):
        stream = way(*servers)
        assert stream.transcript.end.outcome == "cancelled"
        with pytest.raises(StopIteration):
            next(stream)


# ---- those that end by themselves


def test_what_ends_by_itself_leaves_nothing(servers: tuple[StreamRequest, StreamRequest]) -> None:
    refused = StreamRequest("POST", "http://127.0.0.1:9/", dialect="openai-chat")
    for request, outcome in ((servers[0], "complete"), (refused, "interrupted")):
        for _ in range(8):
            options: Any = {"proxy": False, "policy": ONCE, "on_error": "event"}

            async def read(module: Any, request: StreamRequest, options: Any) -> Any:
                # Without a block: the end has closed all there was.
                stream = module.open_stream(request, **options)
                async for _event in stream:
                    pass
                return stream

            streams = [
                asyncio.run(read(on_asyncio, request, options)),
                trio.run(read, on_trio, request, options),
                anyio.run(read, on_anyio, request, options),
            ]
            blocking = on_sync.open_stream(request, **options)
            assert getattr(list(blocking)[-1], "outcome", None) == outcome
            assert [stream.transcript.end.outcome for stream in streams] == [outcome] * 3
