"""The relay behind real servers: uvicorn on asyncio, as the command runs it and as anybody would,
and hypercorn on trio. The same for each: streams, cuts, ends on either side, the end of it all.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import anyio
import hypercorn.config
import hypercorn.trio
import pytest
import trio
import uvicorn

from sans_io_stream import StreamEnd, Transcript
from sans_io_stream_adapters.relay.app import Relay
from sans_io_stream_adapters.relay.loading import load_config
from sans_io_stream_adapters.testing import Cut, FaultServer

from .asgi import Answer, talk
from .program import ENVIRONMENT, Program, fetch

TEXT = "What is written down is not lost. 🦜"
BODY = talk(model="up/m", stream=True)
DRAIN = 0.3
CONFIG = """\
[upstreams.up]
provider = "openai"
base_url = "{url}/v1"
api_key = "key"

[limits]
drain_seconds = {drain}
"""
WITHIN = 30.0

Stop = Callable[[], None]
Server = Callable[[str], AbstractContextManager[tuple[str, Stop]]]
"""From a configuration to the server's URL, and what begins its end, with the streams."""


@contextmanager
def command(config: str) -> Generator[tuple[str, Stop]]:
    with Program("--config", config) as program:
        # A second one may come when there is nobody left to take it.
        stop = cache(lambda: program.send(signal.SIGTERM))
        yield program.url, stop
        stop()
        assert program.wait() == 0
        assert "Traceback" not in program.log
        assert "ERROR" not in program.log


@contextmanager
def in_thread(main: Callable[[], None]) -> Generator[None]:
    thread = threading.Thread(target=main)
    thread.start()
    try:
        yield
    finally:
        thread.join(WITHIN)
        assert not thread.is_alive()


@contextmanager
def plain_uvicorn(config: str) -> Generator[tuple[str, Stop]]:
    relay = Relay(load_config(config))
    server = uvicorn.Server(uvicorn.Config(relay, lifespan="on", log_level="critical"))
    with socket.create_server(("127.0.0.1", 0)) as sock:

        async def serve() -> None:
            await server.serve([sock])

        def end() -> None:
            server.should_exit = True

        with in_thread(lambda: anyio.run(serve)):
            try:
                yield f"http://127.0.0.1:{sock.getsockname()[1]}", end
            finally:
                end()


@contextmanager
def hypercorn_on_trio(config: str) -> Generator[tuple[str, Stop]]:
    relay = Relay(load_config(config))
    settings = hypercorn.config.Config()
    settings.bind = ["127.0.0.1:0"]
    settings.errorlog = None
    bound = threading.Event()
    told: list[Any] = []

    async def main() -> None:
        ending = trio.Event()

        async def end() -> None:
            await ending.wait()
            # As long as its readers are there.
            await relay.stop()

        serve = cast("Callable[..., Awaitable[None]]", hypercorn.trio.serve)

        async def run(task_status: trio.TaskStatus[list[str]]) -> None:
            await serve(relay, settings, shutdown_trigger=end, task_status=task_status)

        async with trio.open_nursery() as nursery:
            (url,) = await nursery.start(run)
            told.extend([url, trio.lowlevel.current_trio_token(), ending])
            bound.set()

    with in_thread(lambda: trio.run(main)):
        assert bound.wait(WITHIN)
        url, token, ending = told

        def stop() -> None:
            token.run_sync_soon(ending.set)

        try:
            yield url, stop
        finally:
            stop()


SERVERS: dict[str, Server] = {
    "command": command,
    "uvicorn": plain_uvicorn,
    "hypercorn-trio": hypercorn_on_trio,
}
servers = pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS)
first_ends = pytest.mark.parametrize(
    "server", [command, hypercorn_on_trio], ids=["command", "hypercorn-trio"]
)


@pytest.fixture
def config(tmp_path: Path) -> Callable[[FaultServer], str]:
    def configured(upstream: FaultServer) -> str:
        path = tmp_path / "relay.toml"
        path.write_text(CONFIG.format(url=upstream.url, drain=DRAIN), "utf-8")
        return str(path)

    return configured


Configured = Callable[[FaultServer], str]


def came_to(count: int) -> Callable[[Answer], bool]:
    return lambda answer: answer.body.count(b"\n\n") >= count


