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

__all__ = ["CR", "LF", "EventLines"]

LF, CR = 10, 13
BOM = b"\xef\xbb\xbf"
RETRY_DIGITS = 15


class EventLines(msgspec.Struct, kw_only=True, gc=False):
    """The lines and blocks of one event stream. ``retry`` is in milliseconds."""

    limits: Limits
    retry: int | None = None

    started: bool = False
    skip_lf: bool = False
    broken: bool = False
    partial: Fragments | None = None
    """The line that has begun and not ended."""

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

    def _between(self) -> bool:
        """The next byte begins a block, and nothing is pending."""
        return (
            self.shape == b""
            and self.partial is None
            and self.stray is None
            and not self.skip_lf
            and not self.broken
        )

    def _read_end(self, items: list[Item]) -> None:
        """What the end of input leaves: at most one ``Unfinished`` block."""
        if self.partial is not None and not self.broken:
            line, self.partial = self.partial.join(), None
            self._line(line, line, items)
        self._flush_stray(items)
        if self.lines is not None and not self.broken:
            record = WireRecord(b"\n".join(self.lines), self.type, self.id)
            items.append(Unfinished(record))

    def _saw_record(self, data: bytes, end: bytes) -> None:
        """A block with ``data`` was dispatched by an empty line that ended with ``end``."""

    def _read_lines(self, data: bytes, items: list[Item]) -> None:
        if self.broken or not data:
            return
        if self.skip_lf:
            self.skip_lf = False
            if data[0] == LF:
                data = data[1:]
            if not data:
                return
        lines = data.splitlines(keepends=True)
        rest = lines.pop() if lines[-1][-1] not in (LF, CR) else b""
        if lines:
            if self.partial is not None:
                lines[0] = self.partial.join(lines[0])
                self.partial = None
            for raw in lines:
                if not self._line(raw.rstrip(b"\r\n"), raw, items):
                    return
            self.skip_lf = data[-1] == CR
        if rest:
            if self.partial is None:
                self.partial = Fragments()
            self.partial.add(rest)
            if self.partial.size > self.limits.line_bytes + (0 if self.started else len(BOM)):
                self._break("line", "line_bytes", self.limits.line_bytes, items)

    def _line(self, line: bytes, raw: bytes, items: list[Item]) -> bool:
        """Take one whole line, ``raw`` with its end. False if a limit broke the stream."""
        if not self.started:
            self.started = True
            if line.startswith(BOM):
                line = line[len(BOM) :]
                raw = raw[len(BOM) :]
        if not line:
            if self.stray is not None:
                self._flush_stray(items)
            self._dispatch(raw, items)
            return True
        if len(line) > self.limits.line_bytes:
            return self._break("line", "line_bytes", self.limits.line_bytes, items)
        name, colon, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            if self.stray is not None:
                self._flush_stray(items)
            return self._data(value, line, raw, items)
        if colon and not name:
            self._flush_stray(items)
            self.shape = None
            items.append(Comment(value.decode("utf-8", "replace")))
            return True
        return self._field(name, value, line, raw, items)

    def _field(self, name: bytes, value: bytes, line: bytes, raw: bytes, items: list[Item]) -> bool:
        """Any field but data."""
        if name == b"event":
            self.shape = raw if self.shape == b"" else None
            self.type = value.decode("utf-8", "replace")
        elif name == b"id":
            self.shape = None
            if 0 not in value:
                self.id = value.decode("utf-8", "replace")
        elif name == b"retry":
            self.shape = None
            if value.isdigit() and len(value) <= RETRY_DIGITS:
                self.retry = int(value)
        else:
            self.shape = None
            return self._stray(line, items)
        self._flush_stray(items)
        self.open = True
        return True

    def _data(self, value: bytes, line: bytes, raw: bytes, items: list[Item]) -> bool:
        self.open = True
        if self.lines is None:
            self.lines = [value]
            self.size = len(value)
            if self.shape is not None:
                self.shape += raw[: len(line) - len(value)]
                self.shape_end = raw[len(line) :]
        else:
            self.lines.append(value)
            self.size += len(value) + 1
            self.shape = None
        if self.size > self.limits.record_bytes:
            return self._break("record", "record_bytes", self.limits.record_bytes, items)
        return True

    def _dispatch(self, end: bytes, items: list[Item]) -> None:
        if self.lines is not None:
            data = b"\n".join(self.lines)
            items.append(WireRecord(data, self.type, self.id))
            self._saw_record(data, end)
        elif self.open:
            items.append(Blank(self.type, self.id))
        self.lines = None
        self.size = 0
        self.type = ""
        self.id = None
        self.open = False
        self.shape = b""

    def _stray(self, line: bytes, items: list[Item]) -> bool:
        if self.scan is None or self.stray is None:
            if line.lstrip()[:1] not in (b"{", b"["):
                items.append(Stray(line))
                return True
            self.scan, self.stray = JSONScan(max_depth=self.limits.depth), Fragments()
        elif self.stray.size:
            line = b"\n" + line
        end = self.scan.feed(line)
        self.stray.add(line)
        if self.stray.size > self.limits.record_bytes:
            return self._break("record", "record_bytes", self.limits.record_bytes, items)
        if end is not None:
            whole = not line[end:].strip()
            items.append(Stray(self.stray.join(), whole))
            self.scan = self.stray = None
        return True

    def _flush_stray(self, items: list[Item]) -> None:
        if self.stray is not None:
            items.append(Stray(self.stray.join()))
            self.scan = self.stray = None

    def _break(self, unit: str, limit: str, size: int, items: list[Item]) -> bool:
        self.broken = True
        self.partial = self.lines = self.stray = None
        message = f"a {unit} of the event stream exceeds Limits.{limit} ({size} bytes)"
        items.append(Broken(ErrorInfo("limit", message)))
        return False
