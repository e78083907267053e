"""What happens in one transaction, when something goes wrong in it, and to what is damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sans_io_stream.relay import Entry, encode_entry
from sans_io_stream_adapters.relay.stores.protocol import StoreError
from sans_io_stream_adapters.relay.stores.sqlite.database import Database
from sans_io_stream_adapters.relay.stores.sqlite.worker import Job

from .making import id_of, made, meta_of, run_of, sealing

A, B = id_of(1), id_of(2)
MOST = 100_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "streams.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    """An open file with the streams A and B."""
    database = Database(str(path), "normal")
    done(database, lambda: database.create(meta_of(1)), lambda: database.create(meta_of(2)))
    yield database
    database.close()


def done(database: Database, *works: Callable[[], object]) -> list[str | None]:
    """What went wrong with each, when they are done together."""
    jobs = [Job(work) for work in works]
    database.together(jobs)
    return [None if job.error is None else str(job.error) for job in jobs]


def append(database: Database, id: str, entries: list[Entry]) -> Callable[[], None]:
    written = [encode_entry(one) for one in entries]
    return lambda: database.append(id, entries, written)


def rewritten(path: Path, sql: str) -> None:
    """Do to a closed file what none of ours would."""
    with sqlite3.connect(path) as connection:
        connection.execute(sql)
    connection.close()


# ---- transactions


def test_what_the_file_refuses_fails_alone(database: Database) -> None:
    database.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST)
    large = made(2, text="x" * MOST)
    first, second, third, fourth, fifth = done(
        database,
        append(database, A, run_of(1, 1)),
        append(database, A, [large]),
        append(database, B, run_of(1, 2)),
        append(database, A, run_of(3, 3)),
        append(database, A, run_of(2, 2)),
    )
    assert first is third is fifth is None
    assert second is not None
    assert "larger than SQLite takes" in second
    assert fourth == (
        "entry 3 does not follow entry 1: a stream has one writer, which counts on from what "
        "is there"
    )
    assert database.read(A, 0, 9) == run_of(1, 2)
    assert database.read(B, 0, 9) == run_of(1, 2)


def test_on_a_full_disk_what_fits_is_kept_and_the_rest_taken_once_there_is_space(
    database: Database,
) -> None:
    [(pages,)] = database.connection.execute("PRAGMA page_count").fetchall()
    database.connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    large = [made(1, text="x" * 50_000)]
    failed = done(database, append(database, A, large), append(database, B, run_of(1, 2)))
    assert failed[0] is not None
    assert "no space left: free some" in failed[0]
    assert failed[1] is None
    assert database.read(A, 0, 9) == []
    assert database.read(B, 0, 9) == run_of(1, 2)
    database.connection.execute(f"PRAGMA max_page_count = {pages + 100}")
    assert done(database, append(database, A, large)) == [None]
    assert database.read(A, 0, 9) == large


def test_nothing_of_an_append_is_there_if_one_entry_cannot_be(database: Database) -> None:
    database.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST)
    entries = [*run_of(1, 5), made(6, text="x" * MOST), sealing(7)]
    assert done(database, append(database, A, entries))[0] is not None
    assert database.read(A, 0, 9) == []
    assert [meta.id for meta in database.unsealed()] == [A, B]
    assert done(database, append(database, A, run_of(1, 1))) == [None]


def test_what_is_no_fault_of_the_file_is_told_as_it_is(database: Database) -> None:
    """A bug is not dressed up as a full disk; and the others do not have it."""

    def fails() -> None:
        raise ZeroDivisionError("of the caller")

    assert done(database, append(database, A, run_of(1, 1)), fails) == [None, "of the caller"]
    assert database.read(A, 0, 9) == run_of(1, 1)


def test_a_text_that_is_none_fails_alone(database: Database) -> None:
    strange = meta_of(3, "\ud800")
    failed = done(database, append(database, A, run_of(1, 1)), lambda: database.create(strange))
    assert failed[0] is None
    assert failed[1] is not None
    assert database.find(strange.id) is None


def test_a_reader_sees_what_is_written_before_it_in_the_same_transaction(
    database: Database,
) -> None:
    found: list[list[Entry]] = []
    done(
        database,
        append(database, A, run_of(1, 2)),
        lambda: found.append(database.read(A, 0, 9)),
        append(database, A, run_of(3, 4)),
        lambda: database.trim(A, 3),
        lambda: found.append(database.read(A, 0, 9)),
        append(database, A, [sealing(5)]),
        append(database, A, [sealing(6)]),
        lambda: database.delete(B),
        append(database, B, run_of(1, 1)),
    )
    assert found == [run_of(1, 2), run_of(3, 4)]
    assert database.read(A, 0, 9) == [*run_of(3, 4), sealing(5)]
    assert database.read(B, 0, 9) == []


# ---- what deleted streams leave


def filled(database: Database) -> None:
    """B, the youngest stream, is large; whoever comes next must not get its number."""
    entries = [made(number, text="x" * 500) for number in range(1, 5001)]
    done(database, append(database, B, entries), append(database, A, run_of(1, 3)))


def test_what_was_deleted_is_given_back_to_the_system(path: Path, database: Database) -> None:
    filled(database)
    while database.sweep():
        pass
    database.connection.execute("PRAGMA wal_checkpoint")
    full = path.stat().st_size
    assert done(database, lambda: database.delete(B)) == [None]
    steps = 0
    while database.sweep():
        steps += 1
    assert 5 < steps < 20, "a little at a time, but not a page"
    assert database.connection.execute("SELECT count(*) FROM entries").fetchone() == (3,)
    database.close()
    assert path.stat().st_size < full / 10


def test_a_stream_half_swept_away_is_swept_away_by_whoever_opens_next(
    path: Path, database: Database
) -> None:
    filled(database)
    done(database, lambda: database.delete(B))
    assert database.sweep()
    database.close()
    again = Database(str(path), "normal")
    assert done(again, lambda: again.create(meta_of(2))) == [None]
    assert again.read(B, 0, 9) == []
    assert done(again, append(again, B, run_of(1, 2))) == [None]
    while again.sweep():
        pass
    assert again.read(B, 0, 9) == run_of(1, 2)
    assert again.connection.execute("SELECT count(*) FROM entries").fetchone() == (5,)
    again.close()


def test_a_file_that_gives_nothing_back_is_not_asked_for_ever(path: Path) -> None:
    """One that somebody has copied, say: then its space is only used again."""
    database = Database(str(path), "normal")
    database.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
    connection.close()
    database = Database(str(path), "normal")
    done(database, lambda: database.create(meta_of(1)), lambda: database.create(meta_of(2)))
    filled(database)
    done(database, lambda: database.delete(B))
    assert sum(1 for _ in iter(database.sweep, False)) < 20
    assert database.read(A, 0, 9) == run_of(1, 3)
    database.close()


# ---- damage


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM entries WHERE number = 3",
        "DELETE FROM entries WHERE number = 1",
        "UPDATE entries SET data = replace(data, 'o', 'u') WHERE number = 3",
        "UPDATE entries SET data = x'' WHERE number = 3",
        "UPDATE entries SET number = number + 90 WHERE number = 3",
        "UPDATE entries SET (crc, data) = (SELECT crc, data FROM entries LIMIT 1) WHERE number = 3",
    ],
)
def test_an_entry_that_is_damaged_is_never_given(path: Path, database: Database, sql: str) -> None:
    done(database, append(database, A, [*run_of(1, 5), sealing(6)]), append(database, B, [made(1)]))
    database.close()
    rewritten(path, f"{sql} AND stream = 1")
    again = Database(str(path), "normal")
    failed = done(again, lambda: again.read(A, 0, 9), lambda: again.read(B, 0, 9))
    assert failed[0] is not None
    assert "damaged" in failed[0]
    assert failed[1] is None
    again.close()


def test_a_meta_that_is_damaged_is_never_given(path: Path, database: Database) -> None:
    database.close()
    rewritten(path, "UPDATE metas SET crc = crc + 1 WHERE stream = 1")
    again = Database(str(path), "normal")
    failed = done(again, lambda: again.find(A), lambda: again.find(B))
    assert failed[0] is not None
    assert "damaged" in failed[0]
    assert failed[1] is None
    again.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with one stream."""
    path = tmp_path_factory.mktemp("whole") / "streams.db"
    database = Database(str(path), "normal")
    done(
        database,
        lambda: database.create(meta_of(1)),
        append(database, A, [*run_of(1, 400), sealing(401)]),
    )
    database.close()
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), damage=st.binary(min_size=1, max_size=200))
def test_wherever_a_file_is_damaged_no_wrong_entry_is_given(
    tmp_path: Path, whole: Path, place: float, damage: bytes
) -> None:
    path = tmp_path / "streams.db"
    data = bytearray(whole.read_bytes())
    begin = int(place * len(data))
    data[begin : begin + len(damage)] = damage[: len(data) - begin]
    path.write_bytes(data)
    found: list[Entry] = []
    try:
        database = Database(str(path), "normal")
    except StoreError:
        return
    failed = done(database, lambda: found.extend(database.read(A, 0, 500)))
    database.close()
    assert found in ([], [*run_of(1, 400), sealing(401)])
    assert failed == [None] or "streams.db" in str(failed[0])
