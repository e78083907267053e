"""What can be opened, and what is refused before anything in it is changed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

import pytest

from sans_io_stream_adapters.relay.stores.protocol import StoreError
from sans_io_stream_adapters.relay.stores.sqlite.schema import VERSION, connect
from tests.sources import REPO


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "streams.db"


def refusal(path: Path) -> str:
    """Why a file is not opened."""
    with pytest.raises(StoreError) as refused:
        connect(str(path), "normal")
    assert str(path) in str(refused.value)
    return str(refused.value)


def made(path: Path, *sql: str) -> bytes:
    """A database of those statements; its bytes."""
    connection = sqlite3.connect(path)
    for statement in sql:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize(("synchronous", "level"), [("normal", 1), ("full", 2)])
def test_it_writes_ahead_and_waits_for_the_disk_as_told(
    path: Path, synchronous: Literal["normal", "full"], level: int
) -> None:
    for _ in ("new", "there already"):
        connection = connect(str(path), synchronous)
        found = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "auto_vacuum", "locking_mode")
        ]
        assert found == ["wal", level, 2, "exclusive"]
        connection.close()


def test_what_was_begun_is_made_whole(path: Path) -> None:
    """A process may die between the file and its schema."""
    path.touch()
    connect(str(path), "normal").close()
    begun = path.with_name("begun.db")
    made(begun, "PRAGMA journal_mode = WAL")
    connection = connect(str(begun), "normal")
    assert connection.execute("SELECT count(*) FROM streams").fetchone() == (0,)
    connection.close()


def test_what_is_no_database_is_left_alone(path: Path) -> None:
    path.write_bytes(b"not a database, but somebody's letters\n" * 100)
    path.chmod(0o644)
    before = path.read_bytes()
    assert "it is not a file of streams: name another" in refusal(path)
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "sql",
    [
        ["CREATE TABLE letters (text)"],
        ["CREATE TABLE letters (text)", "PRAGMA journal_mode = WAL"],
        ["PRAGMA application_id = 7"],
        ["CREATE TABLE streams (id)", "PRAGMA user_version = 1"],
    ],
)
def test_another_programs_database_is_left_alone(path: Path, sql: list[str]) -> None:
    before = made(path, *sql)
    assert "another program's database: name another file" in refusal(path)
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("version", [0, VERSION - 1, VERSION + 1])
def test_another_version_is_left_alone(path: Path, version: int) -> None:
    connect(str(path), "normal").close()
    before = made(path, f"PRAGMA user_version = {version}")
    assert f"has version {version} of the schema" in refusal(path)
    assert f"this release reads version {VERSION}" in refusal(path)
    assert path.read_bytes() == before


def test_a_directory_has_to_be_there(path: Path) -> None:
    assert "name a file in a directory" in refusal(path / "missing" / "streams.db")
    assert "name a file in a directory" in refusal(path.parent)


def test_what_another_has_open_is_refused(path: Path) -> None:
    made(path, "PRAGMA journal_mode = WAL")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert "another process has it open" in refusal(path)
    other.close()
    connect(str(path), "normal").close()


OPEN = """
import os, sys
from sans_io_stream_adapters.relay.stores.sqlite.schema import connect
from sans_io_stream_adapters.relay.stores.protocol import StoreError
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    connect(sys.argv[1], "normal")
except StoreError as error:
    print(error)
"""


def test_what_is_read_only_says_so() -> None:
    """To a user whom it is read-only for: root may write anywhere."""
    # Not below the tests' own directory, which other users may not enter.
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        path = directory / "streams.db"
        connect(str(path), "normal").close()
        path.chmod(0o444)
        directory.chmod(0o555)
        told = [
            subprocess.run(
                [sys.executable, "-c", OPEN, str(file)],
                env={**os.environ, "PYTHONPATH": f"{REPO}{os.pathsep}{REPO / 'adapters'}"},
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            ).stdout
            for file in (path, directory / "new.db")
        ]
        directory.chmod(0o700)
    assert "it is read-only: let the relay's user write to it and its directory" in told[0]
    assert "name a file in a directory that the relay's user may write to" in told[1]
