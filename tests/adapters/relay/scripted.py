"""Providers that say their words at their times, on a clock that jumps: nobody sleeps.

``Scripted`` takes the place of an open stream; ``virtually`` runs a test on such a clock, with
no socket in it and no thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio
import trio.testing

from sans_io_stream import (
    ErrorInfo,
    Event,
    Finish,
    StreamEnd,
    StreamRequest,
    StreamStart,
    TextDelta,
)
from sans_io_stream.relay import stream_id
from sans_io_stream_adapters.relay import beginning
from sans_io_stream_adapters.relay.config import RelayConfig, Upstream
from sans_io_stream_adapters.relay.stores.protocol import Meta

from ..virtual import Loop

if TYPE_CHECKING:
    from sans_io_stream.observing import Observer, Watch

__all__ = [
    "BACKENDS", "DONE", "Scripted", "config", "meta_of", "now", "said", "saying", "virtually",
]  # fmt: skip

BACKENDS = ["asyncio", "trio"]
DONE: list[Event] = [Finish("stop"), StreamEnd("complete")]
UPSTREAM = Upstream(name="test", provider="openai", api_key="upstream-key")
Word = tuple[float, list[Event]]


def now() -> float:
    """The time on the clock that jumps."""
    return anyio.current_time()


class Scripted:
    """A stream that waits so many seconds before each batch of events. Its ``observers`` see them,
    and may end it."""

    def __init__(self, *words: Word) -> None:
        self.words = list(words)
        self.closed = False
        self.observers: Sequence[Observer] = ()
        self._watches: list[Watch] | None = None
        self.handed_over = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True

    def hand_over(self) -> None:
        self.handed_over = True

    def stop_request(self) -> None:
        return None

    async def batch(self) -> list[Event]:
        if self._watches is None:
            request = StreamRequest("GET", "http://localhost", dialect="text")
            self._watches = [one.begin(request, now()) for one in self.observers]
        if not self.words:
            return []
        seconds, events = self.words.pop(0)
        await anyio.sleep(seconds)
        for watch in self._watches:
            if (reason := watch.saw(events, now())) is not None:
                self.words.clear()
                return [*events, StreamEnd("cancelled", ErrorInfo("cancelled", reason))]
        return events


def said(text: str, every: float = 0.0, first: float = 0.0) -> Scripted:
    """A stream that says a text, a letter each ``every`` seconds, and ends well."""
    words: list[Word] = [(first, [StreamStart("r1", "m")])]
    words.extend((every, [TextDelta(letter)]) for letter in text)
    return Scripted(*words, (every, list(DONE)))


def saying(monkeypatch: Any, *streams: Scripted) -> list[Scripted]:
    """Have a relay's providers answer so, one stream after the other."""
    left = list(streams)

    def open_stream(request: object, **options: Any) -> Scripted:
        stream = left.pop(0)
        stream.observers = options.get("observers", ())
        return stream

    monkeypatch.setattr(beginning, "open_stream", open_stream)
    return left


def meta_of(number: int = 1, key: str | None = None, created: float = 0.0) -> Meta:
    return Meta(
        id=stream_id(number.to_bytes(16)),
        owner="local",
        provider="test",
        model="m",
        created=created,
        idempotency_key=key,
    )


def virtually(backend: str, main: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
    """Run ``main`` where time passes only when nobody has anything to do."""
    options: dict[str, Any] = {"loop_factory": Loop}
    if backend == "trio":
        options = {"clock": trio.testing.MockClock(autojump_threshold=0)}
    anyio.run(main, *arguments, backend=backend, backend_options=options)


def config(**fields: Any) -> RelayConfig:
    """A relay with one upstream, called ``test``."""
    told: dict[str, Any] = {"upstreams": (UPSTREAM,), **fields}
    return RelayConfig(**told)
