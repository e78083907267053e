"""Redirects: where they lead, what goes along, and what never does."""

from __future__ import annotations

import pytest

from sans_io_stream import ErrorInfo
from sans_io_stream.redirect import Redirected, redirect
from sans_io_stream.url import parse_url

URL = "https://api.example/v1/chat?key=secret"
BODY = b'{"a":1}'
HEADERS = (
    ("Host", "api.example"), ("Authorization", "Bearer secret"), ("Proxy-Authorization", "secret"),
    ("X-Api-Key", "secret"), ("api-key", "secret"), ("x-goog-api-key", "secret"),
    ("Cookie", "secret"), ("X-Amz-Security-Token", "secret"), ("X-Mine", "secret"),
    ("Content-Type", "application/json"), ("Accept", "text/event-stream"),
)  # fmt: skip


def go(
    status: int, location: str | None, method: str = "POST", url: str = URL
) -> Redirected | ErrorInfo | None:
    return redirect(method, parse_url(url), HEADERS, BODY, status, location, credentials=["x-mine"])


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (307, "POST", "POST"),
        (308, "POST", "POST"), (301, "GET", "GET"), (301, "HEAD", "HEAD"), (302, "PUT", "PUT"),
        (303, "PUT", "GET"), (303, "HEAD", "HEAD"), (303, "GET", "GET"), (307, "DELETE", "DELETE"),
    ],
)  # fmt: skip
def test_methods(status: int, method: str, then: str) -> None:
    found = go(status, "/v2/chat", method)
    assert isinstance(found, Redirected)
    assert found.method == then
    assert found.url.text == "https://api.example/v2/chat"
    changed = method != then
    assert found.body == (None if changed else BODY)
    assert found.headers == tuple(
        pair for pair in HEADERS if not (changed and pair[0] == "Content-Type")
    )


@pytest.mark.parametrize("status", [200, 204, 300, 304, 305, 306, 400, 503])
def test_no_redirects(status: int) -> None:
    assert go(status, "/elsewhere") is None


@pytest.mark.parametrize(
    "location",
    [
        "https://other.example/x",
        "//other.example/",
        "https://api.example:8443/",
        "https://api.example./",
    ],
)
def test_another_origin_gets_no_credential(location: str) -> None:
    found = go(307, location)
    assert isinstance(found, Redirected)
    assert found.headers == HEADERS[-2:]
    assert found.body == BODY
    assert "secret" not in repr(found)


def test_tls_is_another_origin() -> None:
    found = go(308, "https://api.example/", url="http://api.example/")
    assert isinstance(found, Redirected)
    assert found.headers == HEADERS[-2:]


@pytest.mark.parametrize(
    "location", ["", "?x", "#f", "/a", "b", "https://API.example:443/a", "//api.example"]
)
def test_one_origin_keeps_all(location: str) -> None:
    found = go(307, location)
    assert isinstance(found, Redirected)
    assert found.headers == HEADERS


@pytest.mark.parametrize(
    ("location", "what"),
    [
        (None, "names no location"), ("http://api.example/", "from https to http"),
        ("ftp://a/", "another"), ("file:///etc/passwd", "another"), ("https:x", "names its host"),
        ("https://u:secret@a/", "user or password"), ("/a b", "blank"), ("/a\x01", "control"),
        ("https://a\\b/", "letters"), ("https://\xfc/", "letters, digits"),
        ("//", "names its host"),
    ],
)  # fmt: skip
def test_nowhere_to_go(location: str | None, what: str) -> None:
    found = go(302, location)
    assert isinstance(found, ErrorInfo)
    assert found.status == 302
    assert not found.retryable
    assert what in found.message
    assert "secret" not in str(found)


def test_bytes_that_are_not_ascii_are_escaped_as_they_came() -> None:
    location = "/stra\u00dfe".encode().decode("latin-1")
    found = go(307, location)
    assert isinstance(found, Redirected)
    assert found.url.target == "/stra%C3%9Fe"


def test_http_stays_http() -> None:
    found = go(307, "/b", url="http://localhost:11434/a")
    assert isinstance(found, Redirected)
    assert found.url.text == "http://localhost:11434/b"
