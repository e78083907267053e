"""JSON Lines and NDJSON: bytes → one record per line (jsonlines.org; ndjson-spec 1.0).

A line ends at LF and nowhere else; one CR before it belongs to the line end. Lines of
nothing but ASCII whitespace are skipped, and one leading BOM is dropped. Otherwise a record
is exactly its line: that it is JSON is for others to see.

The shortcut: a read that is one line, and that line an object without a CR behind it,
leaves early; and the lines of a large read are not looked at one by one if a glance at all
of them shows none to be special. It changes the speed, never the items.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from ..errors import ErrorInfo
from ..policy import Limits
from .fragments import Fragments
from .items import PLAIN, Broken, Item, PlainForm, Unfinished, WireRecord
from .opened import skip_bom

__all__ = ["JSONLines"]

LF, CR, BRACE = 10, 13, 125
ABOVE_BLANK = b"!"
SELF_CLOSING = (b"{", b"[", b'"')


class JSONLines(
    msgspec.Struct, kw_only=True, omit_defaults=True, gc=False, tag_field="framing", tag="jsonl"
):
    """The framing of JSON Lines. All fields are state."""

    limits: Limits
    form: PlainForm = PLAIN
    shortcuts: bool = True
    mixed: bool = False
    closed: ClassVar[bool] = True

    room: int = 0
    """A read of at most so many bytes may be one whole record; 0 when it may not."""
    opening: bytes | None = b""
    """The first bytes, while they may still be a BOM."""
    held: Fragments | None = None
    """The line that has begun and not ended."""
    done: bool = False

    @property
    def at_rest(self) -> bool:
        """The byte that was read last ended a line."""
        return self.held is None and not self.opening

    def only(self, data: bytes) -> bytes | None:
        """The line in a read that is one line from end to end, else None: a record if it is
        a JSON value, with a CR behind it that ``feed`` would take away.

        A shortcut past ``feed``, which leaves no trace, for reads of at most ``room`` bytes.
        """
        line = data[:-1]
        return line if line and LF not in line and data[-1] == LF else None

    def feed(self, data: bytes) -> list[Item]:
        """The lines that ``data`` completes."""
        held = self.held
        if held is not None:
            if LF not in data and held.size + len(data) <= self._limit():
                # The line that was begun neither ends here nor fails.
                held.add(data)
                return []
        elif len(data) <= self.room:
            line = self.only(data)
            if line and line[-1] == BRACE:
                return [line]
        return self._feed(data)

    def end(self) -> list[Item]:
        """The last line if it lacks its line end: at most one ``Unfinished``."""
        if self.done:
            return []
        line = self.opening or b""
        if self.held is not None:
            line = self.held.join()
        self._stop()
        line = line.removesuffix(b"\r")
        limit = self._limit()
        if len(line) > limit:
            return [self._too_long()]
        head = line.lstrip()[:1]
        return [Unfinished(WireRecord(line), head in SELF_CLOSING)] if head else []

    def _feed(self, data: bytes) -> list[Item]:
        if self.done:
            return []
        if self.opening is not None:
            self.opening, data = skip_bom(self.opening, data)
        if not data:
            return []
        lines = data.split(b"\n")
        tail = lines.pop()
        if lines and self.held is not None:
            lines[0] = self.held.join(lines[0])
            self.held = None
        limit = self._limit()
        items: list[Item] = []
        if not (self.shortcuts and _plain(lines, data, limit)):
            for line in lines:
                line = line.removesuffix(b"\r")
                if len(line) > limit:
                    self._stop()
                    return [*items, self._too_long()]
                if line and not line.isspace():
                    items.append(line)
        else:
            items = [*lines]
        if tail:
            if self.held is None:
                self.held = Fragments()
            self.held.add(tail)
            # One byte more may yet turn out to be the CR of the line end.
            if self.held.size > limit + 1:
                self._stop()
                items.append(self._too_long())
        usable = self.shortcuts and self.held is None and not self.done
        self.room = limit if usable else 0
        return items

    def _limit(self) -> int:
        return min(self.limits.line_bytes, self.limits.record_bytes)

    def _stop(self) -> None:
        self.done = self.mixed = True
        self.room = 0
        self.opening = self.held = None

    def _too_long(self) -> Broken:
        line, record = self.limits.line_bytes, self.limits.record_bytes
        what = f"record_bytes ({record}" if record < line else f"line_bytes ({line}"
        return Broken(ErrorInfo("limit", f"a line exceeds Limits.{what} bytes)"))


def _plain(lines: list[bytes], data: bytes, limit: int) -> bool:
    """Whether all ``lines`` are records as they stand: none is blank, long or ends in CR.

    The first may have begun in earlier reads, the others lie in ``data``.
    """
    if not lines or CR in data:
        return False
    first = lines[0]
    return (
        len(data) <= limit >= len(first)
        # A line that began in an earlier read may end with that read's last CR.
        and first[-1:] != b"\r"
        and min(lines) >= ABOVE_BLANK
    )
