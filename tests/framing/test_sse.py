"""Server-sent events: the WHATWG grammar at every partition of the bytes."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream.framing.items import (
    Blank,
    Broken,
    Comment,
    Item,
    Stray,
    Unfinished,
    WireRecord,
)
from sans_io_stream.framing.sse import SSE
from sans_io_stream.policy import Limits
from tests.cuts import cut, single

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "conformance" / "sse_cases.json"
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text()) if VECTORS.exists() else []


def read(
    reads: list[bytes], *, end: bool = True, limits: Limits | None = None, **options: Any
) -> tuple[SSE, list[Item]]:
    """The items of these reads, bare ones made whole."""
    framing = SSE(limits=limits or Limits(), **options)
    items: list[Item] = []
    for data in reads:
        found = framing.feed(data)
        items += [framing.form.whole(item) if type(item) is bytes else item for item in found]
    if end:
        items += framing.end()
    return framing, items


def dispatched(items: list[Item]) -> list[dict[str, str]]:
    """What an EventSource would dispatch: records with the id that is last at the time."""
    events: list[dict[str, str]] = []
    last = ""
    for item in items:
        if isinstance(item, WireRecord | Blank) and item.id is not None:
            last = item.id
        if isinstance(item, WireRecord):
            data = item.data.decode("utf-8", "replace")
            events.append({"event": item.type or "message", "data": data, "id": last})
    return events


def last_id(items: list[Item]) -> str:
    ids = [i.id for i in items if isinstance(i, WireRecord | Blank) and i.id is not None]
    return ids[-1] if ids else ""


def check(case: dict[str, Any], reads: list[bytes], **options: Any) -> None:
    framing, items = read(reads, end=not case["before_eof"], **options)
    assert dispatched(items) == case["expected"]
    assert last_id(items) == case["last_event_id"]
    assert framing.retry == case["retry_ms"]
    if case["comments"] is not None:
        comments = [i.text.removeprefix(" ") for i in items if isinstance(i, Comment)]
        assert comments == [c.removeprefix(" ") for c in case["comments"]]


@pytest.mark.skipif(not CASES, reason="the conformance vectors in ../shared are missing")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_conformance(case: dict[str, Any]) -> None:
    given_reads = [base64.b64decode(data) for data in case["input_b64"]]
    data = b"".join(given_reads)
    check(case, given_reads)
    check(case, [data])
    check(case, single(data))
    check(case, single(data), shortcuts=False)
    places = range(len(data) + 1) if len(data) < 3000 else range(0, len(data) + 1, 97)
    for place in places:
        check(case, cut(data, [place]))


GOLDEN: dict[str, tuple[bytes, list[Item]]] = {
    "a record": (b"data: a\n\n", [WireRecord(b"a")]),
    "no space": (b"data:a\n\n", [WireRecord(b"a")]),
    "one space only is dropped": (b"data:  a\n\n", [WireRecord(b" a")]),
    "named": (b"event: ping\ndata: a\n\n", [WireRecord(b"a", "ping")]),
    "the type does not stick": (
        b"event: x\ndata: a\n\ndata: b\n\n",
        [WireRecord(b"a", "x"), WireRecord(b"b")],
    ),
    "several data lines": (b"data: a\ndata\ndata: b\n\n", [WireRecord(b"a\n\nb")]),
    "an id": (b"id: 7\ndata: a\n\n", [WireRecord(b"a", "", "7")]),
    "an empty id": (b"id\ndata: a\n\n", [WireRecord(b"a", "", "")]),
    "an id with NUL is none": (b"id: 7\x008\ndata: a\n\n", [WireRecord(b"a")]),
    "an id without data is kept": (b"id: 7\n\n", [Blank("", "7")]),
    "a type without data": (b"event: ping\n\n", [Blank("ping")]),
    "a comment": (b": hi\n:\n", [Comment("hi"), Comment("")]),
    "CR ends lines": (b"data: a\rdata: b\r\r", [WireRecord(b"a\nb")]),
    "CRLF ends lines": (b"data: a\r\ndata: b\r\n\r\n", [WireRecord(b"a\nb")]),
    "line ends mixed": (b"data: a\r\ndata: b\rdata: c\n\r\n", [WireRecord(b"a\nb\nc")]),
    "no other line ends": (
        "data: a\u2028b\u0085c\x0bd\x0ce\n\n".encode(),
        [WireRecord("a\u2028b\u0085c\x0bd\x0ce".encode())],
    ),
    "one BOM": (b"\xef\xbb\xbfdata: a\n\n", [WireRecord(b"a")]),
    "a second BOM is a name": (
        b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n",
        [Stray(b"\xef\xbb\xbfdata: a")],
    ),
    "unknown fields are told": (
        b"error: {}\ndata: a\nData: b\n\n",
        [Stray(b"error: {}"), Stray(b"Data: b"), WireRecord(b"a")],
    ),
    "a bare document on one line": (
        b'{"error": "}{"}\n\ndata: a\n\n',
        [Stray(b'{"error": "}{"}', whole=True), WireRecord(b"a")],
    ),
    "a bare document over lines": (
        b'{\n  "error": {\n    "code": 429\n  }\n}\ndata: a\n\n',
        [
            Stray(b'{\n  "error": {\n    "code": 429\n  }\n}', whole=True),
            WireRecord(b"a"),
        ],
    ),
    "a bare document that breaks off": (
        b'{\n  "error": {\n\ndata: a\n\n',
        [Stray(b'{\n  "error": {'), WireRecord(b"a")],
    ),
    "data that lacks its blank line": (b"data: a\n", [Unfinished(WireRecord(b"a"))]),
    "data that lacks its line end": (
        b"event: e\nid: 1\ndata: a",
        [Unfinished(WireRecord(b"a", "e", "1"))],
    ),
    "a whole document at the end": (b'{"error": 1}', [Stray(b'{"error": 1}', whole=True)]),
    "pings between deltas": (
        (
            b"event: d\ndata: 1\n\nevent: d\ndata: 2\n\nevent: ping\ndata: {}\n\n"
            b"event: d\ndata: 3\n\nevent: d\ndata: 4\n\n"
        ),
        [
            WireRecord(b"1", "d"),
            WireRecord(b"2", "d"),
            WireRecord(b"{}", "ping"),
            WireRecord(b"3", "d"),
            WireRecord(b"4", "d"),
        ],
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str) -> None:
    data, expected = GOLDEN[name]
    assert read([data])[1] == expected
    assert read(single(data))[1] == expected
    for place in range(len(data) + 1):
        assert read(cut(data, [place]))[1] == expected
        assert read(cut(data, [place]), shortcuts=False)[1] == expected


def test_retry_is_ascii_digits_only() -> None:
    for value, expected in ((b"3000", 3000), (b"1e3", None), (b"-1", None), (b"+1", None),
                            (b"", None), ("٣".encode(), None), (b"9" * 40, None)):  # fmt: skip
        framing, _ = read([b"retry: " + value + b"\n"])
        assert framing.retry == expected


def test_a_record_is_out_before_the_lf_of_its_crlf() -> None:
    framing = SSE(limits=Limits())
    assert framing.feed(b"data: a\r\n\r") == [WireRecord(b"a")]
    assert framing.feed(b"\n") == []
    assert framing.feed(b"data: b\r\n\r\n") == [WireRecord(b"b")]


def test_a_comment_is_out_while_its_block_is_open() -> None:
    _, items = read([b"data: a\n\n", b"data: b\n\n", b"data: c\n: hi\n"], end=False)
    assert items[-1] == Comment("hi")


LINES = st.sampled_from(
    [b"data: {\"a\": 1}", b"data: {\"a\": 2}", b"data:x", b"data:  y", b"data", b"event: e",
     b"event: ping", b"id: 1", b"id", b"retry: 5", b": c", b"", b"", b"", b"{", b"}",
     b'{"error": 1}', b"error: x", b"\xef\xbb\xbf", b"\xff", b"data: \xc3\xa9"]
)  # fmt: skip
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\r"]))).map(
    lambda lines: b"".join(line + end for line, end in lines)
)
ALIKE = st.lists(
    st.sampled_from(
        [b'data: {"id":"x","choices":[1]}', b'data: {"id":"x","choices":[22]}', b"event: ping",
         b": c", b'data: {"id":"y","choices":[3]}', b"data: x\ndata: y"]
    ),
    max_size=30,
).map(lambda blocks: b"".join(block + b"\n\n" for block in blocks))  # fmt: skip


@given(data=STREAMS | ALIKE, places=st.lists(st.integers(0, 400), max_size=12), lead=st.booleans())
def test_items_are_those_of_single_bytes(data: bytes, places: list[int], lead: bool) -> None:
    options: dict[str, Any] = {"lead_end": b'"choices":'} if lead else {}
    slow, expected = read(single(data), shortcuts=False)
    fast, found = read(cut(data, places), **options)
    assert found == expected
    assert fast.retry == slow.retry


@given(data=STREAMS, record=st.integers(1, 20), line=st.integers(1, 20), place=st.integers(0, 99))
def test_limits_act_at_the_same_item(data: bytes, record: int, line: int, place: int) -> None:
    limits = Limits(record_bytes=record, line_bytes=line)
    expected = read(single(data), limits=limits, shortcuts=False)[1]
    assert read([data], limits=limits)[1] == expected
    assert read(cut(data, [place]), limits=limits)[1] == expected


def test_a_limit_is_named() -> None:
    for data, name in ((b"data: " + b"x" * 50, "line_bytes"), (b"data: xx\n" * 9, "record_bytes")):
        items = read([data], limits=Limits(line_bytes=40, record_bytes=20))[1]
        assert len(items) == 1
        assert isinstance(items[0], Broken)
        assert items[0].error.kind == "limit"
        assert f"Limits.{name}" in items[0].error.message


def test_after_a_limit_nothing_comes() -> None:
    framing = SSE(limits=Limits(line_bytes=10))
    framing.feed(b"data: 01234567890\n\n")
    assert framing.feed(b"data: a\n\n") == []
    assert framing.end() == []


@given(data=STREAMS | ALIKE, place=st.integers(0, 400))
def test_the_encoding_is_a_snapshot(data: bytes, place: int) -> None:
    place = min(place, len(data))
    framing = SSE(limits=Limits(), lead_end=b'"choices":')
    before = [framing.form.whole(i) if type(i) is bytes else i for i in framing.feed(data[:place])]
    copy = msgspec.msgpack.decode(msgspec.msgpack.encode(framing), type=SSE)
    rest = [copy.form.whole(i) if type(i) is bytes else i for i in copy.feed(data[place:])]
    assert before + rest + copy.end() == read([data])[1]


@pytest.mark.parametrize("size", [1, 7, 1400, 16384])
def test_plain_records_are_bare(size: int) -> None:
    """The shortcut is taken: else it would be dead weight, and no test would notice."""
    data = b"".join(b'event: d\ndata: {"n":%d}\n\n' % n for n in range(500))
    framing = SSE(limits=Limits())
    bare = sum(
        type(item) is bytes
        for begin in range(0, len(data), size)
        for item in framing.feed(data[begin : begin + size])
    )
    assert bare >= 490


@pytest.mark.parametrize("size", [1, 7, 1400, 16384])
def test_a_lead_is_learnt_however_the_reads_fall(size: int) -> None:
    """What is the same in all records is left out of them in large reads, too."""
    head = b'data: {"id":"x","choices":'
    data = b"".join(head + b"[%d]}\n\n" % n for n in range(500))
    framing = SSE(limits=Limits(), lead_end=b'"choices":')
    short = 0
    for begin in range(0, len(data), size):
        items = framing.feed(data[begin : begin + size])
        short += sum(type(item) is bytes and framing.form.has_lead for item in items)
    assert framing.header == head
    # The first large read has learnt it in its first record.
    assert short >= 440


@pytest.mark.parametrize("size", [1, 13, 1400])
def test_a_long_record_is_held_in_pieces(size: int) -> None:
    """What is unread is never joined before it can be read: that would be quadratic."""
    block = b'data: {"text":"' + b"x" * 50_000 + b'"}\n\n'
    framing = SSE(limits=Limits())
    found: list[Item] = []
    for begin in range(0, len(block), size):
        found += framing.feed(block[begin : begin + size])
        if framing.held is not None and framing.held.size > 2000:
            pieces = framing.held.pieces
            assert not pieces or max(map(len, pieces)) <= max(size, 1400)
    whole = [framing.form.whole(item) if type(item) is bytes else item for item in found]
    assert whole == [WireRecord(block[6:-2])]
