"""What a hub makes of the streams whose process died: which go on, and which are sealed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio
import pytest

from sans_io_stream import Event, StreamEnd, TextDelta
from sans_io_stream.relay.entries import entry
from sans_io_stream_adapters.relay.hub import Hub, Open
from sans_io_stream_adapters.relay.stores.memory import MemoryStore
from sans_io_stream_adapters.relay.stores.protocol import Meta, StoreError

from .making import id_of, meta_of
from .scripted import Scripted

if TYPE_CHECKING:
    from sans_io_stream.relay import Entry

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class Damaged(MemoryStore):
    """A store of which the first stream cannot be read."""

    async def read(self, id: str, after: int = 0, most: int = 1024) -> list[Entry]:
        if id == id_of(1):
            raise StoreError("entry 1 is damaged")
        return await super().read(id, after, most)


def said(number: int, token: str | None) -> Entry:
    return entry(number, (TextDelta(f"{number} "),), 0.0, token)


def run(backend: str, main: Callable[[], Awaitable[None]]) -> None:
    anyio.run(main, backend=backend)


class Again:
    """What asks a provider again, and what it was called with."""

    def __init__(self, opening: Open | None) -> None:
        self.opening = opening
        self.asked: list[tuple[str, str]] = []

    def __call__(self, meta: Meta, token: str) -> Open | None:
        self.asked.append((meta.id, token))
        return self.opening


def rest() -> Scripted:
    return Scripted((0.0, [TextDelta("rest")]), (0.0, [StreamEnd("complete")]))


async def recovered(store: MemoryStore, again: Again, *entries: Entry) -> Hub:
    """A hub over a store with one stream of these entries, which has no end."""
    await store.open()
    await store.create(meta_of(1))
    if entries:
        await store.append(id_of(1), entries)
    hub = Hub(store, clock=lambda: 1.0)
    await hub.open()
    await hub.recover(again)
    return hub


async def outcome_of(hub: Hub, number: int) -> str:
    running = await hub.find(id_of(number))
    assert running is not None
    while running.end is None:
        await running.changed()
    return running.end.outcome


@BACKENDS
def test_a_stream_goes_on_behind_its_last_token(backend: str) -> None:
    async def main() -> None:
        again = Again(rest)
        hub = await recovered(MemoryStore(), again, said(1, "t1"), said(2, "t2"))
        assert again.asked == [(id_of(1), "t2")]
        assert await outcome_of(hub, 1) == "complete"
        kept = await hub.store.read(id_of(1))
        texts = [one.text for e in kept for one in e.events if isinstance(one, TextDelta)]
        assert texts == ["1 ", "2 ", "rest"]
        await hub.close(1.0)

    run(backend, main)


@BACKENDS
def test_what_comes_again_behind_the_last_token_is_left_out(backend: str) -> None:
    """Not every record has a token: from the last one the provider says what followed once more."""

    def again_and_more() -> Scripted:
        more: list[Event] = [TextDelta("3 "), TextDelta("rest"), StreamEnd("complete")]
        return Scripted((0.0, [TextDelta("2 ")]), (0.0, more))

    async def main() -> None:
        again = Again(again_and_more)
        entries = said(1, "t1"), said(2, None), said(3, None)
        hub = await recovered(MemoryStore(), again, *entries)
        assert again.asked == [(id_of(1), "t1")]
        assert await outcome_of(hub, 1) == "complete"
        kept = await hub.store.read(id_of(1))
        texts = [one.text for e in kept for one in e.events if isinstance(one, TextDelta)]
        assert texts == ["1 ", "2 ", "3 ", "rest"]
        await hub.close(1.0)

    run(backend, main)


SEALED = {
    "nothing was said": [],
    "without any token": [said(1, None), said(2, None)],
}


@BACKENDS
@pytest.mark.parametrize("entries", SEALED.values(), ids=SEALED)
def test_one_that_cannot_go_on_exactly_is_sealed(backend: str, entries: list[Entry]) -> None:
    async def main() -> None:
        again = Again(rest)
        hub = await recovered(MemoryStore(), again, *entries)
        assert again.asked == []
        assert await outcome_of(hub, 1) == "interrupted"
        assert await hub.store.orphans() == []
        assert (await hub.store.read(id_of(1)))[:-1] == entries
        await hub.close(1.0)

    run(backend, main)


@BACKENDS
def test_so_is_one_that_its_provider_does_not_go_on_with(backend: str) -> None:
    async def main() -> None:
        hub = await recovered(MemoryStore(), Again(None), said(1, "t1"))
        assert await outcome_of(hub, 1) == "interrupted"
        await hub.close(1.0)

    run(backend, main)


@BACKENDS
def test_one_that_is_damaged_is_no_harm_to_others(backend: str) -> None:
    async def main() -> None:
        store = Damaged()
        await store.open()
        await store.create(meta_of(2))
        hub = await recovered(store, Again(None), said(1, "t1"))
        assert await outcome_of(hub, 2) == "interrupted"
        with pytest.raises(StoreError, match="damaged"):
            await hub.find(id_of(1))
        await hub.close(1.0)

    run(backend, main)
