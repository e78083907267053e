"""Plain text: bytes → pieces that do not cut a character in two (Unicode 15, 3.9, UTF-8).

The pieces, decoded one by one with ``errors="replace"``, give the text that the whole gives
when decoded so: only a beginning that may still become a character is held back (three
bytes at most; Python's decoder, which judges it, counts surrogates in), and other invalid
bytes go on at once. One leading BOM is dropped.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from .opened import Opened

if TYPE_CHECKING:
    from .items import Item

__all__ = ["Text"]

LONGEST = 3


class Text(Opened, kw_only=True, omit_defaults=True, gc=False, tag_field="framing", tag="text"):
    """The framing of plain text. All fields are state; no limit applies to a piece."""

    held: bytes = b""
    """The beginning of a character."""

    def feed(self, data: bytes) -> list[Item]:
        """At most one piece: all that is whole characters, or will never be one."""
        data = self.behind_bom(data)
        if not data or self.done:
            return []
        if self.held:
            data = self.held + data
            self.held = b""
        if data[-1] >= 0x80:
            tail = data[-LONGEST:]
            rest = len(tail) - codecs.utf_8_decode(tail, "replace", False)[1]
            if rest:
                self.held = data[-rest:]
                data = data[:-rest]
        return [data] if data else []

    def end(self) -> list[Item]:
        """The beginning of a character that the end of input cut off, if there is one."""
        rest = (self.opening or b"") + self.held
        self.done = True
        self.opening, self.held = None, b""
        return [rest] if rest else []
