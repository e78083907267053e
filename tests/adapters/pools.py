"""One test of pools for every runtime: what blocks is dressed as what is awaited.

A test is written once, asynchronously. Of the blocking runtime nothing is ever waited for in
that sense: each ``await`` is over when it returns, and a coroutine runs to its end in one go.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Self

import trio.testing

from sans_io_stream_adapters import anyio as on_anyio
from sans_io_stream_adapters import asyncio as on_asyncio
from sans_io_stream_adapters import sync as on_sync
from sans_io_stream_adapters import trio as on_trio

from .colours import run

if TYPE_CHECKING:
    import pytest

__all__ = ["FAST", "drive", "fast", "pooled", "quicken", "runs"]

FAST = 25.0
"""How many times as fast the fast clocks run."""

Body = Callable[..., Coroutine[Any, Any, Any]]


def drive(work: Awaitable[Any]) -> Any:
    """What a coroutine returns that never has to wait."""
    try:
        work.__await__().__next__()
    except StopIteration as end:
        return end.value
    raise AssertionError("what blocks does not wait")


class Dressed:
    """Something blocking, iterated and awaited as if it were not."""

    def __init__(self, plain: Any) -> None:
        self.plain = plain

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    def __aiter__(self) -> Self:
        iter(self.plain)
        return self

    async def __anext__(self) -> Any:
        try:
            return dressed(next(self.plain))
        except StopIteration:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        self.plain.__enter__()
        return self

    async def __aexit__(self, *error: object) -> Any:
        return self.plain.__exit__(*error)

    async def result(self) -> Any:
        return self.plain.result()

    async def start(self, request: Any, *given: Any, handler: Any = None, **options: Any) -> Any:
        return dressed(self.plain.start(request, *given, handler=blocking(handler), **options))

    def map(self, requests: Any, handler: Any = None) -> Any:
        return Dressed(self.plain.map(requests, blocking(handler)))

    def as_completed(self, requests: Any, handler: Any = None) -> Any:
        return Dressed(self.plain.as_completed(requests, blocking(handler)))

    def merged(self, requests: Any) -> Any:
        return Dressed(self.plain.merged(requests))


def dressed(plain: Any) -> Any:
    return Dressed(plain) if hasattr(plain, "result") else plain


def blocking(handler: Any) -> Any:
    """A handler that is given a stream, and needs no loop."""

    def driven(stream: Any) -> Any:
        return drive(handler(Dressed(stream)))

    return None if handler is None else driven


def pooled(colour: str, *arguments: Any, **options: Any) -> Any:
    """A ``StreamPool`` of that colour."""
    options = {"proxy": False, **options}
    if colour == "sync":
        return Dressed(on_sync.StreamPool(*arguments, **options))
    if colour in ("asyncio", "trio"):
        module = on_asyncio if colour == "asyncio" else on_trio
        return module.StreamPool(*arguments, **options)
    return on_anyio.StreamPool(*arguments, **options)


def runs(colour: str, body: Body, *arguments: Any) -> Any:
    """Run a test's body on that colour."""
    return drive(body(*arguments)) if colour == "sync" else run(colour, body, *arguments)


class FastSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / FAST)


class FastLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock runs fast."""

    def __init__(self) -> None:
        super().__init__(FastSelector())

    def time(self) -> float:
        return time.monotonic() * FAST


def quicken(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Have the clocks run fast: their seconds are 40 ms. Returns what ``run`` needs."""

    def wait_until(self: on_sync.ThreadSignal, until: float | None) -> None:
        seconds = None if until is None else max(0.0, until / FAST - time.monotonic())
        self._event.wait(seconds)  # pyright: ignore[reportPrivateUsage]

    monkeypatch.setattr(on_sync, "Selector", FastSelector)
    monkeypatch.setattr(on_sync, "now", lambda: time.monotonic() * FAST)
    monkeypatch.setattr(on_sync.ThreadSignal, "wait_until", wait_until)
    return {"clock": trio.testing.MockClock(rate=FAST), "loop": FastLoop}


def fast(colour: str, monkeypatch: pytest.MonkeyPatch, body: Body, *arguments: Any) -> Any:
    """Run a test's body while the runtime's clock runs fast."""
    clocks = quicken(monkeypatch)
    return drive(body(*arguments)) if colour == "sync" else run(colour, body, *arguments, **clocks)
