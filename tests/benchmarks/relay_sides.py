"""The processes around the relay that is measured: a provider, and what stands between.

The provider answers with a first event and holds; told to, it writes to all that it holds, paced
or at once, each event with the time of its writing in the text, and in the end the end. Each
event is an HTTP chunk of its own, as providers send them.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from multiprocessing.queues import Queue
from time import monotonic_ns, process_time
from typing import Any, NamedTuple

from .bodies import chat_chunk, dump

__all__ = ["APPLICATIONS", "Kept", "run_application", "run_provider"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

BACKLOG = 2048
TICK = 0.001
"""Seconds between two looks at who is to be written to."""
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
    b"connection: close\r\n\r\n"
)


# ---- the provider


def chunk(data: bytes) -> bytes:
    """Bytes as a chunk of an HTTP body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


MARK = "word@0000000000000000000"
BEFORE, AFTER = (
    part.encode() for part in f"data: {dump(chat_chunk({'content': MARK}))}\n\n".split(MARK)
)


def event() -> bytes:
    """An event that says when it is written: in nanoseconds, by a clock that is the same in all
    processes."""
    return chunk(BEFORE + b"word@%019d" % monotonic_ns() + AFTER)


FIRST = chunk(f"data: {dump(chat_chunk({'role': 'assistant', 'content': 'Hi'}))}\n\n".encode())
LAST = chunk(f"data: {dump(chat_chunk({}, 'stop'))}\n\ndata: [DONE]\n\n".encode()) + chunk(b"")


class Provider(asyncio.Protocol):
    """One connection to the provider."""

    held: list[Provider]
    """All that wait to be written to."""

    def __init__(self) -> None:
        self.came = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.came += data
        head, found, body = self.came.partition(b"\r\n\r\n")
        size = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        if not found or len(body) < int(size[1] if size else 0):
            return
        path = head.split(b" ")[1].decode().split("/")
        if path[1] == "held":
            self.finish(b"%d" % len(self.held))
        elif path[1] == "paced":
            self.task = asyncio.create_task(self.pace(int(path[2]), float(path[3])))
        elif path[1] == "blast":
            for one in self.held:
                one.transport.write(b"".join(event() for _ in range(int(path[2]))))
            self.finish(b"done")
        elif path[1] == "end":
            for one in self.held:
                one.transport.write(LAST)
                one.transport.close()
            self.held.clear()
            self.finish(b"done")
        else:
            self.transport.write(HEAD + FIRST)
            self.held.append(self)

    def finish(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(head + body)
        self.transport.close()

    async def pace(self, events: int, seconds: float) -> None:
        """``events`` to each, one in so many seconds, each stream at a time of its own."""
        held = self.held
        total, done = events * len(held), 0
        begin = monotonic_ns()
        while done < total:
            due = int((monotonic_ns() - begin) / 1e9 / seconds * len(held))
            for number in range(done, min(due, total)):
                held[number % len(held)].transport.write(event())
            done = max(done, min(due, total))
            await asyncio.sleep(TICK)
        self.finish(b"done")


def run_provider(port: Queue[int]) -> None:
    async def main() -> None:
        Provider.held = []
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Provider, "127.0.0.1", 0, backlog=BACKLOG)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


# ---- what stands between


async def body_of(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    more = True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)


JSON = {"content-type": "application/json"}


async def head(send: Send, status: int, kind: str, size: int | None = None) -> None:
    headers = [(b"content-type", kind.encode())]
    if size is not None:
        headers.append((b"content-length", b"%d" % size))
    await send({"type": "http.response.start", "status": status, "headers": headers})


class Kept(NamedTuple):
    """Where stores keep what they have: a directory, and the URL of a Redis, if there is one."""

    directory: str
    redis: str = ""


def relay(provider: str, store: str = "memory") -> Application:
    from sans_io_stream_adapters.relay.app import Relay
    from sans_io_stream_adapters.relay.config import RelayConfig, Upstream

    upstream = Upstream(name="up", provider="openai", api_key="none", base_url=f"{provider}/v1")
    return Relay(RelayConfig(upstreams=(upstream,), store=store))


def with_memory(provider: str, kept: Kept) -> Application:
    return relay(provider)


def with_sqlite(provider: str, kept: Kept) -> Application:
    return relay(provider, f"{kept.directory}/{os.getpid()}.db")


def with_redis(provider: str, kept: Kept) -> Application:
    return relay(provider, kept.redis)


def with_httpx(provider: str, kept: Kept) -> Application:
    import httpx

    limits = httpx.Limits(max_connections=None)
    client = httpx.AsyncClient(timeout=None, limits=limits, trust_env=False)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        body = await body_of(receive)
        url = provider + scope["path"]
        async with client.stream("POST", url, content=body, headers=JSON) as answer:
            await head(send, answer.status_code, answer.headers["content-type"])
            async for piece in answer.aiter_raw():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return application


def with_aiohttp(provider: str, kept: Kept) -> Application:
    import aiohttp

    made: list[aiohttp.ClientSession] = []

    def client() -> aiohttp.ClientSession:
        # It can only be made where a loop runs.
        if not made:
            timeout = aiohttp.ClientTimeout(total=None)
            connector = aiohttp.TCPConnector(limit=0)
            made.append(aiohttp.ClientSession(timeout=timeout, connector=connector))
        return made[0]

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        body = await body_of(receive)
        async with client().post(provider + scope["path"], data=body, headers=JSON) as answer:
            await head(send, answer.status, answer.headers["content-type"])
            async for piece in answer.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return application


def bare(provider: str, kept: Kept) -> Application:
    """What the server itself takes for a connection that is answered and waits."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await body_of(receive)
        await head(send, 200, "text/event-stream")
        await send({"type": "http.response.body", "body": b"data: Hi\n\n", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    return application


APPLICATIONS: dict[str, Callable[[str, Kept], Application]] = {
    "relay": with_memory,
    "relay, SQLite": with_sqlite,
    "relay, Redis": with_redis,
    "server alone": bare,
    "pass-through, httpx": with_httpx,
    "pass-through, aiohttp": with_aiohttp,
}


def resident() -> int:
    """The bytes of this process that are in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measured(application: Application) -> Application:
    """The application, and at ``/figures`` what it has cost so far."""

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/figures":
            body = json.dumps({"cpu": process_time(), "rss": resident()}).encode()
            await head(send, 200, "application/json", len(body))
            await send({"type": "http.response.body", "body": body})
        else:
            await application(scope, receive, send)

    return outer


def run_application(name: str, provider: str, kept: Kept, port: Queue[int]) -> None:
    """The application of that name under uvicorn."""
    import socket

    import uvicorn

    from sans_io_stream_adapters.relay.serving import collect_seldom

    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", 0))
    listening.listen(BACKLOG)
    application = measured(APPLICATIONS[name](provider, kept))
    port.put(listening.getsockname()[1])
    collect_seldom()
    config = uvicorn.Config(application, log_level="critical", access_log=False, backlog=BACKLOG)
    uvicorn.Server(config).run(sockets=[listening])
