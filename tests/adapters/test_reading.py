"""Reading under every adapter: what a cancelled read leaves, who may read, and how fast the
server may be."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio

from sans_io_stream import Event, Heartbeat, StreamEnd, StreamRequest
from sans_io_stream_adapters.asyncio import open_stream as open_asyncio
from sans_io_stream_adapters.sync import SyncNetwork, open_stream
from tests.session.answers import events_of, whole
from tests.session.stories import STORIES

from .colours import ASYNC, aopen, run
from .loopback import PATIENCE, Place, at

STORY = STORIES["openai-responses"]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


@dataclass
class Held(Place):
    """It sends one piece each time it is let, and the end after the last."""

    pieces: list[bytes] = field(default_factory=list[bytes])

    def __post_init__(self) -> None:
        super().__post_init__()
        self.asked = threading.Event()
        self._let = threading.Semaphore(0)

    def let(self) -> None:
        self._let.release()

    def serve(self, connection: socket.socket) -> None:
        connection.recv(65536)
        self.asked.set()
        for piece in self.pieces:
            assert self._let.acquire(timeout=PATIENCE)
            connection.sendall(piece)
        assert self._let.acquire(timeout=PATIENCE)


def records(port: int) -> StreamRequest:
    return StreamRequest(
        "GET", f"http://127.0.0.1:{port}/", dialect="records", terminator="[END]", resume="none"
    )


# ---- a cancelled read


def halves() -> list[bytes]:
    """The story's response in pieces that end within records."""
    wire = STORY.wire(STORY.after(None))
    return [wire[start : start + 333] for start in range(0, len(wire), 333)]


@pytest.mark.parametrize("colour", ASYNC)
def test_a_read_that_is_cancelled_loses_nothing(colour: str) -> None:
    """Every read is cancelled as soon as it waits, and the server goes on only then."""
    events: list[Event] = []
    scopes: list[anyio.CancelScope] = []

    async def main() -> None:
        async with (
            aopen(colour, at(STORY.request, server.port), proxy=False) as stream,
            anyio.create_task_group() as others,
        ):
            server.let()
            events.append(await anext(stream))
            others.start_soon(cancel)
            while not isinstance(events[-1], StreamEnd):
                with anyio.CancelScope() as scope:
                    scopes.append(scope)
                    events.append(await anext(stream))
            others.cancel_scope.cancel()

    async def cancel() -> None:
        while True:
            await settle()
            scopes[-1].cancel()
            server.let()

    with Held(pieces=halves()) as server:
        run(colour, main)
        for _ in halves():
            server.let()
    assert server.accepted == 1
    assert sum(scope.cancelled_caught for scope in scopes) > 3
    assert events_of(events) == events_of(whole(STORY.name).events)


async def settle() -> None:
    """Let the other tasks run until they wait."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


def test_wait_for_loses_nothing() -> None:
    """asyncio's own way, with a time that is over at once."""
    events: list[Event] = []

    async def main() -> None:
        async with open_asyncio(at(STORY.request, server.port), proxy=False) as stream:
            events.append(await anext(stream))
            while True:
                try:
                    events.append(await asyncio.wait_for(anext(stream), 0.0001))
                except TimeoutError:
                    server.let()
                except StopAsyncIteration:
                    break

    with Held(pieces=halves()) as server:
        server.let()
        run("asyncio", main)
        for _ in halves():
            server.let()
    assert events_of(events) == events_of(whole(STORY.name).events)


# ---- one reader


@pytest.mark.parametrize("colour", ASYNC)
def test_two_tasks_cannot_read_at_once(colour: str) -> None:
    async def main() -> None:
        async with (
            aopen(colour, records(server.port), proxy=False) as stream,
            anyio.create_task_group() as others,
        ):
            others.start_soon(anext, stream)
            await settle()
            with pytest.raises(RuntimeError, match="being read by another"):
                await anext(stream)
            server.let()

    with Held(pieces=[HEAD]) as server:
        run(colour, main)
        server.let()


def test_two_threads_cannot_read_at_once() -> None:
    with Held(pieces=[HEAD]) as server, open_stream(records(server.port), proxy=False) as stream:
        reader = threading.Thread(target=next, args=(stream,))
        reader.start()
        assert server.asked.wait(PATIENCE)
        with pytest.raises(RuntimeError, match="being read by another"):
            next(stream)
        server.let()
        reader.join(PATIENCE)
        server.let()


# ---- closing from elsewhere


