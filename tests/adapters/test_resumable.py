"""Sessions over the connections of other clients: the real ones, on every runtime they have."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import pytest

from sans_io_stream import (
    Disconnected,
    Event,
    RateLimited,
    Reconnecting,
    ReconnectPolicy,
    StreamEnd,
    StreamInterrupted,
    StreamRequest,
    TextDelta,
    Timeouts,
)
from sans_io_stream.capture import Capture
from sans_io_stream.errors import ReconnectingExhausted, StreamEndError
from sans_io_stream_adapters.responses import resumable
from sans_io_stream_adapters.testing import Busy, Cut, FaultServer, Heartbeats, Reset, Stall
from tests.session.answers import events_of

from .coded import serving
from .colours import collect, run
from .test_events_from import Watching, body_of

if TYPE_CHECKING:
    from sans_io_stream.request import HTTPRequest


class Over(NamedTuple):
    """A client by its package and its class, and what runs it."""

    package: str
    kind: str
    colour: str

    def __str__(self) -> str:
        return f"{self.package}-{self.colour}"


CLIENTS = [
    Over(package, "Client" if colour == "sync" else "AsyncClient", colour)
    for package in ("httpx", "httpx2")
    for colour in ("sync", "asyncio", "trio")
]
CLIENTS.append(Over("aiohttp", "ClientSession", "asyncio"))
ASYNC = [one for one in CLIENTS if one.colour != "sync"]
NONE: dict[str, Any] = {}
QUICK = ReconnectPolicy(initial_delay=0.001, jitter=0.0)
ONCE = ReconnectPolicy.never()

each_client = pytest.mark.parametrize("over", CLIENTS, ids=str)
each_async = pytest.mark.parametrize("over", ASYNC, ids=str)


@dataclass
class Told:
    """What a consumer got."""

    events: list[Event] = field(default_factory=list[Event])
    raised: StreamEndError | None = None
    stream: Any = None

    @property
    def end(self) -> StreamEnd:
        assert [type(event) for event in self.events].count(StreamEnd) == 1
        last = self.events[-1]
        assert isinstance(last, StreamEnd)
        return last


Seen = Callable[[Any, Event], object]


def nothing(stream: Any, event: Event) -> object:
    return None


def read(over: Over, request: StreamRequest, *, seen: Seen = nothing, **options: Any) -> Told:
    """Read a stream over a client of its own, to its end or until ``seen`` says True."""
    make = getattr(pytest.importorskip(over.package), over.kind)
    told = Told()
    if over.colour == "sync":
        with make() as client:
            consume(client, request, told, seen, options)
        return told

    async def main() -> None:
        async with make() as client:
            await aread(client, request, told, seen, options)

    run(over.colour, main)
    return told


def opened(client: Any, request: StreamRequest, **options: Any) -> Any:
    """A stream of either colour."""
    open_over: Any = resumable
    return open_over(client, request, **options)


def consume(
    client: Any, request: StreamRequest, told: Told, seen: Seen, options: dict[str, Any]
) -> None:
    with opened(client, request, **options) as told.stream:
        try:
            for event in told.stream:
                told.events.append(event)
                if seen(told.stream, event):
                    break
        except StreamEndError as error:
            told.raised = error


async def aread(
    client: Any, request: StreamRequest, told: Told, seen: Seen, options: dict[str, Any]
) -> None:
    async with opened(client, request, **options) as told.stream:
        try:
            async for event in told.stream:
                told.events.append(event)
                if seen(told.stream, event):
                    break
        except StreamEndError as error:
            told.raised = error


@pytest.fixture
def glance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a moment is waited for the end of a body behind the provider's last word."""
    monkeypatch.setattr("sans_io_stream.session.course.LAST_LOOK_SECONDS", 0.05)


# ---- going on behind a break


@each_client
@pytest.mark.usefixtures("glance")
@pytest.mark.parametrize("seed", range(4))
def test_cuts_change_nothing_of_the_answer(over: Over, seed: int) -> None:
    faults = [Cut.in_event(8), Cut.in_chunk_header(9), Reset.in_event(9), Cut.in_character(2)]
    with FaultServer("openai-responses", pieces=60, faults=faults, seed=seed, cuts=3) as server:
        told = read(over, server.request(), policy=QUICK)
        assert len(server.seen.requests) >= 5, server.plan
        whole = collect("sync", server.request(), proxy=False)
    assert events_of(told.events) == events_of(whole.events)
    assert told.end == StreamEnd("complete")


