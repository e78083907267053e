"""JSON Lines: golden bodies and hostile ones, at every cut."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream.errors import ErrorInfo
from sans_io_stream.framing.items import Broken, Item
from sans_io_stream.framing.jsonl import JSONLines
from sans_io_stream.policy import Limits
from tests.cuts import cut, single, two_way
from tests.framing.parts import BOM, unfinished

BODIES = st.lists(
    st.sampled_from(
        [b"{}", b'{"a":1}', b"\n", b"\r\n", b"\r", b" ", b"1", BOM, b"\xef", b"}", b"\x0b", b"[]"]
    ),
    max_size=14,
).map(b"".join)


def run(reads: Iterable[bytes], limits: Limits | None = None, shortcuts: bool = True) -> list[Item]:
    framing = JSONLines(limits=limits or Limits(), shortcuts=shortcuts)
    items = [item for read in reads for item in framing.feed(read)] + framing.end()
    assert framing.feed(b"{}\n") == framing.end() == []
    return items


GOLDEN: dict[bytes, list[Item]] = {
    b"": [],
    b"\n\r\n \t\n": [],
    b'{"a":1}\n{"b":2}\n': [b'{"a":1}', b'{"b":2}'],
    b'{"a":1}\r\n{"b":2}\r\n': [b'{"a":1}', b'{"b":2}'],
    b'{"a":1}\n\n{"b":2}': [b'{"a":1}', unfinished(b'{"b":2}', True)],
    b'{"a":1}\n{"b":2}\r': [b'{"a":1}', unfinished(b'{"b":2}', True)],
    b"{}\r\r\n": [b"{}\r"],
    b"a\rb\x0bc\xe2\x80\xa8d\n": [b"a\rb\x0bc\xe2\x80\xa8d"],
    b" {} \n": [b" {} "],
    BOM + b"{}\n" + BOM + b"{}\n": [b"{}", BOM + b"{}"],
    BOM: [],
    BOM[:2]: [unfinished(BOM[:2], False)],
    BOM[:1] + b"{}\n": [BOM[:1] + b"{}"],
    b"12": [unfinished(b"12", False)],
    b' "a': [unfinished(b' "a', True)],
    b"[1": [unfinished(b"[1", True)],
    b"nul": [unfinished(b"nul", False)],
    b"{}\n  ": [b"{}"],
    b"Internal Server Error\n": [b"Internal Server Error"],
}


@pytest.mark.parametrize("shortcuts", [True, False])
@pytest.mark.parametrize(("body", "expected"), GOLDEN.items())
def test_golden(body: bytes, expected: list[Item], shortcuts: bool) -> None:
    assert run([body], shortcuts=shortcuts) == expected
    assert run(single(body), shortcuts=shortcuts) == expected
    for reads in two_way(body):
        assert run(reads, shortcuts=shortcuts) == expected


@given(BODIES, st.lists(st.integers(0, 60), max_size=6), st.sampled_from([1, 3, 7, 100]))
def test_items_are_a_function_of_the_bytes(body: bytes, cuts: list[int], limit: int) -> None:
    limits = Limits(line_bytes=limit)
    expected = run(single(body), limits, shortcuts=False)
    reads = cut(body, cuts)
    for shortcuts in (True, False):
        assert run([body], limits, shortcuts) == expected
        assert run(reads, limits, shortcuts) == expected


@given(BODIES)
def test_lines_are_those_of_a_plain_split(body: bytes) -> None:
    lines = body.removeprefix(BOM).split(b"\n")
    lines = [line.removesuffix(b"\r") for line in lines]
    expected: list[Item] = [line for line in lines[:-1] if line.strip()]
    if lines[-1].strip():
        expected.append(unfinished(lines[-1], lines[-1].strip()[:1] in (b"{", b"[", b'"')))
    assert run([body]) == expected


@pytest.mark.parametrize("body", [b'{"a":1}\r\n\n{"b"}\n{}\n1', BOM + b"{}\n{"])
def test_a_snapshot_at_every_byte_changes_nothing(body: bytes) -> None:
    framing = JSONLines(limits=Limits())
    items: list[Item] = []
    for read in single(body):
        framing = msgspec.msgpack.decode(msgspec.msgpack.encode(framing), type=JSONLines)
        items += framing.feed(read)
    assert items + framing.end() == run([body])


@pytest.mark.parametrize("shortcuts", [True, False])
@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (Limits(line_bytes=8), "line_bytes"),
        (Limits(record_bytes=8), "record_bytes"),
    ],
)
def test_a_limit_acts_on_the_line(limits: Limits, name: str, shortcuts: bool) -> None:
    broken = Broken(ErrorInfo("limit", f"a line exceeds Limits.{name} (8 bytes)"))
    cases: dict[bytes, list[Item]] = {
        b'{}\n{"a":12}\n{}\n': [b"{}", b'{"a":12}', b"{}"],
        b'{}\r\n{"a":12}\r\n{}\n': [b"{}", b'{"a":12}', b"{}"],
        BOM + b'{"a":12}\r': [unfinished(b'{"a":12}', True)],
        b'{}\n{"a":123}\n{}\n': [b"{}", broken],
        b'{}\n{"a":123}': [b"{}", broken],
        b'{}\n{"a":12}\r\r\n{}\n': [b"{}", broken],
        b"{}\n" + b" " * 9 + b"\n": [b"{}", broken],
    }
    for body, expected in cases.items():
        assert run([body], limits, shortcuts) == expected
        assert run(single(body), limits, shortcuts) == expected
        for reads in two_way(body):
            assert run(reads, limits, shortcuts) == expected


def test_a_broken_stream_holds_nothing() -> None:
    framing = JSONLines(limits=Limits(line_bytes=8))
    assert len(framing.feed(b"x" * 100)) == 1
    assert len(msgspec.msgpack.encode(framing)) < 200
    assert framing.feed(b"{}\n") == framing.end() == []


@pytest.mark.parametrize("step", [1, 1400])
def test_time_is_linear(step: int) -> None:
    def seconds(size: int) -> float:
        framing = JSONLines(limits=Limits())
        body = b'{"a":"' + b"x" * size + b'"}\n'
        start = time.process_time()
        items = [
            item for i in range(0, size + 9, step) for item in framing.feed(body[i : i + step])
        ]
        assert len(items) == 1
        return time.process_time() - start

    small = 20_000 * step
    once = min(seconds(small) for _ in range(2))
    assert min(seconds(4 * small) for _ in range(2)) < 10 * once + 0.02
