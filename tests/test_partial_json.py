"""The value of a JSON text at each of its prefixes: against a recursive reader and jiter's."""

from __future__ import annotations

import contextlib
import copy
import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jiter
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sans_io_stream import Limits, PartialJSON, SnapshotError, StreamClosedError, ToolCallDelta
from sans_io_stream.partial_json_machine import FOLDED, IN_NUMBER, Machine
from tests.benchmarks import partial_json as bench
from tests.cuts import cut, single

# ---- the reference: a recursive reader that stops where the text is cut

UNITS = re.compile(r"\\u[0-9a-fA-F]{4}|\\[^u]|[^\\]", re.DOTALL)
STRING = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)
HIGH = re.compile(r"\\u[dD][89abAB]..")
Put = Callable[[Any], object]


class Cut(Exception):
    """The text ends here."""


def reference(text: str) -> Any:
    top: list[Any] = []
    with contextlib.suppress(Cut):
        read_value(text, 0, top.append)
    return top[0] if top else None


def blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    if at == len(text):
        raise Cut
    return at


def read_value(text: str, at: int, put: Put) -> int:
    at = blank(text, at)
    if text[at] == "{":
        return read_object(text, at, put)
    if text[at] == "[":
        return read_array(text, at, put)
    if text[at] == '"':
        return read_string(text, at, put)
    token = re.compile(r"[^\s,\]}]+").match(text, at)
    assert token is not None
    if token.end() == len(text) and token[0] not in ("true", "false", "null"):
        raise Cut
    put(json.loads(token[0]))
    return token.end()


def read_object(text: str, at: int, put: Put) -> int:
    value: dict[str, Any] = {}
    put(value)
    at = blank(text, at + 1)
    while text[at] != "}":
        at = blank(text, at + 1 if text[at] == "," else at)
        key = STRING.match(text, at)
        if key is None:
            raise Cut
        at = blank(text, key.end())
        name: str = json.loads(key[0])
        at = blank(text, read_value(text, at + 1, partial(value.__setitem__, name)))
    return at + 1


def read_array(text: str, at: int, put: Put) -> int:
    value: list[Any] = []
    put(value)
    at = blank(text, at + 1)
    while text[at] != "]":
        at = read_value(text, at + 1 if text[at] == "," else at, value.append)
        at = blank(text, at)
    return at + 1


def read_string(text: str, at: int, put: Put) -> int:
    whole = STRING.match(text, at)
    if whole is not None:
        put(json.loads(whole[0]))
        return whole.end()
    units: list[str] = []
    at += 1
    while unit := UNITS.match(text, at):
        units.append(unit[0])
        at = unit.end()
    if units and HIGH.fullmatch(units[-1]):
        units.pop()
    put(json.loads(f'"{"".join(units)}"'))
    raise Cut


# ---- texts

CHARACTERS = st.one_of(
    st.sampled_from('ab"\\/{}[]:, \n\t\x00\x7f\u00e9\u4e2d\u2028\U0001f600'),
    st.characters(codec="utf-8"),
)
STRINGS = st.text(CHARACTERS, max_size=8)
NUMBERS = st.one_of(
    st.integers(), st.integers(10**30, 10**40), st.floats(allow_nan=False, allow_infinity=False)
)
PLAIN = st.none() | st.booleans() | STRINGS


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
        max_leaves=16,
    )


def written(value: Any, ascii_only: bool, indent: int | None) -> str:
    return json.dumps(value, ensure_ascii=ascii_only, indent=indent)


TEXTS = st.builds(written, nested(PLAIN | NUMBERS), st.booleans(), st.sampled_from([None, 1]))
CUTS = st.lists(st.integers(0, 300), max_size=8)
HAND = [
    '{"a":1,"a":"x","a":[true]}',
    '{"":{"":[[],{},[[]]]}}',
    r'"\"\\\/\b\f\n\r\t\u0041\u00e9"',
    r'["\ud83d\ude00","\ud83dx","\ud83d\ud83d\ude00","\ude00","\ud83d\n\ude00","\uD83D\u0041","\ud83d"]',
    r'{"\ud83d\ude00":1,"\ud83d":2,"\u0061":3}',
    " \t\r\n[ 1 , -0 , 0.5e-3 , 1E400 , -1e+2 , 123456789012345678901234567890 ] \n",
    '  {  "a"  :  null  ,  "b"  :  [  ]  ,  "c" : {  } , "d" : false }  ',
    "[" * 199 + "]" * 199,
    '{"a":' * 60 + '"deep"' + "}" * 60,
    "-12.5e3 ",
    "0",
    "null",
    '"\U0001f600\u00e9\x7f"',
]


