"""What passes, into captures: one file for each response, its reads with their times.

The first response goes to the path that was named, each further one beside it, with its
number before the suffix (``answer.jsonl``, ``answer.2.jsonl``). Credentials are never kept:
of a request the method and the URL without its secrets, of headers an allowlist. Where a server
quotes the key that it was shown, asterisks stand for it, as many as it has characters.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sans_io_stream.capture import CaptureWriter
from sans_io_stream.http import BodyEnd, Head, Item
from sans_io_stream.session.lost import keys

if TYPE_CHECKING:
    from _typeshed import StrPath

    from sans_io_stream.request import HTTPRequest

__all__ = ["Recorder"]


class Recorder:
    """The ``tap`` of a session that records."""

    def __init__(self, path: StrPath, dialect: str | None) -> None:
        self._path = Path(path)
        self._dialect = dialect
        self._responses = 0
        self._writer: CaptureWriter | None = None
        self._keys: list[bytes] = []

    def __call__(self, request: HTTPRequest, item: Item) -> None:
        """Record one part of a response. A full disk ends the recording, with a warning."""
        if isinstance(item, Head):
            self.close()
            self._responses += 1
            self._keys = [key.encode("latin-1") for key in keys((request,), None)]
            self._writer = CaptureWriter(
                self._next_path(),
                dialect=self._dialect,
                request=(request.method, request.url),
                status=item.status,
                headers=item.headers,
            )
        elif self._writer is not None:
            if isinstance(item, bytes):
                for key in self._keys:
                    item = item.replace(key, b"*" * len(key))
                self._writer.write(item)
            else:
                self._writer.finish("eof" if isinstance(item, BodyEnd) else "truncated")
                self._writer = None

    def close(self) -> None:
        """The response at hand is over, whether it was whole or not."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _next_path(self) -> Path:
        if self._responses == 1:
            return self._path
        return self._path.with_name(f"{self._path.stem}.{self._responses}{self._path.suffix}")
