"""However a pool is left, nothing of it is left: no task, thread or connection."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import anyio
import pytest
import trio

from sans_io_stream import StreamEnd, TextDelta
from sans_io_stream_adapters.pool.errors import StreamCancelled
from sans_io_stream_adapters.testing import FaultServer, Stall

from .colours import ASYNC, COLOURS
from .pools import pooled, runs


class Unwanted(Exception):
    """What a consumer raises in its own block."""


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def server() -> Generator[FaultServer]:
    """Says four records of each answer, and then nothing more. In a process of its own, so
    that all that is counted is the client's."""
    faults = [Stall.in_event(4)] * 2000
    with FaultServer("openai-chat", pieces=8, faults=faults, own_process=True) as stalling:
        yield stalling


@pytest.fixture(autouse=True)
def nothing_is_left(server: FaultServer) -> Generator[None]:
    # What earlier tests left to the collector is not to go meanwhile.
    gc.collect()
    before = counted()
    yield
    gc.collect()
    assert counted() == before
    server.wait_until(lambda seen: seen.open == 0)


def counted() -> tuple[int, int]:
    """Descriptors and threads of this process."""
    return len(os.listdir("/proc/self/fd")), threading.active_count()


def tasks(colour: str) -> int:
    """How many tasks there are on a runtime."""
    if colour == "sync":
        return threading.active_count()
    if colour.endswith("asyncio"):
        return len(asyncio.all_tasks())
    return trio.lowlevel.current_statistics().tasks_living


async def all_read(pool: Any, server: FaultServer, count: int, **options: Any) -> list[Any]:
    """So many streams, each of which has begun to tell something."""
    streams = [await pool.start(server.request(), **options) for _ in range(count)]
    for stream in streams:
        while not isinstance(await anext(aiter(stream)), TextDelta):
            pass
    return streams


def test_one_is_cancelled_and_the_others_go_on(colour: str, server: FaultServer) -> None:
    async def body() -> None:
        before = tasks(colour)
        async with pooled(colour, 3) as pool:
            streams = await all_read(pool, server, 3)
            streams[1].cancel("not needed")
            streams[1].cancel("nor this")
            events = [event async for event in streams[1]]
            end = events[-1]
            assert isinstance(end, StreamEnd)
            assert end.outcome == "cancelled"
            assert end.error is not None
            assert end.error.message == "not needed"
            assert (await streams[1].result()).end == end
            assert [stream.state for stream in streams] == ["running", "cancelled", "running"]
            assert streams[1].transcript.text != ""
            # Its slot is another's.
            await all_read(pool, server, 1)
            pool.cancel()
        assert [stream.state for stream in streams] == ["cancelled"] * 3
        assert tasks(colour) == before

    runs(colour, body)


def test_what_waits_is_cancelled_without_having_been_asked(
    colour: str, server: FaultServer
) -> None:
    async def body() -> None:
        async with pooled(colour, 1) as pool:
            running = (await all_read(pool, server, 1))[0]
            waiting = await pool.start(server.request())
            waiting.cancel("not needed")
            assert waiting.state == "cancelled"
            transcript = await waiting.result()
            assert (transcript.text, transcript.end.outcome) == ("", "cancelled")
            assert pool.stats().waiting == 0
            running.cancel()

    asked = len(server.seen.requests)
    runs(colour, body)
    assert len(server.seen.requests) == asked + 1


def test_all_are_cancelled_and_more_may_be_started(colour: str, server: FaultServer) -> None:
    async def body() -> None:
        async with pooled(colour, 2) as pool:
            running = await all_read(pool, server, 2)
            waiting = [await pool.start(server.request()) for _ in range(3)]
            pool.cancel("enough")
            for stream in (*running, *waiting):
                end = (await stream.result()).end
                assert end.error.message == "enough"
            assert pool.stats().active_streams == pool.stats().waiting == 0
            again = await all_read(pool, server, 1)
            again[0].cancel()

    runs(colour, body)


def test_a_handler_that_is_cancelled_has_no_value(colour: str, server: FaultServer) -> None:
    async def body() -> None:
        seen: list[Any] = []

        async def handler(stream: Any) -> str:
            async for event in stream:
                if isinstance(event, TextDelta) and not seen:
                    seen.append(event)
                    handled.cancel("not needed")
            return "over"

        async with pooled(colour, 1) as pool:
            # The slot is taken until the handler can know its own stream.
            first = (await all_read(pool, server, 1))[0]
            handled = await pool.start(server.request(), handler=handler)
            first.cancel()
            with pytest.raises(StreamCancelled, match="not needed"):
                await handled.result()
            assert handled.state == "cancelled"
            assert isinstance(handled.error, StreamCancelled)
        assert seen

    runs(colour, body)


def test_leaving_with_an_exception_ends_all(colour: str, server: FaultServer) -> None:
    async def body() -> None:
        before = tasks(colour)
        streams: list[Any] = []

        async def left() -> None:
            async with pooled(colour, 3) as pool:
                streams.extend(await all_read(pool, server, 3))
                streams.extend([await pool.start(server.request()) for _ in range(4)])
                raise Unwanted

        with pytest.raises(Unwanted):
            await left()
        assert [stream.state for stream in streams] == ["cancelled"] * 7
        assert tasks(colour) == before

    asked = len(server.seen.requests)
    runs(colour, body)
    assert len(server.seen.requests) == asked + 3


