"""What comes out of the pool of the asynchronous runtimes: its streams, and iterators.

The iterators begin streams as they are asked for the next one: no task of theirs runs between,
and a consumer that takes its time does not have requests pile up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from .errors import PoolCancelled
from .pooled import Pooled
from .pooling import Pooling, Requests, pairs
from .tasks import AsyncSignal

if TYPE_CHECKING:
    from sans_io_stream import Event

    from ..loop import AsyncStream

__all__ = ["Ended", "Merged", "PooledStream"]

T = TypeVar("T")


class PooledStream(Pooled[T, AsyncSignal]):
    """A stream of a pool. Iterate it for its events, or wait for its ``result``.

    It reads on while its buffer has room, and holds its slot until its end: who starts streams
    without a handler reads them all, or asks for their results. At the end of its events the
    iteration raises what the stream raised.
    """

    handler: Callable[[AsyncStream], Awaitable[T]] | None = None

    def __aiter__(self) -> Self:
        self.claim()
        return self

    async def __anext__(self) -> Event:
        while True:
            event, signal = self.next_event()
            if event is not None:
                return event
            if signal is None:
                self.raise_once()
                raise StopAsyncIteration
            await signal.wait_until(None)

    async def result(self) -> T:
        """Wait for its end: then as ``value``. Events that nobody has begun to iterate are
        only folded into the transcript from now on."""
        self.lift()
        while (signal := self.unfinished()) is not None:
            await signal.wait_until(None)
        return self.value

    async def work(self, stream: AsyncStream) -> None:
        """Read the stream."""
        if self.handler is not None:
            self.give(await self.handler(stream))
            return
        async for event in stream:
            while (signal := self.offer(event)) is not None:
                await signal.wait_until(None)
        self.give(stream.transcript)  # type: ignore[arg-type]  # without a handler T is that


class Begun:
    """Streams that are begun as they are asked for, ``most`` of them at a time."""

    def __init__(
        self,
        pooling: Pooling[AsyncSignal],
        start: Callable[..., Awaitable[PooledStream[Any]]],
        requests: Requests,
        handler: Callable[[AsyncStream], Awaitable[Any]] | None,
        most: int,
    ) -> None:
        self._pooling = pooling
        self._start = start
        self._requests = pairs(requests)
        self._handler = handler
        self._most = most
        self._bell = pooling.bell()
        """One for all of them."""
        self._begun: deque[PooledStream[Any]] = deque()
        self._next = next(self._requests, None)

    def cancel(self, reason: str | None = None) -> None:
        """Cancel what was begun and not handed out, and begin nothing more."""
        self._next = None
        for stream in self._begun:
            stream.cancel(reason)

    async def _fill(self) -> None:
        while self._next is not None and len(self._begun) < self._most:
            key, request = self._next
            if self._begun and not self._pooling.has_room(request):
                return
            try:
                stream = await self._start(request, key, self._handler, self._bell)
            except PoolCancelled:
                # What was begun is told still; nothing more is.
                self._next = None
                return
            self._take_up(stream)
            self._begun.append(stream)
            # Last: whatever this raises, the stream that was begun is handed out.
            self._next = None
            self._next = next(self._requests, None)

    def _take_up(self, stream: PooledStream[Any]) -> None:
        """Say what becomes of its events."""
        stream.lift()


class Ended(Begun, Generic[T]):
    """Iterates streams that have ended."""

    def __init__(
        self,
        pooling: Pooling[AsyncSignal],
        start: Callable[..., Awaitable[PooledStream[Any]]],
        requests: Requests,
        handler: Callable[[AsyncStream], Awaitable[Any]] | None,
        *,
        ordered: bool,
    ) -> None:
        super().__init__(pooling, start, requests, handler, 2 * pooling.max_concurrent)
        self._ordered = ordered

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> PooledStream[T]:
        await self._fill()
        while self._begun:
            with self._pooling.lock:
                signal = self._bell.listen()
                looked = [self._begun[0]] if self._ordered else self._begun
                ended = next((stream for stream in looked if stream.ended is not None), None)
            if ended is not None:
                self._begun.remove(ended)
                return ended
            await signal.wait_until(None)
        raise StopAsyncIteration


class Merged(Begun):
    """Iterates the events of streams, those of all as they come."""

    def __init__(
        self,
        pooling: Pooling[AsyncSignal],
        start: Callable[..., Awaitable[PooledStream[Any]]],
        requests: Requests,
    ) -> None:
        super().__init__(pooling, start, requests, None, pooling.max_concurrent)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[Hashable, Event]:
        while True:
            await self._fill()
            if not self._begun:
                raise StopAsyncIteration
            with self._pooling.lock:
                wait = self._bell.listen()
            for _ in range(len(self._begun)):
                stream = self._begun.popleft()
                event, signal = stream.next_event()
                if event is not None or signal is not None:
                    # To the end of the row: nobody is heard twice before the others once.
                    self._begun.append(stream)
                if event is not None:
                    return stream.key, event
                if signal is None:
                    stream.tell_end()
                    break
            else:
                await wait.wait_until(None)

    def _take_up(self, stream: PooledStream[Any]) -> None:
        stream.claim()