@pytest.mark.parametrize("colour", ASYNC)
def test_closing_from_another_task_ends_the_reading(colour: str) -> None:
    async def main() -> list[Any]:
        events: list[Any] = []
        stream = aopen(colour, records(server.port), proxy=False)

        async def read() -> None:
            async with stream:
                events.extend([event async for event in stream])

        async with anyio.create_task_group() as others:
            others.start_soon(read)
            await anyio.to_thread.run_sync(server.asked.wait, PATIENCE)
            await settle()
            await stream.aclose()
        assert stream.transcript.end == StreamEnd("cancelled")
        assert [event async for event in stream] == []
        return events

    with Held(pieces=[HEAD]) as server:
        assert run(colour, main) == []
        server.let()
        server.let()


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when a blocking primitive has begun to wait for something to read."""
    waits = threading.Event()
    real = SyncNetwork._wait  # pyright: ignore[reportPrivateUsage]

    def wait(self: SyncNetwork, waited: Any, what: int, deadline: float | None) -> bool:
        if what == 1:
            waits.set()
        return real(self, waited, what, deadline)

    monkeypatch.setattr(SyncNetwork, "_wait", wait)
    return waits


def test_closing_from_another_thread_ends_the_reading(waiting: threading.Event) -> None:
    events: list[Any] = []
    with Held(pieces=[HEAD]) as server, open_stream(records(server.port), proxy=False) as stream:
        reader = threading.Thread(target=lambda: events.extend(stream))
        reader.start()
        assert waiting.wait(PATIENCE)
        before = descriptors()
        stream.close()
        reader.join(PATIENCE)
        assert not reader.is_alive()
        assert len(descriptors()) < len(before)
        assert stream.transcript.end == StreamEnd("cancelled")
        server.let()
        server.let()
    assert events == []


def test_closing_from_a_signal_handler_ends_the_reading(waiting: threading.Event) -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("Python hears signals in its main thread")
    main, heard = threading.get_ident(), threading.Event()

    def press() -> None:
        assert waiting.wait(PATIENCE)
        while not heard.wait(0.01):
            signal.pthread_kill(main, signal.SIGUSR1)

    with Held(pieces=[HEAD]) as server, open_stream(records(server.port), proxy=False) as stream:

        def hear(*_: object) -> None:
            heard.set()
            stream.close()

        before = signal.signal(signal.SIGUSR1, hear)
        presses = threading.Thread(target=press)
        presses.start()
        assert list(stream) == []
        presses.join(PATIENCE)
        signal.signal(signal.SIGUSR1, before)
        assert stream.transcript.end == StreamEnd("cancelled")
        server.let()
        server.let()


def test_the_lock_and_the_flag_may_be_met_by_a_signal_handler() -> None:
    """It comes in while its own thread holds the lock, as no test can time it."""
    network = SyncNetwork()
    with network._lock:  # pyright: ignore[reportPrivateUsage]
        network.interrupt()
        network.close()


@pytest.fixture
def ctrl_c() -> Iterator[Callable[[], None]]:
    """Press it until it is heard: Python misses a signal that comes just before a system call
    until the next one. It is raised once."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("Python hears signals in its main thread")
    main, heard = threading.get_ident(), threading.Event()

    def hear(*_: object) -> None:
        if not heard.is_set():
            heard.set()
            raise KeyboardInterrupt

    def press() -> None:
        signal.pthread_kill(main, signal.SIGINT)
        while not heard.wait(0.01):
            signal.pthread_kill(main, signal.SIGINT)

    before = signal.signal(signal.SIGINT, hear)
    yield press
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_the_waiting(waiting: threading.Event, ctrl_c: Callable[[], None]) -> None:
    before = descriptors()

    def press() -> None:
        assert waiting.wait(PATIENCE)
        ctrl_c()

    with Held(pieces=[HEAD]) as server:
        presses = threading.Thread(target=press)
        presses.start()
        request = records(server.port)
        with pytest.raises(KeyboardInterrupt), open_stream(request, proxy=False) as stream:
            list(stream)
        presses.join(PATIENCE)
        server.let()
        server.let()
    assert stream.transcript.end == StreamEnd("cancelled")
    assert len(descriptors()) <= len(before)


def descriptors() -> list[str]:
    return os.listdir("/dev/fd")


# ---- a slow consumer


@dataclass
class Gushing(Place):
    """It sends heartbeats as fast as the client takes them; ``sent`` says how many bytes."""

    sent: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.stuck = threading.Event()

    def serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        connection.recv(65536)
        connection.sendall(HEAD)
        piece = b": ping\n\n" * 4096
        connection.settimeout(0.02)
        try:
            while self.sent < 64 << 20:
                self.sent += connection.send(piece)
        except TimeoutError:
            # Nothing has been taken for so long that a loop that takes anything would have.
            self.stuck.set()
        connection.settimeout(PATIENCE)
        connection.recv(1)


@pytest.mark.parametrize("colour", [*ASYNC, "sync"])
def test_who_does_not_read_stops_the_server(colour: str) -> None:
    async def main() -> None:
        async with aopen(colour, records(server.port), proxy=False) as stream:
            await anext(stream)
            assert isinstance(await anext(stream), Heartbeat)
            # The loop runs on; a transport that reads by itself would go on reading.
            await anyio.to_thread.run_sync(server.stuck.wait, PATIENCE)

    with Gushing() as server:
        if colour == "sync":
            with open_stream(records(server.port), proxy=False) as stream:
                next(stream)
                assert isinstance(next(stream), Heartbeat)
                server.stuck.wait(PATIENCE)
        else:
            run(colour, main)
        assert server.stuck.is_set()
        assert server.sent < 16 << 20


@pytest.mark.parametrize("colour", ASYNC)
def test_who_cancels_a_read_and_reads_no_more_stops_the_server(colour: str) -> None:
    async def main() -> None:
        async with aopen(colour, records(server.port), proxy=False) as stream:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as others:
                    others.start_soon(anext, stream)
                    await anyio.to_thread.run_sync(server.asked.wait, PATIENCE)
                    await settle()
                    scope.cancel()
            server.goes_on.set()
            await anyio.to_thread.run_sync(server.stuck.wait, PATIENCE)

    class Waiting(Gushing):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.asked, self.goes_on = threading.Event(), threading.Event()

        def serve(self, connection: socket.socket) -> None:
            assert connection.recv(1, socket.MSG_PEEK)
            self.asked.set()
            assert self.goes_on.wait(PATIENCE)
            super().serve(connection)

    with Waiting() as server:
        run(colour, main)
        assert server.stuck.is_set()
        assert server.sent < 16 << 20


def test_trio_sees_no_other_loop() -> None:
    """A stream of one runtime says so when it is read in another."""

    async def main() -> None:
        with pytest.raises(RuntimeError):
            await anext(open_asyncio(records(1), proxy=False))

    trio.run(main)
