"""decode and adecode: an iterable of bytes in, an iterator of events out.

Thin drivers of ``StreamDecoder`` for bytes that somebody else reads. The iterators are
objects, not generators, so that what was delivered can be asked for at any time. An
``Exception`` out of the chunks is the transport's: it becomes ``Disconnected`` and
``StreamEnd("interrupted")``. Cancellation and every other ``BaseException`` pass through.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import suppress
from typing import Self, Unpack

from .decoder import DecoderOptions, StreamDecoder
from .errors import LimitExceeded
from .events import Event, ResumePoint, StreamEnd
from .transcript import Transcript

__all__ = ["AsyncEventIterator", "EventIterator", "adecode", "decode"]

BytesLike = bytes | bytearray | memoryview


class _Delivery:
    """Events on their way to the consumer, and what has been delivered of them."""

    def __init__(self, dialect: str | None, options: DecoderOptions) -> None:
        self._decoder = StreamDecoder(dialect, **options)
        self._events: Iterator[Event] = iter(())
        self._over = False
        self._broken_off = False
        """An interrupt or a cancellation ended the chunks: what follows is no orderly end."""
        self.transcript = Transcript(options.get("limits"))
        """The events yielded so far, folded."""

    @property
    def resume_point(self) -> ResumePoint | None:
        """The last resume point yielded."""
        return self.transcript.resume_point

    def _deliver(self, event: Event) -> Event:
        try:
            self.transcript.add(event)
        except LimitExceeded as full:
            event = full.end
            self.transcript.add(event)
        if type(event) is StreamEnd:
            self._over = True
            self._events = iter(())
        return event


class EventIterator(_Delivery, Iterator[Event]):
    """What ``decode`` returns. A context manager that closes the chunks, too."""

    def __init__(
        self, chunks: Iterable[BytesLike], dialect: str | None, options: DecoderOptions
    ) -> None:
        super().__init__(dialect, options)
        self._chunks = iter(chunks)

    def __next__(self) -> Event:
        while True:
            for event in self._events:
                event = self._deliver(event)
                if self._over:
                    # The end is delivered, whatever closing the chunks comes to.
                    with suppress(Exception):
                        self.close()
                return event
            if self._over:
                raise StopIteration
            self._events = iter(self._receive())

    def _receive(self) -> list[Event]:
        try:
            data = next(self._chunks)
        except StopIteration:
            return self._decoder.receive_eof(truncated=self._broken_off)
        except Exception as error:  # noqa: BLE001 - whatever a transport raises is told
            return self._decoder.receive_eof(error=error)
        except BaseException:
            self._broken_off = True
            raise
        return self._decoder.receive_data(data)

    def close(self) -> None:
        """Stop: close the chunks if they can be closed. Nothing is yielded afterwards."""
        self._over = True
        self._events = iter(())
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class AsyncEventIterator(_Delivery, AsyncIterator[Event]):
    """What ``adecode`` returns. An async context manager that closes the chunks, too."""

    def __init__(
        self, chunks: AsyncIterable[BytesLike], dialect: str | None, options: DecoderOptions
    ) -> None:
        super().__init__(dialect, options)
        self._chunks = aiter(chunks)

    async def __anext__(self) -> Event:
        while True:
            for event in self._events:
                event = self._deliver(event)
                if self._over:
                    # The end is delivered, whatever closing the chunks comes to.
                    with suppress(Exception):
                        await self.aclose()
                return event
            if self._over:
                raise StopAsyncIteration
            self._events = iter(await self._receive())

    async def _receive(self) -> list[Event]:
        try:
            data = await anext(self._chunks)
        except StopAsyncIteration:
            return self._decoder.receive_eof(truncated=self._broken_off)
        except Exception as error:  # noqa: BLE001 - whatever a transport raises is told
            return self._decoder.receive_eof(error=error)
        except BaseException:
            self._broken_off = True
            raise
        return self._decoder.receive_data(data)

    async def aclose(self) -> None:
        """Stop: close the chunks if they can be closed. Nothing is yielded afterwards."""
        self._over = True
        self._events = iter(())
        aclose = getattr(self._chunks, "aclose", None)
        if aclose is not None:
            await aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


def decode(
    chunks: Iterable[BytesLike], dialect: str | None = None, **options: Unpack[DecoderOptions]
) -> EventIterator:
    """The events of a response body that comes as ``chunks``; options are ``StreamDecoder``'s.

    Raises ``UnknownDialectError`` at once for a dialect that does not exist; nothing that the
    bytes hold raises. Raises ``TypeError`` for bytes in place of an iterable of them.
    """
    if isinstance(chunks, str | BytesLike):
        raise TypeError("decode() takes an iterable of chunks: for one body, decode([data])")
    return EventIterator(chunks, dialect, options)


def adecode(
    chunks: AsyncIterable[BytesLike],
    dialect: str | None = None,
    **options: Unpack[DecoderOptions],
) -> AsyncEventIterator:
    """``decode`` for an async iterable of bytes, on any event loop."""
    return AsyncEventIterator(chunks, dialect, options)
