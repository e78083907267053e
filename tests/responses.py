"""Responses that servers might send, or something like them: heads, interim ones, and bodies."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from tests.chunked import PIECES, spoiled, valid

STATUS_LINES = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 X", b"HTTP/1.1 304 X",
     b"HTTP/1.1 404 Not Found", b"HTTP/1.1 503 X", b"HTTP/1.1 100 Continue", b"HTTP/1.1 103 X",
     b"HTTP/1.1 101 X", b"HTTP/1.1 2 X", b"HTTP/2 200", b"HTTP/1.1 302 \xe9", b"HTTP/1.1 407 X"]
)  # fmt: skip
FIELDS = st.sampled_from(
    [b"Content-Length: 5", b"Content-Length: 5", b"content-length: 0", b"Content-Length: 5, 5",
     b"Content-Length: 1", b"Content-Length: x", b"Transfer-Encoding: chunked",
     b"Transfer-Encoding: chunked", b"transfer-encoding: CHUNKED", b"Transfer-Encoding: gzip",
     b"Transfer-Encoding: identity", b"X: y", b"X: \xe9\x01", b" folded", b"X : y", b"nothing",
     b"Connection: close", b"Connection: keep-alive", b"Upgrade: h2c"]
)  # fmt: skip
LINE_ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"])


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    end = draw(LINE_ENDS)
    lines = [draw(STATUS_LINES), *draw(st.lists(FIELDS, max_size=3)), b"", b""]
    return end.join(lines)


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """Heads, interim ones before it perhaps, and a body; sometimes spoiled."""
    drawn = Random(draw(st.integers(0, 2**32)))
    raw = b"".join(draw(st.lists(heads(), min_size=1, max_size=3)))
    raw += draw(st.sampled_from([b"", valid(drawn), spoiled(valid(drawn), drawn), b"hello!"]))
    if draw(st.integers(0, 3)) == 0:
        raw += draw(PIECES)
    if draw(st.integers(0, 3)) == 0:
        raw = spoiled(raw, drawn)
    if draw(st.integers(0, 3)) == 0:
        coding = draw(st.sampled_from([b"gzip", b"identity", b"br, gzip"]))
        raw = raw.replace(b"X: y", b"Content-Encoding: " + coding)
    return raw
