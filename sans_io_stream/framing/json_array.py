"""JSON documents that arrive piecemeal: bytes → one record per value, by structure alone.

The body is an array whose elements are the records (RFC 8259; Gemini without ``alt=sse``
sends ``[{…}\\n,\\r\\n{…}]``), or documents side by side with whitespace or commas between them
(a pretty-printed error, concatenated objects, another value after the array). A record is
exactly the bytes of its value and is out as soon as its last byte is in. How values are
separated is not looked at: whitespace and commas between them are skipped, and so is ``]``
where no array is open.

Bytes where no object, array or string begins are a *bare run*: up to the next ``{``, ``[``
or ``]``, in an array also to the next comma, without the whitespace and commas at its end.
A run that is a number or a literal is a record, every other one is ``Stray``.
"""

from __future__ import annotations

import re

from ..errors import ErrorInfo
from ..json_scan import JSONScan
from .fragments import Fragments
from .items import Broken, Item, Stray, Unfinished, WireRecord
from .opened import Opened

__all__ = ["JSONArray"]

OPEN, CLOSE = b"[]"
SELF_CLOSING = b'{["'
BETWEEN = b" \t\r\n,"
SIGNIFICANT = re.compile(rb"[^ \t\r\n,]")
RUN_END = re.compile(rb"[\[\]{]")
ELEMENT_END = re.compile(rb"[\[\]{,]")
SCALAR = re.compile(rb"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


class JSONArray(
    Opened,
    kw_only=True,
    omit_defaults=True,
    gc=False,
    tag_field="framing",
    tag="json-array",
):
    """The framing of a JSON array or of JSON documents. All fields are state."""

    closed: bool = True
    """No array is open at the top level: none began, or it was closed."""
    held: Fragments | None = None
    """The value or bare run that has begun and not ended."""
    bare: bool = False
    """What is held is a bare run."""
    scan: JSONScan | None = None
    """What finds the ends of values, once there was one."""

    def feed(self, data: bytes) -> list[Item]:
        """The values that ``data`` completes."""
        if self.done:
            return []
        data = self.behind_bom(data)
        items: list[Item] = []
        position = 0
        while position < len(data) and not self.done:
            if self.held is None:
                found = SIGNIFICANT.search(data, position)
                if found is None:
                    break
                position = found.start()
                byte = data[position]
                if byte == CLOSE or (byte == OPEN and self.closed):
                    self.closed = byte == CLOSE
                    position += 1
                    continue
                self.bare = byte not in SELF_CLOSING
            read = self._run if self.bare else self._value
            position = read(data, position, items)
        return items

    def end(self) -> list[Item]:
        """What the end of input cuts off: at most one ``Unfinished``, or ``Stray`` garbage.

        ``closed`` tells afterwards whether the array itself was cut off.
        """
        if self.done:
            return []
        text = self.opening or b""
        inside = self.held is not None and not self.bare
        if self.held is not None:
            text = self.held.join()
        self._stop()
        if inside:
            return [Unfinished(WireRecord(text), closed=True)]
        text = text.rstrip(BETWEEN)
        if not text:
            return []
        if not self.closed or SCALAR.fullmatch(text):
            return [Unfinished(WireRecord(text))]
        return [Stray(text)]

    def _value(self, data: bytes, start: int, items: list[Item]) -> int:
        """Read on in a value from ``start``; the offset where it, or all, ends."""
        if self.scan is None:
            self.scan = JSONScan(max_depth=self.limits.depth)
        stop = self._stop_at(data, start)
        end = self.scan.feed(data, start, stop)
        if self.scan.too_deep:
            self._break(f"Limits.depth ({self.limits.depth} levels)", items)
            return stop
        if end is None:
            return self._hold(data, start, stop, items)
        items.append(self._take(data[start:end]))
        return end

    def _run(self, data: bytes, start: int, items: list[Item]) -> int:
        """Read on in a bare run from ``start``; the offset where it, or all, ends."""
        stop = self._stop_at(data, start)
        # What ends the run is no part of it, so it may stand just past the limit.
        found = (RUN_END if self.closed else ELEMENT_END).search(data, start, stop + 1)
        if found is None:
            return self._hold(data, start, stop, items)
        text = self._take(data[start : found.start()]).rstrip(BETWEEN)
        items.append(text if SCALAR.fullmatch(text) else Stray(text))
        return found.start()

    def _stop_at(self, data: bytes, start: int) -> int:
        """How far ``data`` may be read before what has begun exceeds its limit."""
        size = self.held.size if self.held is not None else 0
        return min(len(data), start + self.limits.record_bytes - size)

    def _take(self, last: bytes) -> bytes:
        if self.held is not None:
            last = self.held.join(last)
            self.held = None
        return last

    def _hold(self, data: bytes, start: int, stop: int, items: list[Item]) -> int:
        if stop < len(data):
            self._break(f"Limits.record_bytes ({self.limits.record_bytes} bytes)", items)
            return stop
        if self.held is None:
            self.held = Fragments()
        self.held.add(data[start:])
        return stop

    def _break(self, limit: str, items: list[Item]) -> None:
        self._stop()
        items.append(Broken(ErrorInfo("limit", f"a value of the JSON body exceeds {limit}")))

    def _stop(self) -> None:
        self.done = True
        self.opening = self.held = self.scan = None
