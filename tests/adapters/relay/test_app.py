"""The relay from outside: streams that outlive their connections, and what bad input gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from sans_io_stream import StreamEnd, TextDelta, Transcript
from sans_io_stream_adapters.relay.app import Relay
from sans_io_stream_adapters.relay.config import ClientKey, RelayConfig, RelayLimits, Upstream
from sans_io_stream_adapters.testing import Busy, Cut, FaultServer

from .asgi import Answer, ask, relay_of, talk

TEXT = "What is written down is not lost. 🦜"
PATHS = {
    "openai-chat": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "native": "/v1/streams",
}
BACKENDS = ["asyncio", "trio"]
BARE = {"anthropic", "ollama", "gemini"}
"""Whose base URL is told without a version."""

Main = Callable[[Relay, FaultServer], Awaitable[None]]


def config_of(server: FaultServer, provider: str = "openai", **fields: Any) -> RelayConfig:
    base = server.url if provider in BARE else f"{server.url}/v1"
    upstream = Upstream(name="test", provider=provider, api_key="upstream-key", base_url=base)
    return RelayConfig(upstreams=(upstream,), **fields)


def run(backend: str, main: Main, server: FaultServer, **fields: Any) -> None:
    """``main`` with a relay in front of the server."""
    provider = fields.pop("provider", "openai")

    async def within() -> None:
        async with relay_of(config_of(server, provider, **fields)) as relay:
            await main(relay, server)

    anyio.run(within, backend=backend)


def text_of(answer: Answer, dialect: str) -> str:
    return Transcript.of(answer.events(dialect)).text


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("format", PATHS)
@pytest.mark.parametrize("provider", ["openai", "anthropic", "ollama"])
def test_any_format_from_any_provider(backend: str, format: str, provider: str) -> None:
    async def main(relay: Relay, server: FaultServer) -> None:
        body = talk(stream=True, max_tokens=100)
        if format == "openai-chat":
            body["stream_options"] = {"include_usage": True}
        answer = await ask(relay, "POST", PATHS[format], body)
        assert (answer.status, answer.whole) == (200, True)
        transcript = Transcript.of(answer.events(format))
        assert transcript.text == TEXT
        assert transcript.end == StreamEnd("complete")
        assert transcript.usage is not None
        assert answer.cursors == sorted(answer.cursors)
        assert all(cursor.startswith(answer.id) for cursor in answer.cursors)
        collected = await ask(relay, "POST", PATHS[format], talk(max_tokens=100, stream=False))
        assert collected.status == 200
        assert TEXT in collected.body.decode()

    dialect = {"openai": "openai-chat"}.get(provider, provider)
    with FaultServer(dialect, text=TEXT, pieces=7) as server:
        run(backend, main, server, provider=provider)


def came_to(count: int) -> Callable[[Answer], bool]:
    return lambda answer: answer.body.count(b"\ndata: ") >= count


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("format", PATHS)
@pytest.mark.parametrize("how", ["last-event-id", "header", "get"])
def test_a_client_comes_back_and_has_lost_nothing(backend: str, format: str, how: str) -> None:
    async def main(relay: Relay, server: FaultServer) -> None:
        body = talk(stream=True, max_tokens=100)
        answer = await ask(relay, "POST", PATHS[format], body, leave=came_to(5))
        # However much came at once: the client has seen three records that have an id.
        records = answer.body.split(b"\n\n")
        third = [number for number, one in enumerate(records) if b"id: " in one][2]
        seen = b"\n\n".join([*records[: third + 1], b""])
        answer.body = seen
        cursor = answer.cursors[-1]
        if how == "last-event-id":
            rest = await ask(relay, "POST", PATHS[format], body, {"last-event-id": cursor})
        elif how == "header":
            headers = {"x-stream-event-id": cursor, "x-stream-resume": "true"}
            rest = await ask(relay, "POST", PATHS[format], body, headers)
        else:
            target = f"/v1/streams/{answer.id}?after={cursor}&format={format}"
            rest = await ask(relay, "GET", target)
        assert rest.status == 200
        assert rest.id == answer.id
        joined = Answer(200, answer.headers, seen + rest.body, rest.whole)
        assert text_of(joined, format) == TEXT
        assert len(set(joined.cursors)) == len(joined.cursors)
        assert len(server.seen.requests) == 1

    with FaultServer("openai-chat", text=TEXT, pieces=12, speed=4.0) as server:
        run(backend, main, server)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_generation_goes_on_without_its_client(backend: str) -> None:
    async def main(relay: Relay, server: FaultServer) -> None:
        answer = await ask(relay, "POST", "/v1/streams", talk(), leave=came_to(1))
        whole = await ask(relay, "GET", f"/v1/streams/{answer.id}")
        assert text_of(whole, "native") == TEXT
        # A second reader has the same, and so has one that comes late.
        again = await ask(relay, "GET", f"/v1/streams/{answer.id}")
        assert again.body == whole.body

    with FaultServer("openai-chat", text=TEXT, pieces=12, speed=20.0) as server:
        run(backend, main, server)


@pytest.mark.parametrize("backend", BACKENDS)
def test_at_the_end_there_is_nothing_more(backend: str) -> None:
    async def main(relay: Relay, server: FaultServer) -> None:
        answer = await ask(relay, "POST", "/v1/streams", talk())
        last = answer.cursors[-1]
        target = f"/v1/streams/{answer.id}"
        assert (await ask(relay, "GET", target, None, {"last-event-id": last})).status == 204
        assert (
            await ask(relay, "POST", "/v1/streams", talk(), {"last-event-id": last})
        ).status == 204
        told = await ask(relay, "GET", f"{target}?after={last}")
        assert told.events("native")[-1] == StreamEnd("complete")
        assert not any(isinstance(event, TextDelta) for event in told.events("native"))

    with FaultServer("openai-chat", text=TEXT) as server:
        run(backend, main, server)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cursor_that_is_gone_is_refused_clearly(backend: str) -> None:
    async def main(relay: Relay, server: FaultServer) -> None:
        answer = await ask(relay, "POST", "/v1/streams", talk())
        ahead = answer.cursors[-1][:-1] + "f"
        other = "A" * 22 + answer.cursors[0][22:]
        for cursor in (ahead, other, "nonsense"):
            refused = await ask(relay, "POST", "/v1/streams", talk(), {"last-event-id": cursor})
            assert refused.status == 410
            assert "cursor" in refused.json["error"]["message"]
            checked = await ask(relay, "POST", "/v1/stream/check", None, {"x-event-id": cursor})
            assert checked.json == {"valid": False}
        good = await ask(relay, "POST", "/stream/check", None, {"x-event-id": answer.cursors[0]})
        assert good.json == {"valid": True}

    with FaultServer("openai-chat", text=TEXT) as server:
        run(backend, main, server)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_repeated_key_joins_the_running_stream(backend: str) -> None:
    async def main(relay: Relay, server: FaultServer) -> None:
        headers = {"idempotency-key": "k-1"}
        first = await ask(relay, "POST", "/v1/streams", talk(), headers, leave=came_to(1))
        again = await ask(relay, "POST", "/v1/streams", talk(), headers)
        assert again.id == first.id
        assert text_of(again, "native") == TEXT
        assert len(server.seen.requests) == 1
        other = await ask(relay, "POST", "/v1/streams", talk("Ho"), headers)
        assert other.status == 422

    with FaultServer("openai-chat", text=TEXT, pieces=12, speed=20.0) as server:
        run(backend, main, server)


@pytest.mark.parametrize("backend", BACKENDS)
def test_whoever_began_a_stream_may_end_it(backend: str) -> None:
    async def main(relay: Relay, server: FaultServer) -> None:
        answer = await ask(relay, "POST", "/v1/streams", talk(), leave=came_to(2))
        assert (await ask(relay, "DELETE", f"/v1/streams/{answer.id}")).status == 204
        rest = await ask(relay, "GET", f"/v1/streams/{answer.id}")
        end = rest.events("native")[-1]
        assert isinstance(end, StreamEnd)
        assert end.outcome == "cancelled"
        assert text_of(rest, "native") != TEXT

    with FaultServer("openai-chat", text=TEXT, pieces=30, speed=1.0) as server:
        run(backend, main, server)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stream_belongs_to_its_key(backend: str) -> None:
    keys = (ClientKey.of("ann", "key-of-ann"), ClientKey.of("bob", "key-of-bob"))

    async def main(relay: Relay, server: FaultServer) -> None:
        nobody = await ask(relay, "POST", "/v1/messages", talk())
        assert nobody.status == 401
        assert nobody.json["error"]["type"] == "authentication_error"
        ann = {"authorization": "Bearer key-of-ann"}
        answer = await ask(relay, "POST", "/v1/streams", talk(), ann)
        assert text_of(answer, "native") == TEXT
        for headers, status in [(ann, 200), ({"x-api-key": "key-of-bob"}, 410)]:
            target = f"/v1/streams/{answer.id}"
            assert (await ask(relay, "GET", target, None, headers)).status == status
        bob_key = {"x-api-key": "key-of-bob"}
        bob = await ask(relay, "DELETE", f"/v1/streams/{answer.id}", None, bob_key)
        assert bob.status == 410

    with FaultServer("openai-chat", text=TEXT) as server:
        run(backend, main, server, keys=keys)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cut_on_the_other_side_is_told(backend: str) -> None:
    async def main(relay: Relay, server: FaultServer) -> None:
        for format, path in PATHS.items():
            answer = await ask(relay, "POST", path, talk(stream=True, max_tokens=9))
            end = answer.events(format)[-1]
            assert isinstance(end, StreamEnd)
            assert end.outcome != "complete"

    with FaultServer("openai-chat", text=TEXT, pieces=9, faults=[Cut(at=0.6)] * 3) as server:
        run(backend, main, server)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_providers_refusal_is_told_in_the_format_in_use(backend: str) -> None:
    async def main(relay: Relay, server: FaultServer) -> None:
        told = await ask(relay, "POST", "/v1/chat/completions", talk())
        assert told.status == 400
        assert "message" in told.json["error"]

    with FaultServer("openai-chat", faults=[Busy(status=400)]) as server:
        run(backend, main, server)


WRONG: list[tuple[str, str, object, dict[str, str], int]] = [
    ("POST", "/v1/chat/completions", b"{", {}, 400),
    ("POST", "/v1/chat/completions", b"[]", {}, 400),
    ("POST", "/v1/chat/completions", {}, {}, 400),
    ("POST", "/v1/chat/completions", {"model": "nobody", "messages": []}, {}, 404),
    ("POST", "/v1/messages", talk(container="c"), {}, 400),
    ("GET", "/v1/chat/completions", None, {}, 405),
    ("GET", "/nowhere", None, {}, 404),
    ("GET", "/v1/streams/AAAAAAAAAAAAAAAAAAAAAA", None, {}, 410),
    ("POST", "/v1/chat/completions", b"x" * 2000, {}, 413),
    ("POST", "/v1/chat/completions", talk(), {"x-long": "x" * 3000}, 431),
    ("POST", "/v1/chat/completions", talk(), {"host": "evil.test"}, 421),
    ("POST", "/v1/chat/completions", talk(), {"origin": "https://evil.test"}, 403),
]  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_bad_input_gets(backend: str) -> None:
    async def main(relay: Relay, server: FaultServer) -> None:
        for method, target, body, headers, status in WRONG:
            answer = await ask(relay, method, target, body, headers)
            assert answer.status == status, (target, answer.body)
            assert answer.json["error"]["message"]
        assert server.seen.connections == 0

    with FaultServer("openai-chat") as server:
        limits = RelayLimits(body_bytes=1000, header_bytes=2000)
        run(backend, main, server, limits=limits)
