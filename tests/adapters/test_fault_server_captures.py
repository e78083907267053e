"""Captures are replayed: their bytes, their reads, their times, and their cursors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sans_io_stream import CaptureError, TextDelta, Transcript
from sans_io_stream.capture import Capture
from sans_io_stream.encoding import Encoder
from sans_io_stream_adapters import tour
from sans_io_stream_adapters.testing import Cut, FaultServer, Jump, NoEnd, Repeat, Skip, delivery
from sans_io_stream_adapters.testing.connection import Connection
from sans_io_stream_adapters.testing.playing import generated
from tests.adapters.driving import drive
from tests.adapters.raw import ask

Servers = Callable[..., FaultServer]

SAID = tour.visit()[0].text


@pytest.mark.parametrize("dialect", tour.DIALECTS)
def test_a_capture_is_replayed_with_its_own_reads(fault_server: Servers, dialect: str) -> None:
    capture = tour.load(dialect)
    server = fault_server(capture=capture)
    got = ask(server, "/v1/stream")
    assert got.records == [read.data for read in capture.reads() if read.data]
    assert f"content-type: {capture.content_type}\r\n".encode() in got.head
    run = drive(server.request())
    assert run.end.outcome == "complete"
    assert "".join(event.text for event in run.of(TextDelta)) == SAID


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses", "anthropic", "ollama"])
def test_the_faults_of_records_find_them_in_a_capture(fault_server: Servers, dialect: str) -> None:
    capture = tour.load(dialect)
    whole = ask(fault_server(capture=capture, faults=[Skip(0, at=1)], chunks=1), "/x")
    assert b"".join(whole.records) == capture.body
    server = fault_server(capture=capture, faults=[Skip(1, at=1), Repeat(1, at=2), NoEnd()])
    skipped, repeated, short = (b"".join(ask(server, "/x").records) for _ in range(3))
    # The reads of this one end anywhere; its records are where its framing has them.
    size = len(capture.body) - len(skipped)
    assert capture.body.endswith(skipped[-20:])
    assert len(repeated) == len(capture.body) + size
    assert capture.body.startswith(short)
    end = Transcript.of(Capture.of(short, dialect=dialect).events()).end
    assert end is not None
    assert end.outcome == "interrupted"


def background() -> Capture:
    """A response in the background, recorded in awkward reads, a second apart."""
    encoder = Encoder("openai-responses", background=True)
    body = b"".join(encoder.encode(event) for event in generated("Hello, wörld 🦜", None))
    pieces = Capture.of(body).resplit(5).reads()
    return Capture.of(
        [read.data for read in pieces],
        times=[float(number) for number in range(len(pieces))],
        dialect="openai-responses",
        content_type="text/event-stream",
    )


def test_a_capture_is_resumed_by_the_cursors_in_it(fault_server: Servers) -> None:
    capture = background()
    for at in range(200, len(capture.body), 150):
        server = fault_server(capture=capture, faults=[Cut(at)])
        run = drive(server.request())
        assert "".join(event.text for event in run.of(TextDelta)) == "Hello, wörld 🦜"
        assert run.end.outcome == "complete"
    server = fault_server(capture=capture, faults=[Jump(100, at=2)])
    numbers = b"".join(ask(server, "/v1/responses").chunks)
    assert b'"sequence_number":102' in numbers
    assert b'"sequence_number":2,' not in numbers


def test_llamacpp_resumes_a_capture_at_any_byte(fault_server: Servers) -> None:
    capture = tour.load("openai-chat")
    for at in range(300, len(capture.body), 97):
        server = fault_server(capture=capture, resume="llamacpp", faults=[Cut(at)])
        run = drive(server.request())
        assert "".join(event.text for event in run.of(TextDelta)) == SAID


@pytest.mark.parametrize(("speed", "second"), [(None, 0.0), (1.0, 1.0), (4.0, 0.25)])
def test_the_recorded_times_are_kept(
    fault_server: Servers, monkeypatch: pytest.MonkeyPatch, speed: float | None, second: float
) -> None:
    waited: list[float] = []

    def wait(self: object, seconds: float) -> bool:
        waited.append(seconds)
        return True

    # A clock that stands still shows each wait from the beginning on.
    monkeypatch.setattr(delivery, "time", SimpleNamespace(monotonic=lambda: 0.0))
    monkeypatch.setattr(Connection, "wait", wait)
    capture = background()
    ask(fault_server(capture=capture, speed=speed), "/x")
    count = len(capture.reads())
    assert waited == [number * second for number in range(1, count) if second] + (
        [(count - 1) * second] if second else []
    )


@pytest.mark.parametrize(("end", "reset"), [("truncated", False), ("error", True)])
def test_the_end_of_a_capture_is_that_of_the_connection(
    fault_server: Servers, end: Any, reset: bool
) -> None:
    reads = tour.load("openai-chat").cut(300).reads()
    capture = Capture(reads, dialect="openai-chat", end=end)
    got = ask(fault_server(capture=capture))
    assert b"".join(got.chunks) == capture.body
    assert not got.wire.endswith(b"\r\n0\r\n\r\n")
    assert got.reset == reset


def test_the_status_and_headers_of_a_capture_are_kept(fault_server: Servers) -> None:
    body = b'{"error":{"message":"slow down"}}'
    headers = {"retry-after": "7", "content-length": "5", "content-type": "application/json"}
    capture = Capture.of(body, dialect="openai-chat", status=429, headers=headers)
    got = ask(fault_server(capture=capture))
    assert got.wire.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert b"retry-after: 7\r\n" in got.head
    assert b"content-length" not in got.head
    assert got.records == [body]


def test_a_capture_is_opened_by_its_path(fault_server: Servers, tmp_path: Path) -> None:
    capture = tour.load("gemini")
    path = tmp_path / "answer.jsonl"
    path.write_text("\n".join(capture.lines()), "utf-8")
    server = fault_server(capture=path)
    assert server.dialect == "gemini"
    assert b"".join(ask(server).records) == capture.body
    path.write_text("no capture", "utf-8")
    with pytest.raises(CaptureError):
        FaultServer(capture=path)
    with pytest.raises(ValueError, match="its own framing"):
        FaultServer(capture=capture, framing="sse")
