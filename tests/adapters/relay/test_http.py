"""Requests that are wrong, hostile or unfinished: what each of them gets, and what it does not."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from sans_io_stream import StreamEnd, Transcript
from sans_io_stream.relay import StreamLog
from sans_io_stream_adapters.relay import beginning
from sans_io_stream_adapters.relay.config import ClientKey, RelayConfig, RelayLimits, Upstream
from sans_io_stream_adapters.relay.http import Refused, head_of, within
from sans_io_stream_adapters.testing import FaultServer

from .asgi import Answer, ask, relay_of, talk
from .scripted import BACKENDS, said, saying
from .test_answering import relayed
from .test_app import run

if TYPE_CHECKING:
    from sans_io_stream_adapters.relay.app import Relay

FORMATS = {"/v1/chat/completions": "openai", "/v1/messages": "anthropic", "/v1/streams": "native"}
DEEP = b'{"model":"test/m","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
BODIES: list[tuple[bytes | Any, int]] = [
    (b"", 400),
    (b"\xff\xfe", 400),
    (b"{", 400),
    (b"[1]", 400),
    (b"null", 400),
    (b'{"model":"test/m"} x', 400),
    (b'{"model":"test/m","temperature":1e999}', 400),
    (DEEP, 400),
    ({}, 400),
    ({"model": None}, 400),
    ({"model": ["test/m"]}, 400),
    ({"model": "", "messages": []}, 404),
    ({"model": "test/", "messages": []}, 404),
    ({"model": "nobody/m", "messages": []}, 404),
    ({"model": "test/m", "messages": [], "stream": "yes"}, 400),
    ({"model": "test/m", "messages": [], "stream": 1}, 400),
    ({"model": "../test/m", "messages": []}, 404),
    ({"model": "nobody\x00", "messages": []}, 404),
    ({"model": "nobody\ud800", "messages": []}, 400),
    ({"model": "test/m"}, 400),
    ({"model": "test/m", "messages": None}, 400),
    ({"model": "test/m", "messages": []}, 400),
    ({"model": "test/m", "messages": "Hi"}, 400),
    ({"model": "test/m", "messages": {"role": "user"}}, 400),
]


def told(answer: Answer, format: str) -> str:
    """The message of an error document, which has to be one of that format."""
    document = answer.json
    assert answer.headers["content-type"] == "application/json"
    assert set(document) == (
        {"type", "error", "request_id"} if format == "anthropic" else {"error"}
    )
    if format == "openai":
        assert set(document["error"]) == {"message", "type", "param", "code"}
    message = document["error"]["message"]
    assert isinstance(message, str)
    assert message
    return message


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("path", FORMATS)
def test_bodies_that_are_wrong(backend: str, path: str) -> None:
    async def main(relay: Relay) -> None:
        for body, status in BODIES:
            answer = await ask(relay, "POST", path, body)
            assert answer.status == status, (body, answer.body)
            told(answer, FORMATS[path])

    relayed(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_cannot_be_translated_is_refused_by_name(backend: str) -> None:
    upstream = Upstream(name="test", provider="anthropic", api_key="k")

    async def main(relay: Relay) -> None:
        answer = await ask(relay, "POST", "/chat", talk(logit_bias={"1": 2}))
        assert answer.status == 400
        assert "logit_bias" in told(answer, "openai")

    relayed(backend, main, upstreams=(upstream,))


HEADS: list[tuple[str, str, list[tuple[str, str]], int]] = [
    ("GET", "/", [], 404),
    ("GET", "/v1", [], 404),
    ("GET", "/v1/models/", [], 404),
    ("GET", "/v1/streams", [], 405),
    ("PUT", "/v1/streams", [], 405),
    ("HEAD", "/v1/models", [], 405),
    ("GET", "/v1/streams/..", [], 404),
    ("GET", "/v1/streams/../models", [], 404),
    ("GET", "/v1/streams/%2e%2e%2fmodels", [], 404),
    ("GET", "/v1/streams/" + "A" * 22 + "\x00", [], 404),
    ("GET", "/v1/streams/" + "A" * 22 + "\n", [], 404),
    ("GET", "/v1/streams/" + "A" * 129, [], 404),
    ("GET", "/v1/streams/" + "A" * 22, [], 410),
    ("DELETE", "/v1/streams/" + "A" * 22, [], 410),
    ("GET", "/v1/streams/ä\ud800", [], 404),
    ("POST", "/v1/streams", [("last-event-id", "A" * 22 + ".ffffffffff.ffffff")], 410),
    ("POST", "/v1/streams", [("last-event-id", "\x00")], 410),
    ("POST", "/v1/streams", [("last-event-id", "9" * 1000)], 410),
    ("POST", "/v1/streams?after=" + "9" * 1000, [], 410),
    ("POST", "/v1/streams?format=xml", [], 400),
    ("POST", "/v1/streams", [("content-length", "9" * 5000)], 413),
    ("POST", "/v1/streams", [("content-length", "33554433")], 413),
    ("POST", "/v1/streams", [("x-a", "a" * 70_000)], 431),
    ("POST", "/v1/streams", [(f"x-{n}", "a") for n in range(10_000)], 431),
    ("POST", "/v1/streams?" + "a" * 70_000, [], 431),
    ("POST", "/v1/streams", [("host", "localhost"), ("host", "evil.test")], 400),
    ("POST", "/v1/streams", [("authorization", "Bearer a"), ("authorization", "Bearer b")], 400),
    ("POST", "/v1/streams", [("last-event-id", "a"), ("last-event-id", "b")], 400),
    ("POST", "/v1/streams", [("idempotency-key", "a"), ("idempotency-key", "b")], 400),
    ("POST", "/v1/streams", [("host", "evil.test")], 421),
    ("POST", "/v1/streams", [("host", "127.0.0.1.evil.test")], 421),
    ("POST", "/v1/streams", [("host", "localhost@evil.test")], 421),
    ("POST", "/v1/streams", [("host", "")], 421),
]


@pytest.mark.parametrize("backend", BACKENDS)
def test_heads_that_are_wrong(backend: str) -> None:
    async def main(relay: Relay) -> None:
        for method, target, headers, status in HEADS:
            answer = await ask(relay, method, target, None, headers)
            assert answer.status == status, (method, target[:60], answer.body)
            assert answer.json["error"]["message"]
            assert "stack" not in answer.body.decode()

    relayed(backend, main)


IN_FORMAT: list[tuple[str, str, dict[str, str], int]] = [
    ("GET", "", {}, 405),
    ("POST", "/count/tokens", {}, 404),
    ("POST", "", {"x-a": "a" * 70_000}, 431),
    ("POST", "", {"host": "evil.test"}, 421),
    ("POST", "", {"origin": "https://evil.test"}, 403),
    ("POST", "", {"last-event-id": "gone"}, 410),
    ("POST", "", {}, 400),
]


@pytest.mark.parametrize("path", FORMATS)
def test_whatever_is_wrong_is_told_in_the_format_of_the_path(path: str) -> None:
    others = {"openai-chat": "openai", "anthropic": "anthropic", "native": "native"}

    async def main(relay: Relay) -> None:
        for method, below, headers, status in IN_FORMAT:
            answer = await ask(relay, method, path + below, None, headers)
            assert answer.status == status, (method, below, headers)
            told(answer, FORMATS[path])
        for asked, format in others.items():
            answer = await ask(relay, "GET", f"{path}?format={asked}")
            assert answer.status == 405
            told(answer, format)
            answer = await ask(relay, "GET", f"/v1/streams/{'A' * 22}?format={asked}")
            assert answer.status == 410
            told(answer, format)

    relayed("asyncio", main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_defect_of_the_relays_own_is_told_too(
    backend: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> str:
        raise TypeError("what the client said")

    monkeypatch.setattr(beginning, "stream_id", fails)

    async def main(relay: Relay) -> None:
        for path, format in FORMATS.items():
            answer = await ask(relay, "POST", path, talk())
            assert answer.status == 500
            assert told(answer, format) == "the relay failed"

    relayed(backend, main)
    assert "TypeError in " in caplog.text
    assert "what the client said" not in caplog.text


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_defect_in_the_middle_of_an_answer_breaks_it_off(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said("Hi", every=1.0))

    async def main(relay: Relay) -> None:
        def fails(_: object) -> str:
            raise TypeError

        def leave(answer: Answer) -> bool:
            if answer.body:
                monkeypatch.setattr(StreamLog, "cursor", fails)
            return False

        answer = await ask(relay, "POST", "/v1/streams", talk(), leave=leave)
        assert (answer.status, answer.whole) == (200, False)

    relayed(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("pieces", [1, 2, 7, 1000])
def test_a_body_in_many_messages(
    backend: str, pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said("abc"))

    async def main(relay: Relay) -> None:
        answer = await ask(relay, "POST", "/v1/streams", talk("ü" * 50), pieces=pieces)
        assert Transcript.of(answer.events("native")).text == "abc"
        # The limit is that of the whole, wherever it is cut and whatever was announced.
        body = b"x" * 5000
        for headers in ({}, {"content-length": "10"}):
            large = await ask(relay, "POST", "/v1/streams", body, headers, pieces=pieces)
            assert large.status == 413

    relayed(backend, main, limits=RelayLimits(body_bytes=2000))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_client_that_leaves_before_its_body_was_whole(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = saying(monkeypatch, said("never"))

    async def main(relay: Relay) -> None:
        answer = await ask(relay, "POST", "/v1/streams", talk(), pieces=0)
        assert answer == Answer()
        assert len(left) == 1

    relayed(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nobody_without_a_key_has_a_body_kept(backend: str) -> None:
    keys = (ClientKey.of("ann", "key-of-ann"),)
    wrong = [
        {},
        {"authorization": "key-of-ann"},
        {"authorization": "Basic key-of-ann"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer key-of-anN"},
        {"authorization": "Bearer key-of-ann2"},
        {"x-api-key": "\x00"},
        {"api-key": "é" * 100},
        {"x-api-key": ""},
    ]

    async def main(relay: Relay) -> None:
        for headers in wrong:
            for path, format in FORMATS.items():
                answer = await ask(relay, "POST", path, b"x" * 5000, headers)
                assert answer.status == 401
                assert answer.headers["www-authenticate"] == "Bearer"
                assert "key-of" not in told(answer, format)
        for headers in [
            {"authorization": "bearer key-of-ann"},
            {"authorization": "BEARER  key-of-ann "},
            {"x-api-key": "key-of-ann"},
            {"api-key": "key-of-ann"},
        ]:
            answer = await ask(relay, "GET", "/v1/models", None, headers)
            assert answer.status == 200

    relayed(backend, main, keys=keys)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_mounted_relay(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, said("abc"))

    async def main(relay: Relay) -> None:
        answer = await ask(relay, "POST", "/v1/streams", talk(), root="/ai")
        assert Transcript.of(answer.events("native")).text == "abc"
        assert (await ask(relay, "GET", "/v1/models", root="/v1")).status == 200

    relayed(backend, main)


def test_paths_within_a_mount() -> None:
    assert within("/ai/chat", "/ai") == "/chat"
    assert within("/ai/chat", "/ai/") == "/chat"
    assert within("/ai", "/ai") == "/"
    # Servers of an older kind leave the mount's path out, and names may begin alike.
    assert within("/chat", "/ai") == "/chat"
    assert within("/chat", "/ch") == "/chat"
    assert within("/chat", "") == "/chat"


def test_lists_are_one_however_many_there_are() -> None:
    pairs = [(b"Accept", b"text/html"), (b"accept", b"text/plain"), (b"x-a", b"1"), (b"X-A", b"2")]
    head = head_of({"method": "GET", "path": "/", "headers": pairs}, 1000)
    assert head.headers == {"accept": "text/html, text/plain", "x-a": "1"}
    same = [(b"host", b"a"), (b"host", b"a")]
    assert head_of({"method": "GET", "path": "/", "headers": same}, 1000).header("host") == "a"
    with pytest.raises(Refused):
        head_of({"method": "GET", "path": "/", "headers": pairs}, 20)


@pytest.mark.parametrize("backend", BACKENDS)
def test_there_are_no_websockets(backend: str) -> None:
    async def main(relay: Relay) -> None:
        told: list[Any] = []

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            told.append(message)

        await relay({"type": "websocket", "path": "/v1/streams"}, receive, send)
        assert told == [{"type": "websocket.close", "code": 1003}]

    relayed(backend, main)


# ---- upstreams


@pytest.mark.parametrize("backend", BACKENDS)
def test_redirects_are_not_followed(backend: str) -> None:
    with FaultServer("ollama") as other:
        raw = b"HTTP/1.1 307 Moved\r\nlocation: " + other.url.encode() + b"/api/chat\r\n"
        raw += b"content-length: 0\r\n\r\n"

        async def main() -> None:
            listening = await anyio.create_tcp_listener(local_host="127.0.0.1")
            port = listening.extra(SocketAttribute.local_port)

            async def answer(stream: SocketStream) -> None:
                async with stream:
                    await stream.receive()
                    await stream.send(raw)

            async with anyio.create_task_group() as group:
                group.start_soon(listening.serve, answer)
                # No key, so that nothing but the relay itself forbids it.
                upstream = Upstream(
                    name="test", provider="ollama", base_url=f"http://127.0.0.1:{port}"
                )
                async with relay_of(RelayConfig(upstreams=(upstream,))) as relay:
                    refused = await ask(relay, "POST", "/chat", talk())
                    assert refused.status == 502
                    assert other.url not in refused.body.decode()
                group.cancel_scope.cancel()
            await listening.aclose()

        anyio.run(main, backend=backend)
        assert other.seen.connections == 0


ADDRESSES = ("base_url", "api_base", "endpoint", "url", "api_key", "headers", "authorization")


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_client_says_whom_to_ask(backend: str) -> None:
    async def main(relay: Relay, server: FaultServer) -> None:
        with FaultServer("openai-chat") as other:
            fields = dict.fromkeys(ADDRESSES, other.url)
            answer = await ask(relay, "POST", "/chat?base_url=" + other.url, talk(**fields))
            assert answer.status == 200
            assert other.seen.connections == 0
        assert server.seen.connections == 1
        asked = server.seen.requests[0]
        assert asked.header("authorization") == "Bearer upstream-key"

    with FaultServer("openai-chat") as server:
        run(backend, main, server)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_secret_is_told_or_logged(backend: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a client's key, nor the relay's own, nor what was asked and answered."""
    secrets = ("upstream-key", "key-of-ann", "QUESTION", "ANSWER")
    keys = (ClientKey.of("ann", "key-of-ann"),)
    ann = {"authorization": "Bearer key-of-ann"}

    async def main(relay: Relay, server: FaultServer) -> None:
        body = talk("QUESTION", stream=True)
        answer = await ask(relay, "POST", "/v1/streams", body, ann)
        assert answer.events("native")[-1] == StreamEnd("complete")
        others = [
            await ask(relay, "POST", "/chat", body),
            await ask(relay, "POST", "/chat", b"{" + json.dumps(body).encode(), ann),
            await ask(relay, "POST", "/chat", {**body, "model": "none"}, ann),
            await ask(relay, "GET", "/v1/models", None, ann),
            await ask(relay, "GET", f"/v1/streams/{'A' * 22}", None, ann),
        ]
        for one in (answer, *others):
            for secret in secrets[:3]:
                assert secret not in one.body.decode()
                assert secret not in str(one.headers)
        assert "upstream-key" not in repr(relay.config) + repr(relay)

    with caplog.at_level(logging.DEBUG), FaultServer("openai-chat", text="ANSWER") as server:
        run(backend, main, server, keys=keys)
    for secret in secrets:
        assert secret not in caplog.text
