"""The pool of the asynchronous runtimes: many streams, a bounded number of them at a time.

``driver_sync`` is this text without ``async`` and ``await``; a test holds the two together. What
is decided is decided in ``pooling`` and ``pooled``; here is spawned and waited.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, overload

from .errors import PoolFull
from .pooling import Pooling, PoolOptions, Requests, of_streams
from .reading import Ended, Merged, PooledStream
from .tasks import AsyncSignal, AsyncTasks

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest, Transcript

    from ..loop import AsyncStream
    from ..stream import StreamOptions
    from .bell import Bell
    from .pooled import Pooled
    from .scope import Scope
    from .stats import PoolStats

__all__ = ["AsyncPool"]

T = TypeVar("T")


class AsyncPool:
    """Streams, at most ``max_concurrent`` at a time: ``async with StreamPool(10) as pool``.

    The options are those of ``PoolOptions``; those of ``open_stream`` are for each stream.
    One failure leaves the others alone, unless ``on_failure="cancel"``. Leaving the block waits
    for all that was started; leaving it with an exception cancels all. Nothing outlives it, and
    failures that nobody has asked about are raised then, as an ``ExceptionGroup``.

    Raises ``ValueError`` for options that make no sense, ``TypeError`` for those that there are
    not.
    """

    def __init__(
        self,
        tasks: AsyncTasks,
        open_stream: Callable[..., AsyncStream],
        max_concurrent: int,
        **options: Unpack[PoolOptions],
    ) -> None:
        self._tasks = tasks
        self._open: Callable[..., AsyncStream] = options.get("open") or open_stream
        self._options = of_streams(options)
        self._pooling = Pooling[AsyncSignal](tasks.now, tasks.signal, max_concurrent, options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._pooling.max_concurrent}>"

    async def __aenter__(self) -> Self:
        self._pooling.open()
        await self._tasks.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pooling = self._pooling
        if error is None:
            pooling.leave()
        else:
            pooling.shut()
        try:
            await self._tasks.close(pooling.shut)
        finally:
            pooling.close()
        if error is None:
            pooling.raise_untold()

    @overload
    async def start(
        self,
        request: StreamRequest,
        key: Hashable | None = None,
        handler: None = None,
        *,
        wait: bool = True,
        **options: Unpack[StreamOptions],
    ) -> PooledStream[Transcript]: ...
    @overload
    async def start(
        self,
        request: StreamRequest,
        key: Hashable | None = None,
        *,
        handler: Callable[[AsyncStream], Awaitable[T]],
        wait: bool = True,
        **options: Unpack[StreamOptions],
    ) -> PooledStream[T]: ...
    async def start(
        self,
        request: StreamRequest,
        key: Hashable | None = None,
        handler: Callable[[AsyncStream], Awaitable[Any]] | None = None,
        *,
        wait: bool = True,
        **options: Unpack[StreamOptions],
    ) -> PooledStream[Any]:
        """Have a stream read as soon as there is a slot for it.

        ``handler`` is given the open stream; what it returns is the result. While
        ``max_waiting`` streams wait this waits too, or with ``wait=False`` raises
        ``PoolFull``. ``options`` outrank the pool's.

        Raises ``RuntimeError`` outside of the pool's block, ``ValueError`` for the key of a
        stream that has not ended, ``TypeError`` for an option that there is not,
        ``PoolCancelled`` behind a failure that has ended all.
        """
        return await self._start(request, key, handler, self._pooling.bell(), wait, options)

    async def _start(
        self,
        request: StreamRequest,
        key: Hashable | None,
        handler: Callable[[AsyncStream], Awaitable[Any]] | None,
        bell: Bell[AsyncSignal],
        wait: bool = True,
        options: StreamOptions | None = None,
    ) -> PooledStream[Any]:
        pooling = self._pooling
        stream = PooledStream[Any](
            request,
            self._options if options is None else {**self._options, **options},
            pooling.lock,
            bell,
            pooling.buffer,
            handled=handler is not None,
        )
        stream.handler = handler
        pooling.prepare(stream)
        while (signal := pooling.admit(stream, key)) is not None:
            if not wait:
                raise PoolFull(f"{pooling.max_waiting} streams wait, and no more may")
            await signal.wait_until(None)
        self._pump()
        return stream

    @overload
    def map(self, requests: Requests, handler: None = None) -> Ended[Transcript]: ...
    @overload
    def map(
        self,
        requests: Requests,
        handler: Callable[[AsyncStream], Awaitable[T]],
    ) -> Ended[T]: ...
    def map(
        self,
        requests: Requests,
        handler: Callable[[AsyncStream], Awaitable[Any]] | None = None,
    ) -> Ended[Any]:
        """The ended streams in the order of their requests: ``value`` is what ``handler``
        returned, or the transcript, and raises where there is none; ``error`` tells why.

        Requests are taken as the iteration goes on: at most two for each slot are begun and
        not handed out.
        """
        return Ended(self._pooling, self._start, requests, handler, ordered=True)

    @overload
    def as_completed(self, requests: Requests, handler: None = None) -> Ended[Transcript]: ...
    @overload
    def as_completed(
        self,
        requests: Requests,
        handler: Callable[[AsyncStream], Awaitable[T]],
    ) -> Ended[T]: ...
    def as_completed(
        self,
        requests: Requests,
        handler: Callable[[AsyncStream], Awaitable[Any]] | None = None,
    ) -> Ended[Any]:
        """The same, in the order in which they end."""
        return Ended(self._pooling, self._start, requests, handler, ordered=False)

    def merged(self, requests: Requests) -> Merged:
        """Pairs of key and event, as they come. A stream that fails says so with its
        ``StreamEnd``, and the others go on; what failed without one is raised as the pool is
        left."""
        return Merged(self._pooling, self._start, requests)

    def cancel(self, reason: str | None = None) -> None:
        """Cancel all that wait or run. More may be started."""
        self._pooling.cancel(reason)

    def stats(self) -> PoolStats:
        """The pool at this moment."""
        return self._pooling.stats()

    # ---- the tasks

    def _pump(self) -> None:
        """Spawn what may begin."""
        while begun := self._pooling.take():
            for stream in begun:
                try:
                    self._tasks.spawn(partial(self._work, stream))
                except Exception as error:  # noqa: BLE001  # there may be no more threads
                    stream.fail(error)
                    self._pooling.end(stream)
        if self._pooling.wants_clock():
            self._tasks.spawn(self._keep_time)

    async def _work(self, pooled: Pooled[Any, AsyncSignal]) -> None:
        assert isinstance(pooled, PooledStream)
        try:
            stream = self._open(pooled.request, **pooled.options)
            with self._tasks.scope(stream) as scope:
                await self._read(pooled, stream, scope)
        except Exception as error:  # noqa: BLE001  # whoever asks for the result is told
            pooled.fail(error)
        except BaseException:
            self._pooling.shut()
            raise
        finally:
            self._pooling.end(pooled)
            self._pump()

    async def _read(self, pooled: PooledStream[Any], stream: AsyncStream, scope: Scope) -> None:
        async with stream:
            if pooled.enter(stream, scope):
                self._pooling.enter_hold(pooled)
                await pooled.work(stream)

    async def _keep_time(self) -> None:
        while (tick := self._pooling.tick()) is not None:
            signal, time = tick
            await signal.wait_until(time)
            self._pump()
