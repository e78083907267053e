"""What framings share that read a body from behind its BOM, by structure and without shortcuts."""

from __future__ import annotations

import msgspec

from ..policy import Limits
from .items import PLAIN, PlainForm

__all__ = ["Opened", "skip_bom"]

BOM = b"\xef\xbb\xbf"


class Opened(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """The beginning of a body, and whether it has ended. All fields are state."""

    limits: Limits
    form: PlainForm = PLAIN
    shortcuts: bool = True
    mixed: bool = True
    closed: bool = True

    opening: bytes | None = b""
    """The first bytes, while they may still be a BOM."""
    done: bool = False

    def behind_bom(self, data: bytes) -> bytes:
        """``data`` without the BOM that begins the body; what may become one is held back."""
        if self.opening is not None:
            self.opening, data = skip_bom(self.opening, data)
        return data


def skip_bom(opening: bytes, data: bytes) -> tuple[bytes | None, bytes]:
    """Drop one BOM from the start of a stream.

    ``opening`` is what was held back so far. Returns what is still in doubt (None when
    nothing is, for good) and what is to be read.
    """
    head = opening + data
    if len(head) < len(BOM) and BOM.startswith(head):
        return head, b""
    return None, head.removeprefix(BOM)