@each_client
@pytest.mark.parametrize("fault", [Cut(at=0.5), Reset(at=0.5), Cut.in_chunk_header(5)], ids=repr)
def test_a_dialect_without_a_cursor_is_interrupted(over: Over, fault: Cut | Reset) -> None:
    with FaultServer("openai-chat", pieces=9, faults=[fault]) as server:
        told = read(over, server.request(), policy=QUICK)
    assert isinstance(told.raised, StreamInterrupted)
    assert told.raised.transcript is told.stream.transcript
    assert [event for event in told.events if isinstance(event, TextDelta)]


@each_client
def test_what_a_server_asks_for_is_kept_to(over: Over) -> None:
    heard: list[int] = []

    def hear(attempt: int, delay: float) -> None:
        heard.append(attempt)

    with FaultServer("openai-chat", text="Hi", faults=[Busy(429, retry_after=0)] * 2) as server:
        told = read(over, server.request(), policy=QUICK, on_reconnect=hear)
        assert len(server.seen.requests) == 3
    assert told.stream.transcript.text == "Hi"
    assert heard == [2, 3]


@each_client
def test_a_refusal_is_told_with_its_document(over: Over) -> None:
    with FaultServer("openai-chat", faults=[Busy(429, retry_after=9)]) as server:
        told = read(over, server.request(), policy=ONCE)
    assert isinstance(told.raised, RateLimited)
    assert told.end.error is not None
    assert told.end.error.retry_after == 9.0


@each_client
def test_who_is_not_there_is_asked_again(over: Over) -> None:
    # A stored generation is begun again only where it is known that nothing was sent.
    with FaultServer("openai-responses", text="Hi") as server:
        with server.refusing():
            told = read(over, server.request(), policy=QUICK)
        connections = server.seen.connections
    assert isinstance(told.raised, ReconnectingExhausted)
    assert [type(event) for event in told.events].count(Reconnecting) == 3
    assert connections == 0


@each_client
def test_a_new_stream_goes_on_behind_a_token(over: Over) -> None:
    with FaultServer("openai-responses", pieces=9, faults=[Cut(at=0.6)]) as server:
        request = server.request()
        first = read(over, request, policy=ONCE)
        assert first.raised is not None
        point = first.raised.resume_point
        assert point is not None
        second = read(over, request, resume_from=point.token)
        whole = collect("sync", request, proxy=False)
    committed = first.events[: first.events.index(point) + 1]
    assert events_of(committed + second.events) == events_of(whole.events)


@each_client
def test_a_connection_is_dropped_on_demand(over: Over) -> None:
    asked: list[bool] = []

    def seen(stream: Any, event: Event) -> None:
        if isinstance(event, TextDelta) and not asked:
            asked.append(True)
            stream.reconnect()

    with FaultServer("openai-responses", pieces=9, faults=[Stall.in_event(7)]) as server:
        told = read(over, server.request(), seen=seen)
        assert server.seen.connections == 2
        whole = collect("sync", server.request(), proxy=False)
    assert events_of(told.events) == events_of(whole.events)


# ---- deadlines are the session's


@each_client
def test_silence_is_a_break(over: Over) -> None:
    with FaultServer("openai-responses", pieces=9, faults=[Stall(at=0.6)]) as server:
        told = read(over, server.request(), policy=QUICK, timeouts=Timeouts(idle=0.3))
        whole = collect("sync", server.request(), proxy=False)
    assert events_of(told.events) == events_of(whole.events)
    breaks = [event.error for event in told.events if isinstance(event, Disconnected)]
    assert [error and error.kind for error in breaks] == ["timeout"]


@each_client
def test_nothing_but_heartbeats_is_a_break(over: Over) -> None:
    faults = [Heartbeats(after=5, every=0.05)]
    with FaultServer("openai-responses", pieces=9, faults=faults) as server:
        told = read(over, server.request(), policy=QUICK, timeouts=Timeouts(progress=0.4))
        assert len(server.seen.requests) == 2
    assert told.end == StreamEnd("complete")


