"""Whatever is done to a store, it answers as a dictionary of lists would."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sans_io_stream.relay import Entry
from sans_io_stream_adapters.relay.stores.memory import MemoryStore
from sans_io_stream_adapters.relay.stores.protocol import Meta, Store, StoreError, Taken

from .kinds import BACKENDS, STORES, Kind
from .making import made, meta_of, sealing

T = TypeVar("T")

streams = st.integers(1, 4)
keys = st.sampled_from([None, "k1", "k2"])
owners = st.sampled_from(["ann", "bob"])
around = st.integers(-2, 6)
times = st.sampled_from([1.0, 2.0, 3.0])


@dataclass
class Model:
    """A stream as plain as can be."""

    meta: Meta
    kept: list[Entry] = field(default_factory=list[Entry])
    last: int = 0
    ended: float | None = None


class Machine(RuleBasedStateMachine):
    """A store on a loop of its own, beside what it should be."""

    kind: Kind
    backend: str

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.loop: AbstractContextManager[BlockingPortal] = start_blocking_portal(self.backend)
        self.portal = self.loop.__enter__()
        self.streams: dict[str, Model] = {}

    @initialize()
    def open(self) -> None:
        self.store = self.kind.make(Path(self.directory.name))
        self.do(self.store.open)

    def teardown(self) -> None:
        self.do(self.store.close)
        self.loop.__exit__(None, None, None)
        self.directory.cleanup()

    def do(self, call: Callable[..., Awaitable[T]], *values: object) -> T:
        return self.portal.call(call, *values)

    def refused(self, call: Callable[..., Awaitable[None]], *values: object) -> StoreError | None:
        try:
            self.do(call, *values)
        except StoreError as error:
            return error
        return None

    @rule(number=streams, key=keys, owner=owners)
    def create(self, number: int, key: str | None, owner: str) -> None:
        meta = meta_of(number, key, owner)
        taken = [
            model.meta
            for model in self.streams.values()
            if key is not None and (model.meta.owner, model.meta.idempotency_key) == (owner, key)
        ]
        error = self.refused(self.store.create, meta)
        if meta.id in self.streams:
            assert type(error) is StoreError
        elif taken:
            assert isinstance(error, Taken)
            assert error.meta == taken[0]
        else:
            assert error is None
            self.streams[meta.id] = Model(meta)

    @rule(number=streams, gap=st.sampled_from([0, 0, 0, 0, -1, 1]), count=st.integers(0, 5))
    def append(self, number: int, gap: int, count: int) -> None:
        id = meta_of(number).id
        model = self.streams.get(id)
        begin = (0 if model is None else model.last) + 1 + gap
        entries = [made(begin + n, number) for n in range(count)]
        error = self.refused(self.store.append, id, entries)
        if model is None or (entries and (gap or model.ended is not None)):
            assert error is not None
        else:
            assert error is None
            model.kept += entries
            model.last += count

    @rule(number=streams, at=times)
    def seal(self, number: int, at: float) -> None:
        id = meta_of(number).id
        model = self.streams.get(id)
        end = sealing(1 if model is None else model.last + 1, at)
        error = self.refused(self.store.append, id, [end])
        if model is None or model.ended is not None:
            assert error is not None
        else:
            assert error is None
            model.kept.append(end)
            model.last, model.ended = end.number, at

    @rule(number=streams, back=around)
    def trim(self, number: int, back: int) -> None:
        id = meta_of(number).id
        model = self.streams.get(id)
        first = back if model is None else model.last - back
        self.do(self.store.trim, id, first)
        if model is not None:
            model.kept = [one for one in model.kept if one.number >= first]

    @rule(number=streams)
    def delete(self, number: int) -> None:
        id = meta_of(number).id
        self.do(self.store.delete, id)
        self.streams.pop(id, None)

    @rule(number=streams, back=around, most=st.integers(0, 4))
    def read(self, number: int, back: int, most: int) -> None:
        id = meta_of(number).id
        model = self.streams.get(id)
        after = back if model is None else model.last - back
        kept = [] if model is None else [one for one in model.kept if one.number > after]
        assert self.do(self.store.read, id, after, most) == kept[:most]

    @precondition(lambda self: self.kind.outlives)
    @rule()
    def again(self) -> None:
        self.do(self.store.close)
        self.open()
        orphans = [model.meta for model in self.streams.values() if model.ended is None]
        assert self.do(self.store.orphans) == orphans
        for meta in orphans:
            assert self.do(self.store.take, meta.id)

    @rule(time=st.sampled_from([0.5, 1.0, 2.5, 9.0]))
    def ended(self, time: float) -> None:
        found = self.do(self.store.ended_before, time)
        ended = {id: model.ended for id, model in self.streams.items() if model.ended is not None}
        assert sorted(found) == sorted(id for id, at in ended.items() if at < time)
        assert [ended[id] for id in found] == sorted(ended[id] for id in found)

    @invariant()
    def all_is_there(self) -> None:
        for number in range(1, 5):
            id = meta_of(number).id
            model = self.streams.get(id)
            assert self.do(self.store.find, id) == (None if model is None else model.meta)
            assert self.do(self.store.read, id) == ([] if model is None else model.kept)
        for owner in ("ann", "bob"):
            for key in ("k1", "k2"):
                known = [
                    model.meta
                    for model in self.streams.values()
                    if (model.meta.owner, model.meta.idempotency_key) == (owner, key)
                ]
                found = self.do(self.store.find_key, owner, key)
                assert ([] if found is None else [found]) == known
        assert self.do(self.store.orphans) == []


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", STORES)
def test_a_store_answers_as_a_dictionary_would(name: str, backend: str) -> None:
    machine = type("Machine", (Machine,), {"kind": STORES[name], "backend": backend})
    examples = STORES[name].examples
    searched = settings(max_examples=examples, stateful_step_count=25)
    run_state_machine_as_test(machine, settings=searched)


def test_the_machine_finds_a_store_that_forgets() -> None:
    """The test of the test: trimming one too many is seen."""

    class Forgets(MemoryStore):
        async def trim(self, id: str, first: int) -> None:
            await super().trim(id, first + 1)

    def make(path: Path) -> Store:
        return Forgets()

    kind = type("Machine", (Machine,), {"kind": Kind(make, outlives=False), "backend": "asyncio"})
    machine = kind()
    machine.open()
    machine.create(1, None, "ann")
    machine.append(1, 0, 3)
    machine.all_is_there()
    machine.trim(1, 1)
    with pytest.raises(AssertionError):
        machine.all_is_there()
    machine.teardown()
