"""The hub: one task for each provider's stream, and whatever its readers and its store do."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

import anyio
import pytest

from sans_io_stream import (
    ErrorInfo,
    Event,
    ResumePoint,
    StreamEnd,
    TextDelta,
    Transcript,
    decode,
)
from sans_io_stream.encoding import Encoder
from sans_io_stream.events import encode_event
from sans_io_stream.relay import START, Entry, Place, Retention
from sans_io_stream.resume import ResumeOrigin
from sans_io_stream_adapters.relay.hub import TICK, Hub, Running
from sans_io_stream_adapters.relay.reading import Reader
from sans_io_stream_adapters.relay.stores.memory import MemoryStore
from sans_io_stream_adapters.relay.stores.protocol import Meta, StoreError, Taken

from .scripted import BACKENDS, Scripted, meta_of, now, said, virtually


def hub_of(store: MemoryStore | None = None, **options: Any) -> Hub:
    return Hub(MemoryStore() if store is None else store, clock=now, **options)


async def read(running: Running, pause: float = 0.0) -> list[Event]:
    """All that a reader gets, who takes so many seconds over each piece."""
    reader = Reader(running, Encoder("native", "jsonl"), START)
    body = bytearray()
    running.readers += 1
    while data := await reader.next():
        body += data
        await anyio.sleep(pause)
    running.readers -= 1
    return list(decode([bytes(body)], dialect="native"))


def text_of(events: Sequence[Event]) -> str:
    return Transcript.of(events).text


def size_of(event: Event) -> int:
    return len(encode_event(event)) + 1


async def ended(running: Running) -> StreamEnd:
    while running.end is None:
        await running.changed()
    return running.end


def why(end: StreamEnd) -> str:
    return "" if end.error is None else end.error.message


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_slow_reader_holds_up_nobody(backend: str) -> None:
    async def main() -> None:
        hub = hub_of()
        await hub.open()
        began = now()
        running = await hub.begin(meta_of(), lambda: said("abcdefgh", every=1.0))
        took: dict[float, float] = {}

        async def reads(pause: float) -> None:
            assert text_of(await read(running, pause)) == "abcdefgh"
            took[pause] = now() - began

        async with anyio.create_task_group() as group:
            for pause in (0.0, 0.25, 100.0):
                group.start_soon(reads, pause)
            await ended(running)
            assert now() - began == pytest.approx(9.0)
        assert took[0.0] == pytest.approx(9.0)
        assert took[0.25] == pytest.approx(9.25)
        assert took[100.0] >= 100.0
        await hub.close(1.0)

    virtually(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kept", [Retention(entries=3), Retention(bytes=150)], ids=str)
def test_who_falls_behind_what_is_kept_is_told(backend: str, kept: Retention) -> None:
    async def main() -> None:
        hub = hub_of(retention=kept)
        await hub.open()
        running = await hub.begin(meta_of(), lambda: said("abcdefghij", every=1.0))
        got: dict[str, list[Event]] = {}

        async def reads(name: str, pause: float) -> None:
            got[name] = await read(running, pause)

        async with anyio.create_task_group() as group:
            group.start_soon(reads, "fast", 0.0)
            group.start_soon(reads, "slow", 7.0)
        assert text_of(got["fast"]) == "abcdefghij"
        assert got["fast"][-1] == StreamEnd("complete")
        last = got["slow"][-1]
        assert isinstance(last, StreamEnd)
        assert last.outcome == "failed"
        assert "too slow" in why(last)
        # What he has is the beginning, without a gap.
        assert "abcdefghij".startswith(text_of(got["slow"]))
        assert len(await hub.store.read(meta_of().id)) <= 4
        await hub.close(1.0)

    virtually(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nobody_reads_for_too_long(backend: str) -> None:
    async def main() -> None:
        hub = hub_of(away_seconds=60.0)
        await hub.open()
        began = now()
        provider = said("abc", every=1000.0)
        running = await hub.begin(meta_of(), lambda: provider)
        running.readers += 1
        await anyio.sleep(500.0)
        running.readers -= 1
        end = await ended(running)
        assert end.outcome == "interrupted"
        assert "nobody read it" in why(end)
        assert 560.0 <= now() - began <= 566.0
        assert provider.closed
        await hub.close(1.0)

    virtually(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_too_much_comes_while_nobody_reads(backend: str) -> None:
    async def main() -> None:
        hub = hub_of(away_bytes=400)
        await hub.open()
        running = await hub.begin(meta_of(), lambda: said("x" * 1000, every=1.0))
        end = await ended(running)
        assert end.outcome == "interrupted"
        assert "too much" in why(end)
        # The entry that goes beyond is kept, and no other.
        *events, _ = await read(running)
        assert 400 < sum(map(size_of, events)) <= 400 + size_of(events[-1])
        read_once = await hub.begin(meta_of(2), lambda: said("x" * 1000, every=1.0))
        assert text_of(await read(read_once)) == "x" * 1000
        await hub.close(1.0)

    virtually(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_ended_before_it_has_begun(backend: str) -> None:
    async def main() -> None:
        hub = hub_of()
        wish = StreamEnd("cancelled", ErrorInfo("cancelled", "no"))
        running = await hub.begin(meta_of(), lambda: said("never", every=1.0))
        running.stop(wish)
        running.stop(StreamEnd("interrupted"))
        assert await ended(running) == wish
        assert await read(running) == [wish]

    virtually(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_shutting_down_takes_no_longer_than_said(backend: str) -> None:
    async def main() -> None:
        hub = hub_of()
        await hub.open()
        short = await hub.begin(meta_of(1), lambda: said("ab", every=1.0))
        long = await hub.begin(meta_of(2), lambda: said("ab", every=1000.0))
        await anyio.sleep(0.5)
        began = now()
        await hub.close(30.0)
        assert now() - began == pytest.approx(30.0)
        assert short.end == StreamEnd("complete")
        assert long.end is not None
        assert long.end.outcome == "interrupted"
        assert "shutting down" in why(long.end)
        assert isinstance(long.log.read(START)[-1][1], StreamEnd)

    virtually(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_finished_stream_is_readable_until_it_expires(backend: str) -> None:
    async def main() -> None:
        hub = hub_of(retention=Retention(seconds=3600.0))
        await hub.open()
        # It takes half of that time itself: its first word is no older than its last.
        running = await hub.begin(meta_of(), lambda: said("abcdef", every=300.0))
        async with anyio.create_task_group() as group:
            group.start_soon(read, running)
        await anyio.sleep(3599.0)
        found = await hub.find(meta_of().id)
        assert found is not None
        assert text_of(await read(found)) == "abcdef"
        await anyio.sleep(1.0)
        assert await hub.find(meta_of().id) is None
        await anyio.sleep(10.0)
        assert await hub.store.find(meta_of().id) is None
        await hub.close(1.0)

    virtually(backend, main)


class Failing(MemoryStore):
    """A store that keeps so many entries of each stream, and says why it keeps no more."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    async def append(self, id: str, entries: Sequence[Entry]) -> None:
        if entries[-1].number > self.most:
            raise StoreError("/var/lib/relay.db: the disk is full")
        await super().append(id, entries)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_cannot_be_kept_is_an_error_to_all(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        store = Failing(3)
        hub = hub_of(store)
        await hub.open()
        provider = said("abcdef", every=1.0)
        running = await hub.begin(meta_of(), lambda: provider)
        for _ in range(2):
            events = await read(running)
            assert text_of(events) == "ab"
            last = events[-1]
            assert isinstance(last, StreamEnd)
            assert last.outcome == "failed"
            # Where the relay keeps its streams is the operator's business.
            assert "relay.db" not in why(last)
        assert provider.closed
        # So it is once the hub has put it away, and for as long as the disk is full.
        await anyio.sleep(200.0)
        found = await hub.find(meta_of().id)
        assert found is not None
        assert found is not running
        assert [type(event) for event in (await read(found))[-1:]] == [StreamEnd]
        # With space again it is sealed, whether anybody asks for it or not.
        store.most = 100
        await anyio.sleep(2 * TICK)
        assert await store.ended_before(now()) == [meta_of().id]
        sealed = await hub.find(meta_of().id)
        assert sealed is not None
        assert (await read(sealed))[-1] == sealed.log.end
        assert await store.orphans() == []
        await hub.close(1.0)

    with caplog.at_level(logging.ERROR):
        virtually(backend, main)
    assert "the disk is full" in caplog.text


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_that_cannot_be_read_keeps_no_other_from_its_end(backend: str) -> None:
    class Damaged(Failing):
        async def read(self, id: str, after: int = 0, most: int = 1024) -> list[Entry]:
            if id == meta_of(1).id:
                raise StoreError("it is damaged")
            return await super().read(id, after, most)

    async def main() -> None:
        store = Damaged(3)
        hub = hub_of(store, retention=Retention(seconds=100.0))
        await hub.open()
        for number in (1, 2, 3):
            await hub.begin(meta_of(number), lambda: said("abcdef", every=1.0))
        await anyio.sleep(20.0)
        store.most = 100
        await anyio.sleep(2 * TICK)
        assert await store.ended_before(now()) == [meta_of(number).id for number in (2, 3)]
        # And what has expired goes.
        await anyio.sleep(200.0)
        assert await store.ended_before(now()) == []
        await hub.close(1.0)

    virtually(backend, main)


class Slowly(MemoryStore):
    """A store that takes its time."""

    async def create(self, meta: Meta, most: int | None = None) -> None:
        await super().create(meta, most)
        await anyio.sleep(1.0)

    async def read(self, id: str, after: int = 0, most: int = 1024) -> list[Entry]:
        await anyio.sleep(1.0)
        return await super().read(id, after, most)


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_ask_for_one_stored_stream_at_once(backend: str) -> None:
    async def main() -> None:
        store = Slowly()
        await store.open()
        await store.create(meta_of())
        hub = hub_of(store)
        first = await hub.begin(meta_of(2), lambda: said("abc"))
        assert text_of(await read(first)) == "abc"
        other = hub_of(store)
        found: list[Running | None] = []

        async def find() -> None:
            found.append(await other.find(meta_of(2).id))

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(find)
        assert found[0] is not None
        assert found[0] is found[1] is found[2]
        assert text_of(await read(found[0])) == "abc"

    virtually(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_key_is_not_found_before_its_stream(backend: str) -> None:
    """Whoever repeats a key while the store is still busy with it joins the same stream."""

    async def main() -> None:
        hub = hub_of(Slowly())
        joined: list[str] = []

        async def begins() -> None:
            running = await hub.begin(meta_of(1, key="k"), lambda: said("abc", every=1.0))
            joined.append(text_of(await read(running)))

        async def repeats() -> None:
            with pytest.raises(Taken) as taken:
                await hub.begin(meta_of(2, key="k"), lambda: said("never"))
            running = await hub.find(taken.value.meta.id)
            assert running is not None
            joined.append(text_of(await read(running)))

        async with anyio.create_task_group() as group:
            group.start_soon(begins)
            await anyio.sleep(0.5)
            group.start_soon(repeats)
        assert joined == ["abc", "abc"]

    virtually(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_client_that_leaves_as_its_stream_begins_ends_nothing(backend: str) -> None:
    async def main() -> None:
        hub = hub_of(Slowly())
        with anyio.move_on_after(0.5):
            await hub.begin(meta_of(), lambda: said("abc", every=5.0))
        running = await hub.find(meta_of().id)
        assert running is not None
        assert text_of(await read(running)) == "abc"

    virtually(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_record_of_a_read_is_an_entry_with_its_token(backend: str) -> None:
    points = [ResumePoint(n, n, ResumeOrigin("openai-responses", "sequence")) for n in (1, 2)]
    batch: list[Event] = [TextDelta("a"), points[0], TextDelta("b"), TextDelta("c"), points[1]]

    async def main() -> None:
        hub = hub_of()
        await hub.open()
        done: list[Event] = [StreamEnd("complete")]
        running = await hub.begin(meta_of(), lambda: Scripted((0.0, batch), (9.0, done)))
        await anyio.sleep(1.0)
        assert running.log.last == Place(2, 2)
        assert running.log.token == points[1].token
        kept = await hub.store.read(meta_of().id)
        assert [(one.number, one.token) for one in kept] == [
            (1, points[0].token),
            (2, points[1].token),
        ]
        assert text_of(await read(running)) == "abc"
        await hub.close(1.0)

    virtually(backend, main)


class Waiting(MemoryStore):
    """A store that takes a second for each append, and keeps nothing of one that is left."""

    async def append(self, id: str, entries: Sequence[Entry]) -> None:
        await anyio.sleep(1.0)
        await super().append(id, entries)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_being_written_when_a_stream_is_stopped_is_kept(backend: str) -> None:
    async def main() -> None:
        hub = hub_of(Waiting())
        await hub.open()
        running = await hub.begin(meta_of(), lambda: said("abc"))
        await anyio.sleep(2.5)
        # Of "start a b c" the first two are written, and the third is on its way.
        running.stop(StreamEnd("cancelled"))
        assert (await ended(running)).outcome == "cancelled"
        assert text_of(await read(running)) == "ab"
        kept = await hub.store.read(meta_of().id)
        assert [one.number for one in kept] == [1, 2, 3, 4]
        await hub.close(1.0)

    virtually(backend, main)


class Closing(MemoryStore):
    """A store that can be used up to its end."""

    closed = False

    async def append(self, id: str, entries: Sequence[Entry]) -> None:
        assert not self.closed
        await super().append(id, entries)

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_store_is_closed_last_whoever_is_cancelled(backend: str) -> None:
    async def main() -> None:
        store = Closing()
        hub = hub_of(store)
        await hub.open()
        running = await hub.begin(meta_of(), lambda: said("ab", every=10.0))
        began = now()
        with anyio.move_on_after(1.0):
            await hub.close(5.0)
        assert hub.closing
        assert store.closed
        assert now() - began == pytest.approx(5.0)
        end = running.end
        assert end is not None
        assert "shutting down" in why(end)

    virtually(backend, main)


class Broken(Scripted):
    async def batch(self) -> list[Event]:
        raise RuntimeError("the key sk-secret is none")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_fault_of_the_relays_own_is_an_end_too(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        hub = hub_of()
        running = await hub.begin(meta_of(), Broken)
        end = await ended(running)
        assert end == StreamEnd("failed", ErrorInfo("server", "the relay failed"))
        assert running.in_vain
        await hub.background.wait()

    with caplog.at_level(logging.DEBUG):
        virtually(backend, main)
    assert "RuntimeError" in caplog.text
    assert "sk-secret" not in caplog.text


@pytest.mark.parametrize("backend", BACKENDS)
def test_whether_anything_came_of_it(backend: str) -> None:
    failed = StreamEnd("failed", ErrorInfo("overloaded"))
    cases: list[tuple[list[Event], bool]] = [
        ([failed], True),
        ([StreamEnd("interrupted")], True),
        ([StreamEnd("cancelled")], False),
        ([StreamEnd("complete")], False),
        ([TextDelta("a"), failed], False),
    ]

    async def main() -> None:
        hub = hub_of()
        for number, (events, in_vain) in enumerate(cases, 1):
            running = await hub.begin(meta_of(number), partial(Scripted, (0.0, events)))
            assert not running.in_vain
            await ended(running)
            assert running.in_vain is in_vain

    virtually(backend, main)
