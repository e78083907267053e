"""The first record of a body that was asked for from a byte on: is it what was asked for?

The bytes of a row carry no cursor of their own. A server that ignores the offset is told by
what it sends: a record with which answers begin, or an error. The one with which this answer
began may be its beginning again, or the same words once more. Whatever else a record is, and
any part of one, goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..dialects.base import mark_of
from ..dialects.detection import error_told
from ..dialects.tolerant import is_json
from ..errors import ErrorInfo
from ..framing.items import Blank, Comment, Stray, Unfinished, WireRecord
from ..framing.sniff import Sniffer
from ..opening import Opening

if TYPE_CHECKING:
    from ..dialects.base import Dialect
    from ..framing import AnyFraming
    from ..framing.items import Item

__all__ = ["Probe"]

MOST = 64 * 1024
"""Bytes that are held back for a first record, which goes on if it is longer."""


class Probe:
    """``found`` is None until it is known what the body is."""

    def __init__(
        self,
        dialect: Dialect,
        framing: AnyFraming | None,
        content_type: str | None,
        status: int,
        *,
        whole: bool = True,
    ) -> None:
        # Where a record was cut, no line but one that makes it whole can be a comment.
        self._dialect = dialect
        self._framing = framing
        self._opening = Opening(
            limits=dialect.limits,
            status=status,
            dialect=dialect.name,
            sniffer=Sniffer(content_type=content_type),
        )
        self._whole = framing is None or whole
        self._held: list[bytes] = []
        self._size = 0
        self.found: Literal["going on", "beginning", "first again", "error"] | None = None
        self.error: ErrorInfo | None = None

    def feed(self, data: bytes) -> None:
        """Take a read; it is kept."""
        if not self._whole and not self._held and data[:1] in (b"\r", b"\n"):
            self.found = "going on"
        self._held.append(data)
        self._size += len(data)
        if self._framing is None:
            items = self._opening.feed(data, [])
            self._framing = self._opening.framing
        else:
            items = self._framing.feed(data)
        for item in items or ():
            if self.found is None:
                self._judge(item)
        if self.found is None and self._size > MOST:
            self.found = "going on"

    def end(self, truncated: bool) -> None:
        """The body has ended; what it said last may lack its terminator."""
        if self.found is not None or self._framing is None:
            return
        for item in self._framing.end():
            if isinstance(item, Unfinished) and self._dialect.accepts(item, truncated):
                self._judge(item.record)

    def held(self) -> bytes:
        """All that was taken."""
        return b"".join(self._held)

    def _judge(self, item: Item) -> None:
        assert self._framing is not None
        if isinstance(item, bytes):
            item = self._framing.form.whole(item)
        if self._whole and isinstance(item, Comment | Blank):
            return
        self.found = "going on"
        dialect = self._dialect
        if self._whole and (isinstance(item, Stray) or not self._readable(item)):
            why = "what came instead is no part of the answer"
            self.found, self.error = "error", ErrorInfo("connection", why, retryable=True)
        if not isinstance(item, WireRecord):
            return
        self.error = error_told(item.data, dialect.limits.depth) or self.error
        if self.error is not None:
            self.found = "error"
        elif dialect.begins(item):
            self.found = "beginning"
        elif mark_of(item) == dialect.marked().first:
            self.found = "first again"

    def _readable(self, item: Item) -> bool:
        data = item.data if isinstance(item, WireRecord) else b""
        return not data or data.startswith(self._dialect.terminator) or is_json(data)
