"""Probes: whether the relay lives, and whether it is ready, asked by anybody at any host."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from sans_io_stream_adapters.relay.app import Relay
from sans_io_stream_adapters.relay.config import ClientKey
from sans_io_stream_adapters.relay.operations.probing import PROBES, WITHIN
from sans_io_stream_adapters.relay.stores.memory import MemoryStore
from sans_io_stream_adapters.relay.stores.protocol import Spent, StoreError
from sans_io_stream_adapters.testing import FaultServer

from .asgi import ask, relay_of, talk
from .program import Program, fetch
from .scripted import BACKENDS, config, now, said, saying, virtually

KEYS = (ClientKey.of("alice", "key-of-alice"),)
BY_ADDRESS = {"host": "10.0.0.7:8700", "origin": "https://elsewhere.example"}


class Ailing(MemoryStore):
    """A store that answers late, or fails."""

    late = 0.0
    fails = False

    async def open(self) -> None:
        if self.fails:
            raise StoreError("redis://:secret@10.0.0.9 is away")
        await super().open()

    async def spend(self, owner: str, period: str, more: Spent) -> Spent:
        await anyio.sleep(self.late)
        if self.fails:
            raise StoreError("redis://:secret@10.0.0.9 is away")
        return await super().spend(owner, period, more)


def run(backend: str, main: Callable[[Relay, Ailing], Awaitable[None]], **fields: Any) -> None:
    async def within() -> None:
        store = Ailing()
        async with relay_of(config(**fields), store=store, clock=now) as relay:
            await main(relay, store)

    virtually(backend, within)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("path", PROBES)
def test_anybody_may_ask_at_any_host(backend: str, path: str) -> None:
    async def main(relay: Relay, store: Ailing) -> None:
        for method in ("GET", "HEAD"):
            answer = await ask(relay, method, path, headers=BY_ADDRESS)
            assert (answer.status, answer.json) == (200, {"status": "ok"})
        answer = await ask(relay, "POST", path)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
        # Nothing else is.
        assert (await ask(relay, "GET", "/metrics", headers=BY_ADDRESS)).status == 421

    run(backend, main, keys=KEYS, allowed_hosts=("relay.example",))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_store_that_fails_or_is_silent_is_not_ready(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(relay: Relay, store: Ailing) -> None:
        store.late = 60.0
        begun = now()
        answer = await ask(relay, "GET", "/readyz")
        assert now() - begun == WITHIN
        assert (answer.status, answer.json["reason"]) == (503, "the store does not answer")
        assert (await ask(relay, "GET", "/healthz")).status == 200
        store.late, store.fails = 0.0, True
        answer = await ask(relay, "GET", "/readyz")
        assert (answer.status, answer.json["reason"]) == (503, "the store fails")
        assert b"secret" not in answer.body
        assert "the store fails: redis://" in caplog.text
        store.fails = False
        assert (await ask(relay, "GET", "/readyz")).status == 200

    run(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_probe_has_a_relay_started_and_does_not_wait_for_it(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        store = Ailing()
        store.fails = True
        relay = Relay(config(), store=store, clock=now)
        for fails in (True, False):
            store.fails = fails
            answer = await ask(relay, "GET", "/readyz")
            assert (answer.status, answer.json["reason"]) == (503, "starting")
            await anyio.sleep(1.0)
        assert (await ask(relay, "GET", "/readyz")).status == 200
        await relay.stop()

    virtually(backend, main)
    assert [one.getMessage() for one in caplog.records] == [
        "the relay cannot start: redis://:secret@10.0.0.9 is away"
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_is_not_ready_as_soon_as_it_is_to_end(backend: str, monkeypatch: Any) -> None:
    async def main(relay: Relay, store: Ailing) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ask, relay, "POST", "/v1/streams", talk())
            await anyio.sleep(1.5)
            group.start_soon(relay.stop)
            await anyio.sleep(1.0)
            answer = await ask(relay, "GET", "/readyz")
            assert (answer.status, answer.json["reason"]) == (503, "shutting down")
            assert (await ask(relay, "GET", "/healthz")).status == 200

    saying(monkeypatch, said("abcdef", every=1.0))
    run(backend, main)


def test_a_file_that_is_gone_is_not_ready(tmp_path: Path) -> None:
    """It can still be read: what was written into it would be gone with the process."""
    path, streams = tmp_path / "relay.toml", tmp_path / "streams.db"
    with FaultServer("openai-chat", text="Hi.") as upstream:
        path.write_text(
            f'store = {json.dumps(str(streams))}\n[upstreams.test]\nprovider = "openai"\n'
            f'api_key = "k"\nbase_url = "{upstream.url}/v1"\n',
            "utf-8",
        )
        with Program("--config", str(path)) as program:
            before = fetch(program.url, "POST", "/v1/streams", talk())
            aside = streams.rename(tmp_path / "aside.db")
            answer = fetch(program.url, "GET", "/readyz")
            assert (answer.status, answer.json["reason"]) == (503, "the store fails")
            assert fetch(program.url, "GET", "/healthz").status == 200
            assert fetch(program.url, "POST", "/v1/streams", talk()).status == 503
            read = fetch(program.url, "GET", f"/v1/streams/{before.id}")
            assert (read.status, read.body) == (200, before.body)
            aside.rename(streams)
            assert fetch(program.url, "GET", "/readyz").status == 200
            assert fetch(program.url, "POST", "/v1/streams", talk()).status == 200