def fed(fragments: Sequence[str | bytes], limits: Limits | None = None) -> PartialJSON:
    reader = PartialJSON(limits)
    for fragment in fragments:
        reader.feed(fragment)
    return reader


def check_prefixes(text: str) -> None:
    reader = PartialJSON()
    for n, character in enumerate(text, 1):
        reader.feed(character)
        assert reader.value == reference(text[:n])
        assert reader.error is None
    assert reader.close()
    assert reader.complete
    assert repr(reader.value) == repr(json.loads(text))


@pytest.mark.parametrize("text", HAND)
def test_every_prefix_of_these(text: str) -> None:
    check_prefixes(text)


@given(TEXTS)
def test_every_prefix_has_the_value_of_the_reference(text: str) -> None:
    check_prefixes(text)


@given(st.builds(written, nested(PLAIN), st.booleans(), st.sampled_from([None, 1])))
def test_every_prefix_has_the_value_that_jiter_reads(text: str) -> None:
    # Without numbers: jiter has them before they have ended.
    reader = PartialJSON()
    for n, character in enumerate(text, 1):
        reader.feed(character)
        if reader.value is not None:
            data = text[:n].encode()
            assert reader.value == jiter.from_json(data, partial_mode="trailing-strings")


@given(TEXTS, CUTS, st.booleans())
def test_the_cuts_make_no_difference(text: str, cuts: list[int], reads: bool) -> None:
    data = text.encode()
    for fragments in ([data], cut(data, cuts), single(data), [text], list(text)):
        reader = PartialJSON()
        for fragment in fragments:
            reader.feed(fragment)
            assert not reads or reader.value == reader.value
        assert reader.close()
        assert repr(reader.value) == repr(json.loads(text))


@given(TEXTS, st.integers(0, 300), st.sampled_from('"\\{}[]:,x1-\x01\ufeff '), CUTS)
@example('{"a":1}', 7, "x", [])
def test_a_spoilt_text_has_one_outcome_however_it_is_cut(
    text: str, at: int, spoiling: str, cuts: list[int]
) -> None:
    text = text[:at] + spoiling + text[at + 1 :]
    data = text.encode()
    outcomes: set[tuple[str, str | None, bool]] = set()
    for fragments in ([data], cut(data, cuts), single(data), [text], list(text)):
        reader = fed(fragments)
        reader.close()
        outcomes.add((repr(reader.value), reader.error, reader.complete))
    assert len(outcomes) == 1
    (_, error, complete) = outcomes.pop()
    assert complete == (error is None)
    try:
        json.loads(text, parse_constant=lambda word: int("no number: " + word))
    except ValueError:
        assert not complete
    else:
        assert complete


# ---- faults

