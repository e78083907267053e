"""TLS and proxies, real ones: under every adapter, also TLS within a proxy's TLS."""

from __future__ import annotations

import base64
import ssl
from typing import Any

import pytest
import trustme

from sans_io_stream import ReconnectPolicy, StreamEnd, StreamRequest
from tests.session.answers import policy_of
from tests.session.peer import Asked, Reply
from tests.session.stories import STORIES
from tests.session.test_law4 import breaking, check, length

from .colours import COLOURS, Told, collect
from .loopback import Loopback, Proxying, at

STORY = STORIES["openai-responses"]
POLICY = policy_of(STORY, initial_delay=0.001, jitter=0.0)
AUTHORITY = trustme.CA()
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nHi, all of it"
"""A body whose only end is that of its connection."""


def server_context(name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert(name).configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    return context


def client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)  # pyright: ignore[reportUnknownMemberType]
    return context


def read(colour: str, port: int, **options: Any) -> Told:
    options = {"policy": POLICY, "proxy": False, "ssl_context": client_context(), **options}
    return collect(colour, at(STORY.request, port, "https"), **options)


@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize("colour", COLOURS)
def test_a_cut_under_tls_loses_nothing(colour: str, lost: bool) -> None:
    for place in (90, length(STORY) // 3, length(STORY) * 3 // 4):
        answers = breaking(STORY, place, lost=lost)
        with Loopback(answers=answers, context=server_context()) as server:
            told = read(colour, server.port)
        check(STORY, told.events, place)
        assert told.end == StreamEnd("complete")


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("name", ["127.0.0.1", "elsewhere.test"])
def test_a_certificate_that_is_not_accepted_ends_it_at_once(colour: str, name: str) -> None:
    """One of an unknown authority, and one of a known one for somebody else."""
    options: dict[str, Any] = {} if name != "127.0.0.1" else {"ssl_context": None}
    with Loopback(answers=STORY.serve, context=server_context(name)) as server:
        told = read(colour, server.port, **options)
    assert told.names == ["Disconnected", "StreamEnd"] or told.names == ["StreamEnd"]
    assert told.end.outcome == "interrupted"
    assert told.end.error is not None
    assert "CERTIFICATE_VERIFY_FAILED" in told.end.error.message
    assert (server.accepted, server.asked) == (1, [])


@pytest.mark.parametrize("close_notify", [True, False])
@pytest.mark.parametrize("colour", COLOURS)
def test_under_tls_an_end_without_close_notify_is_a_cut(colour: str, close_notify: bool) -> None:
    def answer(_: Asked) -> Reply:
        return Reply(UNTIL_CLOSE)

    request = StreamRequest("POST", "https://api.test/", dialect="text")
    with Loopback(answers=answer, context=server_context(), unwraps=close_notify) as server:
        told = collect(
            colour,
            at(request, server.port, "https"),
            policy=ReconnectPolicy.never(),
            proxy=False,
            ssl_context=client_context(),
        )
    assert told.end.outcome == ("complete" if close_notify else "interrupted")
    assert ("Disconnected" in told.names) != close_notify


# ---- through proxies


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("proxy_secure", [False, True])
@pytest.mark.parametrize("colour", COLOURS)
def test_through_a_proxy(colour: str, proxy_secure: bool, secure: bool) -> None:
    scheme = "https" if proxy_secure else "http"
    with (
        Loopback(
            answers=breaking(STORY, 900), context=server_context() if secure else None
        ) as server,
        Proxying(to=server.port, context=server_context() if proxy_secure else None) as proxy,
    ):
        port = server.port
        told = collect(
            colour,
            at(STORY.request, port, "https" if secure else "http"),
            policy=POLICY,
            proxy=f"{scheme}://user:p%40ss@127.0.0.1:{proxy.port}",
            ssl_context=client_context(),
        )
    check(STORY, told.events, 900)
    assert told.end == StreamEnd("complete")
    assert (proxy.accepted, server.accepted) == (2, 2)
    for head in proxy.heads:
        assert head.startswith(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n".encode())
        assert base64.b64encode(b"user:p@ss") in head
        # What is for the server is not for the proxy.
        assert b"/v1/responses" not in head


@pytest.mark.parametrize("colour", COLOURS)
def test_a_proxy_that_refuses_ends_it(colour: str) -> None:
    refusal = b"HTTP/1.1 407 No\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n"
    with Proxying(to=9, answer=refusal) as proxy:
        told = collect(
            colour,
            at(STORY.request, 9, "https"),
            policy=POLICY,
            proxy=f"http://127.0.0.1:{proxy.port}",
        )
    assert told.end.outcome == "failed"
    assert told.end.error is not None
    assert told.end.error.status == 407
    assert proxy.accepted == 1


@pytest.mark.parametrize("colour", COLOURS)
def test_the_usual_variables_name_the_proxy(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with Loopback(answers=STORY.serve) as server, Proxying(to=server.port) as proxy:
        request = at(STORY.request, server.port)
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert collect(colour, request).end == StreamEnd("complete")
        assert proxy.accepted == 1
        assert collect(colour, request, proxy=False).end == StreamEnd("complete")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert collect(colour, request).end == StreamEnd("complete")
        assert (proxy.accepted, server.accepted) == (1, 3)
