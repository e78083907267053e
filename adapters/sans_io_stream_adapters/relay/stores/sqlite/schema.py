"""A SQLite file of streams: how it is made and opened, and what its errors mean.

One process has it, by SQLite's own locks in exclusive mode: they end with the process, however
it ends. Whether a file is one of ours is read before anything in it is changed.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import Literal

import msgspec

from ..protocol import StoreError

__all__ = ["DAMAGED", "connect", "why"]

APPLICATION = 0x53494F53
"""``SIOS``: what SQLite calls the application's id."""
VERSION = 2
"""Goes up with any change of ``SCHEMA``."""

# ``last`` is only right where there are no entries that say it: see Database._head.
# Metas hold requests, which may be large: a row that changes must not drag them along. What is
# in ``deleted`` still has entries: a stream's number is never given again.
SCHEMA = """
CREATE TABLE streams (
    stream INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    idempotency_key TEXT,
    first INTEGER NOT NULL DEFAULT 1,
    last INTEGER NOT NULL DEFAULT 0,
    ended REAL
);
CREATE UNIQUE INDEX keys ON streams (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX ended ON streams (ended, id);
CREATE TABLE metas (stream INTEGER PRIMARY KEY, crc INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE entries (
    stream INTEGER NOT NULL, number INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE UNIQUE INDEX numbers ON entries (stream, number);
CREATE TABLE deleted (stream INTEGER PRIMARY KEY);
CREATE TABLE spent (
    owner TEXT PRIMARY KEY, period TEXT NOT NULL, tokens INTEGER NOT NULL,
    nanodollars INTEGER NOT NULL
)
"""

# Measured with 500 writers: pages of 8 KiB take a fifth less than those of 4, and a checkpoint
# every 1000 of them holds the writers up less than fewer, longer ones.
SETTINGS = (
    "PRAGMA wal_autocheckpoint = 1000",
    "PRAGMA journal_size_limit = 16777216",
    "PRAGMA cache_size = -16384",
)
# These are settled by the first page that is written.
WHEN_NEW = ("PRAGMA page_size = 8192", "PRAGMA auto_vacuum = INCREMENTAL")

WHAT_TO_DO: dict[int, str] = {
    sqlite3.SQLITE_BUSY: "another process has it open: stop that one, or give each relay a file "
    "of its own",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: name a file in a directory that the relay's "
    "user may write to",
    sqlite3.SQLITE_CORRUPT: "it is damaged: put it aside (`sqlite3 FILE .recover` shows what is "
    "left) and begin with a new one",
    sqlite3.SQLITE_FULL: "there is no space left: free some on its disk",
    sqlite3.SQLITE_IOERR: "reading or writing it failed: look after the disk",
    sqlite3.SQLITE_NOTADB: "it is not a file of streams: name another",
    sqlite3.SQLITE_READONLY: "it is read-only: let the relay's user write to it and its directory",
    sqlite3.SQLITE_TOOBIG: "an entry or a request is larger than SQLite takes (1 GB)",
}
DAMAGED = WHAT_TO_DO[sqlite3.SQLITE_CORRUPT]


def connect(path: str, synchronous: Literal["normal", "full"]) -> sqlite3.Connection:
    """The file, ours alone and ready; made where there is none. Raises ``StoreError``."""
    try:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        if not os.access(path, os.W_OK):
            # SQLite would say that the disk has failed.
            raise StoreError(f"{path!r}: {WHAT_TO_DO[sqlite3.SQLITE_READONLY]}")
        # An existing file is never opened and closed here: that would end the locks that
        # another store of this process has on it.
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            make_ready(connection, path, synchronous)
        except BaseException:
            connection.close()
            raise
    except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
        raise why(error, path) from error
    return connection


def make_ready(
    connection: sqlite3.Connection, path: str, synchronous: Literal["normal", "full"]
) -> None:
    """Lock it, see whose it is, and give it the schema if it has none."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    found = [pragma(connection, name) for name in ("application_id", "user_version")]
    new = found == [0, 0] and not connection.execute("SELECT 1 FROM sqlite_master").fetchall()
    if not new:
        if found[0] != APPLICATION:
            raise StoreError(f"{path!r} is another program's database: name another file")
        if found[1] != VERSION:
            raise StoreError(
                f"{path!r} has version {found[1]} of the schema, this release reads version "
                f"{VERSION}: use the release that wrote it, or name another file"
            )
    for setting in (*(WHEN_NEW if new else ()), *SETTINGS):
        connection.execute(setting)
    if pragma(connection, "journal_mode = WAL") != "wal":
        raise StoreError(f"{path!r} lies where SQLite cannot keep a WAL: name a local file")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("BEGIN IMMEDIATE")
    if new:
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
    for name in (path, f"{path}-wal"):
        with suppress(FileNotFoundError):
            os.chmod(name, 0o600)


def pragma(connection: sqlite3.Connection, text: str) -> object:
    """What a PRAGMA says."""
    return connection.execute(f"PRAGMA {text}").fetchone()[0]


def why(error: Exception, path: str) -> Exception:
    """The same as a ``StoreError`` that says what to do; what is none of the file's own errors
    stays what it is."""
    match error:
        case StoreError():
            return error
        case msgspec.DecodeError() | UnicodeDecodeError():
            told = StoreError(f"{path!r}: {DAMAGED}")
        case OSError():
            told = StoreError(f"{path!r}: {WHAT_TO_DO[sqlite3.SQLITE_CANTOPEN]} ({error.strerror})")
        case sqlite3.Error():
            code = getattr(error, "sqlite_errorcode", None)
            what = None if code is None else WHAT_TO_DO.get(code & 0xFF)
            told = StoreError(
                f"{path!r}: {error}" if what is None else f"{path!r}: {what} ({error})"
            )
        case _:
            return error
    told.__cause__ = error
    return told
