"""Binary event streams: botocore's vectors and frames made here, at every cut."""

from __future__ import annotations

import base64
import struct
import time
import uuid
import zlib
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream.errors import ErrorInfo
from sans_io_stream.framing.eventstream import EventStream, Headers
from sans_io_stream.framing.items import Broken, Item, Unfinished, WireRecord
from sans_io_stream.policy import Limits
from tests.cuts import cut, single, two_way

# What botocore calls a fault, and what the message says here.
FAULTS = {
    "ChecksumMismatch": "checksum does not match",
    "DuplicateHeader": "stands twice",
    "InvalidHeadersLength": "the headers length",
    "InvalidPayloadLength": "the payload length",
}


class Case(msgspec.Struct):
    """One vector: a frame, and what is in it or wrong with it."""

    name: str
    error: str | None
    input_b64: str | None
    input_head_b64: str | None = None
    headers: dict[str, bool | int | str | dict[str, str]] = {}
    payload_b64: str = ""

    def data(self) -> bytes:
        return base64.b64decode(self.input_b64 or self.input_head_b64 or "")

    def record(self) -> WireRecord:
        headers: Headers = {
            name: base64.b64decode(value["b64"]) if isinstance(value, dict) else value
            for name, value in self.headers.items()
        }
        kind = str(headers.get(":error-code", ""))
        return WireRecord(base64.b64decode(self.payload_b64), kind, None, headers)


def run(reads: Iterable[bytes], limits: Limits | None = None, shortcuts: bool = True) -> list[Item]:
    framing = EventStream(limits=limits or Limits(), shortcuts=shortcuts)
    items = [item for read in reads for item in framing.feed(read)] + framing.end()
    assert framing.feed(frame()) == framing.end() == []
    return items


def partitions(data: bytes) -> list[list[bytes]]:
    return [[data], single(data), *two_way(data)]


def text_header(name: str, value: str) -> bytes:
    raw = value.encode()
    return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(raw)) + raw


def frame(headers: bytes = b"", payload: bytes = b"", total: int | None = None) -> bytes:
    lengths = struct.pack(">II", total or len(headers) + len(payload) + 16, len(headers))
    body = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + payload
    return body + struct.pack(">I", zlib.crc32(body))


def prelude(total: int, headers: int) -> bytes:
    lengths = struct.pack(">II", total, headers)
    return lengths + struct.pack(">I", zlib.crc32(lengths))


def fault(message: str, number: int = 1, offset: int = 0) -> Broken:
    return Broken(ErrorInfo("framing", f"event stream frame {number}, at byte {offset}: {message}"))


def test_conformance(shared: Path) -> None:
    path = shared / "conformance" / "eventstream_cases.json"
    cases = msgspec.json.decode(path.read_bytes(), type=list[Case])
    assert {case.error for case in cases if case.error} == set(FAULTS)
    good = frame(text_header(":event-type", "x"), b"{}")
    first = WireRecord(b"{}", "x", None, {":event-type": "x"})
    for case in cases:
        for reads in partitions(good + case.data()):
            items = run(reads)
            assert items[0] == first
            if case.error is None:
                assert items[1:] == [case.record()], case.name
                continue
            (broken,) = items[1:]
            assert isinstance(broken, Broken), case.name
            assert broken.error.kind == "framing"
            assert FAULTS[case.error] in broken.error.message, case.name
            assert f"frame 2, at byte {len(good)}:" in broken.error.message


def test_every_header_type() -> None:
    mark = uuid.UUID("12345678-1234-5678-1234-567812345678")
    block = (
        b"\x01t\x00\x01f\x01\x01b\x02\xff\x01s\x03\xff\xfe\x01i\x04\xff\xff\xff\xfd"
        b"\x01l\x05" + struct.pack(">q", -(1 << 40)) + b"\x01y\x06\x00\x02\x00\xff"
        b"\x01x\x07\x00\x02\xc3\xa9\x01m\x08" + struct.pack(">q", 1_700_000_000_123) + b"\x01u\x09"
    ) + mark.bytes
    headers: Headers = {
        "t": True, "f": False, "b": -1, "s": -2, "i": -3, "l": -(1 << 40), "y": b"\x00\xff",
        "x": "\u00e9", "m": 1_700_000_000_123, "u": mark.bytes,
    }  # fmt: skip
    for reads in partitions(frame(block)):
        assert run(reads) == [WireRecord(b"", "", None, headers)]
    for size in range(1, len(block)):
        (item,) = run([frame(block[:size])])
        if isinstance(item, WireRecord):
            assert item.headers is not None
            assert item.headers.items() < headers.items()
        else:
            assert item in (fault("a header is cut off"), fault("a header is not UTF-8"))


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ([":message-type", ":event-type"], ":event-type!"),
        ([":exception-type"], ":exception-type!"),
        ([":error-code", ":error-message"], ":error-code!"),
        ([":error-code", ":exception-type", ":event-type"], ":event-type!"),
        ([":message-type"], ""),
    ],
)
def test_the_type_is_what_the_headers_name(names: list[str], kind: str) -> None:
    block = b"".join(text_header(name, name + "!") for name in names)
    headers: Headers = {name: name + "!" for name in names}
    assert run([frame(block, b"p")]) == [WireRecord(b"p", kind, None, headers)]
    assert run([frame(b"\x0b:event-type\x00")]) == [
        WireRecord(b"", "", None, {":event-type": True})
    ]


