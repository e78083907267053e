"""CaptureWriter: record a response while something else reads it.

A recorder must not change what it records. Chunks are handed on as they are, the objects
themselves; what the source raises is raised; a full disk ends the recording, not the stream.
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from ..errors import StreamClosedError
from .lines import End, Read, end_line, head_line, read_line
from .privacy import Headers, Request, allowed_headers, without_secrets

if TYPE_CHECKING:
    from _typeshed import StrPath

__all__ = ["AsyncTee", "CaptureWriter", "Tee"]

BytesLike = bytes | bytearray | memoryview
Chunk = TypeVar("Chunk", bound=bytes | bytearray | memoryview)


class CaptureWriter:
    """Records a response while something else reads it.

    The file is made at once, and every line is on its way to it before the call returns.
    ``clock`` is any count of seconds that only grows; without one it is the system's
    monotonic clock. A failure to write ends the recording, with a warning, and never the
    stream that is recorded; ``failed`` keeps it.
    """

    def __init__(
        self,
        path: StrPath,
        *,
        dialect: str | None = None,
        request: Request | None = None,
        status: int = 200,
        headers: Headers = (),
        clock: Callable[[], float] | None = None,
    ) -> None:
        from sans_io_stream_adapters.files import LineFile, monotonic

        self._clock = monotonic if clock is None else clock
        self._first: float | None = None
        self._ended = False
        self.failed: OSError | None = None
        head = head_line(dialect, without_secrets(request), status, allowed_headers(headers))
        self._file = LineFile(path)
        self._write(head)

    def tee(self, chunks: Iterable[Chunk]) -> Tee[Chunk]:
        """Iterate ``chunks``, recording each one and handing it on as it is, and how it ended:
        exhausted, by an exception, or closed early. For asynchronous ones: ``atee``."""
        return Tee(self, chunks)

    def atee(self, chunks: AsyncIterable[Chunk]) -> AsyncTee[Chunk]:
        """The same, for any asynchronous iterable of bytes."""
        return AsyncTee(self, chunks)

    def write(self, data: BytesLike) -> None:
        """Record one read, now. Raises ``StreamClosedError`` after the end."""
        if self._ended:
            raise StreamClosedError("this capture has ended; make another CaptureWriter")
        self._write(read_line(Read(self._elapsed(), bytes(data))))

    def finish(self, end: End = "eof", error: BaseException | None = None) -> None:
        """Record the end, and close the file. A second call does nothing.

        Of ``error`` only the type is kept: messages of HTTP clients hold URLs.
        """
        if not self._ended:
            name = None if error is None else type(error).__name__
            self._write(end_line(self._elapsed(), end, name))
            self._ended = True
            self._file.close()

    def close(self) -> None:
        """``finish("truncated")``, unless the end is recorded already."""
        self.finish("truncated")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _elapsed(self) -> float:
        now = self._clock()
        if self._first is None:
            self._first = now
        return now - self._first

    def _write(self, line: str) -> None:
        if self.failed is None:
            try:
                self._file.write(line)
            except OSError as error:
                self.failed = error
                warnings.warn(f"the capture breaks off: {error}", RuntimeWarning, stacklevel=4)


class Tee(Generic[Chunk]):
    """What ``CaptureWriter.tee`` returns: an iterator over the chunks."""

    __slots__ = ("_chunks", "_writer")

    def __init__(self, writer: CaptureWriter, chunks: Iterable[Chunk]) -> None:
        self._writer = writer
        self._chunks: Iterator[Chunk] = iter(chunks)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Chunk:
        try:
            chunk = next(self._chunks)
        except BaseException as error:
            self._writer.finish(*_how_it_ended(error))
            raise
        self._writer.write(chunk)
        return chunk

    def close(self) -> None:
        """Stop early: the capture is ``"truncated"``; the chunks are closed if they can be."""
        self._writer.close()
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()


class AsyncTee(Generic[Chunk]):
    """What ``CaptureWriter.atee`` returns: an asynchronous iterator over the chunks."""

    __slots__ = ("_chunks", "_writer")

    def __init__(self, writer: CaptureWriter, chunks: AsyncIterable[Chunk]) -> None:
        self._writer = writer
        self._chunks: AsyncIterator[Chunk] = aiter(chunks)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        try:
            chunk = await anext(self._chunks)
        except BaseException as error:
            self._writer.finish(*_how_it_ended(error))
            raise
        self._writer.write(chunk)
        return chunk

    async def aclose(self) -> None:
        """Stop early: the capture is ``"truncated"``; the chunks are closed if they can be."""
        self._writer.close()
        aclose = getattr(self._chunks, "aclose", None)
        if aclose is not None:
            await aclose()


def _how_it_ended(error: BaseException) -> tuple[End, BaseException | None]:
    """Cancelling and interrupting are one's own doing, and no failure of the transport."""
    if isinstance(error, StopIteration | StopAsyncIteration):
        return "eof", None
    return ("error", error) if isinstance(error, Exception) else ("truncated", None)
