"""Waiting for a stream, and for a client to leave, on either loop and on a clock that jumps."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from sans_io_stream import StreamRequest
from sans_io_stream_adapters.asyncio import AsyncioStream
from sans_io_stream_adapters.relay.runtimes import Watch, changes, open_stream
from sans_io_stream_adapters.trio import TrioStream

from .scripted import BACKENDS, now, virtually

each = pytest.mark.parametrize("backend", BACKENDS)


@each
def test_all_who_wait_are_woken_together(backend: str) -> None:
    async def main() -> None:
        stream, found = changes(), list[tuple[bool, float]]()

        async def wait(due: float) -> None:
            found.append((await stream.wait(due), now() - begin))

        begin = now()
        async with anyio.create_task_group() as group:
            for due in (begin + 9.0, math.inf, begin + 6.0):
                group.start_soon(wait, due)
            await anyio.sleep(5.0)
            stream.wake()
        assert found == [(True, 5.0)] * 3
        # Nobody waits: it is lost, and not kept for the next one.
        stream.wake()
        assert not await stream.wait(now() + 1.0)

    virtually(backend, main)


@each
@pytest.mark.parametrize("order", [(3.0, 1.0, 2.0), (1.0, 2.0, 3.0), (3.0, 2.0, 1.0)])
def test_each_stops_waiting_when_it_is_due(backend: str, order: tuple[float, ...]) -> None:
    async def main() -> None:
        stream, found = changes(), list[tuple[float, bool, float]]()

        async def wait(seconds: float) -> None:
            woken = await stream.wait(begin + seconds)
            found.append((seconds, woken, round(now() - begin, 3)))

        begin = now()
        async with anyio.create_task_group() as group:
            for seconds in (*order, 7.0):
                group.start_soon(wait, seconds)
            await anyio.sleep(5.0)
            stream.wake()
        at_their_times = [(seconds, False, seconds) for seconds in (1.0, 2.0, 3.0)]
        assert found == [*at_their_times, (7.0, True, 5.0)]

    virtually(backend, main)


@each
def test_a_timer_that_was_for_another_wait_ends_none(backend: str) -> None:
    async def main() -> None:
        stream, begin = changes(), now()

        async def wake() -> None:
            await anyio.sleep(1.0)
            stream.wake()

        async with anyio.create_task_group() as group:
            group.start_soon(wake)
            assert await stream.wait(begin + 2.0)
        assert not await stream.wait(begin + 4.0)
        assert now() == pytest.approx(begin + 4.0)

    virtually(backend, main)


@each
def test_who_is_cancelled_takes_nobody_along(backend: str) -> None:
    async def main() -> None:
        stream, found = changes(), list[bool]()

        async def wait() -> None:
            found.append(await stream.wait())

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            with anyio.move_on_after(1.0) as scope:
                await stream.wait(now() + 9.0)
            assert scope.cancelled_caught
            stream.wake()
        assert found == [True]

    virtually(backend, main)


def client(*messages: tuple[float, str | Exception]) -> Callable[[], Awaitable[dict[str, Any]]]:
    """What a server's ``receive`` gives, each after so many seconds; then it is silent."""
    left = list(messages)

    async def receive() -> dict[str, Any]:
        if not left:
            await anyio.sleep_forever()
        seconds, what = left.pop(0)
        await anyio.sleep(seconds)
        if isinstance(what, Exception):
            raise what
        return {"type": what}

    return receive


@each
def test_what_is_within_ends_with_its_client(backend: str) -> None:
    async def main() -> None:
        begin = now()
        async with Watch(client((1.0, "http.request"), (2.0, "http.disconnect"))):
            await anyio.sleep_forever()
        assert now() == begin + 3.0

    virtually(backend, main)


@each
def test_an_answer_that_is_done_waits_for_no_client(backend: str) -> None:
    async def main() -> None:
        begin = now()
        async with Watch(client()):
            await anyio.sleep(1.0)
        assert now() == begin + 1.0

    virtually(backend, main)


@each
def test_errors_of_both_are_raised(backend: str) -> None:
    async def fails(receive: Callable[[], Awaitable[dict[str, Any]]], seconds: float) -> str:
        found = "nobody"
        try:
            async with Watch(receive):
                await anyio.sleep(seconds)
                raise LookupError
        except* LookupError:
            found = "within"
        except* OSError:
            found = "client"
        return found

    async def main() -> None:
        assert await fails(client((5.0, OSError())), 1.0) == "within"
        assert await fails(client((1.0, OSError())), 5.0) == "client"

    virtually(backend, main)


@each
def test_who_is_cancelled_from_outside_is_cancelled(backend: str) -> None:
    async def main() -> None:
        with anyio.move_on_after(1.0) as scope:
            async with Watch(client()):
                await anyio.sleep_forever()
        assert scope.cancelled_caught

    virtually(backend, main)


@each
def test_streams_are_those_of_the_loop(backend: str) -> None:
    async def main() -> None:
        request = StreamRequest("POST", "http://127.0.0.1/", dialect="openai-chat")
        kind = AsyncioStream if backend == "asyncio" else TrioStream
        async with open_stream(request, on_error="event") as stream:
            assert type(stream) is kind

    virtually(backend, main)
