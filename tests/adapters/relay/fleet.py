"""Workers of their own processes on one real Redis, behind one door: for tests."""

from __future__ import annotations

import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio
from anyio.to_thread import run_sync

from sans_io_stream_adapters.relay.stores.protocol import Meta, read_all
from sans_io_stream_adapters.relay.stores.redis import RedisStore
from sans_io_stream_adapters.testing import FaultServer

from .door import Door
from .program import Program
from .redis_server import shared_server

if TYPE_CHECKING:
    from types import TracebackType

    from sans_io_stream.relay import Entry

__all__ = ["EXACT", "LEASE", "PLAIN", "WITHIN", "Fleet"]

LEASE = 1.0
WITHIN = 90.0
"""Seconds after which what does not happen is a failure."""
EXACT, PLAIN = "exact", "plain"
CONFIG = """\
store = "{store}"
heartbeat = 1

[limits]
drain_seconds = {drain}

[redis]
lease = {lease}
prefix = "{prefix}"

[upstreams.exact]
provider = "openai"
surface = "responses"
background = true
base_url = "{exact}/v1"
api_key = "key"

[upstreams.plain]
provider = "openai"
base_url = "{plain}/v1"
api_key = "key"
"""


class Fleet:
    """So many workers, and two providers: one that goes on exactly, and one that cannot. Both say
    ``text`` in so many ``pieces``, each ``every`` seconds."""

    def __init__(
        self,
        directory: Path,
        text: str,
        pieces: int,
        every: float,
        *,
        workers: int = 2,
        drain: float = 30,
    ) -> None:
        self.door = Door()
        self.redis = shared_server()
        self.prefix = f"{directory}:"
        self.workers: list[Program | None] = [None] * workers
        told: dict[str, Any] = {"text": text, "pieces": pieces, "speed": 0.02 / every}
        self._told = told
        self._drain = drain
        self._path = directory / "relay.toml"
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        stack = self._stack
        # Tasks end before the processes do.
        self.exact, self.plain = (
            stack.enter_context(FaultServer(dialect, own_process=True, **self._told))
            for dialect in ("openai-responses", "openai-chat")
        )
        config = CONFIG.format(
            store=self.redis.url,
            lease=LEASE,
            prefix=self.prefix,
            drain=self._drain,
            exact=self.exact.url,
            plain=self.plain.url,
        )
        self._path.write_text(config, "utf-8")
        stack.callback(self._end)
        group = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(group.cancel_scope.cancel)
        await self.door.start(group)
        async with anyio.create_task_group() as starting:
            for number in range(len(self.workers)):
                starting.start_soon(self.start, number)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, trace)

    def _end(self) -> None:
        for worker in self.workers:
            if worker is not None:
                worker.kill()

    async def start(self, number: int) -> None:
        """That worker lives, and is led to."""
        worker = await run_sync(lambda: Program("--config", str(self._path), "--quiet"))
        self.workers[number] = worker
        self.door.lead(worker.url)

    async def kill(self, number: int) -> None:
        """That worker ends in the middle of whatever it does."""
        worker, self.workers[number] = self.workers[number], None
        assert worker is not None
        await run_sync(worker.kill)

    async def terminate(self, number: int) -> int:
        """That worker is told to end, and does. Its exit code."""
        worker, self.workers[number] = self.workers[number], None
        assert worker is not None
        worker.send(signal.SIGTERM)
        return await run_sync(worker.wait)

    def send(self, number: int, signal: signal.Signals) -> None:
        """Send that worker a signal."""
        worker = self.workers[number]
        assert worker is not None
        worker.send(signal)

    async def names(self, kind: str) -> list[str]:
        """What stands behind the prefix and that word in the names of Redis' keys."""
        begin = f"{self.prefix}{kind}:"
        names = await run_sync(self.redis.names, f"{begin}*")
        return [name.removeprefix(begin) for name in names]

    async def created(self) -> int:
        """How many streams there ever were: those that came to nothing are begun anew."""
        return int(await run_sync(self.redis.do, "GET", f"{self.prefix}count"))

    async def until_sealed(self) -> None:
        """No stream is without an end."""
        while await self.names("written"):
            pass

    async def kept(self) -> dict[str, tuple[Meta, list[Entry]]]:
        """All streams, as they stand in the store."""
        store = RedisStore(self.redis.url, prefix=self.prefix)
        await store.open()
        found: dict[str, tuple[Meta, list[Entry]]] = {}
        for id in await self.names("about"):
            meta = await store.find(id)
            assert meta is not None
            found[id] = meta, await read_all(store, id)
        await store.close()
        return found