@each_client
def test_a_head_that_does_not_come_is_a_break(over: Over) -> None:
    with FaultServer("openai-chat", text="Hi", faults=[Stall()]) as server:
        timeouts = Timeouts(connect=0.2, response=0.2)
        told = read(over, server.request(), policy=ONCE, timeouts=timeouts)
    assert isinstance(told.raised, ReconnectingExhausted)
    assert "Timeouts.response" in str(told.raised)


@each_client
@pytest.mark.usefixtures("glance")
def test_an_answer_without_an_end_of_its_body_is_not_waited_for(over: Over) -> None:
    headers = {"content-type": "text/event-stream"}
    with serving([body_of("Hello, you")], headers, hold=True) as url:
        request = StreamRequest("POST", url, json={}, dialect="openai-chat")
        began = time.monotonic()
        told = read(over, request)
        assert time.monotonic() - began < 5, "the server holds on for longer"
    assert told.end == StreamEnd("complete")


# ---- leaving, closing, cancelling


@each_client
def test_leaving_closes_the_response_and_not_the_client(over: Over) -> None:
    make = getattr(pytest.importorskip(over.package), over.kind)
    told = Told(), Told()

    def closed(most: int) -> None:
        server.wait_until(lambda seen: seen.open <= most)

    async def main() -> None:
        async with make() as client:
            await aread(client, server.request(), told[0], at_text, {})
            await anyio.to_thread.run_sync(closed, 0)
            await aread(client, server.request(), told[1], nothing, {})
            gc.collect()

    with FaultServer("openai-chat", pieces=9, faults=[Stall(at=0.6)]) as server:
        if over.colour == "sync":
            with make() as client:
                consume(client, server.request(), told[0], at_text, {})
                closed(0)
                consume(client, server.request(), told[1], nothing, {})
        else:
            run(over.colour, main)
    assert told[0].stream.transcript.end == StreamEnd("cancelled")
    assert told[1].end == StreamEnd("complete")


def at_text(stream: Any, event: Event) -> object:
    return isinstance(event, TextDelta)


@each_async
def test_another_task_closes_it(over: Over) -> None:
    make = getattr(pytest.importorskip(over.package), over.kind)
    told = Told()

    async def main() -> None:
        async with make() as client, anyio.create_task_group() as group:
            group.start_soon(aread, client, server.request(), told, nothing, NONE)
            await anyio.sleep(0.3)
            await told.stream.aclose()

    with FaultServer("openai-chat", pieces=9, faults=[Stall(at=0.6)]) as server:
        run(over.colour, main)
        server.wait_until(lambda seen: seen.open == 0)
    assert told.raised is None
    assert told.stream.transcript.end == StreamEnd("cancelled")


@pytest.mark.parametrize("package", ["httpx", "httpx2"])
def test_another_thread_closes_it(package: str) -> None:
    client = pytest.importorskip(package).Client()
    with client, FaultServer("openai-chat", pieces=9, faults=[Stall(at=0.6)]) as server:
        stream = opened(client, server.request())
        closing = threading.Timer(0.3, stream.close)
        closing.start()
        events = list(stream)
        closing.join()
        server.wait_until(lambda seen: seen.open == 0)
    assert stream.transcript.end == StreamEnd("cancelled")
    assert not any(isinstance(event, StreamEnd) for event in events)


@pytest.mark.parametrize("over", [one for one in ASYNC if one.package != "aiohttp"], ids=str)
def test_a_cancelled_read_of_httpx_is_taken_up_elsewhere(over: Over) -> None:
    make = getattr(pytest.importorskip(over.package), over.kind)
    events: list[Event] = []

    async def take(stream: Any) -> None:
        async for event in stream:
            events.append(event)  # noqa: PERF401 - what comes before an exception is kept

    async def main() -> None:
        async with make() as client:
            stream = opened(client, server.request(), policy=QUICK)
            with anyio.move_on_after(0.3) as scope:
                await take(stream)
            assert scope.cancelled_caught
            async with stream:
                await take(stream)

    with FaultServer("openai-responses", pieces=9, faults=[Stall(at=0.6)]) as server:
        run(over.colour, main)
        whole = collect("sync", server.request(), proxy=False)
    assert events_of(events) == events_of(whole.events)


