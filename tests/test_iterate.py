"""decode and adecode: iterables of bytes that end, break, are interrupted or are closed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import pytest

from sans_io_stream import (
    Disconnected,
    Limits,
    StreamEnd,
    TextDelta,
    UnknownDialectError,
    adecode,
    decode,
)

CHUNK = {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": {"content": "hi"}}]}
BODY = b"data: " + json.dumps(CHUNK).encode() + b"\n\ndata: [DONE]\n\n"


class Source:
    """Chunks, the last of which may be an exception; counts how often it was closed."""

    def __init__(self, *chunks: bytes | BaseException, on_close: Exception | None = None) -> None:
        self.chunks = list(chunks)
        self.closed = 0
        self.on_close = on_close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self.chunks:
            raise StopIteration
        chunk = self.chunks.pop(0)
        if isinstance(chunk, BaseException):
            raise chunk
        return chunk

    def close(self) -> None:
        self.closed += 1
        if self.on_close is not None:
            raise self.on_close


async def chunks_of(*chunks: bytes | BaseException) -> AsyncIterator[bytes]:
    for chunk in chunks:
        if isinstance(chunk, BaseException):
            raise chunk
        yield chunk


def test_a_whole_body() -> None:
    stream = decode([BODY[:9], bytearray(BODY[9:30]), memoryview(BODY)[30:]], "openai-chat")
    events = list(stream)
    assert events[-1] == StreamEnd("complete")
    assert stream.transcript.text == "hi"
    assert stream.transcript.end == StreamEnd("complete")
    assert list(stream) == []


def test_the_transcript_is_of_the_events_yielded_so_far() -> None:
    stream = decode([BODY], "openai-chat")
    assert not isinstance(next(stream), TextDelta)
    assert stream.transcript.text == ""
    assert next(stream) == TextDelta("hi")
    assert stream.transcript.text == "hi"


def test_an_exception_out_of_the_chunks_is_told() -> None:
    events = list(decode(Source(BODY[:-16], OSError("gone")), "openai-chat"))
    end = events[-1]
    assert isinstance(end, StreamEnd)
    assert end.outcome == "interrupted"
    assert end.error is not None
    assert (end.error.kind, end.error.message) == ("connection", "OSError: gone")
    assert Disconnected(end.error) in events


def test_an_interrupt_passes_and_is_no_orderly_end() -> None:
    stream = decode(Source(b"hello", KeyboardInterrupt()), "text")
    with pytest.raises(KeyboardInterrupt):
        list(stream)
    end = list(stream)[-1]
    assert isinstance(end, StreamEnd)
    assert end.outcome == "interrupted"


def test_the_chunks_are_closed() -> None:
    for leave in (list, next):
        source = Source(BODY)
        with decode(source, "openai-chat") as stream:
            leave(stream)
        assert source.closed
        assert list(stream) == []


def test_the_end_is_delivered_though_closing_fails() -> None:
    source = Source(BODY, on_close=OSError("close"))
    assert list(decode(source, "openai-chat"))[-1] == StreamEnd("complete")


def test_a_transcript_beyond_its_limit_ends_the_stream() -> None:
    events = list(decode([b"a" * 50, b"b" * 60, b"c"], "text", limits=Limits(transcript_bytes=100)))
    end = events[-1]
    assert isinstance(end, StreamEnd)
    assert end.outcome == "failed"
    assert end.error is not None
    assert "Limits.transcript_bytes" in end.error.message


def test_misuse_raises_at_once() -> None:
    with pytest.raises(UnknownDialectError, match="no dialect is called 'nope'"):
        decode([], "nope")
    with pytest.raises(TypeError, match=r"decode\(\[data\]\)"):
        decode(b"abc", "text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_async_is_the_same() -> None:
    async def run() -> None:
        stream = adecode(chunks_of(BODY[:20], BODY[20:]), "openai-chat")
        assert [event async for event in stream] == list(decode([BODY], "openai-chat"))
        assert stream.transcript.text == "hi"
        broken = [event async for event in adecode(chunks_of(BODY[:9], OSError("x")))]
        assert isinstance(broken[-1], StreamEnd)
        assert broken[-1].outcome == "interrupted"

    asyncio.run(run())


def test_a_cancelled_read_is_no_orderly_end() -> None:
    async def hang() -> AsyncIterator[bytes]:
        yield b"hello"
        await asyncio.Event().wait()

    async def run() -> None:
        stream = adecode(hang(), "text")
        await anext(stream)
        await anext(stream)
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        end = [event async for event in stream][-1]
        assert isinstance(end, StreamEnd)
        assert end.outcome == "interrupted"

    asyncio.run(run())