FAULTS: list[tuple[str, Any, str]] = [
    ("", None, "the text ends where a value should be, at character 0"),
    ('{"a": tru', {}, "the text ends where the rest of a literal should be, at character 9"),
    ('{"a": "b', {"a": "b"}, "the text ends where the rest of a string should be, at character 8"),
    ('{"a', {}, "the text ends where the rest of a key should be, at character 3"),
    ("[12", [], "the text ends where the rest of a number should be, at character 3"),
    ("-", None, "no number ends here, at character 1"),
    ('{"a": 1, }', {"a": 1}, "'}' where a key should be, at character 9"),
    ("[1,]", [1], "']' where a value should be, at character 3"),
    ("[1}", [1], "'}' where a comma or ] should be, at character 2"),
    ('{"a" 1}', {}, "'1' where a colon should be, at character 5"),
    ('{"a":1 "b"}', {"a": 1}, "'\"' where a comma or } should be, at character 7"),
    ("{1:2}", {}, "'1' where a key or } should be, at character 1"),
    ("{} {}", {}, "'{' where the end should be, at character 3"),
    ("[01]", [], "no number ends here, at character 3"),
    ("[NaN]", [], "'N' where a value or ] should be, at character 1"),
    ("[nul]", [], "']' where 'l' should be, at character 4"),
    ('["a\nb"]', ["a"], "'\\n' inside a string, not escaped, at character 3"),
    (r'["a\x"]', ["a"], "'x' after a backslash, at character 4"),
    (r'["a\u12g"]', ["a"], "'g' where four hexadecimal digits should be, at character 7"),
    ("[" + "1" * 4301 + "]", [], "a number of 4301 digits ends here, at character 4302"),
    ("\ufeff{}", None, "'\\ufeff' where a value should be, at character 0"),
    ('["\u00e9\ud83d"]', ["\u00e9"], "half a surrogate pair that is no escape, at character 3"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value", "error"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_is_told_and_the_value_stays(text: str, value: Any, error: str) -> None:
    for fragments in ([text], list(text)):
        reader = fed(fragments)
        assert not reader.close()
        assert not reader.complete
        assert (reader.value, reader.error) == (value, error)


def test_what_follows_a_fault_is_ignored() -> None:
    reader = fed(['{"a": "b', '\x00"', ', "c": 1}', b"\xff"])
    assert reader.value == {"a": "b"}
    assert reader.error == "'\\x00' inside a string, not escaped, at character 8"
    assert not reader.close()


def test_bytes_that_are_no_utf8_are_told_at_their_place() -> None:
    data = '{"a": "\u00e9'.encode() + b"\xff"
    for fragments in ([data], single(data)):
        reader = fed(fragments)
        assert reader.value == {"a": "\u00e9"}
        assert reader.error == "bytes that are no UTF-8, at character 8"
    reader = fed([b'"\xc3', "x"])
    assert reader.error == "bytes that are no UTF-8, at character 1"
    reader = fed([b'"\xc3'])
    assert not reader.close()
    assert (
        reader.error
        == "the text ends where the rest of a UTF-8 character should be, at character 1"
    )


def test_the_depth_is_bounded() -> None:
    assert fed(['[[{"a":[]}]]'], Limits(depth=4)).close()
    reader = fed(['[[{"a":[]}]]'], Limits(depth=3))
    assert reader.error == "the value nests deeper than Limits.depth (3), at character 7"
    assert reader.value == [[{}]]


@given(st.integers(1, 24))
def test_the_size_is_bounded_at_the_same_byte_however_it_is_cut(limit: int) -> None:
    text = '["\u00e9\U0001f600a", "bcdef"]'
    data = text.encode()
    limits = Limits(arguments_bytes=limit)
    readers = [fed(fragments, limits) for fragments in ([data], single(data), [text], list(text))]
    assert len({(repr(reader.value), reader.error) for reader in readers}) == 1
    kept = data[:limit].decode(errors="ignore")
    assert readers[0].value == reference(kept)
    fits = limit >= len(data)
    told = f"the text exceeds Limits.arguments_bytes ({limit} bytes), at character {len(kept)}"
    assert readers[0].error == (None if fits else told)
    assert readers[0].complete == fits


# ---- the reader


def test_the_value_grows_in_place() -> None:
    reader = fed(['{"a": [{"b": "x'])
    value: Any = reader.value
    inner = value["a"]
    before = reader.copy_value()
    reader.feed('y"}, 2')
    assert reader.value is value
    assert inner == [{"b": "xy"}]
    reader.feed("]}")
    assert reader.complete
    assert value == {"a": [{"b": "xy"}, 2]}
    assert before == {"a": [{"b": "x"}]}


def test_a_copy_is_the_consumers_own() -> None:
    reader = fed(['[{"a": [1]}, "x'])
    copied = reader.copy_value()
    copied[0]["a"].append(2)
    assert reader.value == [{"a": [1]}, "x"]
    assert PartialJSON().copy_value() is None
    deep = fed(["[" * 5000], Limits(depth=5000)).copy_value()
    for _ in range(4999):
        (deep,) = deep
    assert deep == []


def test_the_path_leads_to_what_is_being_written() -> None:
    told: list[tuple[str | int, ...]] = []
    reader = PartialJSON()
    for fragment in ('"', '"', '{"a', '": ', "[1, ", '{"b": "', 'x"', ', "c":', "2}", "]", "}"):
        reader = PartialJSON() if fragment == '{"a' else reader
        reader.feed(fragment)
        told.append(reader.path)
    deep = [("a", 1, "b"), ("a", 1, "b"), ("a", 1), ("a", 1), ("a",), (), ()]
    assert told == [(), (), (), (), ("a",), *deep[1:]]


def test_after_close_there_is_no_more() -> None:
    reader = fed(["12"])
    assert reader.value is None
    assert not reader.complete
    assert reader.close()
    assert reader.close()
    assert reader.value == 12
    with pytest.raises(StreamClosedError, match="another reader"):
        reader.feed("3")


@pytest.mark.parametrize("fragment", [None, 5, ["{}"], {"a": 1}], ids=repr)
def test_what_is_neither_text_nor_bytes_raises(fragment: Any) -> None:
    reader = fed(["[1, "])
    with pytest.raises(TypeError):
        reader.feed(fragment)
    assert reader.error is None
    reader.feed(memoryview(b"2]"))
    assert reader.complete


def test_a_repr_shows_no_content() -> None:
    reader = fed(['{"password": "secret'])
    assert repr(reader) == "<PartialJSON, 20 characters, wants the rest of a string>"


def test_pieces_that_nobody_asks_for_are_joined_now_and_then() -> None:
    machine = Machine(depth=1)
    for character in '"' + "x" * FOLDED * 3:
        machine.take(character)
    assert len(machine.pieces) < FOLDED
    machine.settle()
    assert machine.value == "x" * FOLDED * 3


def test_the_calls_of_an_answer_each_have_a_reader() -> None:
    deltas = [
        ToolCallDelta(0, "a", "f", '{"x": '),
        ToolCallDelta(1, "b", "f", '{"y": "lo'),
        ToolCallDelta(0, "a", "f", "1}"),
        ToolCallDelta(1, "b", "f", 'ng"'),
    ]
    readers: dict[tuple[int, int], PartialJSON] = {}
    for delta in deltas:
        readers.setdefault((delta.choice, delta.index), PartialJSON()).feed(delta.arguments)
    assert [reader.value for reader in readers.values()] == [{"x": 1}, {"y": "long"}]
    assert [reader.complete for reader in readers.values()] == [True, False]


# ---- its state is plain data


@given(st.sampled_from(HAND) | TEXTS, st.sampled_from("x }") | st.just(""))
def test_it_goes_on_from_a_snapshot_anywhere(text: str, after: str) -> None:
    text += after
    reader, twin = PartialJSON(), fed([text])
    for byte in single(text.encode()):
        reader.feed(byte)
        blob = reader.snapshot()
        reader = PartialJSON.restore(blob)
        assert reader.snapshot() == blob
    assert reader.close() == twin.close()
    assert repr(reader.value) == repr(twin.value)
    assert (reader.error, reader.path) == (twin.error, twin.path)
    assert PartialJSON.restore(reader.snapshot()).close() == reader.complete


def test_limits_and_a_close_are_in_a_snapshot() -> None:
    reader = PartialJSON.restore(PartialJSON(Limits(depth=2, arguments_bytes=5)).snapshot())
    reader.feed("[[[")
    assert reader.error == "the value nests deeper than Limits.depth (2), at character 2"
    closed = fed(["1"])
    closed.close()
    with pytest.raises(StreamClosedError):
        PartialJSON.restore(closed.snapshot()).feed("1")


def test_a_deep_copy_goes_its_own_way() -> None:
    reader = fed(['{"a": "b'])
    twin = copy.deepcopy(reader)
    twin.feed('c"}')
    reader.feed('d"}')
    assert (reader.value, twin.value) == ({"a": "bd"}, {"a": "bc"})


@pytest.mark.parametrize("damage", [b"", b"x", b"sios" + b"\0" * 40])
def test_a_damaged_snapshot_is_refused(damage: bytes) -> None:
    with pytest.raises(SnapshotError):
        PartialJSON.restore(damage)


def test_a_snapshot_that_fits_no_state_is_refused() -> None:
    from sans_io_stream.partial_json import MAGIC
    from sans_io_stream.snapshot import sealed, unsealed

    state = unsealed(fed(['{"a": [1']).snapshot(), MAGIC)
    for old, new in ((b'"a",null', b'"b",null'), (b'"a",null', b"null,null"), (b'"size"', b'"no"')):
        assert old in state
        with pytest.raises(SnapshotError, match="damaged"):
            PartialJSON.restore(sealed(state.replace(old, new), MAGIC))


def test_what_nests_too_deep_for_a_snapshot_says_so() -> None:
    reader = fed(["[" * 100_000], Limits(depth=100_000))
    with pytest.raises(SnapshotError, match="too deep"):
        reader.snapshot()


# ---- the price

ROUNDS = 2
"""Of each measurement. ``python -m tests.benchmarks.partial_json`` takes more, of more sizes."""


@pytest.mark.parametrize(
    ("arguments", "size"), [(bench.one_string, 1 << 16), (bench.records, 1 << 15)]
)
def test_reading_after_each_fragment_is_linear(arguments: Callable[[int], str], size: int) -> None:
    texts = {times: arguments(times * size) for times in (1, 4)}
    best = bench.interleaved({n: partial(bench.read, text) for n, text in texts.items()}, ROUNDS)
    # Four times the text: quadratic would be sixteen times the time.
    assert best[4] / best[1] < 8


def test_it_is_fifty_times_faster_than_parsing_again_at_each_fragment() -> None:
    # A machine at rest shows 80 to 150 times at half of that; it grows with the text.
    text = bench.one_string(1 << 21)
    best = bench.interleaved(
        {"ours": partial(bench.read, text), "again": partial(bench.parse_again, text, 50)}, ROUNDS
    )
    assert best["again"] * bench.skipped(text, 50) / best["ours"] > 50


def test_jiter_has_a_number_before_it_has_ended() -> None:
    reader = fed(["[12"])
    assert jiter.from_json(b"[12", partial_mode="trailing-strings") == [12]
    assert reader.value == []
    assert reader._machine.state == IN_NUMBER  # pyright: ignore[reportPrivateUsage]
