"""One thread does all jobs in order, together where they wait together, and wakes its loop."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence

import anyio
import pytest

from sans_io_stream_adapters.relay.stores.sqlite.worker import Job, Worker
from tests.sources import REPO

from .kinds import BACKENDS

pytestmark = pytest.mark.anyio


class Together:
    """Runs jobs, and remembers how many at a time and where."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.threads: set[threading.Thread] = set()
        self.left = 0

    def together(self, jobs: Sequence[Job[object]]) -> None:
        self.batches.append(len(jobs))
        self.threads.add(threading.current_thread())
        for job in jobs:
            try:
                job.run()
            except ArithmeticError as error:
                job.error = error

    def idle(self) -> bool:
        self.left -= 1
        return self.left > 0


async def test_jobs_that_wait_are_done_together_in_their_order() -> None:
    seen = Together()
    worker = Worker(seen.together, seen.idle)
    busy, go = threading.Event(), threading.Event()
    order: list[int] = []
    found: dict[int, int] = {}

    def first() -> None:
        busy.set()
        assert go.wait(60)

    async def ask(number: int) -> None:
        def work() -> int:
            order.append(number)
            return number * number

        found[number] = await worker.do(work)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker.do, first)
        await anyio.to_thread.run_sync(busy.wait)
        for number in range(50):
            tasks.start_soon(ask, number)
        await anyio.wait_all_tasks_blocked()
        go.set()
    worker.stop()
    assert seen.batches == [1, 50]
    assert sorted(order) == list(range(50))
    assert found == {number: number * number for number in range(50)}
    assert len(seen.threads) == 1
    assert threading.current_thread() not in seen.threads


async def test_an_error_is_raised_where_it_is_waited_for() -> None:
    seen = Together()
    worker = Worker(seen.together, seen.idle)
    with pytest.raises(ZeroDivisionError):
        await worker.do(lambda: 1 // 0)
    assert await worker.do(lambda: 1) == 1
    worker.stop()


async def test_what_was_handed_in_is_done_though_nobody_waits() -> None:
    seen = Together()
    worker = Worker(seen.together, seen.idle)
    made: list[int] = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        await worker.do(lambda: made.append(1))
    worker.stop()
    assert made == [1]


async def test_idle_work_goes_on_by_itself_and_makes_way_for_jobs() -> None:
    seen = Together()
    seen.left = 3
    done = threading.Event()

    def idle() -> bool:
        more = seen.idle()
        if not more:
            done.set()
        return more

    worker = Worker(seen.together, idle)
    assert await anyio.to_thread.run_sync(done.wait, 60)
    assert seen.batches == []
    seen.left = sys.maxsize
    assert await worker.do(lambda: 1) == 1
    assert await worker.do(lambda: 2) == 2
    worker.stop()


async def test_it_ends_after_what_was_handed_in() -> None:
    seen = Together()
    worker = Worker(seen.together, seen.idle)
    async with anyio.create_task_group() as tasks:
        for _ in range(9):
            tasks.start_soon(worker.do, lambda: None)
    worker.stop()
    assert sum(seen.batches) == 9
    assert not any(thread.is_alive() for thread in seen.threads)


@pytest.mark.parametrize("ends", BACKENDS)
def test_a_loop_that_is_over_is_not_waited_for(ends: str) -> None:
    seen = Together()
    workers: list[Worker] = []
    busy, go = threading.Event(), threading.Event()

    def work() -> None:
        busy.set()
        assert go.wait(60)

    async def main() -> None:
        workers.append(Worker(seen.together, seen.idle))
        with anyio.CancelScope() as scope:
            scope.cancel()
            await workers[0].do(work)
        assert busy.wait(60)

    anyio.run(main, backend=ends)
    go.set()
    workers[0].stop()
    assert seen.batches == [1]


@pytest.mark.parametrize("module", ["memory", "sqlite", "sqlite.worker"])
def test_a_missing_extra_says_what_to_install(module: str) -> None:
    code = (
        "import sys\nsys.modules['anyio'] = None\n"
        f"import sans_io_stream_adapters.relay.stores.{module}\n"
    )
    made = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": f"{REPO}:{REPO / 'adapters'}"},
    )  # fmt: skip
    assert made.returncode == 1
    assert made.stderr.endswith("pip install 'sans-io-stream[relay]'\n")


def test_a_job_can_be_done_again() -> None:
    """What was taken back is done anew, and only the last outcome counts."""
    divisors = [0, 2]
    job = Job(lambda: 10 // divisors.pop(0))
    with pytest.raises(ZeroDivisionError) as failed:
        job.run()
    job.error = failed.value
    job.run()
    assert job.told() == 5
