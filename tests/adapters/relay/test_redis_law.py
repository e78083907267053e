"""Whatever befalls two workers with one Redis, a stream is one chain without holes.

Workers append, seem dead, take over, end and begin anew; connections break; readers follow. The
model is a list, and the name of who may write it. Who is not that changes nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio
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

from sans_io_stream_adapters.relay.stores.protocol import Overtaken, StoreError

from .kinds import BACKENDS
from .making import id_of, made, meta_of, run_of, sealing
from .redis_server import shared_server
from .redis_workers import Workers

if TYPE_CHECKING:
    from sans_io_stream.relay import Entry
    from sans_io_stream_adapters.relay.stores.redis import RedisStore

T = TypeVar("T")

A = id_of(1)
either = st.integers(0, 1)


class Machine(RuleBasedStateMachine):
    """Two workers and one stream, beside the list of its entries."""

    backend: str

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.loop: AbstractContextManager[BlockingPortal] = start_blocking_portal(self.backend)
        self.portal = self.loop.__enter__()
        self.workers = Workers(shared_server(), Path(self.directory.name))
        self.log: list[Entry] = []
        self.owner: int | None = 0
        """Who may write; None for nobody who lives."""
        self.buried = [False, False]
        self.heard: list[list[Entry]] = [[], []]

    @initialize()
    def begin(self) -> None:
        self.stores = [self.do(self.workers.open) for _ in range(2)]
        self.do(self.stores[0].create, meta_of(1))
        for store in self.stores:
            self.do(store.follow, A, 0)

    def teardown(self) -> None:
        self.do(self.workers.close)
        self.loop.__exit__(None, None, None)
        self.directory.cleanup()

    def do(self, call: Callable[..., Awaitable[T]], *values: object) -> T:
        return self.portal.call(call, *values)

    @property
    def sealed(self) -> bool:
        return bool(self.log) and self.log[-1].seals

    def append(self, who: int, entries: list[Entry]) -> None:
        store: RedisStore = self.stores[who]
        if self.sealed or self.owner != who:
            with pytest.raises(StoreError) as refused:
                self.do(store.append, A, entries)
            assert self.sealed or isinstance(refused.value, Overtaken)
        else:
            self.do(store.append, A, entries)
            self.log += entries

    @rule(who=either, count=st.integers(1, 4))
    def write(self, who: int, count: int) -> None:
        begin = len(self.log) + 1
        self.append(who, run_of(begin, begin + count - 1))

    @rule(who=either, off=st.sampled_from([-1, 1]))
    def write_wrongly(self, who: int, off: int) -> None:
        with pytest.raises(StoreError):
            self.do(self.stores[who].append, A, [made(len(self.log) + 1 + off)])

    @precondition(lambda self: len(self.log) > 12)
    @rule(who=either)
    def seal(self, who: int) -> None:
        self.append(who, [sealing(len(self.log) + 1)])

    @rule(who=either)
    def look_dead(self, who: int) -> None:
        self.workers.bury(self.stores[who])
        self.buried[who] = True

    @rule(who=either)
    def take(self, who: int) -> None:
        may = not self.sealed and (
            self.owner is None or (self.owner != who and self.buried[self.owner])
        )
        assert (self.do(self.stores[who].orphans) == [meta_of(1)]) == may
        assert self.do(self.stores[who].take, A) == may
        if may:
            self.owner, self.buried[who] = who, False

    @rule(who=either)
    def begin_anew(self, who: int) -> None:
        self.do(self.stores[who].close)
        self.stores[who] = self.do(self.workers.open)
        self.owner = None if self.owner == who else self.owner
        self.buried[who] = False
        self.heard[who] = []
        self.do(self.stores[who].follow, A, 0)

    @rule()
    def break_connections(self) -> None:
        self.workers.server.do("CLIENT", "KILL", "TYPE", "normal")

    @rule(who=either)
    def listen(self, who: int) -> None:
        """All that was written meanwhile is heard, in order, and nothing twice."""
        heard = self.heard[who]

        async def listen() -> None:
            with anyio.fail_after(30):
                while len(heard) < len(self.log):
                    for news in await self.stores[who].news():
                        heard.extend(news.entries)

        self.do(listen)
        assert heard == self.log

    @rule(who=either, back=st.integers(0, 5), most=st.integers(1, 5))
    def read(self, who: int, back: int, most: int) -> None:
        after = max(len(self.log) - back, 0)
        assert self.do(self.stores[who].read, A, after, most) == self.log[after:][:most]

    @invariant()
    def it_is_one_chain(self) -> None:
        for store in self.stores:
            assert self.do(store.read, A) == self.log


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stream_is_one_chain(backend: str) -> None:
    machine = type("Machine", (Machine,), {"backend": backend})
    searched = settings(max_examples=12, stateful_step_count=30)
    run_state_machine_as_test(machine, settings=searched)
