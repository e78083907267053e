"""One test for every runtime: how an open stream is read on each, and what is kept of it.

A *colour* is a runtime, anyio one for each of its backends. What asynchronous tests do is
written once, over anyio, and run under whatever the colour's own loop is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import trio

from sans_io_stream import Event, StreamEnd, StreamRequest
from sans_io_stream.errors import StreamEndError
from sans_io_stream_adapters import anyio as on_anyio
from sans_io_stream_adapters import asyncio as on_asyncio
from sans_io_stream_adapters import sync as on_sync
from sans_io_stream_adapters import trio as on_trio

if TYPE_CHECKING:
    from sans_io_stream_adapters.loop import AsyncStream
    from sans_io_stream_adapters.loop_sync import Stream

__all__ = ["ASYNC", "COLOURS", "Told", "aopen", "collect", "run"]

ASYNC = ["asyncio", "trio", "anyio-asyncio", "anyio-trio"]
COLOURS = [*ASYNC, "sync"]

Seen = Callable[[Any, Event], object]


@dataclass
class Told:
    """What a consumer got."""

    events: list[Event] = field(default_factory=list[Event])
    raised: StreamEndError | None = None
    stream: AsyncStream | Stream | None = None

    @property
    def end(self) -> StreamEnd:
        """The one ``StreamEnd``, which came last."""
        assert [type(event) for event in self.events].count(StreamEnd) == 1
        last = self.events[-1]
        assert isinstance(last, StreamEnd)
        return last

    @property
    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


def aopen(colour: str, request: StreamRequest, **options: Any) -> AsyncStream:
    """``open_stream`` of an asynchronous colour."""
    if colour == "asyncio":
        return on_asyncio.open_stream(request, **options)
    if colour == "trio":
        return on_trio.open_stream(request, **options)
    return on_anyio.open_stream(request, **options)


def run(
    colour: str,
    main: Callable[..., Awaitable[Any]],
    *arguments: Any,
    clock: trio.abc.Clock | None = None,
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> Any:
    """Run ``main`` on an asynchronous colour; ``clock`` is for trio, ``loop`` for asyncio."""
    if colour.endswith("trio"):
        if colour == "trio":
            return trio.run(main, *arguments, clock=clock)
        return anyio.run(main, *arguments, backend="trio", backend_options={"clock": clock})
    options: dict[str, Any] = {} if loop is None else {"loop_factory": loop}
    if colour == "asyncio":
        with asyncio.Runner(**options) as runner:
            return runner.run(awaited(main, *arguments))
    return anyio.run(main, *arguments, backend="asyncio", backend_options=options)


async def awaited(main: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    return await main(*arguments)


async def aread(stream: AsyncStream, told: Told, seen: Seen | None) -> None:
    async with stream:
        try:
            async for event in stream:
                told.events.append(event)
                if seen is not None:
                    seen(stream, event)
        except StreamEndError as error:
            told.raised = error


def collect(
    colour: str,
    request: StreamRequest,
    *,
    seen: Seen | None = None,
    clock: trio.abc.Clock | None = None,
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
    network: Any = None,
    **options: Any,
) -> Told:
    """Read a stream to its end; ``seen(stream, event)`` is called with each event.
    ``network`` takes the place of the runtime's own."""
    told = Told()
    if colour == "sync":
        blocking = on_sync.open_stream(request, **options)
        if network is not None:
            put(blocking, network)
        with blocking:
            told.stream = blocking
            try:
                for event in blocking:
                    told.events.append(event)
                    if seen is not None:
                        seen(blocking, event)
            except StreamEndError as error:
                told.raised = error
        return told

    async def main() -> None:
        told.stream = stream = aopen(colour, request, **options)
        if network is not None:
            put(stream, network)
        await aread(stream, told, seen)

    run(colour, main, clock=clock, loop=loop)
    return told


def put(stream: Any, network: object) -> None:
    """Let a stream run over this network instead of its runtime's own."""
    stream._network = network
