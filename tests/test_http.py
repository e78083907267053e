"""One exchange, from first byte to last: golden scripts, cuts, limits, and h11 beside it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream import ErrorInfo, Limits
from sans_io_stream.errors import StreamClosedError
from sans_io_stream.http import MOST_INTERIM, BodyEnd, Broken, Exchange, Head, Item
from tests.chunked import PLACES, cut, read_by_h11
from tests.responses import heads, responses

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OPEN = b"HTTP/1.1 200 OK\r\n\r\n"


def reads_of(raw: bytes, step: int) -> list[bytes]:
    return [raw[i : i + step] for i in range(0, len(raw), step)]


def read(
    reads: list[bytes], method: str = "GET", limits: Limits | None = None
) -> tuple[list[Item], int]:
    """All items, adjacent pieces of the body joined, and the excess."""
    exchange = Exchange(method, limits=limits or Limits())
    items: list[Item] = []

    def take(found: list[Item]) -> None:
        for item in found:
            assert not items or not isinstance(items[-1], BodyEnd | Broken), "nothing follows"
            last = items[-1] if items else None
            if isinstance(item, bytes) and isinstance(last, bytes):
                items[-1] = last + item
            else:
                items.append(item)
        assert sum(isinstance(item, bytes) for item in found) <= 1
        ended = bool(items) and isinstance(items[-1], BodyEnd | Broken)
        assert exchange.ended is ended

    for data in reads:
        take(exchange.receive_data(data))
    take(exchange.receive_eof())
    assert exchange.ended
    assert exchange.receive_eof() == []
    return items, exchange.excess


class Script(NamedTuple):
    """A response, and what is made of it: status, body, how it ended, and what the error says."""

    raw: bytes
    status: int | None
    body: bytes = b""
    end: str = ""
    says: str = ""
    method: str = "POST"
    excess: int = 0


SCRIPTS: dict[str, Script] = {
    "chunked": Script(CHUNKED + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200, b"abc", "chunked"),
    "a length": Script(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc", "length"),
    "no length": Script(OPEN + b"abc", 200, b"abc", "close"),
    "an empty body": Script(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b"", "length"),
    "HTTP/1.0": Script(b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nabc", 200, b"abc", "close"),
    "no reason": Script(b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", 200, b"a", "length"),
    "bare line feeds": Script(b"HTTP/1.1 200 OK\nContent-Length: 1\n\na", 200, b"a", "length"),
    "trailers": Script(CHUNKED + b"1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n", 200, b"a", "chunked"),
    "extensions": Script(CHUNKED + b'1;a;b="c"\r\na\r\n0;z\r\n\r\n', 200, b"a", "chunked"),
    "both, and chunked wins": Script(
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
        200, b"", "chunked",
    ),
    "one length twice": Script(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1, 1\r\n\r\na", 200, b"a",
        "length",
    ),
    "two lengths": Script(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", None, b"", "framing",
        "illegal head (conflicting Content-Length headers), at byte 0",
    ),
    "another transfer coding": Script(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", None, b"", "framing",
        "Only Transfer-Encoding: chunked",
    ),
    "HEAD": Script(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Encoding: br\r\n\r\n", 200, b"", "none",
        method="HEAD",
    ),
    "204": Script(b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", "none"),
    "304": Script(b"HTTP/1.1 304 X\r\nContent-Length: 7\r\n\r\n", 304, b"", "none"),
    "204 and junk": Script(
        b"HTTP/1.1 204 X\r\nContent-Length: 3\r\n\r\nabc", 204, b"", "none", excess=3
    ),
    "pipelined junk": Script(
        CHUNKED + b"1\r\na\r\n0\r\n\r\n" + OPEN, 200, b"a", "chunked", excess=len(OPEN)
    ),
    "junk after a length": Script(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc", 200, b"a", "length", excess=2
    ),
    "an error": Script(
        b"HTTP/1.1 429 Slow\r\nContent-Length: 2\r\nRetry-After: 1\r\n\r\n{}", 429, b"{}", "length"
    ),
    "a cut error": Script(
        b"HTTP/1.1 503 X\r\nContent-Length: 9\r\n\r\n{}", 503, b"{}", "truncated",
        "7 of 9 bytes before the end of the body, at byte 39",
    ),
    "interim responses": Script(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OPEN + b"a",
        200, b"a", "close",
    ),
    "interim responses alone": Script(
        b"HTTP/1.1 100 Continue\r\n\r\n", None, b"", "truncated",
        "after interim responses alone, at byte 25",
    ),
    "as many interim responses as may be": Script(
        b"HTTP/1.1 102\r\n\r\n" * MOST_INTERIM + OPEN, 200, b"", "close"
    ),
    "one more": Script(
        b"HTTP/1.1 102\r\n\r\n" * (MOST_INTERIM + 1) + OPEN, None, b"", "limit", "interim responses"
    ),
    "101": Script(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\nx", None, b"", "framing", "(101)"
    ),
    "gzip": Script(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: GZIP\r\n\r\n\x1f\x8b", 200, b"", "framing",
        "HTTP 200 has the content coding 'gzip', though the request asked for identity, at byte 43",
    ),
    "a list of codings": Script(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: identity, br\r\nContent-Encoding: zstd\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n",
        200, b"", "framing", "'br, zstd'",
    ),
    "identity": Script(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: Identity, \r\n\r\na", 200, b"a", "close"
    ),
    "a coded error": Script(
        b"HTTP/1.1 529 X\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc", 529, b"",
        "framing", "HTTP 529 has the content coding 'br'",
    ),
    "a chunk that is too long": Script(
        CHUNKED + b"1\r\nab\r\n", 200, b"a", "framing", "longer than its size, at byte 51"
    ),
    "no size line": Script(
        CHUNKED + b"data: {}\n\n", 200, b"", "framing", "illegal size line, at byte 47"
    ),
    "bad trailers": Script(
        CHUNKED + b"0\r\nX : secret\r\n\r\n", 200, b"", "framing",
        "illegal trailers (illegal header line), at byte 50",
    ),
    "a bad header": Script(
        b"HTTP/1.1 200 OK\r\nSet-Cookie: secret\r\nX : secret\r\n\r\n", None, b"", "framing",
        "illegal head (illegal header line)",
    ),
    "nothing": Script(b"", None, b"", "truncated", "without a response, at byte 0"),
    "less than a head": Script(
        b"HTTP/1.1 200 OK\r\nX", None, b"", "truncated",
        "within the head of the response, at byte 18",
    ),
    "less than HTTP": Script(b"HTT", None, b"", "truncated", "within the head"),
    "TLS": Script(b"\x15\x03\x01\x00\x02\x02\x46", None, b"", "framing", "it is TLS"),
    "HTTP/2": Script(
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", None, b"", "framing", "it is HTTP/2"
    ),
    "a preface": Script(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None, b"", "framing", "it is HTTP/2"),
    "HTML": Script(b"<!DOCTYPE html>", None, b"", "framing", "HTML"),
    "a bare body": Script(b'{"error": 1}', None, b"", "framing", "a body without a head"),
    "SSH": Script(b"SSH-2.0-OpenSSH", None, b"", "framing", "with b'SSH-2': this is no HTTP"),
    "two letters": Script(b"<a", None, b"", "framing", "with b'<a'"),
    "an empty line first": Script(b"\r\n" + OPEN, None, b"", "framing", "this is no HTTP server"),
    "junk after an interim response": Script(
        b"HTTP/1.1 100\r\n\r\n<html>", None, b"", "framing",
        "HTML or XML without a head, at byte 16",
    ),
}  # fmt: skip


@pytest.mark.parametrize("step", [1, 2, 3, 7, 10**6])
@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts(name: str, step: int) -> None:
    script = SCRIPTS[name]
    items, excess = read(reads_of(script.raw, step), script.method)
    status, body = None, b""
    if isinstance(items[0], Head):
        status = items[0].status
        items = items[1:]
    if isinstance(items[0], bytes):
        body = items[0]
        items = items[1:]
    (last,) = items
    assert (status, body) == (script.status, script.body)
    if isinstance(last, BodyEnd):
        assert last.framing == script.end
        assert last.delimited is (script.end != "close")
        assert excess == script.excess
    else:
        assert isinstance(last, Broken)
        error = last.error
        assert error.kind == script.end
        assert script.says in error.message
        assert "secret" not in error.message
        assert error.retryable is (error.kind == "truncated")
        assert error.status == (status if status is not None and status >= 300 else None)


@pytest.mark.parametrize(
    ("head", "body", "whole"),
    [
        (b"Transfer-Encoding: chunked", b"3\r\nabc\r\n2;x\r\nde\r\n0\r\nX: y\r\n\r\n", True),
        (b"Content-Length: 5", b"abcde", True),
        (b"Server: x", b"abcde", False),
    ],
)
def test_cut_at_every_byte(head: bytes, body: bytes, whole: bool) -> None:
    begin = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n"
    raw = begin + body
    for size in range(len(raw)):
        items, _ = read([raw[:size]])
        if whole or size < len(begin):
            assert isinstance(items[-1], Broken)
            assert items[-1].error.kind == "truncated"
            assert items[-1].error.message.endswith(f"at byte {size} of the response")
            assert items[-1].error.retryable
        else:
            assert items[-1] == BodyEnd("close")
        assert isinstance(items[0], Head) is (size >= len(begin))
        content = b"".join(item for item in items if isinstance(item, bytes))
        assert b"abcde".startswith(content)
    items, _ = read([raw])
    assert items[1] == b"abcde"
    assert isinstance(items[2], BodyEnd)
    assert items[2].delimited is whole


# ---- limits


@pytest.mark.parametrize("step", [1, 2, 5, 99, 100, 101, 102, 10**6])
@pytest.mark.parametrize("interim", [b"", b"HTTP/1.1 100\r\n\r\n"])
@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n"])
def test_a_head_is_limited_at_one_byte(step: int, interim: bytes, extra: int, end: bytes) -> None:
    head = interim + b"HTTP/1.1 200 OK\r\nX: "
    head += b"a" * (100 + extra - len(head) - len(end)) + end
    assert len(head) == 100 + extra
    items, _ = read(reads_of(head + b"body" * 100, step), limits=Limits(head_bytes=100))
    if extra:
        assert items == [
            Broken(
                ErrorInfo(
                    "limit",
                    "the head exceeds Limits.head_bytes (100 bytes), at byte 100 of the response",
                )
            )
        ]
    else:
        assert isinstance(items[0], Head)
        assert items[1:] == [b"body" * 100, BodyEnd("close")]


@pytest.mark.parametrize("step", [1, 10**6])
def test_a_head_without_an_end_is_limited_too(step: int) -> None:
    raw = b"HTTP/1.1 200 OK\r\n" + b"X: aaaaaaa\r\n" * 100
    items, _ = read(reads_of(raw, step), limits=Limits(head_bytes=100))
    assert isinstance(items[0], Broken)
    assert items[0].error.kind == "limit"
    exchange = Exchange("GET", limits=Limits(head_bytes=100))
    assert exchange.receive_data(raw[:100]) == []
    assert len(exchange.receive_data(raw[100:101])) == 1


# ---- chunk-invariance, and h11

METHODS = st.sampled_from(["GET", "POST", "POST", "HEAD", "CONNECT"])


@given(raw=responses(), places=PLACES, method=METHODS, limit=st.sampled_from([20, 60, 4096]))
def test_the_cuts_change_nothing(raw: bytes, places: list[int], method: str, limit: int) -> None:
    limits = Limits(head_bytes=limit)
    expected = read([raw], method, limits)
    for reads in (reads_of(raw, 1), reads_of(raw, 3), cut(raw, places)):
        found = read(reads, method, limits)
        assert found[0] == expected[0]
        assert method == "CONNECT" or isinstance(found[0][-1], Broken) or found == expected


@given(
    head=heads(), body=st.sampled_from([b"", b"hello!", b"5\r\nhello\r\n0\r\n\r\n"]), method=METHODS
)
def test_h11_reads_the_same(head: bytes, body: bytes, method: str) -> None:
    theirs = read_by_h11([body], head=head, method=method)
    exchange = Exchange(method)
    items = exchange.receive_data(head + body)
    last = items[-1] if items else None
    if method == "CONNECT" and isinstance(items[0] if items else None, Head):
        return
    content = b"".join(item for item in items if isinstance(item, bytes))
    if isinstance(last, Broken):
        # An interim response is followed by what is no head here: h11 waits for its end.
        assert theirs.outcome == "broken" or "does not begin with a status" in last.error.message
    else:
        assert content == theirs.body
        outcome = "end" if isinstance(last, BodyEnd) else "open"
        assert outcome == theirs.outcome
        if theirs.size is not None:
            assert exchange.excess == len(body) - theirs.size


# ---- CONNECT


def test_a_tunnel() -> None:
    raw = b"HTTP/1.1 200 Connection established\r\nContent-Length: 9\r\n\r\n\x16\x03"
    exchange = Exchange("CONNECT")
    items = exchange.receive_data(raw)
    assert [type(item) for item in items] == [Head, BodyEnd]
    assert items[-1] == BodyEnd("tunnel")
    assert exchange.unread == b"\x16\x03"
    assert exchange.ended


@pytest.mark.parametrize("step", [1, 10, 10**6])
@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (
            b"HTTP/1.1 407 Log in, please\r\nContent-Length: 15\r\n\r\n<b>log\n\tin</b>!extra",
            ErrorInfo("authentication", ": Log in, please log in !", status=407),
        ),
        (b"HTTP/1.0 403 Forbidden\r\n\r\n", ErrorInfo("permission", ": Forbidden", status=403)),
        (
            b"HTTP/1.1 502 \r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            ErrorInfo("connection", ": abc", status=502, retryable=True),
        ),
        (b"HTTP/1.1 500 \r\nContent-Length: 0\r\n\r\n",
         ErrorInfo("connection", "", status=500, retryable=True)),
        (b"HTTP/1.1 302 Found\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b",
         ErrorInfo("connection", ": Found", status=302)),
        (b"HTTP/1.1 204 X\r\n\r\n", None),
        (b"HTTP/1.1 304 X\r\n\r\n", ErrorInfo("connection", ": X", status=304)),
        (
            b"HTTP/1.1 407 \r\n\r\nyou sent: Proxy-Authorization: Basic c2VjcmV0 ok",
            ErrorInfo("authentication", ": you sent: Proxy-… ok", status=407),
        ),
        (
            b'HTTP/1.1 407 \r\n\r\n{"authorization": "Bearer c2VjcmV0"} Basic\nc2VjcmV0',
            ErrorInfo("authentication", ': {"… …', status=407),
        ),
        (
            b"HTTP/1.1 503 \r\n\r\n" + b"word " * 1000,
            ErrorInfo("connection", ": " + "word " * 40, status=503, retryable=True),
        ),
    ],
)  # fmt: skip
def test_no_tunnel(raw: bytes, error: ErrorInfo | None, step: int) -> None:
    items, _ = read(reads_of(raw, step), "CONNECT")
    assert isinstance(items[0], Head)
    assert len(items) == 2
    if error is None:
        assert items[1] == BodyEnd("tunnel")
        return
    assert isinstance(items[1], Broken)
    message = "the proxy refused the tunnel" + error.message
    assert items[1].error == msgspec.structs.replace(error, message=message)


def test_a_refusal_is_told_when_its_body_ends() -> None:
    exchange = Exchange("CONNECT")
    assert len(exchange.receive_data(b"HTTP/1.1 407 X\r\nContent-Length: 2\r\n\r\na")) == 1
    assert not exchange.ended
    assert len(exchange.receive_data(b"b")) == 1
    assert exchange.receive_data(b"c") == []


# ---- the caller's side


def test_takes_what_is_like_bytes() -> None:
    exchange = Exchange("GET")
    assert len(exchange.receive_data(bytearray(OPEN))) == 1
    assert exchange.receive_data(memoryview(b"ab")) == [b"ab"]
    assert exchange.receive_data(b"") == []
    with pytest.raises(TypeError, match="takes bytes, not str"):
        exchange.receive_data("ab")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("raw", [b"", OPEN, CHUNKED, b"HTTP/1.1 204 X\r\n\r\n", b"<html>"])
def test_after_the_end_of_input_nothing_is_taken(raw: bytes) -> None:
    exchange = Exchange("GET")
    exchange.receive_data(raw)
    exchange.receive_eof()
    with pytest.raises(StreamClosedError, match="make a new Exchange"):
        exchange.receive_data(b"x")


@pytest.mark.parametrize("method", ["", "get", "GET "])
def test_a_method_is_a_word(method: str) -> None:
    with pytest.raises(ValueError, match="a method is"):
        Exchange(method)


def test_the_body_is_handed_on_as_it_comes() -> None:
    exchange = Exchange("GET")
    (head, piece) = exchange.receive_data(CHUNKED + b"ffff\r\nab")
    assert isinstance(head, Head)
    assert piece == b"ab"
    data = b"c" * 3000
    assert exchange.receive_data(data)[0] is data
