"""Where a JSON value ends: the scanner against the standard library's decoder."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream.json_scan import FIRST_WINDOW, JSONScan, is_whole
from tests.cuts import cut, single, two_way

TEXT = st.text(alphabet=st.sampled_from('ab"\\{}[],: \n\u00e9\u2028'), max_size=12)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
).filter(lambda value: isinstance(value, (dict, list, str)))
CUTS = st.lists(st.integers(0, 400), max_size=8)


def find(pieces: list[bytes], scan: JSONScan) -> int | None:
    """The offset of the end in all that ``pieces`` hold; the scan is restored before each."""
    before = 0
    for piece in pieces:
        scan = msgspec.msgpack.decode(msgspec.msgpack.encode(scan), type=JSONScan)
        end = scan.feed(piece)
        if end is not None:
            return before + end
        before += len(piece)
    return None


@given(VALUES, st.sampled_from([None, 1]), st.booleans(), TEXT, CUTS)
def test_ends_where_the_decoder_ends(
    value: object, indent: int | None, ascii_only: bool, after: str, cuts: list[int]
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only) + after
    _, end = json.JSONDecoder().raw_decode(text)
    expected = len(text[:end].encode())
    data = text.encode()
    assert find([data], JSONScan()) == expected
    assert find(cut(data, cuts), JSONScan()) == expected
    assert find(single(data), JSONScan()) == expected
    assert is_whole(data[:expected]) == isinstance(value, (dict, list))


@given(st.lists(VALUES, max_size=6), st.booleans())
def test_finds_value_after_value_in_one_read(values: list[object], long: bool) -> None:
    # The long string carries values over the first windows.
    texts = [json.dumps([value, "}" * FIRST_WINDOW] if long else value) for value in values]
    data = "".join(texts).encode()
    scan, position = JSONScan(), 0
    for text in texts:
        end = scan.feed(data, position)
        position += len(text)
        assert end == position
        assert scan == JSONScan()


@given(st.binary(max_size=60), CUTS)
def test_any_bytes_end_at_one_place(data: bytes, cuts: list[int]) -> None:
    whole = find([b"{" + data], JSONScan())
    assert find(cut(b"{" + data, cuts), JSONScan()) == whole
    assert find([b"{", *single(data)], JSONScan()) == whole


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b'{"a":"}"} ', 9),
        (b'  {"a":[1,{"b":"\\"]"}]}x', 23),
        (b'"a\\\\"b', 5),
        (b'"a\\\\\\"b"c', 8),
        (b'""x', 2),
        (b"[]]", 2),
        (b"{]", 2),
        (b'{"a":1', None),
        (b'{"a":"}', None),
        (b"   ", None),
        (b"", None),
    ],
)
def test_ends(data: bytes, end: int | None) -> None:
    for reads in two_way(data):
        assert find(reads, JSONScan()) == end


def test_reads_between_two_offsets() -> None:
    scan = JSONScan()
    assert scan.feed(b"}}[1]]", 2, 4) is None
    assert scan.feed(b"}}[1]]", 4, 6) == 5


def test_too_deep_is_told_at_every_cut() -> None:
    data = b'{"[[[[":[[]]}'
    for place in range(len(data) + 1):
        scan = JSONScan(max_depth=2)
        assert scan.feed(data[:place]) is None
        assert scan.feed(data[place:]) is None
        assert scan.too_deep
        assert JSONScan(max_depth=3).feed(data) == len(data)


@pytest.mark.parametrize("body", [b"[" * 5000, b'{"":' * 5000])
def test_depth_does_not_recurse(body: bytes) -> None:
    scan = JSONScan(max_depth=5000)
    assert scan.feed(body) is None
    assert scan.depth == 5000
    scan.feed(b"[")
    assert scan.too_deep


class Counting(JSONScan):
    """Counts the bytes that are really read."""

    read: int = 0

    def _read(self, text: bytes) -> int | None:
        self.read += len(text)
        return super()._read(text)


@pytest.mark.parametrize("value", [b"[]", b'""', b'{"a":"\\\\\\""}', b'["' + b"x" * 5000 + b'"]'])
def test_reads_each_byte_a_bounded_number_of_times(value: bytes) -> None:
    data = value * (100_000 // len(value))
    scan, position = Counting(), 0
    while position < len(data):
        end = scan.feed(data, position)
        position += len(value)
        assert end == position
    values = len(data) // len(value)
    assert scan.read <= 3 * len(data) + FIRST_WINDOW * values


def test_not_whole() -> None:
    assert not is_whole(b"")
    assert not is_whole(b'"a"')
    assert not is_whole(b"{} ")
    assert not is_whole(b"[1")
