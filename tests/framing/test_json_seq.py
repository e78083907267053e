"""JSON text sequences: the RFC's rules, and what it leaves open, at every cut."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream.errors import ErrorInfo
from sans_io_stream.framing.items import Broken, Item, Stray, Unfinished, WireRecord
from sans_io_stream.framing.json_seq import JSONSequence
from sans_io_stream.policy import Limits
from tests.cuts import cut, single, two_way
from tests.framing.parts import BOM, unfinished

RS = b"\x1e"
BODIES = st.lists(
    st.sampled_from(
        [RS, RS, b"{", b"}", b"[", b"]", b'"', b"\\", b"\n", b"\r", b" ", b"1", b"{}\n", BOM]
    ),
    max_size=20,
).map(b"".join)


def run(reads: Iterable[bytes], limits: Limits | None = None) -> list[Item]:
    framing = JSONSequence(limits=limits or Limits())
    items = [item for read in reads for item in framing.feed(read)] + framing.end()
    assert framing.feed(b"\x1e{}\n") == framing.end() == []
    return items


GOLDEN: dict[bytes, list[Item]] = {
    b"": [],
    RS * 3: [],
    b'\x1e{"a":1}\n\x1e{"b":2}\n': [b'{"a":1}', b'{"b":2}'],
    b'\x1e\x1e {"a":1} \r\n': [b'{"a":1}'],
    b'\x1e{\n "a":\n [1]\n}\n': [b'{\n "a":\n [1]\n}'],
    b'\x1e"a\\"b"\n\x1e12\n\x1enull\n': [b'"a\\"b"', b"12", b"null"],
    BOM + b"\x1e[1]\n": [b"[1]"],
    # A value that closes itself needs no LF.
    b'\x1e{"a":1}\x1e[2]\x1e"c"\x1e{}\n': [b'{"a":1}', b"[2]", b'"c"', b"{}"],
    # A number or literal does: it may have been cut.
    b"\x1e12\x1etrue \x1e{}\n": [Stray(b"12"), Stray(b"true"), b"{}"],
    # A cut value; and one that its sender called whole.
    b'\x1e{"a":\x1e{}\n': [Stray(b'{"a":'), b"{}"],
    b'\x1e{"a":\n\x1e{}\n': [b'{"a":', b"{}"],
    # What no RS introduced.
    b'{"a":1}\n\x1e{}\n{"error":{}}\nout of memory\n\x1e{}\n': [
        Stray(b'{"a":1}', whole=True),
        b"{}",
        Stray(b'{"error":{}}', whole=True),
        Stray(b"out of memory"),
        b"{}",
    ],
    b"\x1e{} {}\n": [b"{} {}"],
    b"{} x\x1e": [Stray(b"{} x")],
    # The end of input.
    b'\x1e{}\n\x1e{"a":1}': [b"{}", unfinished(b'{"a":1}', True)],
    b'\x1e{"a":1 ': [unfinished(b'{"a":1', True)],
    b"\x1e12": [unfinished(b"12", False)],
    b'\x1e"a\n': [unfinished(b'"a', True)],
    b"gone": [Stray(b"gone")],
    b"[]": [Stray(b"[]", whole=True)],
    BOM[:2]: [Stray(BOM[:2])],
}


@pytest.mark.parametrize(("body", "expected"), GOLDEN.items())
def test_golden(body: bytes, expected: list[Item]) -> None:
    assert run([body]) == expected
    assert run(single(body)) == expected
    for reads in two_way(body):
        assert run(reads) == expected


@given(BODIES, st.lists(st.integers(0, 60), max_size=6), st.sampled_from([2, 5, 100]))
def test_items_are_a_function_of_the_bytes(body: bytes, cuts: list[int], limit: int) -> None:
    limits = Limits(record_bytes=limit, depth=3)
    expected = run(single(body), limits)
    assert run([body], limits) == expected
    assert run(cut(body, cuts), limits) == expected


@given(BODIES)
def test_nothing_is_lost(body: bytes) -> None:
    parts: list[bytes] = []
    for item in run([body]):
        match item:
            case bytes():
                parts.append(item)
            case Stray(data=data) | Unfinished(record=WireRecord(data=data)):
                parts.append(data)
            case _:
                pytest.fail(f"{item} in an unlimited stream")
    drop = b"\x1e \r\n"
    assert b"".join(parts).translate(None, drop) == body.removeprefix(BOM).translate(None, drop)


@given(st.lists(st.dictionaries(st.text(), st.text() | st.floats(allow_nan=False))), st.booleans())
def test_texts_come_with_their_line_feed(values: list[dict[str, object]], pretty: bool) -> None:
    texts = [msgspec.json.encode(value) for value in values]
    if pretty:
        texts = [msgspec.json.format(text) for text in texts]
    framing = JSONSequence(limits=Limits())
    for text in texts:
        assert framing.feed(RS + text) == []
        assert framing.feed(b"\n") == [text]
    assert framing.end() == []


@pytest.mark.parametrize(
    "body", [b'\x1e{"a":["\\"]"]}\n \x1e\n12\n{}\n\x1e"x"', BOM + b"\x1e{}\n1"]
)
def test_a_snapshot_at_every_byte_changes_nothing(body: bytes) -> None:
    framing = JSONSequence(limits=Limits())
    items: list[Item] = []
    for read in single(body):
        framing = msgspec.msgpack.decode(msgspec.msgpack.encode(framing), type=JSONSequence)
        items += framing.feed(read)
    assert items + framing.end() == run([body])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\x1e[12345]\n\x1e1234567\n", [b"[12345]", b"1234567"]),
        (b"\x1e[123456]\n", ["record_bytes (7 bytes)"]),
        (b"\x1e{}\n\x1e12345678\n\x1e{}\n", [b"{}", "record_bytes (7 bytes)"]),
        (b"\x1e{}\n\x1e[[[[\n", [b"{}", "depth (3 levels)"]),
        # The size is exceeded before the depth.
        (b'\x1e["a", [[[[\n', ["record_bytes (7 bytes)"]),
    ],
)
def test_a_limit_acts_on_the_text(body: bytes, expected: list[bytes | str]) -> None:
    limits = Limits(record_bytes=7, depth=3)
    items = [
        Broken(ErrorInfo("limit", f"a text of the JSON sequence exceeds Limits.{item}"))
        if isinstance(item, str)
        else item
        for item in expected
    ]
    assert run([body], limits) == items
    assert run(single(body), limits) == items
    for reads in two_way(body):
        assert run(reads, limits) == items


@pytest.mark.parametrize(
    "unit", [b"\x1e{}\n", b"\x1e1\x1e", b"1\n", b"\x1e{\n", b'\x1e"\\\n', b"\x1e\x1e", b"\x1e[\n]"]
)
def test_time_is_linear(unit: bytes) -> None:
    def seconds(size: int) -> float:
        framing = JSONSequence(limits=Limits())
        start = time.process_time()
        framing.feed(unit * (size // len(unit)))
        framing.end()
        return time.process_time() - start

    once = min(seconds(25_000) for _ in range(2))
    assert min(seconds(100_000) for _ in range(2)) < 10 * once + 0.02
