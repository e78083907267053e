"""What an event costs over sockets: ``make bench-sockets``, or ``python -m
tests.benchmarks.sockets [--quick] [--json]``.

CPU seconds of the client for 100,000 events of 50 streams at once over loopback, each event an
HTTP chunk of its own as providers send them. *Blast*: as fast as it goes; *paced*: an event at
a time, so that each is a wake-up of the loop. Beside it, in the same run and in turns, what
others take of the same server: reading the bytes alone, and the clients that people use. The
server is a process of its own, so that only the client is measured. Exits with 1 if the gate
does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import json
import multiprocessing
import statistics
import sys
from collections.abc import Awaitable, Callable, Coroutine
from time import process_time
from typing import Any

from sans_io_stream import StreamRequest, TextDelta
from sans_io_stream_adapters.asyncio import open_stream

from .bodies import chat_chunk, dump, words

STREAMS = 50
GATE = 0.35
"""CPU seconds of our asyncio adapter for 100,000 blasted events."""
PACE = 0.02
"""Seconds between two events of a paced stream."""


# ---- the server


def response(events: int) -> list[bytes]:
    """The head, and each event as an HTTP chunk."""
    payloads = [dump(chat_chunk({"content": word})) for word in words(events)]
    payloads.append(dump(chat_chunk({}, "stop")))
    records = [*(f"data: {payload}\n\n".encode() for payload in payloads), b"data: [DONE]\n\n"]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    head += b"transfer-encoding: chunked\r\n\r\n"
    return [head, *(b"%x\r\n%b\r\n" % (len(record), record) for record in records), b"0\r\n\r\n"]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request: its path says how many events, and whether they are paced."""
    head = await reader.readuntil(b"\r\n\r\n")
    _, how, count = head.split(b" ", 2)[1].decode().split("/")[:3]
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.split(b":")[1]))
    pieces = response(int(count))
    if how == "blast":
        writer.write(b"".join(pieces))
        await writer.drain()
    else:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(PACE)
    writer.close()


def serve(port: multiprocessing.SimpleQueue[int]) -> None:
    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=STREAMS * 2)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


# ---- the contestants: each reads all streams at once, with one client where it has clients

BODY: dict[str, object] = {"model": "m", "messages": [], "stream": True}


async def ours(url: str) -> int:
    async def read() -> int:
        count = 0
        request = StreamRequest("POST", url, json=BODY, dialect="openai-chat")
        async with open_stream(request, proxy=False) as stream:
            async for event in stream:
                if type(event) is TextDelta:
                    count += 1
        return count

    return await together(read)


