"""Chunked bodies on the wire: valid, spoiled and arbitrary ones, and what h11 reads in them.

h11 is the reference here. What it made of a body is a ``Reading``; so is what the project's
own reader made of it.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Literal, NamedTuple

import h11
from hypothesis import strategies as st

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ALPHABET = (
    b"0", b"1", b"2", b"5", b"a", b"F", b"g", b"x", b"_", b"+", b"-", b";", b" ", b"\t", b"\r",
    b"\n", b"\r\n", b"0\r\n\r\n", b"3\r\nabc\r\n", b":", b"a: b\r\n", b"\x00", b"\x0b", b"\xff",
    b"\r\n\r\n", b"00000000000000000001", b"fffffffffffffffffffff", b"0x1", b"; a=b",
)  # fmt: skip
EXTENSIONS = (
    b"",
    b"",
    b"",
    b";a",
    b";a=b",
    b';a="b c\t"',
    b"; a = b",
    b";\xe9",
    b";",
    b"  ",
    b"\t",
)
TRAILERS = (
    b"", b"", b"", b"X-Sum: 1\r\n", b"X-Sum: 1\r\nY:\r\n", b"X: 1\r\n  folded\r\n", b"X: 1\n",
    b"X : 1\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: gzip\r\n", b"no field\r\n",
    b" folded: 1\r\n", b"Content-Length: 1\r\nContent-Length: 2\r\n",
)  # fmt: skip
PIECES = st.lists(st.sampled_from(ALPHABET), max_size=30).map(b"".join)

Outcome = Literal["open", "end", "broken"]


class Reading(NamedTuple):
    """What a reader made of a body: its content, and how that stands."""

    body: bytes
    outcome: Outcome
    size: int | None = None
    """How many bytes of the wire the body took, if it ended."""


def read_by_h11(reads: list[bytes], *, head: bytes = HEAD, method: str = "GET") -> Reading:
    """What h11 reads in ``reads``, which follow ``head``, before any end of input."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=2**30)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
    connection.send(h11.EndOfMessage())
    body: list[bytes] = []
    fed = -len(head)
    for data in (head, *reads):
        if not data:
            continue
        fed += len(data)
        connection.receive_data(data)
        while True:
            try:
                event = connection.next_event()
            except h11.RemoteProtocolError:
                return Reading(b"".join(body), "broken")
            if isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                return Reading(b"".join(body), "end", fed - len(connection.trailing_data[0]))
            elif event in (h11.NEED_DATA, h11.PAUSED):
                break
    return Reading(b"".join(body), "open")


def chunk(data: bytes, drawn: Random) -> bytes:
    """``data`` as one chunk, its size written in one of the ways there are."""
    digits = drawn.choice(["%x", "%X", "%04x", "%020x"]) % len(data)
    return digits.encode() + drawn.choice(EXTENSIONS) + b"\r\n" + data + b"\r\n"


def valid(drawn: Random) -> bytes:
    """A body that is whole, but for some of the trailers."""
    sizes = [drawn.choice([1, 2, 9, 10, 16, 300, 900]) for _ in range(drawn.randrange(6))]
    body = b"".join(chunk(drawn.randbytes(size), drawn) for size in sizes)
    last = drawn.choice([b"0", b"0", b"000", b"00000000000000000000"])
    return body + last + drawn.choice(EXTENSIONS) + b"\r\n" + drawn.choice(TRAILERS) + b"\r\n"


def spoiled(body: bytes, drawn: Random) -> bytes:
    """``body`` with up to four things done to it, most of them where the framing is."""
    for _ in range(drawn.randrange(5)):
        place = drawn.randrange(len(body) + 1)
        if drawn.random() < 0.7:
            place = body.find(b"\r\n", place) + drawn.randrange(-1, 3)
        place = max(0, place)
        width = drawn.choice([0, 0, 1, 1, 2])
        body = body[:place] + drawn.choice((b"", *ALPHABET)) + body[place + width :]
    return body


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Valid, spoiled and arbitrary bodies."""
    if draw(st.booleans()):
        return draw(PIECES)
    drawn = Random(draw(st.integers(0, 2**32)))
    body = valid(drawn)
    return spoiled(body, drawn) if draw(st.booleans()) else body


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """``data`` in reads that end at ``places``, which may be any numbers."""
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[a:b] for a, b in pairwise((0, *ends, len(data)))]


PLACES = st.lists(st.integers(0, 10_000), max_size=12)
