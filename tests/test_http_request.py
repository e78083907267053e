"""Requests as bytes: what is added, what is refused, and that nothing can be injected."""

from __future__ import annotations

import re

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream.http_request import connect_bytes, request_bytes
from sans_io_stream.url import parse_url

URL = parse_url("https://api.example:8443/v1/x?key=secret")


def read(data: bytes) -> tuple[h11.Request, bytes]:
    """The one request that a server of h11 reads in ``data``, and its body."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(data)
    request = server.next_event()
    assert isinstance(request, h11.Request)
    body = b""
    while not isinstance(event := server.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Data)
        body += event.data
    assert server.trailing_data[0] == b""
    return request, body


def test_a_request() -> None:
    data = request_bytes("POST", URL, {"Authorization": "Bearer k"}, b'{"a":1}')
    assert data == (
        b"POST /v1/x?key=secret HTTP/1.1\r\n"
        b"Host: api.example:8443\r\n"
        b"Authorization: Bearer k\r\n"
        b"Accept-Encoding: identity\r\n"
        b"Content-Length: 7\r\n"
        b"Connection: close\r\n"
        b"\r\n"
        b'{"a":1}'
    )


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [
        ("GET", None, None), ("GET", b"", None), ("GET", b"ab", b"2"), ("POST", None, b"0"),
        ("PUT", b"", b"0"), ("DELETE", None, None), ("HEAD", None, None), ("POST", b"abc", b"3"),
    ],
)  # fmt: skip
def test_lengths(method: str, body: bytes | None, length: bytes | None) -> None:
    request, content = read(request_bytes(method, URL, (), body))
    assert content == (body or b"")
    assert dict(request.headers).get(b"content-length") == length


def test_what_is_added_anyway_may_be_given() -> None:
    headers = [("content-length", "2"), ("connection", "Close"), ("accept-encoding", "identity")]
    data = request_bytes("POST", URL, [*headers, ("host", "other.example:1")], b"ab")
    request, body = read(data)
    assert body == b"ab"
    assert [name for name, _ in request.headers] == [
        b"host", b"accept-encoding", b"content-length", b"connection",
    ]  # fmt: skip
    assert dict(request.headers)[b"host"] == b"other.example:1"


@pytest.mark.parametrize(
    ("headers", "what"),
    [
        ({"Transfer-Encoding": "chunked"}, "Transfer-Encoding"),
        ({"Expect": "100-continue"}, "Expect"), ({"Upgrade": "h2c"}, "Upgrade"),
        ({"HTTP2-Settings": "x"}, "HTTP2-Settings"), ({"Connection": "keep-alive"}, "Connection"),
        ({"Connection": "close, x"}, "Connection"), ({"Keep-Alive": "5"}, "Keep-Alive"),
        ({"Proxy-Connection": "close"}, "Proxy-Connection"), ({"TE": "trailers"}, "TE"),
        ({"Trailer": "x"}, "Trailer"), ({"Content-Length": "3"}, "Content-Length"),
        ({"Content-Length": "2, 2"}, "Content-Length"),
        ({"Content-Length": "+2"}, "Content-Length"),
        ([("Content-Length", "2"), ("content-length", "3")], "content-length"),
        ({"Accept-Encoding": "gzip"}, "Accept-Encoding"), ([("Host", "a"), ("host", "a")], "Host"),
        ({"Host": "a b"}, "position 1"), ({"Host": "a/b"}, "letters"), ({"Host": ""}, "host"),
        ({"X": "secret\r\nY: z"}, "control"), ({"X\r\nY": "z"}, "token"),
        ({"X": "secret\n"}, "control"), ({"X": "\u2028secret"}, "Latin-1"),
        ({"X": "secret\x0b"}, "control"),
    ],
)  # fmt: skip
def test_refused(headers: dict[str, str] | list[tuple[str, str]], what: str) -> None:
    with pytest.raises(ValueError, match=re.escape(what)) as caught:
        request_bytes("POST", URL, headers, b"ab")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("method", ["", "post", "PO ST", "GET\r\n", "CONNECT", "GÉT"])
def test_no_methods(method: str) -> None:
    with pytest.raises(ValueError, match=r"method|CONNECT"):
        request_bytes(method, URL)


def test_values_may_be_latin_1() -> None:
    request, _ = read(request_bytes("GET", URL, {"X": "caf\xe9\t!"}))
    assert dict(request.headers)[b"x"] == b"caf\xe9\t!"


@given(
    method=st.sampled_from(["GET", "POST"]),
    path=st.text(max_size=20),
    headers=st.lists(st.tuples(st.text(max_size=5), st.text(max_size=9)), max_size=4),
    body=st.binary(max_size=20),
)
def test_whatever_is_written_is_one_request(
    method: str, path: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    try:
        url = parse_url(f"https://h/{path}")
        data = request_bytes(method, url, headers, body)
    except ValueError:
        return
    request, content = read(data)
    assert content == body
    assert request.method == method.encode()
    assert request.target == url.target.encode()
    ours = {b"host", b"accept-encoding", b"content-length", b"connection"}
    assert [pair for pair in request.headers if pair[0] not in ours] == [
        (name.lower().encode(), value.encode("latin-1")) for name, value in headers
    ]


def test_connect() -> None:
    data = connect_bytes("[::1]:443", {"Proxy-Authorization": "Basic eA==", "User-Agent": "x"})
    assert data == (
        b"CONNECT [::1]:443 HTTP/1.1\r\n"
        b"Host: [::1]:443\r\n"
        b"Proxy-Authorization: Basic eA==\r\n"
        b"User-Agent: x\r\n"
        b"\r\n"
    )


@pytest.mark.parametrize(
    ("authority", "headers", "what"),
    [
        ("api.example", {}, "needs a port"), ("a:443 HTTP/1.1\r\nX: y", {}, "control"),
        ("u@a:443", {}, "letters"), ("", {}, "host"), ("a:443", {"Host": "b"}, "Host"),
        ("a:443", {"Transfer-Encoding": "chunked"}, "Transfer-Encoding"),
        ("a:443", {"Content-Length": "0"}, "Content-Length"),
        ("a:443", {"Proxy-Authorization": "secret\r\nX: y"}, "control"),
    ],
)  # fmt: skip
def test_no_connect(authority: str, headers: dict[str, str], what: str) -> None:
    with pytest.raises(ValueError, match=what) as caught:
        connect_bytes(authority, headers)
    assert "secret" not in str(caught.value)