@servers
def test_a_stream_and_what_is_collected(server: Server, config: Configured) -> None:
    with (
        FaultServer("openai-chat", text=TEXT) as upstream,
        server(config(upstream)) as (url, _),
    ):
        for path, format in [("/v1/chat/completions", "openai-chat"), ("/v1/streams", "native")]:
            answer = fetch(url, "POST", path, BODY)
            assert (answer.status, answer.whole) == (200, True)
            assert Transcript.of(answer.events(format)).text == TEXT
        collected = fetch(url, "POST", "/chat", talk(model="up/m", stream=False))
        assert collected.json["choices"][0]["message"]["content"] == TEXT


@servers
def test_a_client_that_was_cut_comes_back(server: Server, config: Configured) -> None:
    with (
        FaultServer("openai-chat", text=TEXT, pieces=20, speed=2.0) as upstream,
        server(config(upstream)) as (url, _),
    ):
        got = fetch(url, "POST", "/chat", BODY, leave=came_to(4))
        assert not got.whole
        got.body = got.body[: got.body.rindex(b"\n\n") + 2]
        rest = fetch(url, "POST", "/chat", None, {"Last-Event-ID": got.cursors[-1]})
        assert rest.whole
        joined = Answer(200, got.headers, got.body + rest.body, whole=True)
        assert Transcript.of(joined.events("openai-chat")).text == TEXT
        assert len(upstream.seen.requests) == 1


@servers
def test_a_stream_that_is_ended(server: Server, config: Configured) -> None:
    with (
        FaultServer("openai-chat", text=TEXT, pieces=30, speed=0.5) as upstream,
        server(config(upstream)) as (url, _),
    ):
        got = fetch(url, "POST", "/v1/streams", BODY, leave=came_to(2))
        assert fetch(url, "DELETE", f"/v1/streams/{got.id}").status == 204
        rest = fetch(url, "GET", f"/v1/streams/{got.id}")
        end = rest.events("native")[-1]
        assert isinstance(end, StreamEnd)
        assert end.outcome == "cancelled"
        upstream.wait_until(lambda seen: seen.open == 0)


@servers
def test_what_the_provider_broke_off_does_not_end_in_order(
    server: Server, config: Configured
) -> None:
    faults = [Cut(at=0.6)] * 2
    with (
        FaultServer("openai-chat", text=TEXT, pieces=9, faults=faults) as upstream,
        server(config(upstream)) as (url, _),
    ):
        chat = fetch(url, "POST", "/v1/chat/completions", BODY)
        assert (chat.status, chat.whole) == (200, False)
        assert b"[DONE]" not in chat.body
        assert chat.cursors
        # A format that has a word for it says it, and ends.
        native = fetch(url, "POST", "/v1/streams", BODY)
        assert (native.status, native.whole) == (200, True)
        end = native.events("native")[-1]
        assert isinstance(end, StreamEnd)
        assert end.outcome == "interrupted"


