"""FaultServer: what it plays arrives, and what it counts is what a client did."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sans_io_stream import Record, StreamDecoder, TextDelta, UnknownDialectError
from sans_io_stream.encoding.registry import FORMATS
from sans_io_stream_adapters.testing import Cut, FaultServer, Stall
from tests.adapters.driving import drive

TEXT = "Hello, wörld 🦜,\nand more of it"

Servers = Callable[..., FaultServer]
WRITTEN = [
    *((name, framing) for name, cls in FORMATS.items() for framing in cls.framings),
    ("records", "sse"),
    ("gemini-interactions", "sse"),
]


@pytest.mark.parametrize(("dialect", "framing"), WRITTEN)
def test_every_dialect_with_an_encoder_is_played(
    fault_server: Servers, dialect: str, framing: str
) -> None:
    server = fault_server(dialect, framing=framing, text=TEXT)
    run = drive(server.request())
    assert run.end.outcome == "complete"
    said = "".join(event.text for event in run.of(TextDelta))
    records = "".join(event.data for event in run.of(Record)).removesuffix("[END]")
    assert (said or records) == TEXT


@pytest.mark.parametrize("chunks", [True, False, 1, 7])
def test_a_plain_client_reads_the_same_however_it_is_sent(
    fault_server: Servers, chunks: bool | int
) -> None:
    server = fault_server("openai-chat", text=TEXT, chunks=chunks, headers={"x-request-id": "r1"})
    client = http.client.HTTPConnection(server.host, server.port)
    for _ in range(2):
        client.request("POST", "/v1/chat/completions", b'{"stream": true}', {"x-one": "two"})
        response = client.getresponse()
        assert (response.status, response.headers["x-request-id"]) == (200, "r1")
        decoder = StreamDecoder(content_type=response.headers["content-type"])
        events = decoder.receive_data(response.read()) + decoder.receive_eof()
        assert "".join(e.text for e in events if isinstance(e, TextDelta)) == TEXT
    client.close()
    asked = server.seen.requests[1]
    assert (asked.method, asked.target) == ("POST", "/v1/chat/completions")
    assert asked.header("X-One") == "two"
    assert asked.json() == {"stream": True}
    assert server.seen.connections == (2 if chunks is False else 1)
    assert server.wait_until(lambda seen: seen.open == 0).most_at_once == 1


def test_requests_are_counted_at_once(fault_server: Servers) -> None:
    server = fault_server("openai-chat", faults=[Stall(at=10)] * 3)
    socks = [socket.create_connection((server.host, server.port)) for _ in range(3)]
    for sock in socks:
        sock.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 2"
    assert server.seen.most_at_once == 3
    assert server.seen.open == 3
    for sock in socks:
        sock.close()
    assert server.wait_until(lambda seen: seen.open == 0).connections == 3
    assert drive(server.request()).end.outcome == "complete"
    assert server.seen.most_at_once == 3
    assert len(server.seen.requests) == 4


def test_closing_leaves_nothing() -> None:
    def descriptors() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    before, threads = descriptors(), threading.active_count()
    server = FaultServer("anthropic", faults=[Stall(at=50)])
    with socket.create_connection((server.host, server.port)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert len(sock.recv(100)) == 50
        idle = socket.create_connection((server.host, server.port))
        server.wait_until(lambda seen: seen.open == 2)
        server.close()
        assert sock.recv(100) == b""
        assert idle.recv(100) == b""
        idle.close()
    assert threading.active_count() == threads
    assert descriptors() == before
    assert server.seen.connections == 2
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port))


def test_a_speed_is_kept_and_ends_with_the_server() -> None:
    server = FaultServer("openai-chat", pieces=1000, speed=0.001)
    with socket.create_connection((server.host, server.port)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        first = sock.recv(65536)
        while b"Hello" not in first and b"\n\n" not in first:
            first += sock.recv(65536)
        # The second record is due in 20 seconds; nobody waits for it.
        server.close()
        assert sock.recv(65536) == b""


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"listens at 127\.0\.0\.1 alone, not at '0\.0\.0\.0'"):
        FaultServer("openai-chat", host="0.0.0.0")
    with pytest.raises(ValueError, match="needs a dialect"):
        FaultServer()
    with pytest.raises(ValueError, match="one of them"):
        FaultServer("openai-chat", text="a", events=[])
    with pytest.raises(UnknownDialectError, match="no encoder writes"):
        FaultServer("cohere")
    with pytest.raises(UnknownDialectError, match="not sent as"):
        FaultServer("openai-responses", framing="jsonl")
    with pytest.raises(UnknownDialectError, match="no server resumes as"):
        FaultServer("openai-chat", resume="magic")
    wrong: list[dict[str, Any]] = [
        {"speed": 0},
        {"chunks": 0},
        {"pieces": 0},
        {"cuts": -1},
        {"faults": [Cut]},
        {"headers": {"a": "b\r\nc: d"}},
    ]
    for options in wrong:
        with pytest.raises((ValueError, TypeError)):
            FaultServer("openai-chat", **options)


def test_bad_requests_are_told_so(fault_server: Servers) -> None:
    server = fault_server("openai-chat")
    with socket.create_connection((server.host, server.port)) as sock:
        sock.sendall(b"nonsense\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 400 ")


def test_the_request_takes_overrides(fault_server: Servers) -> None:
    server = fault_server("openai-responses", faults=[Cut(at=-1)])
    request = server.request(path="/openai/v1/responses?key=1", headers={"a": "b"})
    assert request.url == f"{server.url}/openai/v1/responses?key=1"
    assert dict(request.pairs) == {"a": "b", "content-type": "application/json"}
    assert json.loads(request.body)["background"] is True
    assert server.request(body=b"{}").body == b"{}"