@pytest.mark.parametrize("shortcuts", [True, False])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (prelude(16 + 5, 6), fault("the headers length 6 is not possible", 2, 16)),
        (prelude(15, 0), fault("the headers length 0 is not possible", 2, 16)),
        (prelude(0, 0), fault("the headers length 0 is not possible", 2, 16)),
        (prelude(1 << 20, 131_073), fault("the headers length 131073 is not possible", 2, 16)),
        (prelude(25_165_841, 0), fault("the payload length 25165825 is not possible", 2, 16)),
        (b"\x00" * 12, fault("the prelude checksum does not match", 2, 16)),
        (frame()[:-1] + b"\x00", fault("the message checksum does not match", 2, 16)),
        (frame(b"\x01a\x00\x01a\x01"), fault("header 'a' stands twice", 2, 16)),
        (frame(b"\x01a\x0a"), fault("header 'a' has the unknown type 10", 2, 16)),
        (frame(b"\x01a\x07\x00\x02b"), fault("a header is cut off", 2, 16)),
        (frame(b"\x01\xff\x00"), fault("a header is not UTF-8", 2, 16)),
        (frame(b"\x01a\x07\x00\x01\xff"), fault("a header is not UTF-8", 2, 16)),
    ],
)
def test_faults(data: bytes, expected: Broken, shortcuts: bool) -> None:
    for reads in partitions(frame() + data + frame()):
        assert run(reads, shortcuts=shortcuts) == [WireRecord(b"", headers={}), expected]


def test_the_largest_frame_that_is_allowed_is_taken() -> None:
    data = frame(text_header("a", "b" * 65_535) + text_header("c", "d" * 65_527), b"x" * (24 << 20))
    reads = [data[i : i + 65_536] for i in range(0, len(data), 65_536)]
    (record,) = run(reads)
    assert isinstance(record, WireRecord)
    assert len(record.data) == 24 << 20


def test_a_limit_acts_on_the_payload() -> None:
    limits = Limits(record_bytes=8)
    ok = frame(text_header("a", "b" * 20), b"12345678")
    place = f"event stream frame 2, at byte {len(ok)}"
    broken = Broken(
        ErrorInfo("limit", f"{place}: the payload exceeds Limits.record_bytes (8 bytes)")
    )
    for reads in partitions(ok + frame(b"", b"123456789") + ok):
        items = run(reads, limits)
        assert len(items) == 2
        assert items[1] == broken
    # From the prelude alone.
    assert run([ok + prelude(25, 0)], limits)[1:] == [broken]


@pytest.mark.parametrize("length", [1, 11, 12, 13, 40])
def test_leftover_bytes_are_unfinished(length: int) -> None:
    data = frame(text_header("a", "b"), b"x" * 40)
    for reads in partitions(data + data[:length]):
        assert run(reads)[1:] == [Unfinished(WireRecord(data[:length]))]


BLOCKS = st.sampled_from([b"", text_header(":event-type", "e"), b"\x01a\x00\x01b\x02\x07"])
FRAMES = st.builds(frame, BLOCKS, st.binary(max_size=40))


@given(st.lists(FRAMES, max_size=5), st.binary(max_size=20), st.lists(st.integers(0, 300)))
def test_items_are_a_function_of_the_bytes(
    frames: list[bytes], after: bytes, cuts: list[int]
) -> None:
    data = b"".join(frames) + after
    expected = run([data], shortcuts=False)
    assert run(cut(data, cuts)) == run([data]) == expected
    assert len(expected) >= len(frames)


@given(st.binary(max_size=40), st.integers(0, 60), st.integers(0, 255))
def test_a_changed_byte_is_noticed(payload: bytes, position: int, byte: int) -> None:
    data = frame(text_header("a", "b"), payload)
    changed = bytearray(data)
    changed[position % len(data)] = byte
    assert (run([bytes(changed)]) == run([data])) == (bytes(changed) == data)


def test_a_snapshot_at_every_byte_changes_nothing() -> None:
    data = frame(text_header("a", "b"), b"{}") + frame() + frame(b"", b"xyz")[:-2]
    framing = EventStream(limits=Limits())
    items: list[Item] = []
    for read in single(data):
        framing = msgspec.msgpack.decode(msgspec.msgpack.encode(framing), type=EventStream)
        items += framing.feed(read)
    assert items + framing.end() == run([data])


def test_records_do_not_share_headers() -> None:
    data = frame(text_header("a", "b"))
    first, second = run([data + data])
    assert isinstance(first, WireRecord)
    assert isinstance(second, WireRecord)
    assert first.headers is not None
    first.headers.clear()
    assert second.headers == {"a": "b"}


@pytest.mark.parametrize("step", [1, 1400])
def test_time_is_linear(step: int) -> None:
    def seconds(size: int) -> float:
        framing = EventStream(limits=Limits())
        data = frame(b"", b"x" * size)
        start = time.process_time()
        for i in range(0, len(data), step):
            framing.feed(data[i : i + step])
        return time.process_time() - start

    small = 20_000 * min(step, 100)
    once = min(seconds(small) for _ in range(3))
    assert min(seconds(4 * small) for _ in range(3)) < 10 * once + 0.02


def test_recorded_streams(shared: Path) -> None:
    bodies = [path.read_bytes() for path in (shared / "captures").glob("bedrock*/body.bin")]
    bodies = [body for body in bodies if body[:1] == b"\x00"]
    assert bodies
    for body in bodies:
        items = run([body])
        assert all(isinstance(item, WireRecord) and item.type for item in items)
        assert run(single(body)) == items