def test_what_a_handler_does_beside_reading_is_ended_too(server: FaultServer) -> None:
    async def handler(stream: Any) -> None:
        await anyio.sleep_forever()

    async def body(colour: str) -> None:
        async with pooled(colour, 2) as pool:
            sleeping = await pool.start(server.request(), handler=handler)
            other = await pool.start(server.request(), handler=handler)
            sleeping.cancel()
            with pytest.raises(StreamCancelled):
                await sleeping.result()
            assert other.state == "running"
            pool.cancel()

    for colour in ASYNC:
        runs(colour, body, colour)


@pytest.mark.parametrize("colour", ASYNC)
def test_cancelling_from_outside_ends_all(colour: str, server: FaultServer) -> None:
    async def body() -> None:
        before = tasks(colour)
        streams: list[Any] = []
        with anyio.CancelScope() as scope:
            async with pooled(colour, 3) as pool:
                streams.extend(await all_read(pool, server, 3))
                streams.append(await pool.start(server.request()))
                scope.cancel()
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        assert [stream.state for stream in streams] == ["cancelled"] * 4
        assert tasks(colour) == before

    asked = len(server.seen.requests)
    runs(colour, body)
    assert len(server.seen.requests) == asked + 3


@pytest.mark.parametrize("colour", ASYNC)
def test_cancelling_who_waits_at_the_end_ends_all(colour: str, server: FaultServer) -> None:
    async def body() -> None:
        streams: list[Any] = []

        async def reads(scope: anyio.CancelScope, stream: Any) -> None:
            async for event in stream:
                if isinstance(event, TextDelta):
                    scope.cancel()

        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as others, pooled(colour, 1) as pool:
                streams = [await pool.start(server.request()) for _ in range(3)]
                others.start_soon(reads, scope, aiter(streams[0]))
        assert scope.cancelled_caught
        assert [stream.state for stream in streams] == ["cancelled"] * 3

    runs(colour, body)


@pytest.mark.parametrize("colour", ASYNC)
def test_a_handler_that_takes_no_notice_of_being_cancelled_keeps_nobody(
    colour: str, server: FaultServer
) -> None:
    async def body() -> None:
        streams: list[Any] = []
        begun = anyio.Event()

        async def handler(stream: Any) -> str:
            try:
                async for event in stream:
                    if isinstance(event, TextDelta):
                        begun.set()
            except BaseException:
                return "no notice"
            return "over"

        async def cancels(scope: anyio.CancelScope) -> None:
            await begun.wait()
            scope.cancel()

        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as others, pooled(colour, 1) as pool:
                others.start_soon(cancels, scope)
                streams += [await pool.start(server.request(), handler=handler) for _ in "abc"]
        assert scope.cancelled_caught
        assert [stream.state for stream in streams[1:]] == ["cancelled"] * 2

    asked = len(server.seen.requests)
    runs(colour, body)
    assert len(server.seen.requests) == asked + 1


@pytest.mark.parametrize("colour", ["asyncio", "anyio-asyncio"])
def test_a_task_that_was_cancelled_before_it_began_is_told_of(
    colour: str, server: FaultServer
) -> None:
    async def body() -> None:
        streams: list[Any] = []

        async def left() -> None:
            async with pooled(colour, 3) as pool:
                streams.extend([await pool.start(server.request()) for _ in range(3)])
                raise Unwanted

        with pytest.raises(Unwanted):
            await left()
        assert [stream.state for stream in streams] == ["cancelled"] * 3

    asked = len(server.seen.requests)
    runs(colour, body)
    assert len(server.seen.requests) == asked


@pytest.mark.parametrize("colour", COLOURS)
def test_what_no_handler_should_raise_ends_the_pool(colour: str, server: FaultServer) -> None:
    class Stop(BaseException):
        pass

    async def handler(stream: Any) -> None:
        async for event in stream:
            if isinstance(event, TextDelta):
                raise Stop

    async def body() -> None:
        streams: list[Any] = []

        async def left() -> None:
            async with pooled(colour, 3) as pool:
                streams.extend(await all_read(pool, server, 2))
                await pool.start(server.request(), handler=handler)

        await ends_with(Stop, left)
        assert [stream.state for stream in streams] == ["cancelled"] * 2

    runs(colour, body)


async def ends_with(kind: type[BaseException], work: Callable[[], Awaitable[None]]) -> None:
    """It raises that, alone or in a group of whatever runtime."""
    with pytest.raises((kind, BaseExceptionGroup)) as raised:
        await work()
    group = BaseExceptionGroup("", [raised.value])
    assert group.subgroup(kind) is not None


def test_a_signal_ends_threads_that_are_waited_for(server: FaultServer) -> None:
    async def body() -> None:
        streams: list[Any] = []

        async def left() -> None:
            async with pooled("sync", 2) as pool:
                streams.extend(await all_read(pool, server, 2))
                # Ctrl-C: it comes while nothing but the end of the threads is waited for.
                signal.setitimer(signal.ITIMER_REAL, 0.05)

        before = signal.signal(signal.SIGALRM, signal.default_int_handler)
        try:
            await ends_with(KeyboardInterrupt, left)
        finally:
            signal.signal(signal.SIGALRM, before)
        assert [stream.state for stream in streams] == ["cancelled"] * 2

    runs("sync", body)
