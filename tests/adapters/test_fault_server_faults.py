"""Each fault does what it says, as a raw socket sees it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from sans_io_stream import StreamDecoder, StreamEnd
from sans_io_stream_adapters.testing import (
    Busy,
    Cut,
    Fault,
    FaultServer,
    Forget,
    Heartbeats,
    Ignore,
    Jump,
    Lie,
    NoEnd,
    Refuse,
    Repeat,
    Reset,
    Skip,
    Stall,
    Well,
)
from tests.adapters.raw import Got, ask, opened

Servers = Callable[..., FaultServer]

TEXT = "Hello, wörld 🦜"


def outcome(body: bytes, dialect: str) -> str:
    decoder = StreamDecoder(dialect)
    decoder.receive_data(body)
    end = decoder.receive_eof()[-1]
    assert isinstance(end, StreamEnd)
    return end.outcome


def played(servers: Servers, *faults: Fault, dialect: str = "openai-chat", **options: Any) -> Got:
    """What a raw client gets of one response."""
    return ask(servers(dialect, text=TEXT, faults=[faults], **options))


def well(servers: Servers, **options: Any) -> bytes:
    got = played(servers, Well(), **options)
    assert got.wire.endswith(b"\r\n0\r\n\r\n")
    assert not got.reset
    return got.wire


# ---- the connection


@pytest.mark.parametrize("reset", [True, False])
def test_a_connection_is_refused_behind_the_door(fault_server: Servers, reset: bool) -> None:
    server = fault_server("openai-chat", faults=[Refuse(reset)])
    # A reset may be faster than the return from connect(), which is then what reports it.
    refused = pytest.raises(ConnectionResetError) if reset else nullcontext()
    address = (server.host, server.port)
    with refused, socket.create_connection(address, timeout=30) as sock:
        assert sock.recv(1) == b""
    seen = server.wait_until(lambda seen: seen.open == 0)
    assert (seen.connections, seen.requests) == (1, ())
    assert ask(server).records


def test_a_kept_connection_is_refused_late(fault_server: Servers) -> None:
    server = fault_server("openai-chat", faults=[Well(), Refuse(reset=False)])
    with socket.create_connection((server.host, server.port), timeout=30) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        got = b""
        while not got.endswith(b"\r\n0\r\n\r\n"):
            got += sock.recv(65536)
        sock.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert sock.recv(1) == b""


def test_nobody_listens_while_it_is_refusing(fault_server: Servers) -> None:
    server = fault_server("openai-chat")
    with server.refusing(), pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port))
    assert ask(server).records
    assert server.seen.connections == 1


# ---- where a response breaks


def test_cuts_count_bytes_of_the_wire(fault_server: Servers) -> None:
    whole = well(fault_server)
    places = [0, 1, 17, len(whole) // 2, len(whole) - 1]
    server = fault_server("openai-chat", text=TEXT, faults=[Cut(at) for at in places])
    for at in places:
        assert ask(server) == (whole[:at], False)
    server = fault_server("openai-chat", text=TEXT, faults=[Cut(-3), Cut(0.5), Cut(len(whole))])
    assert ask(server).wire == whole[:-3]
    assert ask(server).wire == whole[: len(whole) // 2]
    assert ask(server).wire == whole


@pytest.mark.parametrize("at", [0, 1, 300])
def test_a_reset_is_a_reset(fault_server: Servers, at: int) -> None:
    whole = well(fault_server)
    assert played(fault_server, Reset(at)) == (whole[:at], True)


@pytest.mark.parametrize(
    ("dialect", "chunks"), [("openai-chat", True), ("openai-chat", 3), ("text", False)]
)
def test_a_cut_falls_inside_a_character(
    fault_server: Servers, dialect: str, chunks: bool | int
) -> None:
    server = fault_server(
        dialect, text=TEXT, chunks=chunks, faults=[Cut.in_character(1), Cut.in_character(2)]
    )
    for character in ("ö", "🦜"):
        got = ask(server)
        body = b"".join(got.chunks) if chunks else got.wire.partition(b"\r\n\r\n")[2]
        before = TEXT.partition(character)[0].rpartition(" ")[2]
        assert body.endswith(before.encode() + character.encode()[:1])


def test_a_cut_falls_inside_an_event(fault_server: Servers) -> None:
    records = played(fault_server, Well()).records
    for nth in (1, 2, len(records)):
        *whole, last = played(fault_server, Cut.in_event(nth)).chunks
        assert whole == records[: nth - 1]
        assert last == records[nth - 1][: len(records[nth - 1]) // 2]
    for nth in (1, 3):
        got = played(fault_server, Cut.in_event(nth), chunks=7)
        half = sum(map(len, records[: nth - 1])) + len(records[nth - 1]) // 2
        assert abs(len(b"".join(got.chunks)) - half) <= 1


@pytest.mark.parametrize("kind", [Cut, Reset])
def test_a_cut_falls_inside_a_chunk_header(fault_server: Servers, kind: type[Cut | Reset]) -> None:
    whole = played(fault_server, Well())
    size = b"%x" % len(whole.records[1])
    assert len(size) > 1
    got = played(fault_server, kind.in_chunk_header(2))
    assert whole.wire.startswith(got.wire + size[1:] + b"\r\n")
    assert got.wire.endswith(b"\r\n" + size[:1])
    last = played(fault_server, kind.in_chunk_header(len(whole.records) + 1))
    assert last.wire == whole.wire[:-4]


def test_a_place_that_is_not_there_breaks_nothing(fault_server: Servers) -> None:
    whole = well(fault_server)
    for fault in (Cut.in_character(99), Cut.in_event(99), Cut.in_chunk_header(99), Cut(10**9)):
        assert played(fault_server, fault).wire == whole
    with pytest.raises(ValueError, match="count from 1"):
        Cut.in_event(0)


def test_a_stall_is_silence_until_somebody_goes(fault_server: Servers) -> None:
    whole = well(fault_server)
    server = fault_server("openai-chat", text=TEXT, faults=[Stall(at=200), Stall.in_event(2)])
    for _ in range(2):
        with opened(server) as sock:
            got = b""
            while len(got) < 200:
                got += sock.recv(65536)
            assert whole.startswith(got)
            assert server.seen.open == 1
        server.wait_until(lambda seen: seen.open == 0)


@pytest.mark.parametrize(
    ("dialect", "beat"),
    [
        ("openai-chat", b": keep-alive\n"),
        ("anthropic", b'event: ping\ndata: {"type":"ping"}\n\n'),
        ("gemini-interactions", b": keep-alive\n\n"),
        ("ollama", None),
    ],
)
def test_only_heartbeats_come(fault_server: Servers, dialect: str, beat: bytes | None) -> None:
    records = ask(fault_server(dialect, text=TEXT)).records
    server = fault_server(dialect, text=TEXT, faults=[Heartbeats(after=2, every=0.0)])
    got = b""
    with opened(server) as sock:
        while len(Got(got, False).chunks) < 10:
            got += sock.recv(65536)
    chunks = Got(got, False).chunks
    assert chunks[:2] == records[:2]
    assert set(chunks[2:9]) == {chunks[2]}
    assert beat in (None, chunks[2])
    assert outcome(b"".join(chunks[:9]), dialect) == "interrupted"


def test_after_some_heartbeats_the_answer_goes_on(fault_server: Servers) -> None:
    records = played(fault_server, Well()).records
    got = played(fault_server, Heartbeats(after=1, count=3, every=0.0))
    assert got.records == [records[0], *[b": keep-alive\n"] * 3, *records[1:]]


# ---- status and head


@pytest.mark.parametrize("status", [429, 503, 529])
@pytest.mark.parametrize("wait", [None, 1, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_busy_is_a_document(fault_server: Servers, status: int, wait: int | str | None) -> None:
    got = played(fault_server, Busy(status, retry_after=wait))
    assert got.wire.startswith(b"HTTP/1.1 %d " % status)
    assert (b"retry-after: %b\r\n" % str(wait).encode() in got.head) == (wait is not None)
    assert b"content-type: application/json\r\n" in got.head
    body = got.wire.partition(b"\r\n\r\n")[2]
    assert b"content-length: %d\r\n" % len(body) in got.head
    assert json.loads(body)["error"]["message"]


def test_a_content_type_lies(fault_server: Servers) -> None:
    true, lied = played(fault_server, Well()), played(fault_server, Lie("text/html"))
    assert b"content-type: text/html\r\n" in lied.head
    assert lied.chunks == true.chunks


# ---- the records


@pytest.mark.parametrize(
    "dialect",
    ["openai-chat", "openai-responses", "anthropic", "gemini", "ollama", "holysheep", "native",
     "records", "gemini-interactions"],
)  # fmt: skip
def test_the_end_is_left_out(fault_server: Servers, dialect: str) -> None:
    whole = ask(fault_server(dialect, text=TEXT)).records
    short = played(fault_server, NoEnd(), dialect=dialect).records
    assert whole[: len(short)] == short
    assert len(short) < len(whole)
    if dialect != "records":
        assert outcome(b"".join(short), dialect) == "interrupted"
        assert outcome(b"".join(whole[: len(short) + 1]), dialect) == "complete"


def test_records_are_left_out_and_repeated(fault_server: Servers) -> None:
    records = played(fault_server, Well()).records
    assert played(fault_server, Skip(2, at=1)).records == [records[0], *records[3:]]
    again = played(fault_server, Repeat(2, at=3)).records
    assert again == [*records[:3], *records[1:]]
    assert played(fault_server, Repeat(2)).records == records
    both = played(fault_server, Skip(1, at=1), Cut.in_event(3)).chunks
    assert both[:2] == [records[0], records[2]]


@pytest.mark.parametrize("by", [10, -2])
def test_sequence_numbers_jump(fault_server: Servers, by: int) -> None:
    def numbers(got: Got) -> list[int]:
        fields = [record.partition(b"data: ")[2] for record in got.records]
        return [json.loads(field)["sequence_number"] for field in fields]

    last = len(numbers(played(fault_server, Well(), dialect="openai-responses")))
    got = numbers(played(fault_server, Jump(by, at=3), dialect="openai-responses"))
    assert got == [0, 1, 2, *range(3 + by, last + by)]


def test_ids_jump(fault_server: Servers) -> None:
    got = played(fault_server, Jump(by=5, at=1), dialect="native").records
    ids = [record.partition(b"id: ")[2].partition(b"\n")[0] for record in got]
    assert ids[:3] == [b"evt_000", b"evt_006", b"evt_007"]
    got = played(fault_server, Jump(by=-1, at=2), dialect="holysheep").records
    assert [json.loads(r.partition(b"data: ")[2])["id"] for r in got[1:3]] == ["evt_001"] * 2


# ---- the cursor


def test_cursors_are_ignored_and_forgotten(fault_server: Servers) -> None:
    server = fault_server(
        "records", text=TEXT, faults=[Ignore(), Forget(), Forget(410), Well(), Forget(), Repeat(1)]
    )
    whole = ask(server, last_event_id="1").records
    assert ask(server, last_event_id="1").wire.startswith(b"HTTP/1.1 404 ")
    assert ask(server, last_event_id="1").wire.startswith(b"HTTP/1.1 410 ")
    assert ask(server, last_event_id="2").records == whole[2:]
    assert ask(server).records == whole
    assert ask(server, last_event_id="3").records == whole[2:]
    assert ask(server, last_event_id="unknown").wire.startswith(b"HTTP/1.1 404 ")
    assert ask(server, last_event_id="4").wire.startswith(b"HTTP/1.1 204 ")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Busy(200),
        lambda: Forget(500),
        lambda: Heartbeats(after=-1),
        lambda: Skip(-1),
        lambda: Repeat(1, at=-1),
        lambda: Jump(at=-1),
        lambda: Cut.in_character(0),
    ],
)
def test_faults_that_make_no_sense_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"status|below 0|count from 1"):
        make()
