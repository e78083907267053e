"""Server-sent events, line by line: the WHATWG grammar (HTML 9.2.5 and 9.2.6).

Lines end at CRLF, LF or CR and nowhere else; a CR ends its line at once, and an LF that
follows it (in this read or the next) belongs to it. One leading BOM is dropped. A block
ends at an empty line and is a record if it has a data line; without one it is never
dispatched, but its id is kept. What the grammar ignores (lines with an unknown field name)
is reported as ``Stray``, with a whole JSON document over several such lines in one piece:
whether it counts is for others to say.
"""

from __future__ import annotations

import msgspec

from ..errors import ErrorInfo
from ..json_scan import JSONScan
from ..policy import Limits
from .fragments import Fragments
from .items import Blank, Broken, Comment, Item, Stray, Unfinished, WireRecord

__all__ = ["CR", "LF", "EventLines", "Pending"]

LF, CR = 10, 13
BOM = b"\xef\xbb\xbf"
RETRY_DIGITS = 15


class Pending(msgspec.Struct, kw_only=True, gc=False):
    """All that has begun and not ended: a block, a line, a document between the fields.

    It is there while any of it is. Between two records a stream has none, and is smaller.
    """

    partial: Fragments | None = None
    """The line that has begun and not ended."""
    skip_lf: bool = False
    """The last line ended in a CR: an LF that comes next belongs to it."""

    lines: list[bytes] | None = None
    """The data lines of the open block; None before the first one."""
    size: int = 0
    type: str = ""
    id: str | None = None
    open: bool = False
    """The open block has had a field line."""
    shape: bytes | None = b""
    """All that stands in the open block before its data, if that is an event line at most;
    else None."""
    shape_end: bytes = b""
    """The line end of its data line."""

    stray: Fragments | None = None
    """A JSON document that stands bare between the fields, while it is incomplete."""
    scan: JSONScan | None = None

    def nothing(self) -> bool:
        """The next byte begins a block, and nothing is pending."""
        return (
            self.shape == b"" and self.partial is None and self.stray is None and not self.skip_lf
        )

    def close_block(self) -> None:
        """The block has ended: forget it."""
        self.lines = None
        self.size = 0
        self.type = ""
        self.id = None
        self.open = False
        self.shape = b""


