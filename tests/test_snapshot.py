"""Snapshots as data: what they hold, how big they are, and what is refused.

That a snapshot changes nothing about the events is law 5, in ``test_laws.py``.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

import msgspec
import pytest

from sans_io_stream import Limits, SnapshotError, StreamDecoder, TextDelta, snapshot
from sans_io_stream.dialects.registry import DIALECTS
from sans_io_stream.framing import FRAMINGS, AnyFraming

TEXT = "openai-chat"
WIRES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    TEXT: (
        {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant"}}]},
        {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "word"}}]},
    ),
    "openai-responses": (
        {"type": "response.created", "response": {"id": "r", "model": "m"}},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "word"},
    ),
    "anthropic": (
        {"type": "message_start", "message": {"id": "m", "model": "m", "usage": {"x": 1}}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "word"}},
    ),
    "gemini": (
        {"responseId": "r", "modelVersion": "m"},
        {"candidates": [{"content": {"parts": [{"text": "word"}]}, "index": 0}]},
    ),
}
"""Dialect → a record that begins an answer, and one piece of its text."""


def records(dialect: str, count: int) -> list[bytes]:
    first, piece = WIRES[dialect]
    return [f"data: {json.dumps(value)}\n\n".encode() for value in (first, *[piece] * count)]


def decoder(dialect: str | None = TEXT, **options: Any) -> StreamDecoder:
    return StreamDecoder(dialect, content_type="text/event-stream", **options)


def snapshots() -> dict[str, bytes]:
    """One of each state that a decoder may be in."""
    reading, midway, ended = decoder(), decoder(), decoder()
    body = b"".join(records(TEXT, 3))
    reading.receive_data(body)
    midway.receive_data(body[:-9])
    ended.receive_data(body)
    ended.receive_eof()
    document = StreamDecoder(status=429)
    document.receive_data(b'{"error": {"mess')
    opening = StreamDecoder()
    opening.receive_data(b"dat")
    named = {"reading": reading, "midway": midway, "ended": ended, "document": document}
    named |= {"opening": opening, "fresh": StreamDecoder()}
    return {name: one.snapshot() for name, one in named.items()}


def opened(blob: bytes) -> dict[str, Any]:
    """What a snapshot says, behind its version and its checksum."""
    return msgspec.msgpack.decode(blob[snapshot.HEAD.size :], type=dict[str, Any])


def closed(state: object) -> bytes:
    """A snapshot that says this, and whose checksum matches."""
    return snapshot.sealed(msgspec.msgpack.encode(state))


SNAPSHOTS = snapshots()
each = pytest.mark.parametrize("blob", SNAPSHOTS.values(), ids=SNAPSHOTS)


# ---- what is written can be read


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_its_encoding(name: str) -> None:
    made = DIALECTS[name](limits=Limits(depth=7))
    typed = msgspec.json.Decoder(DIALECTS[name])
    again = typed.decode(msgspec.json.encode(made))
    assert type(again) is type(made)
    assert again == made


@pytest.mark.parametrize("name", FRAMINGS)
def test_a_framing_is_its_encoding(name: str) -> None:
    made = FRAMINGS[name](limits=Limits(depth=7))
    blob = msgspec.msgpack.encode(made)
    assert msgspec.msgpack.Decoder(FRAMINGS[name]).decode(blob) == made
    # In a snapshot it stands as one of them all: its tag says which.
    again = msgspec.msgpack.decode(blob, type=AnyFraming)
    assert type(again) is type(made)
    assert again == made


@each
def test_restoring_changes_nothing(blob: bytes) -> None:
    assert StreamDecoder.restore(blob).snapshot() == blob


# ---- what is refused


def refused(blob: bytes) -> bool:
    """Whether ``blob`` is refused, in the one way in which anything may be."""
    try:
        StreamDecoder.restore(blob)
    except SnapshotError:
        return True
    return False


@each
def test_a_truncated_snapshot_is_refused(blob: bytes) -> None:
    assert all(refused(blob[:size]) for size in range(len(blob)))
    assert refused(blob + b"\x00")


@each
def test_a_damaged_snapshot_is_refused(blob: bytes) -> None:
    drawn = Random(1)
    for place in range(len(blob)):
        other = bytes([blob[place] ^ drawn.randrange(1, 256)])
        # Names, types and structure are checked, too; but that a position lies outside, or
        # that a text has other letters, only a checksum can tell.
        assert refused(blob[:place] + other + blob[place + 1 :])
        assert refused(blob[:place] + blob[place + 1 :])
        assert refused(blob[:place] + other + blob[place:])


@each
def test_what_was_written_wrong_raises_nothing_else(blob: bytes) -> None:
    drawn = Random(1)
    state = blob[snapshot.HEAD.size :]
    for place in range(len(state)):
        other = bytes([state[place] ^ drawn.randrange(1, 256)])
        refused(snapshot.sealed(state[:place] + other + state[place + 1 :]))
        refused(snapshot.sealed(state[:place] + state[place + 1 :]))
    assert all(refused(snapshot.sealed(state[:size])) for size in range(len(state)))
    assert refused(snapshot.sealed(state + b"\x00"))


OTHER_DATA: list[object] = [None, 1, "text", [], {}, {"version": {}}, [1, [2]]]


@pytest.mark.parametrize("value", OTHER_DATA)
def test_data_of_another_kind_are_refused(value: object) -> None:
    assert refused(closed(value))
    assert refused(msgspec.msgpack.encode(value))


@pytest.mark.parametrize("opener", [b"\x91", b"\x81", b"\x81\xa1a"])
def test_no_nesting_reaches_the_stack(opener: bytes) -> None:
    assert refused(snapshot.sealed(opener * 100_000))


def test_a_dialect_that_is_damaged_is_refused() -> None:
    state = opened(SNAPSHOTS["reading"])
    name, saved = state["dialect"]
    for damaged in (
        (name, saved[:-1]),
        (name, saved.replace(b'"m"', b'"\xff"')),
        (name, saved.replace(b'"lax":', b'"lax":"",') + b" "),
        (name, b"[" * 100_000),
        (name, b""),
        ("no such dialect", saved),
        ([name], saved),
    ):
        assert refused(closed({**state, "dialect": damaged}))


def test_random_bytes_are_refused() -> None:
    drawn = Random(1)
    assert all(refused(drawn.randbytes(drawn.randrange(60))) for _ in range(20_000))


@pytest.mark.parametrize("version", [0, 1, 3, 0xFFFF])
def test_another_version_is_refused(version: int) -> None:
    blob = SNAPSHOTS["reading"]
    magic, own, checksum = snapshot.HEAD.unpack_from(blob)
    assert own == snapshot.VERSION
    other = snapshot.HEAD.pack(magic, version, checksum) + blob[snapshot.HEAD.size :]
    with pytest.raises(SnapshotError, match=f"has version {version}"):
        StreamDecoder.restore(other)


@each
def test_a_later_library_refuses_what_this_one_wrote(
    blob: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "VERSION", snapshot.VERSION + 1)
    assert refused(blob)


# ---- what it holds


def test_it_holds_these_fields_and_no_others() -> None:
    # No header and no credential: whoever adds a field argues for it here.
    for blob in SNAPSHOTS.values():
        assert set(opened(blob)) == {
            "raw", "input_ended", "ended", "opening", "framing", "dialect", "point",
        }  # fmt: skip


def test_the_content_type_is_forgotten_when_the_body_is_open() -> None:
    one = StreamDecoder(TEXT, content_type="text/event-stream; boundary=sesame")
    one.receive_data(b"".join(records(TEXT, 3)))
    assert b"sesame" not in one.snapshot()


@each
def test_what_else_is_put_in_is_ignored(blob: bytes) -> None:
    state = opened(blob)
    more = {"headers": {"authorization": "Bearer sesame"}, "api_key": "sesame"}
    again = StreamDecoder.restore(closed({**state, **more}))
    assert again.snapshot() == blob


@pytest.mark.parametrize("dialect", WIRES)
@pytest.mark.parametrize("detected", [False, True])
def test_its_size_is_that_of_the_state(dialect: str, detected: bool) -> None:
    one = decoder(None if detected else dialect)
    said = 0
    sizes: list[int] = []
    for data in records(dialect, 2000):
        said += sum(type(event) is TextDelta for event in one.receive_data(data))
        sizes.append(len(one.snapshot()))
    assert one.dialect == dialect
    assert said == 2000
    assert max(sizes) < 4096
    # What grows is the digits of two positions.
    assert max(sizes[20:]) <= sizes[20] + 8


@pytest.mark.parametrize("dialect", WIRES)
def test_its_size_is_that_of_the_state_however_it_is_read(dialect: str) -> None:
    body = b"".join(records(dialect, 2000))
    sizes = [0, 0]
    for which, data in enumerate((body[: len(body) // 10], body)):
        one = decoder(dialect)
        for begin in range(0, len(data), 1400):
            one.receive_data(data[begin : begin + 1400])
        one.receive_data(b"\n\n")
        sizes[which] = len(one.snapshot())
    assert max(sizes) < 4096
    assert sizes[1] <= sizes[0] + 64
