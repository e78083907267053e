"""How the bodies of other clients' responses are read: what has come, as soon as it has.

A body gives its bytes without transfer and content codings, empty ones at an orderly end; it
raises what its client raises, and ``EOFError`` for an end that the client takes for an orderly
one and that is none. Nothing is read ahead, and nothing by lines. Closing it twice is no harm.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

from ..libraries import running
from ..network import MOST

__all__ = ["AsyncBody", "AsyncChunks", "AsyncReads", "Body", "Chunks", "Counted", "Reads", "Whole"]

CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
"""Content codings that ``zlib`` undoes, where a client leaves that to its user."""


class Body(Protocol):
    """The rest of a body."""

    def read(self) -> bytes:
        """What has come, at least one byte; empty at the end."""
        ...

    def close(self) -> None:
        """Close the response, whatever its state."""
        ...


class AsyncBody(Protocol):
    """The same, asynchronous."""

    async def read(self) -> bytes: ...
    async def aclose(self) -> None: ...


class Whole:
    """A body that is there already: its response has nothing more to be closed."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self) -> bytes:
        data, self._data = self._data, b""
        return data


class BlockingWhole(Whole):
    def read(self) -> bytes:
        return self.take()

    def close(self) -> None:
        self.take()


class AsyncWhole(Whole):
    async def read(self) -> bytes:
        return self.take()

    async def aclose(self) -> None:
        self.take()


class Chunks:
    """An iterator of the client's, which waits for no more than has come."""

    def __init__(self, chunks: Iterator[bytes], close: Callable[[], object]) -> None:
        self._chunks = chunks
        self._close = close

    def read(self) -> bytes:
        return next(filter(None, self._chunks), b"")

    def close(self) -> None:
        try:
            # Generators within generators go with it.
            getattr(self._chunks, "close", self._close)()
        finally:
            self._close()


class AsyncChunks:
    """The same, asynchronous."""

    def __init__(
        self, chunks: AsyncIterator[bytes], close: Callable[[], Awaitable[object]]
    ) -> None:
        self._chunks = chunks
        self._close = close
        self._begun = False

    async def read(self) -> bytes:
        self._begun = True
        data = b""
        with suppress(StopAsyncIteration):
            while not data:
                data = await anext(self._chunks)
        return data

    async def aclose(self) -> None:
        if self._begun:
            with suppress(Exception):
                await running().bounded(-math.inf, self._unwind)
        await self._close()

    async def _unwind(self) -> None:
        """Let generators within generators end from within, as their next wait is cancelled. Those
        that are left to the garbage collector are warned of by trio, and tasks on asyncio."""
        async for _ in self._chunks:
            pass


class Reads:
    """urllib3's response, by itself or within another: ``read1`` gives what one read of the
    socket brought, and with a number it tells a body that is cut short. Its iterators wait for a
    chunk, or for all of a body that has none."""

    def __init__(self, raw: Any, *close: Callable[[], object]) -> None:
        self._raw = raw
        self._close = close

    def read(self) -> bytes:
        while True:
            data: bytes = self._raw.read1(MOST, decode_content=True)
            if data or self._raw.closed:
                return data

    def close(self) -> None:
        for close in self._close:
            close()


class AsyncReads:
    """A coroutine function that gives what has come."""

    def __init__(self, read: Callable[[], Awaitable[bytes]], close: Callable[[], object]) -> None:
        self._read = read
        self._close = close

    async def read(self) -> bytes:
        return await self._read()

    async def aclose(self) -> None:
        closed = self._close()
        if isinstance(closed, Awaitable):
            await closed


class Counted:
    """The response of ``http.client``. Its ``read1`` does not tell a body that is cut short from
    one that is whole, and before Python 3.12 reads beyond its end: so its bytes are counted."""

    def __init__(self, response: Any, coding: str) -> None:
        self._response = response
        self._left: int | None = response.length
        self._coded = zlib.decompressobj(zlib.MAX_WBITS | 32) if coding in CODINGS else None
        self._tail = b""

    def read(self) -> bytes:
        coded = self._coded
        if coded is None:
            return self._read()
        while True:
            data = self._tail or self._read()
            if not data:
                if not coded.eof:
                    raise EOFError("the compressed body ended before its end")
                return b""
            decoded = coded.decompress(data, MOST)
            self._tail = coded.unconsumed_tail
            if decoded:
                return decoded

    def _read(self) -> bytes:
        if self._left == 0:
            return b""
        data: bytes = self._response.read1(MOST if self._left is None else min(MOST, self._left))
        if self._left is not None:
            self._left -= len(data)
            if not data:
                raise EOFError(f"the body ended {self._left} bytes before its Content-Length")
        return data

    def close(self) -> None:
        self._response.close()
