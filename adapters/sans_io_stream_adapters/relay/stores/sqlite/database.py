"""The file of an ``SQLiteStore``: its schema, and what is asked of it. It blocks.

Jobs that come together are one transaction. Each job first looks whether what it is to do can be
done, and raises ``StoreError`` before it has changed anything; whatever else goes wrong takes the
whole transaction back, and the jobs are done again, each in one of its own, so that only those
fail that cannot be done.

Entries lie in the order in which they came, whichever stream they are of: 500 streams that get
an entry each fill a dozen pages. Clustered by stream they would touch 500, and a commit take five
times as long (measured). They have a checksum, as SQLite's pages have none.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TypeVar
from zlib import crc32

import msgspec

from sans_io_stream.relay import decode_entry

from ..protocol import Meta, Spent, StoreError, Taken, TooMany, follow
from .schema import DAMAGED, connect, why

if TYPE_CHECKING:
    from sans_io_stream.relay import Entry

    from .worker import Job

__all__ = ["Database"]

R = TypeVar("R")

SWEPT = 1000
"""The most entries of a deleted stream that are dropped at a time, between two transactions: a
millisecond or two."""
RETURNED = 256
"""The most pages that are given back to the system at a time."""


class Head(msgspec.Struct):
    """Where a stream stands: its row, its first entry that is kept, and its last one."""

    stream: int
    first: int
    last: int
    sealed: bool


class Database:
    """The open file. Raises ``StoreError`` where it cannot be opened."""

    def __init__(self, path: str, synchronous: Literal["normal", "full"]) -> None:
        self.path = path
        self.connection = connect(path, synchronous)
        self._file = identity(path)
        self._gone = False
        """The path leads to another file by now, or to none."""
        self._heads: dict[str, Head] = {}
        """Those of streams that are written to."""
        self._staged: list[tuple[int, int, int, bytes]] = []
        """Rows of entries that are written before anything is read, and before the end."""
        self._unswept = True
        """Something of deleted streams may be left."""

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    # ---- transactions

    def together(self, jobs: Sequence[Job[object]]) -> None:
        """Run these jobs. What went wrong is in their ``error``."""
        if self._tried(jobs) is not None:
            for job in jobs:
                error = self._tried([job])
                if error is not None:
                    job.error = why(error, self.path)

    def sweep(self) -> bool:
        """Do away with a little of what deleted streams have left. Whether there is more."""
        if self._unswept:
            try:
                self._unswept = self._dropped() or self._returned()
            except (sqlite3.Error, msgspec.DecodeError, UnicodeDecodeError):
                # Whoever writes next is told; it is tried again after the next delete.
                self._unswept = False
                with suppress(sqlite3.Error):
                    self.connection.rollback()
        return self._unswept

    def _tried(self, jobs: Sequence[Job[object]]) -> Exception | None:
        """Run these jobs in one transaction. The error that has taken it back."""
        self._gone = identity(self.path) != self._file
        try:
            self.connection.execute("BEGIN")
            for job in jobs:
                try:
                    job.run()
                except StoreError as error:
                    job.error = error
            self._flush()
            self.connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told to those who wait
            self._heads.clear()
            self._staged.clear()
            with suppress(sqlite3.Error):
                self.connection.rollback()
            return error
        return None

    def _flush(self) -> None:
        """Write the entries that are staged."""
        if self._staged:
            self.connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", self._staged)
            self._staged.clear()

    def _dropped(self) -> bool:
        """Whether there were entries of a deleted stream; some of them are gone now."""
        found = self._rows(list[tuple[int]], "SELECT stream FROM deleted LIMIT 1")
        if found:
            self._run("BEGIN")
            dropped = self._run(
                "DELETE FROM entries WHERE rowid IN "
                f"(SELECT rowid FROM entries WHERE stream = ? LIMIT {SWEPT})",
                *found[0],
            )
            if dropped < SWEPT:
                self._run("DELETE FROM deleted WHERE stream = ?", *found[0])
            self._run("COMMIT")
        return bool(found)

    def _returned(self) -> bool:
        """Whether more than a quarter of the file was free; a little less is now."""
        free = self._pragma("freelist_count")
        if free <= self._pragma("page_count") // 4:
            return False
        # Not by execute(), which takes the first of its steps only.
        self.connection.executescript(f"PRAGMA incremental_vacuum({RETURNED})")
        return self._pragma("freelist_count") < free

    def _pragma(self, name: str) -> int:
        return self._rows(list[tuple[int]], f"PRAGMA {name}")[0][0]

    def _rows(self, rows: type[R], sql: str, *values: object) -> R:
        """All rows of a query, behind what is staged. Raises ``msgspec.ValidationError`` where
        they are not of that type: a file may be damaged anywhere."""
        self._flush()
        return msgspec.convert(self.connection.execute(sql, values).fetchall(), rows)

    def _run(self, sql: str, *values: object) -> int:
        """Change something, behind what is staged. How many rows that were."""
        self._flush()
        return self.connection.execute(sql, values).rowcount

    # ---- jobs: each looks before it changes anything

    def create(self, meta: Meta, most: int | None = None) -> None:
        """As ``Store.create``."""
        self._check()
        if self._rows(list[tuple[int]], "SELECT 1 FROM streams WHERE id = ?", meta.id):
            raise StoreError("there is a stream with that id already: make another id")
        if meta.idempotency_key is not None:
            taken = self.find_key(meta.owner, meta.idempotency_key)
            if taken is not None:
                raise Taken(taken)
        if most is not None and self._running(meta.owner) >= most:
            raise TooMany
        stream = self.connection.execute(
            "INSERT INTO streams (id, owner, idempotency_key) VALUES (?, ?, ?)",
            (meta.id, meta.owner, meta.idempotency_key),
        ).lastrowid
        data = msgspec.msgpack.encode(meta)
        self.connection.execute("INSERT INTO metas VALUES (?, ?, ?)", (stream, crc32(data), data))

    def find(self, id: str) -> Meta | None:
        """As ``Store.find``."""
        return self._meta("id = ?", id)

    def find_key(self, owner: str, idempotency_key: str) -> Meta | None:
        """As ``Store.find_key``."""
        return self._meta("owner = ? AND idempotency_key = ?", owner, idempotency_key)

    def append(self, id: str, entries: Sequence[Entry], written: Sequence[bytes]) -> None:
        """As ``Store.append``. ``written`` are the same entries, encoded."""
        self._check()
        head = self._head(id)
        if head is None:
            raise StoreError("there is no such stream: create() it before anything is appended")
        follow(entries, head.last, head.sealed)
        for one, data in zip(entries, written, strict=True):
            self._staged.append((head.stream, one.number, crc32(data), data))
            head.last, head.sealed = one.number, one.seals
        if head.sealed and entries:
            self._heads.pop(id)
            self._run(
                "UPDATE streams SET last = ?, ended = ? WHERE stream = ?",
                head.last,
                entries[-1].at,
                head.stream,
            )

    def read(self, id: str, after: int, most: int) -> list[Entry]:
        """As ``Store.read``."""
        head = self._head(id)
        if head is None:
            return []
        begin = max(after + 1, head.first)
        end = min(head.last, begin + most - 1)
        if begin > end:
            return []
        found = self._rows(
            list[tuple[int, bytes]],
            "SELECT crc, data FROM entries WHERE stream = ? AND number BETWEEN ? AND ? "
            "ORDER BY number",
            head.stream,
            begin,
            end,
        )
        entries = [decode_entry(self._whole(*row)) for row in found]
        if [one.number for one in entries] != list(range(begin, end + 1)):
            raise StoreError(f"{self.path!r}: {DAMAGED}")
        return entries

    def trim(self, id: str, first: int) -> None:
        """As ``Store.trim``."""
        head = self._head(id)
        if head is None or first <= head.first:
            return
        head.first = min(first, head.last + 1)
        self._run("DELETE FROM entries WHERE stream = ? AND number < ?", head.stream, head.first)
        self._run(
            "UPDATE streams SET first = ?, last = ? WHERE stream = ?",
            head.first,
            head.last,
            head.stream,
        )
        self._unswept = True

    def delete(self, id: str) -> None:
        """As ``Store.delete``."""
        head = self._head(id)
        if head is None:
            return
        self._heads.pop(id, None)
        for table in ("metas", "streams"):
            self._run(f"DELETE FROM {table} WHERE stream = ?", head.stream)
        self._run("INSERT INTO deleted VALUES (?)", head.stream)
        self._unswept = True

    def unsealed(self) -> list[Meta]:
        """The streams without an end, oldest first."""
        return self._metas("ended IS NULL ORDER BY stream")

    def ended_before(self, time: float, most: int) -> list[str]:
        """As ``Store.ended_before``."""
        found = self._rows(
            list[tuple[str]],
            "SELECT id FROM streams WHERE ended < ? ORDER BY ended, id LIMIT ?",
            time,
            max(most, 0),
        )
        return [row[0] for row in found]

    def spend(self, owner: str, period: str, more: Spent) -> Spent:
        """As ``Store.spend``."""
        self._check()
        found = self._rows(
            list[tuple[int, int]],
            "SELECT tokens, nanodollars FROM spent WHERE owner = ? AND period = ?",
            owner,
            period,
        )
        total = more + Spent(*found[0]) if found else more
        self._run(
            "INSERT OR REPLACE INTO spent VALUES (?, ?, ?, ?)",
            owner,
            period,
            total.tokens,
            total.nanodollars,
        )
        return total

    # ---- within

    def _check(self) -> None:
        """Raises ``StoreError`` where what is written would be gone with the process: a file that
        was removed lives on until it is closed, and SQLite notices nothing."""
        if self._gone:
            raise StoreError(
                f"{self.path!r}: it was removed or replaced while the relay had it open: put it "
                "back, or restart the relay"
            )

    def _running(self, owner: str) -> int:
        """How many streams of an owner have no end."""
        sql = "SELECT count(*) FROM streams WHERE ended IS NULL AND owner = ?"
        return self._rows(list[tuple[int]], sql, owner)[0][0]

    def _head(self, id: str) -> Head | None:
        """Where a stream stands; None where it is not there."""
        head = self._heads.get(id)
        if head is not None:
            return head
        found = self._rows(
            list[tuple[int, int, int, float | None]],
            "SELECT stream, first, last, ended FROM streams WHERE id = ?",
            id,
        )
        if not found:
            return None
        stream, first, last, ended = found[0]
        [(written,)] = self._rows(
            list[tuple[int | None]], "SELECT max(number) FROM entries WHERE stream = ?", stream
        )
        head = Head(stream, first, max(last, written or 0), ended is not None)
        if not head.sealed:
            self._heads[id] = head
        return head

    def _metas(self, where: str, *values: object) -> list[Meta]:
        found = self._rows(
            list[tuple[int, bytes]],
            f"SELECT crc, data FROM streams JOIN metas USING (stream) WHERE {where}",
            *values,
        )
        return [msgspec.msgpack.decode(self._whole(*row), type=Meta) for row in found]

    def _meta(self, where: str, *values: object) -> Meta | None:
        found = self._metas(where, *values)
        return found[0] if found else None

    def _whole(self, crc: int, data: bytes) -> bytes:
        """The same data. Raises ``StoreError`` where it is not what was written."""
        if crc32(data) != crc:
            raise StoreError(f"{self.path!r}: {DAMAGED}")
        return data


def identity(path: str) -> tuple[int, int] | None:
    """Which file that is; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