def test_a_cancelled_read_of_aiohttp_has_taken_nothing() -> None:
    aiohttp = pytest.importorskip("aiohttp")
    events: list[Event] = []

    async def main() -> None:
        async with aiohttp.ClientSession() as client, opened(client, server.request()) as stream:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.02):
                        event = await anext(stream, None)
                    if event is None:
                        return
                    events.append(event)

    faults = [Heartbeats(after=3, count=8, every=0.05)]
    with FaultServer("openai-chat", pieces=9, faults=faults) as server:
        asyncio.run(main())
        assert len(server.seen.requests) == 1
        whole = collect("sync", server.request(), proxy=False)
    assert events_of(events) == events_of(whole.events)


def test_no_task_or_timer_is_left_with_an_event() -> None:
    httpx = pytest.importorskip("httpx")

    async def main() -> None:
        async with httpx.AsyncClient() as client, opened(client, server.request()) as stream:
            async for _ in stream:
                assert asyncio.all_tasks() == {asyncio.current_task()}

    with FaultServer("openai-chat", pieces=9) as server:
        asyncio.run(main())


# ---- what goes out


@each_client
def test_each_attempt_is_authorized_and_recorded_without_it(over: Over, tmp_path: Path) -> None:
    keys: list[str] = []

    def authorize(request: HTTPRequest) -> HTTPRequest:
        keys.append(f"Bearer sk-hidden-{len(keys)}")
        return request.with_headers(authorization=keys[-1])

    with FaultServer("openai-responses", pieces=9, faults=[Cut(at=0.6)]) as server:
        request = server.request(authorize=authorize)
        told = read(over, request, policy=QUICK, capture=tmp_path / "answer.jsonl")
        asked = [dict(one.headers) for one in server.seen.requests]
    assert told.end == StreamEnd("complete")
    assert [headers["authorization"] for headers in asked] == keys
    assert {headers["accept-encoding"] for headers in asked} == {"identity"}
    files = [tmp_path / "answer.jsonl", tmp_path / "answer.2.jsonl"]
    assert [Capture.open(file).end for file in files] == ["truncated", "eof"]
    assert not any("hidden" in file.read_text("utf-8") for file in files)


@each_client
def test_a_large_body_is_sent_whole(over: Over) -> None:
    with FaultServer("openai-chat", text="Hi") as server:
        request = server.request(json={"model": "m", "stream": True, "input": "x" * 3_000_000})
        told = read(over, request)
        assert server.seen.requests[0].body == request.body
    assert told.end == StreamEnd("complete")


@each_client
def test_the_clients_own_headers_go_with_it(over: Over) -> None:
    make = getattr(pytest.importorskip(over.package), over.kind)

    async def main() -> None:
        async with (
            make(headers={"x-team": "blue"}) as client,
            opened(client, server.request()) as stream,
        ):
            async for _ in stream:
                pass

    with FaultServer("openai-chat", text="Hi") as server:
        if over.colour == "sync":
            with make(headers={"x-team": "blue"}) as client:
                list(opened(client, server.request()))
        else:
            run(over.colour, main)
        assert dict(server.seen.requests[0].headers)["x-team"] == "blue"


@each_client
def test_an_observer_may_end_it(over: Over) -> None:
    watching = Watching(3)
    with FaultServer("openai-chat", pieces=9) as server:
        told = read(over, server.request(), observers=[watching])
    assert told.end.outcome == "cancelled"
    assert watching.closes == 1


@each_client
def test_a_client_that_is_closed_is_the_callers_mistake(over: Over) -> None:
    make = getattr(pytest.importorskip(over.package), over.kind)
    request = StreamRequest("POST", "http://127.0.0.1:9/", dialect="openai-chat")
    if over.colour == "sync":
        client = make()
        client.close()
        with pytest.raises(RuntimeError, match="closed"):
            next(opened(client, request))
        return

    async def main() -> None:
        async with make() as client:
            pass
        with pytest.raises(RuntimeError, match="closed"):
            await anext(opened(client, request))

    run(over.colour, main)


@pytest.mark.parametrize("wrong", [None, "https://api.test/", object()], ids=["None", "url", "?"])
def test_other_clients_are_refused(wrong: Any) -> None:
    request = StreamRequest("POST", "http://127.0.0.1:9/")
    with pytest.raises(TypeError, match="takes a Client or AsyncClient of httpx or httpx2"):
        opened(wrong, request)
