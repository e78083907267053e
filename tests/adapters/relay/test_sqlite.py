"""A file of streams outlives its process, belongs to one, and says what to do where it cannot."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from sans_io_stream_adapters.relay.stores.protocol import Spent, StoreError
from sans_io_stream_adapters.relay.stores.sqlite import SQLiteStore
from tests.sources import REPO

from .making import id_of, made, meta_of, run_of, sealing
from .writing import STREAMS, text_of

pytestmark = pytest.mark.anyio

A = id_of(1)
FULL = 3_000_000
"""Bytes after which a disk is full."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "streams.db"


def writer(path: Path, most: int | None = None) -> subprocess.Popen[bytes]:
    """A process that writes; ``most`` bytes of a file, if it is said."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.adapters.relay.writing", str(path), str(most or "")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=REPO,
        env={**os.environ, "PYTHONPATH": f"{REPO}{os.pathsep}{REPO / 'adapters'}"},
    )


def killed_after(process: subprocess.Popen[bytes], lines: int) -> bytes:
    """What a writer has said, killed after so many lines, up to its last whole one."""
    assert process.stdout is not None
    assert process.stderr is not None
    # Not by communicate(), which does not know what is in the buffer of readline().
    with process:
        said = b"".join(process.stdout.readline() for _ in range(lines))
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read()
        assert process.stderr.read() == b""
    return said.rpartition(b"\n")[0]


def size_of(path: Path) -> int:
    """How much is written beside the file."""
    wal = Path(f"{path}-wal")
    return wal.stat().st_size if wal.exists() else 0


def modes_of(path: Path) -> list[int]:
    """Who may read the file, and the one beside it."""
    return [stat.S_IMODE(file.stat().st_mode) for file in path.parent.glob(f"{path.name}*")]


def acknowledged(said: bytes, known: dict[int, int]) -> None:
    """What a writer said was kept, beside what is known already."""
    for line in said.splitlines():
        stream, number = map(int, line.split())
        assert number > known.get(stream, 0)
        known[stream] = number


async def check(path: Path, known: dict[int, int]) -> int:
    """Whether all that was acknowledged is there, in order and whole; how much there is."""
    store = SQLiteStore(path)
    await store.open()
    total = 0
    for stream in STREAMS:
        number = 0
        while found := await store.read(id_of(stream), number):
            for one in found:
                number += 1
                assert one == made(number, stream, text_of(number))
        assert number >= known.get(stream, 0)
        known[stream] = number
        total += number
    await store.close()
    return total


def kill_in_the_middle(path: Path, times: int, seed: int) -> None:
    """Kill a writer after so many acknowledgements, again and again, on the same file."""
    chosen = random.Random(seed)
    known: dict[int, int] = {}
    total = 0
    for _ in range(times):
        for _ in range(chosen.randint(1, 2)):
            # Twice without a look: the second writer has to repair what the first one left.
            acknowledged(killed_after(writer(path), chosen.randint(0, 400)), known)
        found = anyio.run(check, path, known)
        assert found >= total
        total = found
    assert total > 100


def test_what_was_acknowledged_survives_the_death_of_the_process(path: Path) -> None:
    kill_in_the_middle(path, 8, seed=1)


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(20))
def test_it_survives_many_deaths(path: Path, seed: int) -> None:
    kill_in_the_middle(path, 20, seed)


# ---- one process


async def test_another_process_is_refused(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()
    await store.create(meta_of(1))
    process = writer(path)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said == b""
    assert b"StoreError" in errors
    assert b"another process has it open" in errors
    await store.append(A, run_of(1, 1))
    assert await store.read(A) == run_of(1, 1)
    await store.close()


async def test_another_store_of_this_process_is_refused_again_and_again(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()
    for _ in range(3):
        with pytest.raises(StoreError, match="open"):
            await SQLiteStore(path).open()
    # Nor has the attempt let go of the lock of the first.
    _, errors = writer(path).communicate(timeout=60)
    assert b"another process has it open" in errors
    await store.create(meta_of(1))
    await store.close()
    again = SQLiteStore(path)
    await again.open()
    assert await again.orphans() == [meta_of(1)]
    await again.close()


async def test_a_reader_from_elsewhere_is_refused(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()
    other = sqlite3.connect(path, timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("SELECT * FROM entries")
    other.close()
    await store.close()


# ---- what it cannot be


@pytest.mark.parametrize("path", ["", ":memory:"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="MemoryStore"):
        SQLiteStore(path)


def test_there_are_two_ways_to_write(path: Path) -> None:
    with pytest.raises(ValueError, match="'off'"):
        SQLiteStore(path, synchronous="off")  # type: ignore[arg-type]


async def test_both_ways_make_the_same_file(path: Path) -> None:
    store = SQLiteStore(path, synchronous="full")
    await store.open()
    await store.create(meta_of(1))
    await store.append(A, run_of(1, 5))
    await store.close()
    store = SQLiteStore(path, synchronous="normal")
    await store.open()
    assert await store.read(A) == run_of(1, 5)
    await store.close()


async def test_a_store_that_is_not_open_says_so(path: Path) -> None:
    store = SQLiteStore(path)
    with pytest.raises(StoreError, match=r"open\(\)"):
        await store.read(A)
    await store.open()
    await store.close()
    with pytest.raises(StoreError, match=r"open\(\)"):
        await store.append(A, run_of(1, 1))


# ---- the disk


@pytest.mark.parametrize("deaths", [1, 3])
def test_a_full_disk_loses_nothing(path: Path, deaths: int) -> None:
    """With a limit on the size of files for a disk; every writer ends by itself, each is told
    why, and where there is space again it goes on."""
    known: dict[int, int] = {}
    for _ in range(deaths):
        said, errors = writer(path, FULL).communicate()
        acknowledged(said, known)
        told = errors.decode().splitlines()
        assert len(told) == len(STREAMS)
        assert all("no space left" in line or "look after the disk" in line for line in told)
    assert anyio.run(check, path, known) > 100
    acknowledged(killed_after(writer(path), 50), known)
    anyio.run(check, path, known)


@pytest.fixture
def careless(path: Path) -> Iterator[Path]:
    """A file that everybody may read, under a mask that lets everybody read more."""
    path.touch()
    path.chmod(0o666)
    before = os.umask(0)
    yield path
    os.umask(before)


async def test_only_the_owner_may_read_it(careless: Path) -> None:
    for path in (careless, careless.with_name("other.db")):
        store = SQLiteStore(path)
        await store.open()
        await store.create(meta_of(1))
        await store.append(A, run_of(1, 5))
        assert modes_of(path) == [0o600, 0o600]
        await store.close()


# ---- the thread


def put_away(path: Path, aside: Path, replaced: bool) -> None:
    path.rename(aside)
    if replaced:
        path.write_bytes(b"")


def put_back(path: Path, aside: Path) -> None:
    aside.replace(path)


async def test_nothing_is_written_into_a_file_that_is_gone(path: Path) -> None:
    """SQLite would go on, and all of it would be gone with the process."""
    store = SQLiteStore(path)
    await store.open()
    await store.create(meta_of(1))
    await store.append(A, run_of(1, 1))
    aside = path.with_suffix(".aside")
    for replaced in (False, True):
        put_away(path, aside, replaced)
        for wanted in (
            store.create(meta_of(2)),
            store.append(A, run_of(2, 2)),
            store.spend("ann", "2026", Spent(1)),
        ):
            with pytest.raises(StoreError, match="removed or replaced while the relay had it"):
                await wanted
        # What was kept can be read meanwhile.
        assert await store.read(A) == run_of(1, 1)
        put_back(path, aside)
        await store.append(A, [])
    await store.append(A, run_of(2, 2))
    await store.close()
    again = SQLiteStore(path)
    await again.open()
    assert await again.read(A) == run_of(1, 2)
    await again.close()


async def test_closing_does_first_what_was_handed_over(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()
    await store.create(meta_of(1))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await store.append(A, run_of(1, 400))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await store.close()
    again = SQLiteStore(path)
    await again.open()
    assert await again.read(A) == run_of(1, 400)
    await again.close()


async def test_no_thread_is_left(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()
    assert "sans-io-stream store" in {thread.name for thread in threading.enumerate()}
    await store.close()
    assert "sans-io-stream store" not in {thread.name for thread in threading.enumerate()}


async def test_what_is_waiting_is_one_transaction(path: Path) -> None:
    """Seen from outside: the size of what is written beside the file."""
    store = SQLiteStore(path)
    await store.open()
    for number in range(1, 101):
        await store.create(meta_of(number))
    begin = size_of(path)
    async with anyio.create_task_group() as writers:
        for number in range(1, 101):
            writers.start_soon(store.append, id_of(number), run_of(1, 1, number))
    together = size_of(path) - begin
    await store.close()
    await store.open()
    begin = size_of(path)
    for number in range(1, 101):
        await store.append(id_of(number), run_of(2, 2, number))
    assert together < (size_of(path) - begin) / 5
    await store.close()


def test_a_loop_may_end_before_the_store(path: Path) -> None:
    """Forgotten, not closed: the thread does what it has, and nobody is there to be told."""
    store = SQLiteStore(path)

    async def begin() -> None:
        await store.open()
        await store.create(meta_of(1))
        with anyio.CancelScope() as scope:
            scope.cancel()
            await store.append(A, [sealing(1)])

    anyio.run(begin)
    anyio.run(store.close)

    async def end() -> None:
        again = SQLiteStore(path)
        await again.open()
        assert await again.read(A) == [sealing(1)]
        await again.close()

    anyio.run(end, backend="trio")
