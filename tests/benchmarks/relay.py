"""What the relay costs: ``make bench-relay``, or ``python -m tests.benchmarks.relay
[--quick] [--json] [--slack 1.3]``.

500 streams at once with two readers each, through the relay under uvicorn, its log in memory, in
SQLite or, where ``redis-server`` is installed, in a Redis on the loopback, and beside it, in the
same run and in turns, through plain ASGI applications that pass the provider's bytes on as they
come. Provider, application and readers are processes of their own, so that the application alone is
measured; it is a new process in each round. A pass-through has no second reader of a stream: there
the same 1,000 readers have the provider asked 1,000 times. What is compared is the CPU for an event
that a reader got, with as many readers, at the same pace; the gate is on the one with httpx, which
reads HTTP in Python as the relay does. That with aiohttp reads it in C.

*Idle*: resident memory for each stream between two of its events, whoever takes it. What the server
alone takes for the two connections of its readers is measured in the same run; the rest is the
relay's, its connection to the provider included, and the gate is on that. *Paced*: an event of each
stream at a time of its own, so that each is a wake-up of the loop. *Blast*: many events of each
stream at once, written together: a pass-through copies large pieces then, and looks at nothing.
Waits are from the provider's write to the reader's read, and ``nothing between`` is what they are
without any application: where that has a P99 of milliseconds, the machine is busy. Of Redis
itself its CPU for a paced event, each of which is an entry, and its memory for a stream are told.
``--quick`` runs what the gates need, once. Exits with 1 if a gate does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import re
import shutil
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from time import monotonic_ns, perf_counter

from tests.adapters.relay.redis_server import RedisServer

from .relay_sides import APPLICATIONS, Kept, run_application, run_provider

STREAMS = 500
READERS = 2
GATE_MEMORY = 32 * 1024
"""Bytes of an idle stream with its readers, without the server's own share."""
GATE_CPU = 2.0
"""The relay's CPU for a delivered event, paced, in that of the pass-through."""
DIRECT = "nothing between"
OURS = "relay"
IN_REDIS = "relay, Redis"
SHARING = frozenset({OURS, "relay, SQLite", IN_REDIS})
"""Where the readers of a stream share it."""
SERVER = "server alone"
BESIDE = "pass-through, httpx"
"""What the relay is compared with."""
NEEDED = (OURS, SERVER, BESIDE)
"""What the gates are about."""
PACE = 0.5
"""Seconds between two events of a paced stream."""
WITHIN = 30.0
"""Seconds for a process to listen."""
AT_ONCE = 20
"""Streams that are opened together: the memory that it takes to open one is not an idle one's."""

BODY = b'{"model":"up/m","messages":[{"role":"user","content":"Hi"}],"stream":true}'
POST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)
GET = "GET {} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
WRITTEN = re.compile(rb"word@(\d{19})")


