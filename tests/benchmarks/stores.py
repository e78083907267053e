"""What keeping an entry costs: ``python -m tests.benchmarks.stores [--quick]``.

So many streams write an entry each and wait for it, again and again, into each of the relay's
stores: entries per second, CPU seconds of the whole process, and how long an append is waited
for. Beside SQLite with one transaction for what waits at the same time, the same with one
transaction each.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, process_time

import anyio

from sans_io_stream import TextDelta
from sans_io_stream.relay import Entry, StreamLog, stream_id
from sans_io_stream_adapters.relay.stores.memory import MemoryStore
from sans_io_stream_adapters.relay.stores.protocol import Meta, Store
from sans_io_stream_adapters.relay.stores.sqlite import SQLiteStore
from sans_io_stream_adapters.relay.stores.sqlite.database import Database
from sans_io_stream_adapters.relay.stores.sqlite.worker import Job, Worker

WRITERS = 500


class Apart(Database):
    """A transaction for each job."""

    def together(self, jobs: Sequence[Job[object]]) -> None:
        for job in jobs:
            super().together([job])


class ApartStore(SQLiteStore):
    """The store with a transaction for each job."""

    async def open(self) -> None:
        database = Apart(self.path, self.synchronous)
        self._open = database, Worker(database.together, database.sweep)


async def measure(name: str, store: Store, count: int) -> None:
    """Print what it costs."""
    logs = [StreamLog(stream_id(number.to_bytes(16)), 0.0) for number in range(WRITERS)]
    waited: list[float] = []

    async def write(log: StreamLog) -> None:
        for number in range(count):
            entry: Entry | None = log.append([TextDelta(f" word{number}")], 1_700_000_000.0)
            assert entry is not None
            begin = perf_counter()
            await store.append(log.id, [entry])
            waited.append(perf_counter() - begin)

    await store.open()
    for log in logs:
        await store.create(Meta(log.id, "ann", "upstream", "model", 0.0, b"x" * 2000))
    begin, cpu = perf_counter(), process_time()
    async with anyio.create_task_group() as writers:
        for log in logs:
            writers.start_soon(write, log)
    took, cpu = perf_counter() - begin, process_time() - cpu
    await store.close()
    waited.sort()
    total = len(waited)
    print(
        f"{name:24}{total / took:9,.0f}/s {cpu / total * 1e6:7.1f} µs CPU   waited "
        f"{waited[total // 2] * 1e3:6.1f} ms, 99 % {waited[total * 99 // 100] * 1e3:6.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the entries")
    count = 20 if parser.parse_args().quick else 200
    anyio.run(measure, "memory", MemoryStore(), count)
    with tempfile.TemporaryDirectory() as name:
        for how, make in (("together", SQLiteStore), ("one each", ApartStore)):
            for synchronous in ("normal", "full"):
                label = f"{synchronous}, {how}"
                store = make(Path(name) / f"{label}.db", synchronous=synchronous)
                anyio.run(measure, label, store, count)


if __name__ == "__main__":
    main()
