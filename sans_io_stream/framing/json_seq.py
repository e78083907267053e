"""JSON text sequences: bytes → one record per text (RFC 7464).

An RS (0x1E) starts a text, which may span lines. The text is a record as soon as an LF
follows a whole value (by structure, for a value that closes itself), so that a stream is
live without waiting for the next RS. RS after RS is nothing. Whitespace around a text is
no part of it; one leading BOM is dropped.

What the RFC leaves open, decided here for a text that the next RS ends early: one that is
a whole object, array or string needs no LF; one that has an LF just before the RS counts as
ended by its sender, and whoever decodes it finds the fault; all else (a cut value, and by
section 2.4 a number or literal without its LF) is ``Stray``. So are texts that no RS
introduced, in the pieces that the same rules give.
"""

from __future__ import annotations

import re

from ..errors import ErrorInfo
from ..json_scan import JSONScan, is_whole
from .fragments import Fragments
from .items import Broken, Item, Stray, Unfinished, WireRecord
from .opened import Opened

__all__ = ["JSONSequence"]

RS = b"\x1e"
WHITESPACE = b" \t\r\n"
SIGNIFICANT = re.compile(rb"[^ \t\r\n]")
SELF_CLOSING = (b"{", b"[", b'"')


class JSONSequence(
    Opened, kw_only=True, omit_defaults=True, gc=False, tag_field="framing", tag="json-seq"
):
    """The framing of JSON text sequences. All fields are state."""

    marked: bool = False
    """An RS introduced the text that comes or has begun."""
    held: Fragments | None = None
    """The text that has begun and not ended, from its first significant byte on."""
    scan: JSONScan | None = None
    """Set while the value of the text is not whole."""

    def feed(self, data: bytes) -> list[Item]:
        """The texts that ``data`` completes."""
        if self.done:
            return []
        data = self.behind_bom(data)
        items: list[Item] = []
        first, *others = data.split(RS)
        self._read(first, items)
        for part in others:
            self._cut(items)
            self.marked = True
            self._read(part, items)
        return items

    def end(self) -> list[Item]:
        """The text that lacks its LF: at most one ``Unfinished`` (``Stray`` without an RS)."""
        if self.done:
            return []
        text = self.opening or b""
        if self.held is not None:
            text = self.held.join().rstrip(WHITESPACE)
        marked = self.marked
        self._stop()
        if not text:
            return []
        if not marked:
            return [Stray(text, is_whole(text))]
        return [Unfinished(WireRecord(text), text[:1] in SELF_CLOSING)]

    def _read(self, part: bytes, items: list[Item]) -> None:
        """Take bytes without an RS among them."""
        position = 0
        while position < len(part) and not self.done:
            if self.held is None:
                found = SIGNIFICANT.search(part, position)
                if found is None:
                    return
                position = found.start()
                self.held = Fragments()
                if part[position : position + 1] in SELF_CLOSING:
                    self.scan = JSONScan(max_depth=self.limits.depth)
            position = self._text(part, position, self.held, items)

    def _text(self, part: bytes, start: int, held: Fragments, items: list[Item]) -> int:
        """Read on in the text ``held`` from ``start``; the offset where it ends or all ends."""
        limit = self.limits.record_bytes
        stop = min(len(part), start + limit - held.size)
        position = start
        if self.scan is not None:
            end = self.scan.feed(part, start, stop)
            if self.scan.too_deep:
                return self._break("depth", self.limits.depth, "levels", items)
            if end is not None:
                self.scan = None
            position = end if end is not None else stop
        # The LF itself is no part of the record, so it may stand just past the limit.
        ended = part.find(b"\n", position, stop + 1) if self.scan is None else -1
        if ended >= 0:
            self._emit(held.join(part[start:ended]), items)
            return ended + 1
        if stop < len(part):
            return self._break("record_bytes", limit, "bytes", items)
        held.add(part[start:])
        return stop

    def _emit(self, text: bytes, items: list[Item]) -> None:
        text = text.rstrip(WHITESPACE)
        items.append(text if self.marked else Stray(text, is_whole(text)))
        self.held = self.scan = None
        self.marked = False

    def _cut(self, items: list[Item]) -> None:
        """End the open text at an RS."""
        if self.held is None:
            return
        text = self.held.join()
        closed = self.scan is None and text[:1] in SELF_CLOSING
        ended = b"\n" in text[len(text.rstrip(WHITESPACE)) :]
        self.marked = self.marked and (closed or ended)
        self._emit(text, items)

    def _break(self, limit: str, size: int, unit: str, items: list[Item]) -> int:
        self._stop()
        message = f"a text of the JSON sequence exceeds Limits.{limit} ({size} {unit})"
        items.append(Broken(ErrorInfo("limit", message)))
        return 0

    def _stop(self) -> None:
        self.done = True
        self.opening = self.held = self.scan = None
