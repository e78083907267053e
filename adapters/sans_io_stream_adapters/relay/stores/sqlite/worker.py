"""A thread of its own for calls that block, one after the other.

What waits at the same time is done together: the thread takes all jobs that are there, in the
order they came in, and hands them to one function. None is lost to a caller who stops waiting:
what was handed in is done.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

try:
    import anyio
except ImportError as missing:
    raise ImportError("the stores need anyio: pip install 'sans-io-stream[relay]'") from missing

__all__ = ["Job", "Worker"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Job(Generic[T_co]):
    """Something to be done once, and what came of it: ``result``, or ``error``."""

    __slots__ = ("done", "error", "result", "work")

    result: T_co

    def __init__(self, work: Callable[[], T_co]) -> None:
        self.work = work
        self.done = anyio.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Do it. Raises what the work raises."""
        self.error = None
        self.result = self.work()

    def told(self) -> T_co:
        """What came of it, once it is done. Raises ``error``."""
        if self.error is not None:
            raise self.error
        return self.result


class Worker:
    """Runs ``together`` on all jobs that wait, again and again; it belongs to the loop that it was
    made in. ``together`` runs every job, or sets its ``error``. ``idle`` comes in between: it does
    a little of what nobody waits for, and says whether there is more. Neither raises."""

    def __init__(
        self, together: Callable[[Sequence[Job[object]]], None], idle: Callable[[], bool]
    ) -> None:
        self._together = together
        self._idle = idle
        self._jobs = SimpleQueue[Job[object] | None]()
        self._stopped = False
        self._soon = waker()
        # A process that ends without closing its store is not held up.
        self._thread = Thread(target=self._run, name="sans-io-stream store", daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[], T]) -> T:
        """Have it done, and wait for what comes of it. A caller who is cancelled does not
        learn it; done it is."""
        job = Job(work)
        self._jobs.put(job)
        await job.done.wait()
        return job.told()

    def stop(self) -> None:
        """End the thread, after all that was handed in. It waits for that."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        more = True
        while not self._stopped:
            jobs = self._take(wait=not more)
            if jobs:
                self._together(jobs)
                # The loop may be over already: then nobody waits.
                with suppress(RuntimeError):
                    self._soon(tell, jobs)
            more = self._idle()

    def _take(self, wait: bool) -> list[Job[object]]:
        """All jobs that are there."""
        jobs: list[Job[object]] = []
        with suppress(Empty):
            job = self._jobs.get(wait)
            while job is not None:
                jobs.append(job)
                job = self._jobs.get_nowait()
            self._stopped = True
        return jobs


def tell(jobs: Sequence[Job[object]]) -> None:
    """Wake those who wait for these jobs."""
    for job in jobs:
        job.done.set()


def waker() -> Callable[..., object]:
    """What a thread calls to have a function called in the loop that runs here now. It does not
    wait, and raises ``RuntimeError`` once that loop is over."""
    if "trio" in sys.modules:
        import trio

        # Not asked the other way round: trio may be a guest in a loop of asyncio.
        with suppress(RuntimeError):
            return trio.lowlevel.current_trio_token().run_sync_soon
    return asyncio.get_running_loop().call_soon_threadsafe
