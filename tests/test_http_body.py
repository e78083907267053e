"""The body readers are held to h11: never other bytes, and nothing that h11 refuses.

Where the chunked reader refuses more, ``STRICTER`` says so, row by row: each row is shown to be
a difference, and each difference that any test finds has to be one of the rows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from random import Random
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream import ErrorInfo
from sans_io_stream.http_body import (
    SIZE_LINE_BYTES,
    Body,
    BodyEnd,
    Broken,
    ChunkedBody,
    CloseBody,
    Item,
    LengthBody,
    chunk_size,
)
from tests.chunked import PLACES, Reading, bodies, chunk, cut, read_by_h11, spoiled, valid
from tests.mutations import cuts

SEEDS = int(os.environ.get("SANS_IO_STREAM_SEEDS", "40"))
TRAILER_BYTES = 4096

CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")


def line(wire: bytes, place: int) -> bytes:
    """What h11 takes for the size line at ``place``."""
    return wire[place:].partition(b"\r\n")[0]


# name: (what shows it, how it is known from the wire, the place that the error names, and the
# kind of the error)
STRICTER: dict[str, tuple[bytes, Callable[[bytes, int, str], bool]]] = {
    # RFC 9112, 7.1.1: an extension is tokens and quoted strings. h11 takes all but a bare LF.
    "a control character in an extension": (
        b"3;a\x01\r\nabc\r\n0\r\n\r\n",
        lambda wire, place, kind: (
            kind == "framing" and CONTROL.search(line(wire, place)) is not None
        ),
    ),
    # h11 looks for the CRLF first, and refuses then.
    "a bare LF in a size line, which is refused when it comes": (
        b"3\nabc",
        lambda wire, place, kind: kind == "framing" and b"\n" in line(wire, place),
    ),
    # h11 limits what lies in its buffer, which the chunking decides.
    "a size line that is too long": (
        b"3;" + b"a" * SIZE_LINE_BYTES + b"\r\nabc\r\n0\r\n\r\n",
        lambda wire, place, kind: (
            kind == "limit" and b"\n" not in wire[place - SIZE_LINE_BYTES : place]
        ),
    ),
    "trailers that are too long": (
        b"0\r\nx: " + b"a" * TRAILER_BYTES + b"\r\n\r\n",
        lambda wire, place, kind: (
            kind == "limit"
            and re.search(rb"(^|\n)0+[^\n]*\r\n\Z", wire[: place - TRAILER_BYTES]) is not None
            and re.search(rb"\n\r?\n", wire[place - TRAILER_BYTES : place]) is None
        ),
    ),
}


def read(body: Body, reads: list[bytes]) -> tuple[Reading, Broken | None]:
    """What ``body`` makes of ``reads``, held to what every reader promises."""
    content: list[bytes] = []
    last: Item | None = None
    for data in reads:
        items = body.feed(data)
        assert last is None or not items, "nothing follows the end"
        assert [type(item) for item in items[:-1]] in ([], [bytes]), "one piece, then the end"
        content += [item for item in items if isinstance(item, bytes)]
        assert b"" not in content
        if items and not isinstance(items[-1], bytes):
            last = items[-1]
        assert body.ended is (last is not None)
    size = sum(map(len, reads)) - body.excess
    if isinstance(last, Broken):
        return Reading(b"".join(content), "broken"), last
    return Reading(
        b"".join(content), "open" if last is None else "end", size if last else None
    ), None


def compare(wire: bytes, reads: list[bytes]) -> set[str]:
    """Hold the chunked reader to h11 on ``wire``; the rows of ``STRICTER`` that it shows."""
    theirs = read_by_h11(reads)
    ours, broken = read(ChunkedBody(TRAILER_BYTES), reads)
    if ours == theirs:
        return set()
    assert theirs.body.startswith(ours.body), "never other bytes"
    assert broken is not None, "nothing accepted that h11 refuses, nothing left open"
    place = place_of(broken)
    rows = {name for name, (_, known) in STRICTER.items() if known(wire, place, broken.error.kind)}
    assert rows, (theirs.outcome, broken)
    return rows


def place_of(broken: Broken) -> int:
    found = re.search(r"at byte (\d+) of the response$", broken.error.message)
    assert found is not None
    return int(found[1])


@given(wire=bodies(), places=PLACES)
def test_reads_what_h11_reads(wire: bytes, places: list[int]) -> None:
    compare(wire, [wire])
    compare(wire, cut(wire, places))


@given(wire=bodies())
def test_reads_what_h11_reads_byte_by_byte(wire: bytes) -> None:
    compare(wire, [wire[i : i + 1] for i in range(len(wire))])


@pytest.mark.parametrize("seed", range(SEEDS))
def test_spoiled_bodies(seed: int) -> None:
    drawn = Random(seed)
    for _ in range(100):
        wire = spoiled(valid(drawn), drawn)
        compare(wire, cut(wire, cuts(min(len(wire), 400), drawn)))


@pytest.mark.parametrize("name", STRICTER)
def test_each_way_to_be_stricter_is_one(name: str) -> None:
    wire = STRICTER[name][0]
    assert compare(wire, [wire]) == {name}
    assert compare(wire, [wire[i : i + 1] for i in range(len(wire))]) == {name}
    assert read_by_h11([wire]).outcome != "broken"


@given(wire=bodies(), places=PLACES, limit=st.integers(1, 40))
def test_the_cuts_change_nothing(wire: bytes, places: list[int], limit: int) -> None:
    whole, single, some = (ChunkedBody(limit, 100, 429) for _ in range(3))
    expected = read(whole, [wire])
    ends = whole.end()
    for body, reads in (
        (single, [wire[i : i + 1] for i in range(len(wire))]),
        (some, cut(wire, places)),
    ):
        assert read(body, reads) == expected
        assert body.end() == ends
        assert body.excess == whole.excess
        assert body.end() == []


@given(content=st.binary(max_size=60), length=st.integers(1, 50), places=PLACES)
def test_a_length_is_read_as_h11_reads_it(content: bytes, length: int, places: list[int]) -> None:
    reads = cut(content, places)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length
    body = LengthBody(length)
    ours, broken = read(body, reads)
    assert broken is None
    assert ours == read_by_h11(reads, head=head)
    last = body.end()
    assert bool(last) is (len(content) < length)
    for item in last:
        assert isinstance(item, Broken)
        assert item.error.kind == "truncated"
        assert f"{length - len(content)} of {length} bytes" in item.error.message


@given(content=st.binary(max_size=60), places=PLACES)
def test_without_either_the_connection_ends_it(content: bytes, places: list[int]) -> None:
    body = CloseBody()
    assert read(body, cut(content, places))[0] == Reading(content, "open")
    assert body.end() == [BodyEnd("close")]
    assert not BodyEnd("close").delimited
    assert body.end() == []


@pytest.mark.parametrize(
    ("line", "size"),
    [
        (b"0\r\n", 0), (b"5\r\n", 5), (b"aF\r\n", 0xAF), (b"0005\r\n", 5), (b"5 \t\r\n", 5),
        (b"f" * 20 + b"\r\n", 16**20 - 1), (b"5;\r\n", 5), (b'5;a="b c"\r\n', 5),
        (b"", -1), (b"\r\n", -1), (b"5", -1), (b"5\n", -1), (b"5\r", -1), (b"0x5\r\n", -1),
        (b"+5\r\n", -1), (b"-5\r\n", -1), (b"1_0\r\n", -1), (b" 5\r\n", -1), (b"5 ;a\r\n", -1),
        (b"5 5\r\n", -1), (b"g\r\n", -1), (b"f" * 21 + b"\r\n", -1), (b"5\r\r\n", -1),
        (b"\xd9\xa5\r\n", -1), (b"5;\x00\r\n", -1), (b"5;a\rb\r\n", -1), (b"5;a\nb\r\n", -1),
    ],
)  # fmt: skip
def test_sizes(line: bytes, size: int) -> None:
    assert chunk_size(line) == size


@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("step", [1, 1000, 10**6])
def test_a_size_line_is_bounded(extra: int, step: int) -> None:
    line = b"3;" + b"a" * (SIZE_LINE_BYTES - 4 + extra) + b"\r\n"
    wire = line + b"abc\r\n" + line
    ours, broken = read(ChunkedBody(99, 7), [wire[i : i + step] for i in range(0, len(wire), step)])
    if not extra:
        assert ours == Reading(b"abc", "open")
    else:
        assert broken is not None
        assert broken.error.kind == "limit"
        assert place_of(broken) == 7 + SIZE_LINE_BYTES


@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("step", [1, 7, 10**6])
@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n"])
def test_trailers_are_bounded(extra: int, step: int, end: bytes) -> None:
    trailers = b"x: " + b"a" * (97 - len(end) + extra) + end
    wire = b"1\r\na\r\n0\r\n" + trailers + b"junk"
    body = ChunkedBody(100)
    ours, broken = read(body, [wire[i : i + step] for i in range(0, len(wire), step)])
    if not extra:
        assert ours.outcome == "end"
        assert body.excess == 4
    else:
        assert broken is not None
        assert broken.error.kind == "limit"
        assert place_of(broken) == 9 + 100


def test_a_chunk_larger_than_any_read_passes_at_once() -> None:
    body = ChunkedBody(99)
    assert body.feed(b"fffffffffffffff\r\nab") == [b"ab"]
    piece = b"x" * 5000
    assert body.feed(piece)[0] is piece


def test_a_chunk_is_not_waited_for() -> None:
    body = ChunkedBody(99)
    assert body.feed(b"6\r") == []
    assert body.feed(b"\na") == [b"a"]
    assert body.feed(b"bcdef") == [b"bcdef"]
    assert body.feed(b"\r") == []
    assert body.feed(b"\n1\r\ng\r\n2\r\nh") == [b"gh"]
    assert body.feed(b"i\r\n0\r\n\r") == [b"i"]
    assert body.feed(b"\n") == [BodyEnd("chunked")]


def test_a_cut_says_where() -> None:
    body = ChunkedBody(99, 50, 503)
    body.feed(b"6\r\nabc")
    (item,) = body.end()
    what = "the connection ended before the last chunk of the body, at byte 56 of the response"
    assert item == Broken(ErrorInfo("truncated", what, status=503, retryable=True))


@pytest.mark.parametrize(
    ("unit", "step"),
    [(chunk(b"a" * 331, Random(0)), 1), (chunk(b"a" * 331, Random(0)), 50_000), (b"1\r\na\r\n", 7)],
)
def test_time_is_linear(unit: bytes, step: int) -> None:
    def spent(count: int) -> float:
        wire = unit * (count // len(unit))
        body = ChunkedBody(99)
        begin = process_time()
        for i in range(0, len(wire), step):
            body.feed(wire[i : i + step])
        return process_time() - begin

    small = min(spent(50_000) for _ in range(3))
    assert spent(400_000) < 8 * 4 * small + 0.05


def test_a_long_size_line_takes_linear_time() -> None:
    wire = (b"1;" + b"a" * (SIZE_LINE_BYTES - 4) + b"\r\na\r\n") * 8
    body = ChunkedBody(99)
    begin = process_time()
    for i in range(len(wire)):
        body.feed(wire[i : i + 1])
    assert process_time() - begin < 5
