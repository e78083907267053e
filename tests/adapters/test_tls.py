"""TLS under every adapter: who the server is, a cut within it, and proxies before it."""

from __future__ import annotations

import base64
import socket
import ssl
from dataclasses import dataclass
from typing import Any

import pytest
import trustme

from sans_io_stream import AuthenticationFailed, Disconnected, StreamInterrupted, StreamRequest
from tests.session.answers import events_of, policy_of, whole
from tests.session.peer import Asked, Reply
from tests.session.stories import STORIES, Story
from tests.session.test_law4 import breaking, check, length

from .colours import COLOURS, Told, collect
from .loopback import Loopback, Proxying, at
from .test_sockets import QUICK, places, refusing

STORY = STORIES["openai-responses"]
PASSWORD = "p@ss:wörd"


@dataclass
class Trust:
    """Contexts of a certificate authority that the clients trust."""

    client: ssl.SSLContext
    server: ssl.SSLContext
    other: ssl.SSLContext
    """Of a server with another name, at the same address."""
    stranger: ssl.SSLContext
    """Of a server whose authority nobody knows."""
    proxy: ssl.SSLContext


def serving(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    return context


@pytest.fixture(scope="module")
def trust() -> Trust:
    authority, unknown = trustme.CA(), trustme.CA()
    client = ssl.create_default_context()
    authority.configure_trust(client)  # pyright: ignore[reportUnknownMemberType]
    return Trust(
        client,
        serving(authority, "localhost"),
        serving(authority, "other.test"),
        serving(unknown, "localhost"),
        serving(authority, "127.0.0.1"),
    )


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def told_of(
    colour: str, port: int, trust: Trust, story: Story = STORY, proxy: str | None = None
) -> Told:
    """What a client told that asks ``localhost`` over TLS."""
    return collect(
        colour,
        at(story.request, port, "https", "localhost"),
        policy=policy_of(story, **QUICK),
        ssl_context=trust.client,
        proxy=proxy or False,
    )


# ---- cuts


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("name", ["openai-responses", "last-event-id-ticks", "chat"])
def test_a_cut_loses_nothing(name: str, colour: str, trust: Trust) -> None:
    story = STORIES[name]
    for number, place in enumerate(places(story)):
        answers = breaking(story, place, lost=bool(number % 2))
        with Loopback(trust.server, answers=answers, piece=501) as server:
            told = told_of(colour, server.port, trust, story)
        check(story, told.events, place)


@pytest.mark.parametrize("colour", COLOURS)
def test_an_end_without_close_notify_is_a_loss(colour: str, trust: Trust) -> None:
    """Whoever cuts the line must not make a cut answer look whole."""

    class Cutting(Loopback):
        def end(self, connection: ssl.SSLSocket) -> None:
            """A FIN, and no word of TLS."""

    body = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n"
    kinds: list[str] = []
    for place in (Loopback, Cutting):
        with place(trust.server, answers=lambda _: Reply(body)) as server:
            url = f"https://localhost:{server.port}/"
            request = StreamRequest("GET", url, dialect="records", resume="none")
            told = collect(colour, request, ssl_context=trust.client, proxy=False)
        assert told.end.error is not None
        kinds.append(told.end.error.kind)
    assert kinds == ["truncated", "connection"]


# ---- who the server is


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("who", ["other", "stranger"])
def test_a_wrong_certificate_ends_it_and_nothing_is_sent(
    who: str, colour: str, trust: Trust
) -> None:
    with Loopback(getattr(trust, who), answers=STORY.serve) as server:
        told = told_of(colour, server.port, trust)
    assert server.accepted == 1
    assert not server.asked
    assert told.names == ["StreamEnd"]
    assert told.end.error is not None
    assert told.end.error.kind == "connection"
    assert not told.end.error.retryable
    assert "certificate verify failed" in told.end.error.message
    assert told.raised is not None


@pytest.mark.parametrize("colour", COLOURS)
def test_the_systems_certificates_are_asked_where_nobody_brings_any(
    colour: str, trust: Trust
) -> None:
    with Loopback(trust.server, answers=STORY.serve) as server:
        told = collect(colour, at(STORY.request, server.port, "https", "localhost"), proxy=False)
    assert not server.asked
    assert isinstance(told.raised, StreamInterrupted)
    assert "certificate verify failed" in str(told.raised)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_server_without_tls_is_lost(colour: str, trust: Trust) -> None:
    answer = b"HTTP/1.1 400 Speak plainly\r\n\r\n"

    class Plain(Loopback):
        def serve(self, connection: socket.socket) -> None:
            connection.sendall(answer)

    with Plain() as server:
        told = told_of(colour, server.port, trust)
    assert told.end.outcome == "interrupted"
    assert told.names.count("Reconnecting") == 3
    lost = told.events[0]
    assert isinstance(lost, Disconnected)
    assert lost.error is not None
    assert lost.error.message.startswith("SSLError: ")


# ---- proxies


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("lost", [True, False])
def test_through_a_proxy(scheme: str, lost: bool, colour: str, trust: Trust) -> None:
    """Over its own TLS, the server's TLS goes within."""
    context = trust.proxy if scheme == "https" else None
    cut = length(STORY) // 2
    answers = breaking(STORY, cut, cut // 2, lost=lost)
    with (
        Loopback(trust.server, answers=answers, piece=1 << 20) as server,
        Proxying(context, to=server.port) as proxy,
    ):
        url = f"{scheme}://me:p%40ss%3Aw%C3%B6rd@127.0.0.1:{proxy.port}"
        told = told_of(colour, server.port, trust, proxy=url)
    check(STORY, told.events, cut)
    assert events_of(told.events) == events_of(whole(STORY.name).events)
    assert len(proxy.heads) == server.accepted == 3
    shown = base64.b64encode(f"me:{PASSWORD}".encode())
    for head in proxy.heads:
        assert head.startswith(b"CONNECT localhost:%d HTTP/1.1\r\n" % server.port)
        assert b"basic " + shown.lower() in head.lower()
        assert b"Bearer" not in head
    assert not [asked for asked in server.asked if "proxy-authorization" in asked.headers]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses(scheme: str, colour: str, trust: Trust) -> None:
    context = trust.proxy if scheme == "https" else None
    answer = b"HTTP/1.1 407 Log in\r\ncontent-length: 0\r\n\r\n"
    with Proxying(context, answer=answer) as proxy:
        url = f"{scheme}://me:{'secret-word'}@127.0.0.1:{proxy.port}"
        told = told_of(colour, 1, trust, proxy=url)
    assert proxy.accepted == 1
    assert isinstance(told.raised, AuthenticationFailed)
    assert told.end.error is not None
    assert told.end.error.status == 407
    assert "secret-word" not in repr(told)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_proxy_nobody_vouches_for_gets_no_password(colour: str, trust: Trust) -> None:
    with Proxying(trust.stranger) as proxy:
        told = told_of(colour, 1, trust, proxy=f"https://me:word@127.0.0.1:{proxy.port}")
    assert not proxy.heads
    assert proxy.accepted == 1
    assert told.names == ["StreamEnd"]


@pytest.mark.parametrize("colour", COLOURS)
def test_no_proxy_is_there(colour: str, trust: Trust) -> None:
    kept = refusing()
    port = kept.getsockname()[1]
    told = told_of(colour, 1, trust, proxy=f"http://me:secret-word@127.0.0.1:{port}")
    kept.close()
    assert told.end.outcome == "interrupted"
    assert told.names.count("Disconnected") == 4
    assert "secret-word" not in repr(told)


# ---- the proxy of the variables


@pytest.mark.parametrize("colour", COLOURS)
def test_the_variables_name_the_proxy(
    colour: str, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = STORIES["interactions"]

    def asked(scheme: str, to: int, **options: Any) -> Told:
        request = at(story.request, to, scheme, "localhost")
        return collect(colour, request, ssl_context=trust.client, **options)

    def answers(asked: Asked) -> Reply:
        return story.serve(asked)

    with (
        Loopback(answers=answers) as plain,
        Loopback(trust.server, answers=answers) as secure,
        Proxying(to=plain.port) as of_http,
        Proxying(to=secure.port) as of_https,
    ):

        def counts() -> tuple[int, int]:
            return of_http.accepted, of_https.accepted

        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{of_http.port}")
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{of_https.port}")
        assert asked("http", plain.port).end.outcome == "complete"
        assert counts() == (1, 0)
        assert asked("https", secure.port).end.outcome == "complete"
        assert counts() == (1, 1)
        asked("https", secure.port, proxy=False)
        monkeypatch.setenv("no_proxy", "other.test, localhost")
        asked("http", plain.port)
        asked("https", secure.port)
        assert counts() == (1, 1)
        assert (plain.accepted, secure.accepted) == (2, 3)