class EventLines(msgspec.Struct, kw_only=True, gc=False):
    """The lines and blocks of one event stream. ``retry`` is in milliseconds."""

    limits: Limits
    retry: int | None = None

    started: bool = False
    broken: bool = False
    pending: Pending | None = None

    def _between(self) -> bool:
        """The next byte begins a block, and nothing is pending."""
        return self.pending is None and not self.broken

    def _read_end(self, items: list[Item]) -> None:
        """What the end of input leaves: at most one ``Unfinished`` block."""
        pending = self.pending
        if pending is None:
            return
        if pending.partial is not None:
            line, pending.partial = pending.partial.join(), None
            if not self._line(pending, line, line, items):
                return
        self._flush_stray(pending, items)
        if pending.lines is not None:
            record = WireRecord(b"\n".join(pending.lines), pending.type, pending.id)
            items.append(Unfinished(record))

    def _saw_record(self, block: Pending, data: bytes, end: bytes) -> None:
        """``block`` with ``data`` was dispatched by an empty line that ended with ``end``."""

    def _read_lines(self, data: bytes, items: list[Item]) -> None:
        if self.broken or not data:
            return
        pending = self.pending
        if pending is None:
            pending = self.pending = Pending()
        self._read_on(pending, data, items)
        if pending.nothing():
            self.pending = None

    def _read_on(self, pending: Pending, data: bytes, items: list[Item]) -> None:
        if pending.skip_lf:
            pending.skip_lf = False
            if data[0] == LF:
                data = data[1:]
            if not data:
                return
        lines = data.splitlines(keepends=True)
        rest = lines.pop() if lines[-1][-1] not in (LF, CR) else b""
        if lines:
            if pending.partial is not None:
                lines[0] = pending.partial.join(lines[0])
                pending.partial = None
            for raw in lines:
                if not self._line(pending, raw.rstrip(b"\r\n"), raw, items):
                    return
            pending.skip_lf = data[-1] == CR
        if rest:
            if pending.partial is None:
                pending.partial = Fragments()
            pending.partial.add(rest)
            if pending.partial.size > self.limits.line_bytes + (0 if self.started else len(BOM)):
                self._break("line", "line_bytes", self.limits.line_bytes, items)

    def _line(self, pending: Pending, line: bytes, raw: bytes, items: list[Item]) -> bool:
        """Take one whole line, ``raw`` with its end. False if a limit broke the stream."""
        if not self.started:
            self.started = True
            if line.startswith(BOM):
                line = line[len(BOM) :]
                raw = raw[len(BOM) :]
        if not line:
            if pending.stray is not None:
                self._flush_stray(pending, items)
            self._dispatch(pending, raw, items)
            return True
        if len(line) > self.limits.line_bytes:
            return self._break("line", "line_bytes", self.limits.line_bytes, items)
        name, colon, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            if pending.stray is not None:
                self._flush_stray(pending, items)
            return self._data(pending, value, line, raw, items)
        if colon and not name:
            self._flush_stray(pending, items)
            pending.shape = None
            items.append(Comment(value.decode("utf-8", "replace")))
            return True
        return self._field(pending, name, value, line, raw, items)

    def _field(
        self,
        pending: Pending,
        name: bytes,
        value: bytes,
        line: bytes,
        raw: bytes,
        items: list[Item],
    ) -> bool:
        """Any field but data."""
        if name == b"event":
            pending.shape = raw if pending.shape == b"" else None
            pending.type = value.decode("utf-8", "replace")
        elif name == b"id":
            pending.shape = None
            if 0 not in value:
                pending.id = value.decode("utf-8", "replace")
        elif name == b"retry":
            pending.shape = None
            if value.isdigit() and len(value) <= RETRY_DIGITS:
                self.retry = int(value)
        else:
            pending.shape = None
            return self._stray(pending, line, items)
        self._flush_stray(pending, items)
        pending.open = True
        return True

    def _data(
        self, pending: Pending, value: bytes, line: bytes, raw: bytes, items: list[Item]
    ) -> bool:
        pending.open = True
        if pending.lines is None:
            pending.lines = [value]
            pending.size = len(value)
            if pending.shape is not None:
                pending.shape += raw[: len(line) - len(value)]
                pending.shape_end = raw[len(line) :]
        else:
            pending.lines.append(value)
            pending.size += len(value) + 1
            pending.shape = None
        if pending.size > self.limits.record_bytes:
            return self._break("record", "record_bytes", self.limits.record_bytes, items)
        return True

    def _dispatch(self, pending: Pending, end: bytes, items: list[Item]) -> None:
        if pending.lines is not None:
            data = b"\n".join(pending.lines)
            items.append(WireRecord(data, pending.type, pending.id))
            self._saw_record(pending, data, end)
        elif pending.open:
            items.append(Blank(pending.type, pending.id))
        pending.close_block()

    def _stray(self, pending: Pending, line: bytes, items: list[Item]) -> bool:
        if pending.scan is None or pending.stray is None:
            if line.lstrip()[:1] not in (b"{", b"["):
                items.append(Stray(line))
                return True
            pending.scan, pending.stray = JSONScan(max_depth=self.limits.depth), Fragments()
        elif pending.stray.size:
            line = b"\n" + line
        end = pending.scan.feed(line)
        pending.stray.add(line)
        if pending.stray.size > self.limits.record_bytes:
            return self._break("record", "record_bytes", self.limits.record_bytes, items)
        if end is not None:
            whole = not line[end:].strip()
            items.append(Stray(pending.stray.join(), whole))
            pending.scan = pending.stray = None
        return True

    def _flush_stray(self, pending: Pending, items: list[Item]) -> None:
        if pending.stray is not None:
            items.append(Stray(pending.stray.join()))
            pending.scan = pending.stray = None

    def _break(self, unit: str, limit: str, size: int, items: list[Item]) -> bool:
        self.broken = True
        self.pending = None
        message = f"a {unit} of the event stream exceeds Limits.{limit} ({size} bytes)"
        items.append(Broken(ErrorInfo("limit", message)))
        return False
