"""JSON arrays and documents that arrive piecemeal, at every cut."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream.errors import ErrorInfo
from sans_io_stream.framing.items import Broken, Item, Stray, Unfinished, WireRecord
from sans_io_stream.framing.json_array import JSONArray
from sans_io_stream.policy import Limits
from tests.cuts import cut, single, two_way
from tests.framing.parts import BOM, unfinished

BODIES = st.lists(
    st.sampled_from([b"{", b"}", b"[", b"]", b",", b'"', b"\\", b"\n", b"1", b"null", b"x", BOM]),
    max_size=20,
).map(b"".join)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def run(reads: Iterable[bytes], limits: Limits | None = None) -> tuple[list[Item], bool]:
    """The items, and whether no array was left open."""
    framing = JSONArray(limits=limits or Limits())
    items = [item for read in reads for item in framing.feed(read)] + framing.end()
    assert framing.feed(b"{}") == framing.end() == []
    return items, framing.closed


GOLDEN: dict[bytes, tuple[list[Item], bool]] = {
    b"": ([], True),
    b" \n": ([], True),
    b"[]": ([], True),
    b"[": ([], False),
    b'[{"a":1}\n,\r\n{"b":2}\n]\n': ([b'{"a":1}', b'{"b":2}'], True),
    b'[{"a":1}\n,\r\n': ([b'{"a":1}'], False),
    b'[{"a":"]}"},{"b":"\\"{["}]': ([b'{"a":"]}"}', b'{"b":"\\"{["}'], True),
    BOM + b"[{}]": ([b"{}"], True),
    # Documents that are in no array.
    b'{\n "error": {\n  "code": 400\n }\n}\n': ([b'{\n "error": {\n  "code": 400\n }\n}'], True),
    b'{"a":1}{"b":2}\n{"c":3}': ([b'{"a":1}', b'{"b":2}', b'{"c":3}'], True),
    b'[{"a":1}]\n{"error":{}}\n[1]': ([b'{"a":1}', b'{"error":{}}', b"1"], True),
    b'"gone"\n': ([b'"gone"'], True),
    b"null": ([unfinished(b"null", False)], True),
    # Every kind of element.
    b'[1, -2.5e3 ,"a,]",true,null,[[],"x"],{}]': (
        [b"1", b"-2.5e3", b'"a,]"', b"true", b"null", b'[[],"x"]', b"{}"],
        True,
    ),
    # Garbage.
    b"upstream error, try later": ([Stray(b"upstream error, try later")], True),
    b"502 Bad Gateway\n[{}]": ([Stray(b"502 Bad Gateway"), b"{}"], True),
    b"[{},\nnot ours\n,{}]": ([b"{}", Stray(b"not ours"), b"{}"], True),
    b"[{} x {}]y]": ([b"{}", Stray(b"x"), b"{}", Stray(b"y")], True),
    b"{}}{}": ([b"{}", Stray(b"}"), b"{}"], True),
    b"01, 1.e5": ([Stray(b"01, 1.e5")], True),
    b"[01,+1,True]": ([Stray(b"01"), Stray(b"+1"), Stray(b"True")], True),
    b'it said "{}" twice': ([Stray(b'it said "'), b"{}", unfinished(b'" twice')], True),
    BOM[:2]: ([Stray(BOM[:2])], True),
    BOM[:2] + b"[]": ([Stray(BOM[:2])], True),
    # The end of input inside of something.
    b'[{"a":1},{"b"': ([b'{"a":1}', unfinished(b'{"b"')], False),
    b'{"a": ': ([unfinished(b'{"a": ')], True),
    b'["a': ([unfinished(b'"a')], False),
    b"[12": ([unfinished(b"12", False)], False),
    b"[tru": ([unfinished(b"tru", False)], False),
}


@pytest.mark.parametrize(("body", "expected"), GOLDEN.items())
def test_golden(body: bytes, expected: tuple[list[Item], bool]) -> None:
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
    """All but whitespace, commas and the brackets of arrays is in some item."""
    position = len(BOM) if body.startswith(BOM) else 0
    for item in run([body])[0]:
        match item:
            case bytes():
                part = item
            case Stray(data=part) | Unfinished(record=WireRecord(data=part)):
                pass
            case _:
                pytest.fail(f"{item} in an unlimited stream")
        found = body.index(part, position)
        assert not body[position:found].strip(b" \n,[]")
        position = found + len(part)
    assert not body[position:].strip(b" \n,[]")


@given(st.lists(VALUES), st.sampled_from([None, 1]), st.sampled_from([",", " ,\r\n"]))
def test_elements_are_what_was_encoded(values: list[object], indent: int | None, by: str) -> None:
    texts = [json.dumps(value, indent=indent, ensure_ascii=False).encode() for value in values]
    body = b"[" + by.encode().join(texts) + b"\n]"
    assert run([body]) == (texts, True)
    assert run(single(body)) == (texts, True)


@given(st.lists(VALUES.filter(lambda value: isinstance(value, (dict, list, str)))))
def test_an_element_is_out_with_its_last_byte(values: list[object]) -> None:
    framing = JSONArray(limits=Limits())
    assert framing.feed(b"[") == []
    for value in values:
        text = json.dumps(value).encode()
        assert framing.feed(b"\n, " + text[:-1]) == []
        assert framing.feed(text[-1:]) == [text]


@pytest.mark.parametrize("body", [b'x [{"a":["\\"]"]},12 ,"b"]{}', BOM + b'[1,{"a'])
def test_a_snapshot_at_every_byte_changes_nothing(body: bytes) -> None:
    framing = JSONArray(limits=Limits())
    items: list[Item] = []
    for read in single(body):
        framing = msgspec.msgpack.decode(msgspec.msgpack.encode(framing), type=JSONArray)
        items += framing.feed(read)
    assert (items + framing.end(), framing.closed) == run([body])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'[[12345],"12345",1234567,{}]', [b"[12345]", b'"12345"', b"1234567", b"{}"]),
        (b"[{},[123456],{}]", [b"{}", "record_bytes (7 bytes)"]),
        (b'[{},"123456",{}]', [b"{}", "record_bytes (7 bytes)"]),
        (b"[{},12345678,{}]", [b"{}", "record_bytes (7 bytes)"]),
        (b"{} not ours {}", [b"{}", "record_bytes (7 bytes)"]),
        (b"not our {}", ["record_bytes (7 bytes)"]),
        (b"not us {}", [Stray(b"not us"), b"{}"]),
        (b"[[[[]]],[[[[]]]]]", [b"[[[]]]", "depth (3 levels)"]),
        # The size is exceeded before the depth.
        (b'[["a", [[[[', ["record_bytes (7 bytes)"]),
    ],
)
def test_a_limit_acts_on_the_value(body: bytes, expected: list[Item | str]) -> None:
    limits = Limits(record_bytes=7, depth=3)
    items = [
        Broken(ErrorInfo("limit", f"a value of the JSON body exceeds Limits.{item}"))
        if isinstance(item, str)
        else item
        for item in expected
    ]
    for reads in ([body], single(body), *two_way(body)):
        assert run(reads, limits)[0] == items


@pytest.mark.parametrize(
    "unit", [b"{}", b"1,", b"1,[", b" ", b"],", b"x", b'"",', b"[", b'{"\\\\":"\\"}"}', b'"}{']
)
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_time_is_linear(unit: bytes, step: int) -> None:
    def seconds(size: int) -> float:
        framing = JSONArray(limits=Limits(depth=1 << 20))
        body = b"[" + unit * (size // len(unit))
        start = time.process_time()
        for i in range(0, len(body), step):
            framing.feed(body[i : i + step])
        framing.end()
        return time.process_time() - start

    once = min(seconds(10_000) for _ in range(2))
    assert min(seconds(40_000) for _ in range(2)) < 10 * once + 0.02


def test_recorded_arrays(shared: Path) -> None:
    bodies = list((shared / "captures").glob("*/body.bin"))
    bodies = [path for path in bodies if path.read_bytes()[:1] == b"["]
    assert bodies
    for path in bodies:
        body = path.read_bytes()
        items, closed = run([body])
        assert closed
        assert [msgspec.json.decode(item) for item in items if isinstance(item, bytes)] == (
            msgspec.json.decode(body)
        )
        assert run(single(body)) == (items, closed)