class Swallow(asyncio.Protocol):
    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.size = 0

    def data_received(self, data: bytes) -> None:
        self.size += len(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.done.set_result(None)


async def bytes_alone(url: str) -> int:
    host, _, rest = url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    events = int(rest.split("/")[1])

    async def read() -> int:
        loop = asyncio.get_running_loop()
        transport, swallow = await loop.create_connection(Swallow, name, int(port))
        transport.write(f"GET /{rest} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
        await swallow.done
        assert swallow.size > events * 100
        return events

    return await together(read)


async def with_httpx_sse(url: str) -> int:
    httpx: Any = importlib.import_module("httpx")
    connect: Any = importlib.import_module("httpx_sse").aconnect_sse

    async with httpx.AsyncClient(timeout=None, trust_env=False) as client:

        async def read() -> int:
            count = 0
            async with connect(client, "POST", url, json=BODY) as source:
                async for event in source.aiter_sse():
                    if event.data != "[DONE]":
                        delta = json.loads(event.data)["choices"][0]["delta"]
                        count += bool(delta.get("content"))
            return count

        return await together(read)


async def with_aiohttp(url: str) -> int:
    aiohttp: Any = importlib.import_module("aiohttp")
    async with aiohttp.ClientSession() as client:

        async def read() -> int:
            count = 0
            async with client.post(url, json=BODY) as reply:
                async for line in reply.content:
                    if line.startswith(b"data: {"):
                        delta = json.loads(line[6:])["choices"][0]["delta"]
                        count += bool(delta.get("content"))
            return count

        return await together(read)


async def with_openai(url: str) -> int:
    openai: Any = importlib.import_module("openai")
    # The path is the SDK's own, so its base says what is wanted.
    async with openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0) as client:

        async def read() -> int:
            count = 0
            stream = await client.chat.completions.create(model="m", messages=[], stream=True)
            async for chunk in stream:
                count += bool(chunk.choices and chunk.choices[0].delta.content)
            return count

        return await together(read)


async def together(read: Callable[[], Awaitable[int]]) -> int:
    """All streams at once; how many events they had."""
    return sum(await asyncio.gather(*(read() for _ in range(STREAMS))))


Contestant = Callable[[str], Coroutine[Any, Any, int]]
CONTESTANTS: dict[str, tuple[Contestant, int, str | None]] = {
    "reading the bytes alone": (bytes_alone, 1, None),
    "sans-io-stream, asyncio": (ours, 1, None),
    "aiohttp + json": (with_aiohttp, 2, "aiohttp"),
    "httpx + httpx-sse + json": (with_httpx_sse, 4, "httpx_sse"),
    "openai SDK": (with_openai, 20, "openai"),
}
"""By name: who reads, into how many parts its events are divided, and what it needs."""


def measure(name: str, base: str, how: str, events: int) -> float:
    """CPU seconds for 100,000 events, in a process that reads by this contestant alone."""
    begin = process_time()
    count = asyncio.run(CONTESTANTS[name][0](f"{base}/{how}/{events}/"))
    spent = process_time() - begin
    assert count == STREAMS * events, (count, STREAMS * events)
    return spent / count * 100_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer events and rounds")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--slack", type=float, default=1.0, help="multiply the gate")
    options = parser.parse_args()
    port: multiprocessing.SimpleQueue[int] = multiprocessing.SimpleQueue()
    server = multiprocessing.Process(target=serve, args=(port,), daemon=True)
    server.start()
    base = f"http://127.0.0.1:{port.get()}"
    there = {
        name: entry
        for name, entry in CONTESTANTS.items()
        if entry[2] is None or importlib.util.find_spec(entry[2]) is not None
    }
    spent: dict[str, dict[str, list[float]]] = {
        how: {name: [] for name in there} for how in ("blast", "paced")
    }
    # A process for each, so that nobody pays for what others have imported.
    spawned = multiprocessing.get_context("spawn")
    clients = {name: spawned.Pool(1) for name in there}

    def measured(name: str, how: str, events: int) -> float:
        return clients[name].apply(measure, (name, base, how, events))

    for name in there:
        # Imports, and what else is done once.
        measured(name, "blast", 10)
    for _ in range(2 if options.quick else 5):
        for name, (_, parts, _) in there.items():
            events = (1_000 if options.quick else 2_000) // parts
            spent["blast"][name].append(measured(name, "blast", events))
    for name in there:
        spent["paced"][name].append(measured(name, "paced", 20 if options.quick else 100))
    for pool in clients.values():
        pool.terminate()
    server.kill()
    result = {
        how: {name: statistics.median(values) for name, values in table.items()}
        for how, table in spent.items()
    }
    holds = result["blast"]["sans-io-stream, asyncio"] <= GATE * options.slack
    if options.json:
        print(json.dumps({"results": result, "gate": GATE, "holds": holds}, indent=1))
    else:
        print(f"{'CPU s per 100,000 events, 50 streams':40}{'blast':>8}{'paced':>8}")
        for name in there:
            print(f"{name:40}{result['blast'][name]:8.2f}{result['paced'][name]:8.2f}")
        for name in CONTESTANTS.keys() - there.keys():
            print(f"{name:40} not installed: make bench-sockets installs it")
        print(f"at most {GATE} for sans-io-stream, blasted: {'holds' if holds else 'BROKEN'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
