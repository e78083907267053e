"""Web pages: none may ask anything, unless its origin is configured."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from sans_io_stream import ErrorInfo, StreamEnd, Transcript
from sans_io_stream_adapters.relay.config import ClientKey, RelayLimits
from sans_io_stream_adapters.relay.demo import config_for
from sans_io_stream_adapters.relay.stores.protocol import StoreError
from sans_io_stream_adapters.testing import FaultServer
from tests.sources import REPO

from .asgi import ask, talk
from .scripted import BACKENDS, Scripted, said, saying
from .test_answering import relayed

if TYPE_CHECKING:
    from sans_io_stream_adapters.relay.app import Relay

PAGE = "https://app.example"
PREFLIGHT = {
    "origin": PAGE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,last-event-id",
}
KEYS = (ClientKey.of("ann", "key-of-ann"),)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_configured_page_may_ask(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, said("abc"))

    async def main(relay: Relay) -> None:
        for path, methods in [
            ("/v1/chat/completions", "POST"),
            ("/v1/streams", "POST"),
            ("/v1/models", "GET"),
            (f"/v1/streams/{'A' * 22}", "GET, DELETE"),
        ]:
            # A browser sends no key with this question.
            told = await ask(relay, "OPTIONS", path, None, PREFLIGHT)
            assert (told.status, told.body) == (204, b"")
            assert told.headers["access-control-allow-origin"] == PAGE
            assert told.headers["access-control-allow-methods"] == methods
            allowed = told.headers["access-control-allow-headers"].split(",")
            assert {"authorization", "last-event-id"} <= set(allowed)
            assert told.headers["vary"] == "origin"
            assert "access-control-allow-credentials" not in told.headers
        headers = {"origin": PAGE, "authorization": "Bearer key-of-ann"}
        answer = await ask(relay, "POST", "/v1/streams", talk(), headers)
        assert Transcript.of(answer.events("native")).text == "abc"
        assert answer.headers["access-control-allow-origin"] == PAGE
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert {"x-stream-id", "x-stream-outcome"} <= set(exposed)
        # A page can read why it is refused.
        for refused in (
            await ask(relay, "POST", "/v1/streams", talk(), {"origin": PAGE}),
            await ask(relay, "POST", "/v1/streams", b"{", headers),
            await ask(relay, "OPTIONS", "/nowhere", None, PREFLIGHT),
        ):
            assert refused.status in (400, 401, 404)
            assert refused.headers["access-control-allow-origin"] == PAGE

    relayed(backend, main, cors_origins=(PAGE,), keys=KEYS)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_page_can_read_each_refusal(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = StreamEnd("failed", ErrorInfo("rate_limit", "Slow down.", retry_after=7.0))
    saying(monkeypatch, said("abc"), Scripted((0.0, [busy])))
    page = {"origin": PAGE, "authorization": "Bearer key-of-ann"}
    gone = f"/v1/streams/{'A' * 22}"
    small = RelayLimits(body_bytes=1000, header_bytes=1000)

    async def main(relay: Relay) -> None:
        async def refused(
            status: int, method: str, target: str, body: object = None, more: Any = ()
        ) -> None:
            answer = await ask(relay, method, target, body, [*page.items(), *more])
            assert answer.status == status, answer.body
            assert answer.headers["access-control-allow-origin"] == PAGE
            assert "retry-after" in answer.headers["access-control-expose-headers"]
            assert answer.json["error"]["message"]

        await ask(relay, "POST", "/v1/streams", talk(), {**page, "idempotency-key": "one"})
        await refused(400, "POST", "/v1/streams", b"{")
        await refused(400, "GET", gone, None, [("last-event-id", "a"), ("last-event-id", "b")])
        unknown = await ask(relay, "GET", f"{gone}?ticket=none", None, {"origin": PAGE})
        assert unknown.status == 401
        assert unknown.headers["access-control-allow-origin"] == PAGE
        await refused(404, "GET", "/nowhere")
        await refused(404, "POST", "/v1/streams", {**talk(), "model": "none"})
        await refused(405, "PUT", gone)
        await refused(410, "GET", gone)
        await refused(410, "DELETE", gone)
        await refused(410, "POST", f"{gone}/ticket")
        await refused(413, "POST", "/v1/streams", b"x" * 1001)
        await refused(422, "POST", "/v1/streams", talk("Else"), [("idempotency-key", "one")])
        await refused(429, "POST", "/v1/chat/completions", talk())
        await refused(431, "GET", gone, None, [("x-long", "x" * 1000)])
        monkeypatch.setattr(relay.hub, "find", failing)
        await refused(503, "GET", gone)
        await relay.stop()
        monkeypatch.setattr(relay.hub, "open", failing)
        await refused(503, "POST", "/v1/streams", talk())

    relayed(backend, main, cors_origins=(PAGE,), keys=KEYS, limits=small)


async def failing(*_: object) -> None:
    raise StoreError("the disk is full")


OTHERS = [
    "https://evil.test",
    "http://app.example",
    f"{PAGE}:8443",
    f"{PAGE}.evil.test",
    "null",
    "",
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("configured", [(), (PAGE,)])
def test_no_other_page_may(backend: str, configured: tuple[str, ...]) -> None:
    async def main(relay: Relay) -> None:
        for origin in OTHERS if configured else [*OTHERS, PAGE]:
            for method in ("OPTIONS", "POST"):
                headers = {**PREFLIGHT, "origin": origin, "authorization": "Bearer key-of-ann"}
                refused = await ask(relay, method, "/v1/streams", talk(), headers)
                assert refused.status == 403
                assert not any(name.startswith("access-control") for name in refused.headers)
                assert refused.headers.get("vary") == ("origin" if configured else None)

    relayed(backend, main, cors_origins=configured, keys=KEYS)


@pytest.mark.parametrize("backend", BACKENDS)
def test_who_keeps_an_answer_learns_that_it_depends_on_the_page(backend: str) -> None:
    """Else a page is given what was kept from a request of none, and may not read it."""

    async def main(relay: Relay) -> None:
        for target in ("/v1/models", f"/v1/streams/{'A' * 22}", "/healthz", "/nowhere"):
            told = await ask(relay, "GET", target)
            assert told.headers["vary"] == "origin"
            assert not any(name.startswith("access-control") for name in told.headers)

    relayed(backend, main, cors_origins=(PAGE,))


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_pages_where_that_is_configured(backend: str) -> None:
    async def main(relay: Relay) -> None:
        for origin in (PAGE, "null"):
            told = await ask(relay, "GET", "/v1/models", None, {"origin": origin})
            assert told.status == 200
            assert told.headers["access-control-allow-origin"] == origin

    relayed(backend, main, cors_origins=("*",))


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_no_list_of_headers_is_not_said_again(backend: str) -> None:
    async def main(relay: Relay) -> None:
        for wanted in ("a\r\nset-cookie: b", "a;b", "", "é"):
            headers = {**PREFLIGHT, "access-control-request-headers": wanted}
            told = await ask(relay, "OPTIONS", "/chat", None, headers)
            assert told.status == 204
            assert "access-control-allow-headers" not in told.headers
        # Whoever is no browser learns what can be done.
        told = await ask(relay, "OPTIONS", "/chat")
        assert told.headers == {"allow": "POST, OPTIONS", "vary": "origin"}

    relayed(backend, main, cors_origins=(PAGE,))


def test_the_demo_answers_the_page_of_its_manual() -> None:
    page = (REPO / "docs" / "relay-browsers.md").read_text("utf-8")
    (port, host) = re.findall(r"http\.server (\d+) --bind (\S+)", page)[0]
    with FaultServer("openai-chat") as server:
        assert f"http://{host}:{port}" in config_for(server, "127.0.0.1", 0).cors_origins
    assert f"http://{host}:{port}/browser.html" in page
