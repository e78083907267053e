"""Heads as h11 reads them, and the section that is handed to it."""

from __future__ import annotations

import pytest

from sans_io_stream.http_head import Head, Section, parse_head, refused_trailers


def test_a_head() -> None:
    raw = b"HTTP/1.1 429 Slow  down\r\nRetry-After: 3\r\nX-A:  caf\xe9 \r\nx-a: b\r\n c\r\n\r\n"
    head = parse_head(raw, "POST")
    assert isinstance(head, Head)
    headers = (("retry-after", "3"), ("x-a", "caf\xe9"), ("x-a", "b c"))
    assert head == Head(429, "Slow  down", headers)
    assert head.get("Retry-After") == "3"
    assert head.get("X-A") == "caf\xe9"
    assert head.get_all("x-a") == ["caf\xe9", "b c"]
    assert head.get("date") is None


def test_shows_no_value() -> None:
    head = parse_head(b"HTTP/1.1 200 OK\r\nSet-Cookie: secret\r\n\r\n", "GET")
    assert repr(head) == "Head(200 'OK', set-cookie)"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"HTTP/1.1 2000 OK\n\n", "illegal status line"), (b"HTTP/1.1\n\n", "illegal status line"),
        (b"HTTP/1.1 200 OK\r\nsecret\r\n\r\n", "illegal header line"),
        (b"HTTP/1.1 200 OK\r\nX : secret\r\n\r\n", "illegal header line"),
        (b"HTTP/1.1 200 OK\r\nX: sec\x00ret\r\n\r\n", "illegal header line"),
        (b"HTTP/1.1 200 OK\r\nX: sec\rret\r\n\r\n", "illegal header line"),
        (b"HTTP/1.1 200 OK\r\n X: secret\r\n\r\n", "continuation line at start of headers"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
         "conflicting Content-Length headers"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", "conflicting Content-Length headers"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "bad Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1" + b"0" * 20 + b"\r\n\r\n", "bad Content-Length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
         "Only Transfer-Encoding: chunked is supported"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         "multiple Transfer-Encoding headers"),
        (b"HTTP/1.1 099 OK\r\n\r\n",
         "InformationalResponse status_code should be in range [100, 200), not 99"),
    ],
)  # fmt: skip
def test_what_h11_has_against_it(raw: bytes, reason: str) -> None:
    assert parse_head(raw, "GET") == reason


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\r\n", None), (b"\n", None), (b"X: 1\r\nY:\n\n", None), (b"X: 1\r\n y\r\n\r\n", None),
        (b"secret\r\n\r\n", "illegal header line"),
        (b"X: sec\x00ret\r\n\r\n", "illegal header line"),
        (b"Content-Length: x\r\n\r\n", "bad Content-Length"),
    ],
)  # fmt: skip
def test_trailers(raw: bytes, reason: str | None) -> None:
    assert refused_trailers(raw) == reason


@pytest.mark.parametrize("step", [1, 2, 3, 100])
@pytest.mark.parametrize(
    "raw",
    [
        b"a\r\n\r\n", b"a\n\n", b"a\n\r\n", b"a\r\n\n", b"\r\n", b"\n", b"\ra\r\n\r\n",
        b"a\n\r\r\nb\n\n",
    ],
)  # fmt: skip
def test_a_section_ends_at_its_empty_line(raw: bytes, step: int) -> None:
    section = Section()
    lengths = [section.feed((raw + b"rest")[i : i + step]) for i in range(0, len(raw) + 4, step)]
    first = next(length for length in lengths if length is not None)
    assert first == len(raw)
    assert section.take(first) == raw
    assert bytes(section.buffer) == b"rest"
    assert section.length() is None
