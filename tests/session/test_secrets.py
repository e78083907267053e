"""No secret in an event: what drivers' clients quote in their exceptions is taken out."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sans_io_stream import ErrorInfo, StreamRequest, StreamSession
from sans_io_stream.session import Send

KEY = "AIzaSyD-0123456789_secret"
URL = f"https://api.test/v1/models/m:stream?alt=sse&key={KEY}&q=a%20b"
HEADERS = {
    "authorization": "Bearer tok-4711",
    "x-api-key": "xkey-0815",
    "cookie": "session=cook-1234; theme=dark",
    "x-harmless": "visible",
}
BASIC = base64.b64encode(b"user:p@ss/word").decode()
SECRETS = [KEY, "tok-4711", "xkey-0815", "cook-1234", BASIC, "p@ss/word", "p%40ss%2Fword"]


def session_of(url: str = URL) -> StreamSession:
    request = StreamRequest("POST", url, HEADERS, json={"a": 1}, dialect="gemini")
    session = StreamSession(request, proxy="http://user:p%40ss%2Fword@proxy.test:3128")
    session.start(0.0)
    return session


QUOTED = [
    f"cannot connect to {URL}",
    f"GET '{URL}' failed: reset",
    f"/v1/models/m:stream?alt=sse&key={KEY}",
    "headers: [('authorization', 'Bearer tok-4711'), ('x-api-key', 'xkey-0815')]",
    "Cookie: session=cook-1234; theme=dark",
    "via http://user:p%40ss%2Fword@proxy.test:3128/",
    "via user:p@ss/word@proxy.test",
    f"Proxy-Authorization: Basic {BASIC}",
    "https://other.test/?token=another-one",
]


@pytest.mark.parametrize("text", QUOTED)
@pytest.mark.parametrize("kind", ["exception", "info"])
@pytest.mark.parametrize("connected", [False, True])
def test_a_message_holds_no_secret(text: str, kind: str, connected: bool) -> None:
    session = session_of()
    if connected:
        session.connected(0.0)
    error = OSError(text) if kind == "exception" else ErrorInfo("connection", text, retryable=True)
    events: Any = session.connection_lost(error, 0.0)
    session.closed(0.0)
    session.cancel(None, 0.0)
    said = repr(events) + repr(session.end) + repr(session.snapshot(0.0))
    for secret in [*SECRETS, "another-one"]:
        assert secret not in said
    assert type(events[0]).__name__ == "Disconnected"
    assert events[0].error.message


def test_what_is_no_secret_stays() -> None:
    session = session_of("https://api.test/v1/chat?alt=sse")
    text = "Cannot connect to host api.test:443 ssl:default [Connection refused], visible"
    events: Any = session.connection_lost(OSError(text), 0.0)
    assert events[0].error.message == f"OSError: {text}"
    session = session_of("https://api.test/v1/chat?alt=sse")
    events = session.connection_lost(OSError(""), 0.0)
    assert events[0].error.message == "OSError"


@pytest.mark.parametrize("name", ["SSLCertVerificationError", "CertificateError"])
def test_a_certificate_stays_as_it_is(name: str) -> None:
    kind: type[Exception] = type(name, (Exception,), {})
    events: Any = session_of().connection_lost(kind("expired"), 0.0)
    assert events[-1].outcome == "interrupted"
    assert not events[-1].error.retryable


def test_a_short_word_is_no_secret() -> None:
    request = StreamRequest("GET", "https://a.test/?key=re", {"x-api-key": ""}, dialect="records")
    session = StreamSession(request)
    session.start(0.0)
    events: Any = session.connection_lost(OSError("refused"), 0.0)
    assert events[0].error.message == "OSError: refused"


# ---- what a driver has in hand


@pytest.mark.parametrize("proxied", [False, True])
def test_what_is_sent_does_not_show_itself(proxied: bool) -> None:
    """A traceback of a driver that was interrupted shows its variables."""
    request = StreamRequest("POST", "http://api.test/v1", HEADERS, json={"a": 1})
    proxy = "http://user:p%40ss%2Fword@proxy.test:3128" if proxied else None
    session = StreamSession(request, proxy=proxy)
    session.start(0.0)
    session.connected(0.0)
    step = session.next_step(0.0)
    assert isinstance(step, Send)
    assert (BASIC if proxied else "tok-4711").encode() in step.data
    for shown in (repr(step), repr(step.data), f"{step.data!r}"):
        assert BASIC not in shown
        assert "tok-4711" not in shown


# ---- what a server quotes


def drive_with(session: StreamSession, *, status: int, body: bytes) -> list[Any]:
    """The events of one response, at the second height."""
    session.request_sent(0.0)
    kind = "application/json" if status != 200 else "text/event-stream"
    events: list[Any] = session.response_started(status, {"content-type": kind}, 0.0)
    events += session.receive_body(body, 0.0)
    return events + session.body_ended(0.0) + session.cancel(None, 0.0)


@pytest.mark.parametrize("status", [200, 401, 429])
@pytest.mark.parametrize("secret", [KEY, "tok-4711", "xkey-0815", "cook-1234"])
def test_what_a_server_quotes_is_taken_out(status: int, secret: str) -> None:
    document = b'{"error":{"code":%d,"message":"not good: %s"}}' % (
        401 if status == 200 else status,
        secret.encode(),
    )
    session = session_of()
    body = document if status != 200 else b"data: " + document + b"\n\n"
    events = drive_with(session, status=status, body=body)
    assert secret not in repr(events) + repr(session.end) + repr(session.snapshot(0.0))
    told = [event.error for event in events if getattr(event, "error", None) is not None]
    assert told
    assert all("not good: ***" in error.message for error in told)


def test_so_is_what_was_made_for_the_attempt() -> None:
    request = StreamRequest("POST", "https://api.test/", dialect="gemini", authorize=lambda r: r)
    session = StreamSession(request)
    session.start(0.0)
    session.authorized(request.http().with_headers(authorization="Bearer fresh-0001"), 0.0)
    document = b'{"error":{"code":401,"message":"no fresh-0001 here"}}'
    events = drive_with(session, status=401, body=document)
    assert events[-1].error.message == "no *** here"


def test_other_words_of_a_server_stay() -> None:
    url = "https://api.test/v1?deployment=claude-sonnet-4-5-2025&key=a-short"
    session = session_of(url)
    text = "claude-sonnet-4-5-2025 is unknown, see https://docs.test/errors?page=long#a-short"
    document = b'{"error":{"code":404,"message":"%s"}}' % text.encode()
    events = drive_with(session, status=404, body=document)
    assert events[-1].error.message == text
