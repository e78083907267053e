"""Plain text: bytes → pieces that do not cut a character in two (Unicode 15, 3.9, UTF-8).

The pieces, decoded one by one with ``errors="replace"``, give the text that the whole gives
when decoded so: only a beginning that may still become a character is held back (three
bytes at most; Python's decoder, which judges it, counts surrogates in), and other invalid
bytes go on at once. One leading BOM is dropped.
"""

from __future__ import annotations

import codecs

import msgspec

from ..policy import Limits
from .items import PLAIN, Item, PlainForm

__all__ = ["Text", "skip_bom"]

BOM = b"\xef\xbb\xbf"
LONGEST = 3


class Text(
    msgspec.Struct, kw_only=True, omit_defaults=True, gc=False, tag_field="framing", tag="text"
):
    """The framing of plain text. All fields are state; no limit applies to a piece."""

    limits: Limits
    form: PlainForm = PLAIN
    shortcuts: bool = True
    mixed: bool = True
    closed: bool = True

    opening: bytes | None = b""
    """The first bytes, while they may still be a BOM."""
    held: bytes = b""
    """The beginning of a character."""
    done: bool = False

    def feed(self, data: bytes) -> list[Item]:
        """At most one piece: all that is whole characters, or will never be one."""
        if self.opening is not None:
            self.opening, data = skip_bom(self.opening, data)
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


def skip_bom(opening: bytes, data: bytes) -> tuple[bytes | None, bytes]:
    """Drop one BOM from the start of a stream.

    ``opening`` is what was held back so far. Returns what is still in doubt (None when
    nothing is, for good) and what is to be read.
    """
    head = opening + data
    if len(head) < len(BOM) and BOM.startswith(head):
        return head, b""
    return None, head.removeprefix(BOM)
