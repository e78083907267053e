"""Readers: from whatever place, what comes is what would have come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sans_io_stream import StreamEnd, TextDelta, Usage, decode
from sans_io_stream.encoding import Encoder
from sans_io_stream.relay import START, LogReader, Place, Retention, StreamLog
from sans_io_stream.relay.entries import passed_on
from sans_io_stream.relay.reader import AT_ONCE, BEHIND
from sans_io_stream_adapters.relay.hub import NOT_KEPT, Running
from sans_io_stream_adapters.relay.reading import Reader
from tests.answers import Answer, answers

from .scripted import BACKENDS, meta_of, now, virtually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sans_io_stream import Event

FORMATS = [
    (format, framing)
    for format in ("native", "openai-chat", "holysheep", "anthropic")
    for framing in ("sse", "jsonl")
]
"""Plain text has no cursors: what is read of it from within is a body of its own."""


def logged(answer: Answer, sizes: list[int]) -> StreamLog:
    """A finished stream: entries of so many events."""
    log = StreamLog(meta_of().id, 0.0)
    *events, end = answer.events
    assert isinstance(end, StreamEnd)
    counts: Iterator[int] = iter(sizes)
    while events:
        count = next(counts, 1)
        log.append(events[:count], 0.0)
        del events[:count]
    log.seal(end, 0.0)
    log.written(log._last)  # pyright: ignore[reportPrivateUsage]
    return log


async def rest_of(running: Running, encoder: Encoder, place: Place, *, counts: bool) -> bytes:
    reader = Reader(running, encoder, place, counts=counts)
    body = bytearray()
    while data := await reader.next():
        body += data
    assert reader.over
    return bytes(body)


@settings(max_examples=40, deadline=None)
@given(answers(), st.lists(st.integers(1, 5), max_size=10), st.sampled_from(FORMATS), st.booleans())
def test_whoever_comes_back_gets_the_rest_byte_for_byte(
    answer: Answer, sizes: list[int], kind: tuple[str, str], counts: bool
) -> None:
    log = logged(answer, sizes)
    cursor = log.cursor
    encoder = Encoder(*kind)
    whole = bytearray()
    places: list[tuple[Place, int]] = [(START, 0)]
    for place, event in log.read(START, 100_000):
        if counts or not isinstance(event, Usage):
            whole += encoder.encode(event, id=cursor(place))
        places.append((place, len(whole)))

    async def main() -> None:
        running = Running(meta_of(), log, 0.0)
        for place, seen in places:
            rest = await rest_of(running, Encoder(*kind), place, counts=counts)
            assert rest == whole[seen:]

    anyio.run(main)


def running_of(retention: Retention | None = None) -> Running:
    meta = meta_of()
    return Running(meta, StreamLog(meta.id, 0.0, retention, heartbeat=15.0), 0.0)


def say(running: Running, *events: Event) -> None:
    entry = running.log.append(events, 0.0)
    assert entry is not None
    running.log.written(entry.number)
    running.log.trim(0.0)
    running.wake()


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_writes_nothing_is_no_sign_of_life(backend: str) -> None:
    """An event for which a format has no words does not put off the next sign."""

    async def main() -> None:
        running = running_of()
        reader = Reader(running, Encoder("openai-chat"), START, counts=False)
        say(running, TextDelta("a"))
        assert await reader.next()
        began = now()

        async def counts() -> None:
            await anyio.sleep(10.0)
            say(running, Usage(prompt_tokens=1))

        async with anyio.create_task_group() as group:
            group.start_soon(counts)
            assert await reader.next() == b":\n"
            assert now() - began == pytest.approx(15.0)
        assert await reader.next() == b":\n"
        assert now() - began == pytest.approx(30.0)

    virtually(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("end", [BEHIND, NOT_KEPT], ids=["behind", "lost"])
def test_an_end_that_is_in_no_log(backend: str, end: StreamEnd) -> None:
    async def main() -> None:
        running = running_of(Retention(entries=1))
        reader = Reader(running, Encoder("native"), START)
        say(running, TextDelta("a"))
        body = await reader.next()
        if end is BEHIND:
            say(running, TextDelta("b"))
            say(running, TextDelta("c"))
        else:
            running.lost = end
        body += await reader.next()
        told = [event for event in decode([body], dialect="native") if passed_on(event)]
        assert told == [TextDelta("a"), end]
        # It is told without a cursor: nobody can go on behind it.
        assert body.count(b"id: ") == 1
        assert await reader.next() == b""
        assert reader.over

    virtually(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_who_reads_fast_lets_others_have_their_turn(backend: str) -> None:
    """Most servers' ``send`` does not wait while there is room: a reader has to, by itself."""
    log = StreamLog(meta_of().id, 0.0)
    for _ in range(10):
        log.append([TextDelta("x")] * AT_ONCE, 0.0)
    log.seal(StreamEnd("complete"), 0.0)
    log.written(11)

    async def main() -> None:
        turns = caught_up = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await anyio.lowlevel.checkpoint()

        running = Running(meta_of(), log, now())
        reader = Reader(running, Encoder("openai-chat"), Place(5, AT_ONCE))
        async with anyio.create_task_group() as group:
            group.start_soon(other)
            await reader.ready()
            caught_up = turns
            while await reader.next():
                pass
            group.cancel_scope.cancel()
        # Four pauses, and five, between which the other may come first or last.
        assert caught_up >= 3
        assert turns >= caught_up + 4

    virtually(backend, main)


def test_a_reader_catches_up_by_itself_where_nobody_waits_for_it() -> None:
    log = StreamLog(meta_of().id, 0.0)
    log.append([TextDelta("x")] * 3 * AT_ONCE, 0.0)
    log.seal(StreamEnd("complete"), 0.0)
    log.written(2)
    whole, rest = (
        LogReader(log, Encoder("openai-chat"), place) for place in (START, Place(1, 300))
    )
    said = b"".join(iter(whole.read, b""))
    left = b"".join(iter(rest.read, b""))
    assert left
    assert said.endswith(left)
    assert left.count(b"data: ") == 3 * AT_ONCE - 300 + 2
