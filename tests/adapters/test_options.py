"""What a consumer may ask of an open stream, and what it gets at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from sans_io_stream import (
    Disconnected,
    ErrorInfo,
    Event,
    LimitExceeded,
    Limits,
    Reconnecting,
    ReconnectPolicy,
    ResumePoint,
    StreamEnd,
    StreamFailed,
    StreamInterrupted,
    StreamRequest,
    TextDelta,
    Timeouts,
    Transcript,
)
from sans_io_stream.capture import Capture
from sans_io_stream.errors import AuthenticationFailed, RateLimited, ReconnectingExhausted
from sans_io_stream_adapters import sync as on_sync
from sans_io_stream_adapters.testing import Busy, Cut, FaultServer, Reset, Stall
from tests.session.answers import events_of

from .colours import ASYNC, COLOURS, collect
from .pools import quicken

QUICK = ReconnectPolicy(initial_delay=0.001, jitter=0.0)
ONCE = ReconnectPolicy.never()


# ---- how it ends


@pytest.mark.parametrize("colour", COLOURS)
def test_a_cut_answer_cannot_be_taken_for_a_whole_one(colour: str) -> None:
    with FaultServer("openai-responses", pieces=6, faults=[Cut(at=0.6)]) as server:
        told = collect(colour, server.request(), policy=ONCE, proxy=False)
    assert isinstance(told.raised, StreamInterrupted)
    assert told.stream is not None
    assert told.raised.end == told.end == told.stream.transcript.end
    assert told.raised.transcript is told.stream.transcript
    assert told.stream.transcript.text
    points = [event for event in told.events if isinstance(event, ResumePoint)]
    assert told.raised.resume_point == points[-1] == told.stream.resume_point


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthenticationFailed), (429, RateLimited), (400, StreamFailed)],
)
@pytest.mark.parametrize("colour", COLOURS)
def test_each_failure_has_its_kind(colour: str, status: int, kind: type[Exception]) -> None:
    with FaultServer("openai-chat", faults=[Busy(status=status)]) as server:
        told = collect(colour, server.request(), policy=ONCE, proxy=False)
    assert type(told.raised) is kind


@pytest.mark.parametrize("colour", COLOURS)
def test_what_is_tried_in_vain_is_exhausted(colour: str) -> None:
    with FaultServer("openai-responses", faults=[Reset()] * 9) as server:
        told = collect(colour, server.request(), policy=QUICK, proxy=False)
    assert isinstance(told.raised, ReconnectingExhausted)


@pytest.mark.parametrize("colour", COLOURS)
def test_on_error_event_raises_nothing(colour: str) -> None:
    with FaultServer("openai-chat", faults=[Cut(at=0.6)]) as server:
        told = collect(colour, server.request(), policy=ONCE, proxy=False, on_error="event")
    assert told.raised is None
    assert told.end.outcome == "interrupted"


def test_options_that_make_no_sense_are_refused_at_once() -> None:
    request = StreamRequest("POST", "http://api.test/", dialect="openai-chat")
    with pytest.raises(ValueError, match="on_error is 'raise' or 'event'"):
        on_sync.open_stream(request, on_error="ignore")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="proxy") as refused:
        on_sync.open_stream(request, proxy="socks5://user:secret@proxy.test")
    assert "secret" not in str(refused.value)


# ---- reconnecting


@pytest.mark.parametrize("colour", COLOURS)
def test_on_reconnect_comes_with_its_event(colour: str) -> None:
    order: list[object] = []

    def heard(attempt: int, delay: float) -> None:
        order.append((attempt, delay))

    def seen(_: Any, event: Event) -> None:
        if isinstance(event, Disconnected | Reconnecting):
            order.append(type(event))

    faults = [Cut(at=0.4), Cut(at=0.5)]
    with FaultServer("openai-responses", pieces=9, faults=faults) as server:
        request = server.request()
        collect(colour, request, policy=QUICK, proxy=False, on_reconnect=heard, seen=seen)
    assert order == [Disconnected, (2, 0.001), Reconnecting] * 2


@pytest.mark.parametrize("colour", ASYNC)
def test_an_asynchronous_callback_is_awaited(colour: str) -> None:
    heard: list[int] = []

    async def hear(attempt: int, _: float) -> None:
        await anyio.lowlevel.checkpoint()
        heard.append(attempt)

    with FaultServer("openai-responses", faults=[Cut(at=0.5)]) as server:
        collect(colour, server.request(), policy=QUICK, proxy=False, on_reconnect=hear)
    assert heard == [2]


def test_a_blocking_stream_refuses_an_asynchronous_callback() -> None:
    async def hear(attempt: int, delay: float) -> None:
        raise AssertionError

    with (
        FaultServer("openai-responses", faults=[Cut(at=0.5)]) as server,
        pytest.raises(TypeError, match="on_reconnect is asynchronous"),
    ):
        collect("sync", server.request(), policy=QUICK, proxy=False, on_reconnect=hear)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_new_stream_goes_on_behind_a_token(colour: str) -> None:
    with FaultServer("openai-responses", pieces=9, faults=[Cut(at=0.6)]) as server:
        request = server.request()
        first = collect(colour, request, policy=ONCE, proxy=False)
        assert first.raised is not None
        point = first.raised.resume_point
        assert point is not None
        second = collect(colour, request, proxy=False, resume_from=point.token)
        whole = collect(colour, request, proxy=False)
    committed = first.events[: first.events.index(point) + 1]
    assert events_of(committed + second.events) == events_of(whole.events)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_connection_is_dropped_on_demand(colour: str) -> None:
    asked: list[bool] = []

    def seen(stream: Any, event: Event) -> None:
        if isinstance(event, TextDelta) and not asked:
            asked.append(True)
            stream.reconnect()

    with FaultServer("openai-responses", pieces=9, faults=[Stall.in_event(7)]) as server:
        told = collect(colour, server.request(), proxy=False, seen=seen)
        assert server.seen.connections == 2
        whole = collect(colour, server.request(), proxy=False)
    assert events_of(told.events) == events_of(whole.events)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_stream_is_cancelled_with_a_reason_for_its_reader(colour: str) -> None:
    def seen(stream: Any, event: Event) -> None:
        if isinstance(event, TextDelta):
            stream.cancel("not needed")

    with FaultServer("openai-chat", pieces=9, faults=[Stall.in_event(4)]) as server:
        told = collect(colour, server.request(), proxy=False, seen=seen)
    assert told.raised is None
    assert told.end == StreamEnd("cancelled", ErrorInfo("cancelled", "not needed"))
    assert told.stream is not None
    assert told.stream.transcript.end == told.end


@pytest.mark.parametrize("colour", COLOURS)
def test_no_connection_is_begun_before_its_time(
    colour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled: list[float] = []

    def seen(stream: Any, event: Event) -> None:
        if isinstance(event, TextDelta) and not dialled:
            network = stream._network
            connect, now = network.connect, network.now()

            def watched(host: str, port: int, deadline: float | None) -> Any:
                dialled.append(network.now() - now)
                return connect(host, port, deadline)

            network.connect = watched
            dialled.append(0.0)
            stream.not_before(now + 5)

    never = Timeouts(connect=None, response=None, idle=None, progress=None)
    with FaultServer("openai-responses", pieces=6, faults=[Cut(at=0.6)]) as server:
        request = server.request()
        clocks = quicken(monkeypatch)
        told = collect(
            colour, request, seen=seen, policy=QUICK, timeouts=never, proxy=False, **clocks
        )
    assert told.end.outcome == "complete"
    assert dialled[1] >= 5


# ---- the transcript, and the capture


@pytest.mark.parametrize("colour", COLOURS)
def test_what_the_transcript_cannot_keep_ends_the_stream(colour: str) -> None:
    with FaultServer("openai-chat", pieces=400) as server:
        limits = Limits(transcript_bytes=300)
        told = collect(colour, server.request(), proxy=False, limits=limits)
    assert isinstance(told.raised, LimitExceeded)
    assert told.end.outcome == "failed"
    assert "Limits.transcript_bytes" in str(told.raised)


@pytest.mark.parametrize("colour", COLOURS)
def test_what_passes_is_recorded_without_credentials(colour: str, tmp_path: Path) -> None:
    path = tmp_path / "answer.jsonl"
    with FaultServer("openai-responses", pieces=9, faults=[Cut(at=0.6)]) as server:
        request = server.request(
            headers={"authorization": "Bearer sk-hidden"},
            url=f"{server.request().url}?api_key=sk-hidden-too",
        )
        told = collect(colour, request, policy=QUICK, proxy=False, capture=path)
    assert told.end == StreamEnd("complete")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["answer.2.jsonl", "answer.jsonl"]
    for file in tmp_path.iterdir():
        assert "hidden" not in file.read_text("utf-8")
    first, second = Capture.open(path), Capture.open(tmp_path / "answer.2.jsonl")
    assert (first.end, second.end) == ("truncated", "eof")
    assert first.dialect == "openai-responses"
    text = Transcript.of(first.events()).text + Transcript.of(second.events()).text
    assert Transcript.of(told.events).text in text
