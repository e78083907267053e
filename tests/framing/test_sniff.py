"""Which framing a body has: the rules as tables, at every cut."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream import StreamDecoder, TextDelta, Unrecognized
from sans_io_stream.framing import FRAMINGS
from sans_io_stream.framing.sniff import WINDOW, Sniffer
from sans_io_stream.policy import Limits
from tests.cuts import cut, single, two_way
from tests.framing.parts import BOM

SSE = "text/event-stream"
LINES = "application/x-ndjson"
JSON = "application/json"
FRAMES = "application/vnd.amazon.eventstream"
SILENT = (None, "", "**REDACTED**", "text/html", "application/octet-stream", ";", "/")
PLAIN = "text/plain"
TYPES = (*SILENT, PLAIN, SSE, LINES, JSON, FRAMES, "application/json-seq", "application/jsonl")


def settle(reads: list[bytes], content_type: str | None) -> tuple[str, int]:
    """The framing and the number of bytes that settled it; all of them where the end did."""
    sniffer = Sniffer(content_type=content_type)
    fed = 0
    for read in reads:
        sniffer = msgspec.msgpack.decode(msgspec.msgpack.encode(sniffer), type=Sniffer)
        fed += len(read)
        if sniffer.feed(read) is not None:
            break
    name = sniffer.end()
    assert sniffer.feed(b"") == sniffer.end() == name
    assert sniffer.head() == b"".join(reads)[:fed]
    return name, fed


# first bytes: under no type, event streams, JSON lines, JSON, binary frames
RULES: dict[bytes, tuple[str, ...]] = {
    b"": ("text", "sse", "jsonl", "jsonl", "eventstream"),
    b" \n": ("text", "sse", "jsonl", "jsonl", "eventstream"),
    b"data: {}\n\n": ("sse",) * 5,
    b"data:": ("sse",) * 5,
    b"event\r": ("sse",) * 5,
    b"id\n": ("sse",) * 5,
    b"retry: 5\n": ("sse",) * 5,
    b": ping\n\n": ("sse",) * 5,
    BOM + b"\r\n\ndata: x": ("sse",) * 5,
    b"data": ("text", "sse", "jsonl", "jsonl", "text"),
    b"database": ("text", "sse", "jsonl", "jsonl", "text"),
    b"Data: x\n": ("text", "sse", "jsonl", "jsonl", "text"),
    b"Hello": ("text", "sse", "jsonl", "jsonl", "text"),
    b"<html>": ("text", "sse", "jsonl", "jsonl", "text"),
    b"\xc3\xa9t\xc3\xa9": ("text", "sse", "jsonl", "jsonl", "text"),
    b'{"a":1}\n': ("jsonl",) * 5,
    b'{"a":1}\r\n{"b"': ("jsonl",) * 5,
    BOM + b' \n {"a":"}\\""} \n': ("jsonl",) * 5,
    b'{"a":1}': ("jsonl",) * 5,
    b'{"a":1': ("json-array",) * 5,
    b'{\n "a":1}\n': ("json-array",) * 5,
    b'{"a":1},\n': ("json-array",) * 5,
    b'{"a":1}{"b":2}\n': ("json-array",) * 5,
    b'[{"a":1}\n,': ("json-array",) * 5,
    b'{"a":"b\n': ("jsonl",) * 5,
    b'{"a":"b\\\n{"a":1}\n': ("jsonl",) * 5,
    b'{"a":\n': ("json-array", "json-array", "jsonl", "json-array", "json-array"),
    b'{"a":1,\r\n\n {"a"': ("json-array", "json-array", "jsonl", "json-array", "json-array"),
    b'{"a":1,\n"b":2}\n': ("json-array",) * 5,
    b'{"a":1\n}\n': ("json-array",) * 5,
    b'[\n{"a":1}': ("json-array",) * 5,
    b'["a\n': ("json-array", "json-array", "jsonl", "json-array", "json-array"),
    b"[1,2]\n": ("json-array", "json-array", "jsonl", "json-array", "json-array"),
    b"[1,2]": ("json-array",) * 5,
    b"[1,2] 3\n": ("json-array",) * 5,
    b'\x1e{"a":1}\n': ("json-seq", "json-seq", "json-seq", "json-seq", "eventstream"),
    b"\x00\x00\x00\x10": ("eventstream",) * 5,
    b"\x01\x00\x00\x10": ("text", "sse", "jsonl", "jsonl", "eventstream"),
    b"\n\x00": ("text", "sse", "jsonl", "jsonl", "eventstream"),
}


@pytest.mark.parametrize(("body", "names"), RULES.items())
def test_rules(body: bytes, names: tuple[str, ...]) -> None:
    for content_type, name in zip((None, SSE, LINES, JSON, FRAMES), names, strict=True):
        expected = settle(single(body), content_type)
        assert expected[0] == name, content_type
        assert settle([body], content_type)[0] == name
        for reads in two_way(body):
            assert settle(reads, content_type)[0] == name
    for silent in SILENT:
        assert settle([body], silent)[0] == names[0]


# first bytes under text/plain: what settles them, and with what
PLAIN_RULES: dict[bytes, str] = {
    b"": "text",
    b" \n": "text",
    b"Hello": "text",
    b"{": "json-array",
    b"{ \r\n": "json-array",
    b'{\n "a":1}\n': "json-array",
    b"[": "json-array",
    b"[ \r\n {": "json-array",
    b'[{\n  "a": 1': "json-array",
    BOM + b'\n[ {"a":1}\n,': "json-array",
    b'{"a":1}\n': "jsonl",
    b' {"a":1} \r\n{"b"': "jsonl",
    b'{"a":1}': "jsonl",
    b'{"a":1': "text",
    b"{not JSON}\n": "text",
    b"{a} and {b}\nmore": "text",
    b'{"a":1},\n': "text",
    b'{"a":1}{"b":2}\n': "text",
    b'{"a":"b\n{"a":1}\n': "text",
    b"[1] A note\n": "text",
    b"[x](y)": "text",
    b"[1,2]\n": "text",
    b"[]": "text",
    b"data: {}\n\n": "sse",
    b'data: {"a":1}': "sse",
    b'data:{"a":1}\r\r': "sse",
    b"data: [DONE]\n\n": "sse",
    b': ping\n\ndata: {"a"': "sse",
    b":": "sse",
    BOM + b'event: a\r\nid: 1\r\ndata: {"a":1}\r\n': "sse",
    b"retry: 5\n\n: ping": "sse",
    b"data:\n\ndata: 1\n": "sse",
    b"data": "text",
    b"data:": "text",
    b"data: the facts\n": "text",
    b'data: {"a":1} is JSON\n': "text",
    b'data: {"a":1': "text",
    b"data:\n- a\n": "text",
    b"event: a party\nat noon": "text",
    b"id\n": "text",
    b"database": "text",
    b"Data: {}\n": "text",
    b'\x1e{"a":1}\n': "json-seq",
    b"\x00\x00\x00\x10": "eventstream",
}


@pytest.mark.parametrize(("body", "name"), PLAIN_RULES.items())
def test_rules_of_plain_text(body: bytes, name: str) -> None:
    assert settle(single(body), PLAIN)[0] == name
    for reads in two_way(body):
        assert settle(reads, "Text/Plain; charset=utf-8")[0] == name


@pytest.mark.parametrize(
    ("start", "lines", "plain", "silent"),
    [
        (b'{"a":"', "jsonl", "json-array", "json-array"),
        (b'[{"a":"', "json-array", "json-array", "json-array"),
        (b'{"a":\n', "jsonl", "text", "json-array"),
        (b'data: {"a":"', "sse", "sse", "sse"),
        (b"data: ", "sse", "text", "sse"),
        (b'id: 1\ndata:{"', "sse", "sse", "sse"),
        (b"{a", "jsonl", "text", "json-array"),
    ],
)
def test_a_line_that_fills_the_window(start: bytes, lines: str, plain: str, silent: str) -> None:
    filler = b" " if start.endswith(b"\n") else b"x"
    body = start + filler * WINDOW
    for content_type, name in ((LINES, lines), (PLAIN, plain), (None, silent)):
        assert settle([body], content_type)[0] == name
        assert settle([body[: WINDOW - 1], *single(body[WINDOW - 1 :])], content_type)[0] == name


@pytest.mark.parametrize(
    ("content_type", "like"),
    [
        ("Text/Event-Stream; charset=utf-8", SSE),
        ("text/event-stream, text/event-stream", SSE),
        (" text/event-stream ", SSE),
        ("application/jsonl", LINES),
        ("application/x-jsonlines", LINES),
        ("application/stream+json", LINES),
        ("application/json-seq", LINES),
        ("application/geo+json-seq", LINES),
        ("application/JSON;charset=UTF-8", JSON),
        ("application/problem+json", JSON),
        ("application/vnd.amazon.eventstream; x=y", FRAMES),
        ("application/event-stream", None),
    ],
)
def test_content_types(content_type: str, like: str | None) -> None:
    for body in RULES:
        assert settle([body], content_type) == settle([body], like)


PIECES = st.sampled_from(
    [b"{", b"}", b"[", b"]", b'"', b"\\", b"\n", b" ", b"data", b":", b"\x1e", b"\x00", b"a", BOM]
)


@given(
    st.lists(PIECES, max_size=12).map(b"".join),
    st.lists(st.integers(0, 40), max_size=5),
    st.sampled_from(TYPES),
)
def test_a_function_of_the_bytes(body: bytes, cuts: list[int], content_type: str | None) -> None:
    name, fed = settle(single(body), content_type)
    assert settle([body], content_type)[0] == name
    assert settle(cut(body, cuts), content_type)[0] == name
    # What settles it does so whatever follows.
    if Sniffer(content_type=content_type).feed(body[:fed]) is not None:
        assert settle([body[:fed] + b'"}]\n{'], content_type)[0] == name


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize(
    "body",
    [
        b" " * (WINDOW + 10) + b"{}\n",
        b" " * (WINDOW - 2) + b"data: x\n",
        b'{"a":"' + b"x" * WINDOW + b'"}\n',
        b"{}" + b" " * WINDOW + b"\n",
        b"[" * (WINDOW + 10),
        b"{" + b'"\\' * WINDOW,
    ],
)
def test_settles_in_its_window(body: bytes, content_type: str | None) -> None:
    name, fed = settle([body[:1000], *single(body[1000:2000]), body[2000:]], content_type)
    assert settle([body], content_type)[0] == name
    reads = [body[i : i + 37] for i in range(0, len(body), 37)]
    assert settle([*single(body[:100]), body[100:]], content_type)[0] == name
    found, fed = settle(reads, content_type)
    assert found == name
    assert fed <= WINDOW + 37


@pytest.mark.parametrize(
    ("start", "more", "content_type"),
    [
        (b'{"a":"', b"x\\n", None),
        (b'{"a":1\n', b" \r\n", LINES),
        (b'{"a":"', b"x\\n", PLAIN),
        (b'data: {"a":"', b"x\\n", PLAIN),
        (b"id: 1\n", b"id\n", PLAIN),
    ],
)
def test_time_is_linear(start: bytes, more: bytes, content_type: str | None) -> None:
    def seconds(size: int) -> float:
        body = start + more * (size // 3)
        begun = time.process_time()
        sniffer = Sniffer(content_type=content_type)
        for read in single(body):
            sniffer.feed(read)
        return time.process_time() - begun

    once = min(seconds(WINDOW // 5) for _ in range(2))
    assert min(seconds(4 * WINDOW // 5) for _ in range(2)) < 10 * once + 0.02


def test_every_name_is_a_framing() -> None:
    names = {name for row in RULES.values() for name in row}
    assert names == set(FRAMINGS)
    for framing in FRAMINGS.values():
        made = framing(limits=Limits())
        assert made.shortcuts
        assert made.feed(b"") == made.end() == []


class Meta(msgspec.Struct):
    """What is known about a recorded body."""

    content_type: str | None
    dialect: str


def test_recorded_bodies_need_no_content_type(shared: Path) -> None:
    for path in (shared / "captures").glob("*/meta.json"):
        meta = msgspec.json.decode(path.read_bytes(), type=Meta)
        body = path.with_name("body.bin").read_bytes()
        named, _ = settle([body], meta.content_type)
        for content_type in (None, SSE, PLAIN, JSON, FRAMES):
            assert settle([body], content_type)[0] == named, path.parent.name
        if (meta.content_type or "").startswith(SSE):
            assert named == "sse"


@pytest.mark.parametrize("content_type", [LINES, JSON, None])
def test_a_broken_first_line_does_not_swallow_the_body(content_type: str | None) -> None:
    broken = b'{"model":"m","message":{"content":"a\n'
    body = broken + b'{"model":"m","created_at":"t","message":{"content":"hi"},"done":true}\n'
    for reads in two_way(body):
        decoder = StreamDecoder("ollama", content_type=content_type)
        events = [event for read in reads for event in decoder.receive_data(read)]
        events += decoder.receive_eof()
        assert len([event for event in events if isinstance(event, Unrecognized)]) == 1
        assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "hi"
