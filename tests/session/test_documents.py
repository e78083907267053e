"""Error documents: read to their end, to the limit, or as far as they come; and told as that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sans_io_stream import ErrorInfo, Event, Limits, StreamSession
from sans_io_stream.session import Close, Receive
from tests.session.peer import Asked, Reply, drive
from tests.session.stories import STORIES
from tests.session.test_scripts import CHAT, answered, begun, words


def error_of(events: list[Event]) -> ErrorInfo:
    """The one error in ``events``."""
    found: list[Any] = [event for event in events if getattr(event, "error", None) is not None]
    assert len(found) == 1
    error = found[0].error
    assert isinstance(error, ErrorInfo)
    return error


@pytest.mark.parametrize(("status", "last"), [(401, "failed"), (503, "Reconnecting")])
@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, deflate"])
def test_a_coded_document_is_a_refusal_all_the_same(coding: str, status: int, last: str) -> None:
    session = begun()
    events = session.receive_data(answered(status, f"content-encoding: {coding}", body=b"xyz"), 0.0)
    assert last in words(events)[-1]
    error = error_of(events)
    assert error.status == status
    assert coding in error.message


CUTS: dict[str, tuple[Callable[[StreamSession], list[Event]], str]] = {
    "reset": (lambda s: s.connection_lost(ConnectionResetError("reset"), 1.0), "reset"),
    "end": (lambda s: s.receive_eof(1.0), "ended"),
    "stall": (lambda s: s.handle_timeout(10.0), "more than 10 s"),
}


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("body", [b"", b'{"error": {"message": "busy'])
def test_a_cut_document_does_not_look_whole(body: bytes, how: str) -> None:
    session = begun()
    session.receive_data(b"HTTP/1.1 500 X\r\nContent-Length: 300\r\n\r\n" + body, 0.0)
    assert session.next_step(0.0) == Receive(10.0)
    call, why = CUTS[how]
    events = call(session)
    assert words(events) == ["Disconnected server", "Reconnecting 2 after 1"]
    error = error_of(events)
    assert "could not be read to its end" in error.message
    assert why in error.message


def test_a_whole_document_says_nothing_of_that() -> None:
    body = b'{"error": {"message": "busy", "type": "server_error"}}'
    assert error_of(begun().receive_data(answered(500, body=body), 0.0)).message == "busy"


@pytest.mark.parametrize("size", [1, 700, 1 << 16])
def test_behind_the_limit_nothing_more_is_read(size: int) -> None:
    session = begun(limits=Limits(error_body_bytes=1000))
    events = session.receive_data(b"HTTP/1.1 400 X\r\n\r\n", 0.0)
    read = 0
    while session.end is None:
        events += session.receive_data(b"x" * size, 0.0)
        read += size
        assert read <= 1000 + size
    assert words(events) == ["Connected 400", "StreamEnd failed invalid_request"]
    assert "Limits.error_body_bytes (1000 bytes)" in error_of(events).message
    assert session.next_step(0.0) == Close()


def test_a_document_of_the_limit_is_whole() -> None:
    session = begun(limits=Limits(error_body_bytes=1000))
    events = session.receive_data(answered(400, body=b"x" * 1000), 0.0)
    assert "cut" not in error_of(events).message


def test_a_client_of_ones_own_reads_no_more_either() -> None:
    session = StreamSession(CHAT, limits=Limits(error_body_bytes=1000))
    session.start(0.0)
    session.response_started(400, {}, 0.0)
    assert words(session.receive_body(b"x" * 1001, 0.0)) == ["StreamEnd failed invalid_request"]


@pytest.mark.parametrize("how", ["stall", "reset"])
def test_a_check_that_is_cut_has_said_nothing_of_the_cursor(how: str) -> None:
    story = STORIES["holysheep-checked"]
    cut = Reply(
        b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{",
        stalls=how == "stall",
        lost=how == "reset",
    )
    checks = [cut]

    def serve(asked: Asked) -> Reply:
        if asked.path.endswith("/check") and checks:
            return checks.pop()
        if asked.path.endswith("/check") or story.asked_from(asked) is not None:
            return story.serve(asked)
        return Reply(story.wire(story.after(None)[:3])[:-5], lost=True)

    run = drive(StreamSession(story.request), serve)
    assert run.end.outcome == "complete"
    assert [asked.path.rpartition("/")[2] for asked in run.asked] == [
        "completions", "check", "check", "completions",
    ]  # fmt: skip