def test_the_collector_leaves_what_stays_alone() -> None:
    code = "import gc; from sans_io_stream_adapters.relay.serving import collect_seldom as seldom;"
    asked = "seldom(); print(gc.get_freeze_count() > 10_000, gc.get_threshold()[2] > 10)"
    made = subprocess.run(
        [sys.executable, "-c", code + asked],
        env=ENVIRONMENT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert made.stdout.split() == ["True", "True"]


@first_ends
def test_the_end_of_the_server_is_told_to_readers(server: Server, config: Configured) -> None:
    with FaultServer("openai-chat", text=TEXT, pieces=30, speed=0.05) as upstream:
        with server(config(upstream)) as (url, stop):

            def leave(answer: Answer) -> bool:
                if came_to(2)(answer):
                    stop()
                return False

            got = fetch(url, "POST", "/v1/streams", BODY, leave=leave)
        assert got.whole
        end = got.events("native")[-1]
        assert isinstance(end, StreamEnd)
        assert end.outcome == "interrupted"
        assert end.error is not None
        assert "shutting down" in end.error.message


@first_ends
def test_what_ends_in_time_is_whole(server: Server, tmp_path: Path) -> None:
    with FaultServer("openai-chat", text=TEXT, pieces=20, speed=1.0) as upstream:
        path = tmp_path / "relay.toml"
        path.write_text(CONFIG.format(url=upstream.url, drain=20), "utf-8")
        with server(str(path)) as (url, stop):

            def leave(answer: Answer) -> bool:
                if came_to(2)(answer):
                    stop()
                return False

            got = fetch(url, "POST", "/v1/streams", BODY, leave=leave)
        assert got.whole
        assert Transcript.of(got.events("native")).text == TEXT


def test_a_reader_that_does_not_read_holds_up_no_end(config: Configured) -> None:
    with (
        FaultServer("openai-chat", text="x" * 12_000_000, pieces=3000) as upstream,
        Program("--config", config(upstream)) as program,
    ):
        address = urlsplit(program.url)
        assert address.hostname is not None
        with socket.create_connection((address.hostname, address.port or 0)) as stuck:
            body = json.dumps(BODY).encode()
            head = "POST /v1/streams HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
            stuck.sendall(f"{head}{len(body)}\r\n\r\n".encode() + body)
            assert stuck.recv(12) == b"HTTP/1.1 200"
            # The provider is held up by nobody.
            upstream.wait_until(lambda seen: seen.open == 0, WITHIN)
            program.send(signal.SIGTERM)
            assert program.wait() == 0
        assert "Traceback" not in program.log


def test_what_is_too_large_is_told_so(config: Configured) -> None:
    with FaultServer("openai-chat") as upstream:
        path = Path(config(upstream))
        limits = "\nheader_bytes = 2000\nbody_bytes = 2000\n"
        path.write_text(path.read_text("utf-8") + limits, "utf-8")
        with Program("--config", str(path)) as program:
            long = {"X-Long": "x" * 70_000}
            answer = fetch(program.url, "POST", "/v1/chat/completions", BODY, long)
            assert (answer.status, answer.whole) == (431, True)
            assert "message" in answer.json["error"]
            large = {**BODY, "user": "x" * 70_000}
            answer = fetch(program.url, "POST", "/v1/messages", large)
            assert (answer.status, answer.whole) == (413, True)
            assert "message" in answer.json["error"]


def refused_at_once(url: str, sent: bytes) -> tuple[bytes, Any]:
    """The first line and the document that this gets, which is no request."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 0), WITHIN) as sock:
        sock.sendall(sent)
        got = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    return head.partition(b"\r\n")[0], json.loads(body)


def test_a_head_beyond_what_is_read_is_told_so(config: Configured) -> None:
    with FaultServer("openai-chat") as upstream, Program("--config", config(upstream)) as program:
        large = b" /v1/messages HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 4_000_000
        for sent in (b"POST" + large, b"POST" + large + b"\r\n\r\n"):
            line, document = refused_at_once(program.url, sent)
            assert line.startswith(b"HTTP/1.1 431 ")
            assert document["type"] == "error"
        line, document = refused_at_once(program.url, b"\x16\x03\x01\r\n\r\n")
        assert line.startswith(b"HTTP/1.1 400 ")
        assert document["error"]["type"] == "invalid_request_error"


def test_the_log_shows_which_stream_and_no_path(config: Configured) -> None:
    with FaultServer("openai-chat", text=TEXT) as upstream:
        with Program("--config", config(upstream)) as program:
            got = fetch(program.url, "POST", "/v1/streams?ticket=sesame", BODY)
            fetch(program.url, "GET", f"/v1/streams/{got.id}?after={got.cursors[-1]}")
            fetch(program.url, "GET", "/%0a%1b[31msesame")
            fetch(program.url, "SESAME", "/v1/models")
            program.send(signal.SIGTERM)
            assert program.wait() == 0
        lines = program.log.splitlines()
        assert sum(" request method=POST route=ask " in line for line in lines) == 1
        (stream,) = [line for line in lines if " stream stream=" in line]
        assert f"stream={got.id} key=local upstream=up " in stream
        assert " outcome=complete " in stream
        assert "sesame" not in program.log
        assert got.cursors[-1] not in program.log


def test_no_start_on_a_store_that_is_none(config: Configured, tmp_path: Path) -> None:
    with FaultServer("openai-chat") as upstream:
        path = Path(config(upstream))
        store = json.dumps(str(tmp_path / "nowhere" / "streams.db"))
        path.write_text(f"store = {store}\n" + path.read_text("utf-8"), "utf-8")
        with pytest.raises(AssertionError, match="cannot keep streams"):
            Program("--config", str(path))
