"""Where a JSON value ends, found while it still arrives: structure alone (RFC 8259, section 2).

Strings are told from what is outside them, and outside them brackets are counted. Nothing
else of the grammar is looked at: ``{]`` is balanced, and whoever decodes the value finds
the fault. A backslash takes the next byte with it, in a string or not.

The work is done by ``split`` on quotes and ``translate`` on what lies outside strings; one
by one only brackets are looked at, and only where the value may end or nest too deep. A
window that doubles bounds what is read in vain behind the end of a value, so that many
small values in one large read cost no more than one large value.
"""

from __future__ import annotations

import msgspec

__all__ = ["JSONScan", "is_whole"]

QUOTE, BACKSLASH, OPENER = b'"\\{'
NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"{[]}")
ONE_KIND = bytes.maketrans(b"[]", b"{}")
FIRST_WINDOW, LAST_WINDOW = 512, 1 << 16


class JSONScan(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """Finds the end of an object, array or string; whitespace may precede it.

    After the end it is fresh: the next ``feed`` looks for the next value.
    """

    max_depth: int = 128
    depth: int = 0
    quoted: bool = False
    """The last byte fed was inside a string."""
    escaped: bool = False
    """The last byte fed was a backslash that takes the next byte with it."""
    too_deep: bool = False
    """The value nests deeper than ``max_depth``: no end will be found any more."""

    def feed(self, data: bytes, start: int = 0, stop: int | None = None) -> int | None:
        """The offset just past the end of the value, or None while it goes on.

        Reads ``data`` from ``start`` up to ``stop``, both offsets into ``data``.
        """
        if stop is None:
            stop = len(data)
        size = FIRST_WINDOW
        while start < stop and not self.too_deep:
            window = data[start : min(start + size, stop)]
            end = self._read(window)
            if end is not None:
                self.depth = 0
                self.quoted = self.escaped = False
                return start + end
            start += len(window)
            size = min(size * 2, LAST_WINDOW)
        return None

    def _read(self, text: bytes) -> int | None:
        if self.quoted and QUOTE not in text and BACKSLASH not in text:
            self.escaped = False
            return None
        if self.escaped:
            self.escaped = False
            if text[0] in (QUOTE, BACKSLASH):
                text = b"_" + text[1:]
        if BACKSLASH in text:
            # In this order the pairs go first, from the left, as an automaton takes them.
            text = text.replace(b"\\\\", b"__").replace(b'\\"', b"__")
            self.escaped = text[-1] == BACKSLASH
        parts = text.split(b'"')
        quoted = self.quoted
        self.quoted = quoted ^ (len(parts) % 2 == 0)
        depth = self.depth
        if not depth:
            if quoted:
                return len(parts[0]) + 1 if len(parts) > 1 else None
            if len(parts) > 1 and not parts[0].strip():
                return len(parts[0]) + len(parts[1]) + 2 if len(parts) > 2 else None
        brackets = b"".join(parts[quoted::2]).translate(ONE_KIND, NOT_BRACKETS)
        opened = brackets.count(b"{")
        closed = len(brackets) - opened
        if closed < depth <= self.max_depth - opened:
            self.depth += opened - closed
            return None
        closers = 0
        for byte in brackets:
            if byte == OPENER:
                depth += 1
                if depth > self.max_depth:
                    self.too_deep = True
                    return None
            else:
                depth -= 1
                closers += 1
                if depth <= 0:
                    return _past(text, parts, quoted, closers, closed)
        self.depth = depth
        return None


def _past(text: bytes, parts: list[bytes], quoted: bool, count: int, total: int) -> int:
    """The offset past the closing bracket number ``count`` of ``total`` outside strings."""
    tail = parts[-1]
    if count == total and len(parts) % 2 != quoted:
        # A read that is one record mostly has its last bracket behind its last string.
        found = max(tail.rfind(b"}"), tail.rfind(b"]"))
        if found >= 0:
            return len(text) - len(tail) + found + 1
    text = text.translate(ONE_KIND)
    if text.count(b"}") != total:
        inside = slice(1 - quoted, None, 2)
        parts[inside] = [b"_" * len(part) for part in parts[inside]]
        text = b'"'.join(parts).translate(ONE_KIND)
    return len(text) - len(text.split(b"}", count)[-1])


def is_whole(data: bytes) -> bool:
    """Whether ``data`` is one object or array, by structure, from its first byte to its last."""
    return data[:1] in (b"{", b"[") and JSONScan().feed(data) == len(data)