class Reader(asyncio.Protocol):
    """One connection that reads, counts and looks at the clock."""

    def __init__(self, ask: bytes) -> None:
        self.ask = ask
        self.tail = b""
        self.head: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waits: list[int] = []
        """Nanoseconds from write to read, of each event."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.ask)

    def data_received(self, data: bytes) -> None:
        now = monotonic_ns()
        data = self.tail + data
        whole = data.rfind(b"\n\n") + 2
        if whole == 1:
            self.tail = data
            return
        self.tail = data[whole:]
        for found in WRITTEN.finditer(data, 0, whole):
            self.waits.append(now - int(found[1]))
        if not self.head.done():
            self.head.set_result(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.head.done():
            self.head.set_result(self.tail)
        self.gone.set_result(None)


async def connect(port: int, ask: bytes) -> Reader:
    """A reader that has its first event, or all of a short answer."""
    loop = asyncio.get_running_loop()
    _, reader = await loop.create_connection(lambda: Reader(ask), "127.0.0.1", port)
    await reader.head
    return reader


async def asked(port: int, path: str) -> bytes:
    """The body of what is there."""
    reader = await connect(port, GET.format(path).encode())
    await reader.gone
    return (await reader.head).partition(b"\r\n\r\n")[2]


@dataclass
class Cost:
    """What a round has shown. Seconds, bytes."""

    opening: float
    """CPU for a stream, until its readers have the first event."""
    idle: float
    """Memory of a stream."""
    paced: float = 0.0
    """CPU for an event that a reader got."""
    p50: float = 0.0
    p99: float = 0.0
    blast: float = 0.0
    """CPU for an event that a reader got."""
    rate: float = 0.0
    """Events that readers got in a second."""
    redis: float = 0.0
    """Redis' own CPU for an event of the provider's, paced."""
    kept: float = 0.0
    """Its memory for a stream with these events."""


async def opened(port: int, shares: bool, count: int) -> list[Reader]:
    """The readers of one stream."""
    first = await connect(port, POST)
    if not shares:
        return [first, *[await connect(port, POST) for _ in range(count - 1)]]
    id = re.search(rb"\r\nx-stream-id: *([\w-]+)", await first.head, re.IGNORECASE)
    assert id is not None, await first.head
    ask = GET.format(f"/v1/streams/{id[1].decode()}?format=openai-chat").encode()
    return [first, *[await connect(port, ask) for _ in range(count - 1)]]


async def until(readers: list[Reader], events: int) -> None:
    """Each reader has so many."""
    for reader in readers:
        while len(reader.waits) < events:
            assert not reader.gone.done(), "a stream has ended early"
            await asyncio.sleep(0.01)


async def left(readers: list[Reader], provider: int) -> None:
    """All of them are over."""
    await asked(provider, "/end")
    for reader in readers:
        reader.transport.close()
        await reader.gone


def cost_of(redis: RedisServer | None) -> tuple[float, float]:
    """The CPU and the memory of a Redis."""
    if redis is None:
        return 0.0, 0.0
    lines = redis.do("INFO").splitlines()
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    cpu = float(told["used_cpu_user"]) + float(told["used_cpu_sys"])
    return cpu, float(told["used_memory"])


async def measure(
    name: str,
    port: int,
    provider: int,
    paced: int,
    blast: int,
    count: int,
    redis: RedisServer | None = None,
) -> Cost:
    """One round with all streams and ``count`` readers of each, through what listens at
    ``port``."""
    shares, passes = name in SHARING, name != SERVER

    async def figures() -> tuple[float, float]:
        if port == provider:
            return 0.0, 0.0
        # The connections before it have been closed, and what is due has been done.
        await asyncio.sleep(0.5)
        found = json.loads(await asked(port, "/figures"))
        return found["cpu"], found["rss"]

    # What is made once is none of theirs.
    await left(await opened(port, shares, count), provider)
    cpu_0, rss_0 = await figures()
    _, kept_0 = cost_of(redis)
    readers: list[Reader] = []
    for _ in range(STREAMS // AT_ONCE):
        for some in await asyncio.gather(*(opened(port, shares, count) for _ in range(AT_ONCE))):
            readers += some
    cpu_1, rss_1 = await figures()
    opening, idle = (cpu_1 - cpu_0) / STREAMS, (rss_1 - rss_0) / STREAMS
    if not passes:
        await left(readers, provider)
        return Cost(opening, idle)
    redis_1, _ = cost_of(redis)
    await asked(provider, f"/paced/{paced}/{PACE}")
    await until(readers, paced)
    cpu_2, _ = await figures()
    redis_2, kept_2 = cost_of(redis)
    waits = sorted(wait / 1e9 for reader in readers for wait in reader.waits)
    begin = perf_counter()
    await asked(provider, f"/blast/{blast}")
    await until(readers, paced + blast)
    took = perf_counter() - begin
    cpu_3, _ = await figures()
    assert {len(reader.waits) for reader in readers} == {paced + blast}
    await left(readers, provider)
    return Cost(
        opening,
        idle,
        paced=(cpu_2 - cpu_1) / len(waits),
        p50=waits[len(waits) // 2],
        p99=waits[len(waits) * 99 // 100],
        blast=(cpu_3 - cpu_2) / (len(readers) * blast),
        rate=len(readers) * blast / took,
        redis=(redis_2 - redis_1) / (STREAMS * paced),
        kept=(kept_2 - kept_0) / STREAMS,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="what the gates need, once")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--slack", type=float, default=1.0, help="multiply the gates")
    parser.add_argument("--readers", type=int, default=READERS, help="of each stream")
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        redis: RedisServer | None = None
        if not options.quick and shutil.which("redis-server") is not None:
            redis = RedisServer(Path(directory))
            stack.callback(redis.kill)
        costs = run_all(options, directory, redis)
    result = {name: middle(some) for name, some in costs.items()}
    ratios = {
        name: statistics.median(
            ours.paced / theirs.paced for ours, theirs in zip(costs[OURS], some, strict=True)
        )
        for name, some in costs.items()
        if name.startswith("pass-through")
    }
    own = result[OURS].idle - result[SERVER].idle
    holds = own <= GATE_MEMORY * options.slack and ratios[BESIDE] <= GATE_CPU * options.slack
    if options.json:
        found = {name: asdict(cost) for name, cost in result.items()}
        figures = {"results": found, "own": own, "ratios": ratios, "holds": holds}
        print(json.dumps(figures, indent=1))
    else:
        show(result, own, ratios, options)
    return 0 if holds else 1


def run_all(
    options: argparse.Namespace, directory: str, redis: RedisServer | None
) -> dict[str, list[Cost]]:
    """The rounds of each application; what they write goes to ``directory``, and to Redis."""
    spawned = multiprocessing.get_context("spawn")
    ports: Queue[int] = spawned.Queue()
    server = spawned.Process(target=run_provider, args=(ports,), daemon=True)
    server.start()
    provider = ports.get(timeout=WITHIN)
    where, count = f"http://127.0.0.1:{provider}", options.readers
    paced, blast = (6, 20) if options.quick else (20, 50)
    kept = Kept(directory, "" if redis is None else redis.url)
    names = [name for name in APPLICATIONS if name != IN_REDIS or redis is not None]
    costs: dict[str, list[Cost]] = {}
    for _ in range(1 if options.quick else 3):
        direct = asyncio.run(measure(DIRECT, provider, provider, paced, blast, count))
        costs.setdefault(DIRECT, []).append(direct)
        for name in NEEDED if options.quick else names:
            process = spawned.Process(
                target=run_application, args=(name, where, kept, ports), daemon=True
            )
            process.start()
            port = ports.get(timeout=WITHIN)
            used = redis if name == IN_REDIS else None
            cost = asyncio.run(measure(name, port, provider, paced, blast, count, used))
            costs.setdefault(name, []).append(cost)
            process.terminate()
            process.join()
    server.kill()
    return costs


def middle(some: list[Cost]) -> Cost:
    """The median of each figure."""
    columns = zip(*(asdict(cost).values() for cost in some), strict=True)
    return Cost(*(statistics.median(column) for column in columns))


HEADS = ("KiB idle", "opening", "paced", "wait P50", "P99", "blast", "events/s")
UNITS = ("", "ms CPU", "µs CPU", "ms", "ms", "µs CPU", "")


def show(
    result: dict[str, Cost], own: float, ratios: dict[str, float], options: argparse.Namespace
) -> None:
    """Print the table, and the gates."""
    slack: float = options.slack
    print(f"{STREAMS} streams, readers of each: {options.readers}")
    print(f"{'':24}" + "".join(f"{head:>10}" for head in HEADS))
    print(f"{'':24}" + "".join(f"{unit:>10}" for unit in UNITS).rstrip())
    for name, cost in result.items():
        figures = [
            f"{cost.idle / 1024:.1f}",
            f"{cost.opening * 1e3:.2f}",
            f"{cost.paced * 1e6:.1f}",
            f"{cost.p50 * 1e3:.2f}",
            f"{cost.p99 * 1e3:.2f}",
            f"{cost.blast * 1e6:.1f}",
            f"{cost.rate:,.0f}",
        ]
        print(f"{name:24}" + "".join(f"{figure:>10}" for figure in figures))
    if IN_REDIS in result:
        cost = result[IN_REDIS]
        print(f"Redis itself: {cost.redis * 1e6:.1f} µs CPU for an entry of paced events, ", end="")
        print(f"{cost.kept / 1024:.1f} KiB for a stream of them")
    whole = result[OURS].idle
    print(f"an idle stream: {whole / 1024:.1f} KiB; without the server's share ", end="")
    print(f"{own / 1024:.1f}, at most {GATE_MEMORY / 1024:.0f}: {told(own <= GATE_MEMORY * slack)}")
    for name, ratio in ratios.items():
        print(f"CPU for an event, paced, over {name}: {ratio:.2f} times", end="")
        gated = f", at most {GATE_CPU}: {told(ratio <= GATE_CPU * slack)}"
        print(gated if name == BESIDE else "")


def told(holds: bool) -> str:
    return "holds" if holds else "BROKEN"


if __name__ == "__main__":
    sys.exit(main())
