"""The relay inside another application: under a path, and with its lifespan or without any."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio
import pytest

from sans_io_stream import StreamEnd, Transcript
from sans_io_stream_adapters import relay as package
from sans_io_stream_adapters.relay import Relay, RelayConfig, RelayLimits, Upstream
from sans_io_stream_adapters.testing import FaultServer

from .asgi import Answer, ask, talk

TEXT = "What is written down is not lost. 🦜"
BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
Message = MutableMapping[str, Any]


class Mounted(Relay):
    """A relay that is reached as Starlette reaches what it mounts: the whole path stands in
    ``path``, what was mounted in ``root_path``. ``stripped`` as older ones did: ``path`` is
    what is left of it."""

    def __init__(self, config: RelayConfig, root: str = "/relay", *, stripped: bool) -> None:
        super().__init__(config)
        self.root = root
        self.stripped = stripped

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        assert scope["path"].startswith(self.root + "/")
        path = scope["path"].removeprefix(self.root) if self.stripped else scope["path"]
        await super().__call__({**scope, "root_path": self.root, "path": path}, receive, send)


def config_of(server: FaultServer, drain: float = 5.0) -> RelayConfig:
    upstream = Upstream(
        name="test", provider="openai", base_url=f"{server.url}/v1", api_key="upstream-key"
    )
    return RelayConfig(upstreams=(upstream,), limits=RelayLimits(drain_seconds=drain))


def has_begun(answer: Answer) -> bool:
    return bool(answer.cursors)


@BACKENDS
@pytest.mark.parametrize("stripped", [False, True], ids=["path", "stripped"])
def test_under_a_path_and_without_a_lifespan(backend: str, stripped: bool) -> None:
    async def main() -> None:
        # Made without a loop, ready with the first request.
        answer = await ask(relay, "POST", "/relay/v1/streams", talk())
        assert Transcript.of(answer.events("native")).text == TEXT
        target = f"/relay/v1/streams/{answer.id}"
        again = await ask(relay, "GET", f"{target}?after={answer.cursors[2]}")
        assert again.cursors == answer.cursors[3:]
        assert (await ask(relay, "GET", "/relay/v1/models")).status == 200
        assert (await ask(relay, "GET", "/relay/elsewhere")).status == 404
        await relay.stop()

    with FaultServer("openai-chat", text=TEXT) as server:
        relay = Mounted(config_of(server), stripped=stripped)
        anyio.run(main, backend=backend)


@BACKENDS
def test_by_the_lifespan_it_is_started_and_ended(backend: str) -> None:
    told: list[Message] = []

    async def main() -> None:
        to_relay, from_test = anyio.create_memory_object_stream[Message](2)
        began = anyio.Event()

        async def send(message: Message) -> None:
            told.append(message)
            began.set()

        async with anyio.create_task_group() as group, to_relay, from_test:
            group.start_soon(relay, {"type": "lifespan"}, from_test.receive, send)
            await to_relay.send({"type": "lifespan.startup"})
            await began.wait()

            def read(answer: Answer) -> bool:
                if len(answer.cursors) == 2:
                    to_relay.send_nowait({"type": "lifespan.shutdown"})
                return False

            answer = await ask(relay, "POST", "/v1/streams", talk(), leave=read)
            end = answer.events("native")[-1]
            assert isinstance(end, StreamEnd)
            assert end.outcome == "interrupted"
            assert answer.whole
        # Nothing begins any more, and what is there no longer is.
        assert (await ask(relay, "POST", "/v1/streams", talk())).status == 503

    with FaultServer("openai-chat", text=TEXT, pieces=30, speed=0.1) as server:
        relay = Relay(config_of(server, drain=0.0))
        anyio.run(main, backend=backend)
    kinds = [message["type"] for message in told]
    assert kinds == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@BACKENDS
def test_one_that_was_stopped_is_started_again(backend: str) -> None:
    async def main() -> None:
        for _ in range(2):
            await relay.start()
            answer = await ask(relay, "POST", "/v1/streams", talk())
            assert Transcript.of(answer.events("native")).text == TEXT
            await relay.stop()

    with FaultServer("openai-chat", text=TEXT) as server:
        relay = Relay(config_of(server))
        anyio.run(main, backend=backend)


@BACKENDS
def test_meanwhile_it_is_read_and_nothing_begins(backend: str) -> None:
    async def main() -> None:
        await relay.start()
        first = await ask(relay, "POST", "/v1/streams", talk(), leave=has_begun)
        async with anyio.create_task_group() as group:
            group.start_soon(relay.stop)
            while not relay.hub.closing:
                await anyio.lowlevel.checkpoint()
            group.start_soon(relay.stop)
            refused = await ask(relay, "POST", "/v1/streams", talk())
            assert (refused.status, refused.json["error"]["status"]) == (503, 503)
            # Another worker, or the next process, has it begin.
            assert refused.headers["x-should-retry"] == "true"
            rest = await ask(relay, "GET", f"/v1/streams/{first.id}?after={first.cursors[-1]}")
            assert rest.events("native")[-1] == StreamEnd("complete")
        assert len(server.seen.requests) == 1

    with FaultServer("openai-chat", text=TEXT, pieces=10, speed=1.0) as server:
        relay = Relay(config_of(server))
        anyio.run(main, backend=backend)


@BACKENDS
def test_a_stop_that_waits_can_be_hurried(backend: str) -> None:
    async def main() -> None:
        await relay.start()

        def read(answer: Answer) -> bool:
            if len(answer.cursors) == 2:
                relay.hurry()
            return False

        async with anyio.create_task_group() as group:
            running = await begun()
            group.start_soon(relay.stop)
            while not relay.hub.closing:
                await anyio.lowlevel.checkpoint()
            got = await ask(relay, "GET", f"/v1/streams/{running}", leave=read)
            end = got.events("native")[-1]
            assert isinstance(end, StreamEnd)
            assert end.outcome == "interrupted"

    async def begun() -> str:
        return (await ask(relay, "POST", "/v1/streams", talk(), leave=has_begun)).id

    with FaultServer("openai-chat", text=TEXT, pieces=30, speed=0.2) as server:
        relay = Relay(config_of(server, drain=60.0))
        anyio.run(main, backend=backend)


def test_the_names_of_the_package() -> None:
    assert all(getattr(package, name) is not None for name in package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        package.Nothing  # noqa: B018  # type: ignore[attr-defined]
