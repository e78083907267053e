"""A unit that arrives in pieces: kept as a list, joined once.

Appending to one ``bytes`` is quadratic, and a list of one-byte pieces takes many times its
content; so pieces go to a list, and tiny ones into a ``bytearray`` first.
"""

from __future__ import annotations

import msgspec

__all__ = ["Fragments"]

TINY = 64


class Fragments(msgspec.Struct, gc=False):
    """The pieces of one unfinished unit and their total ``size`` in bytes."""

    pieces: list[bytes] = []
    tiny: bytearray | None = None
    size: int = 0

    def add(self, piece: bytes) -> None:
        """Append ``piece``."""
        self.size += len(piece)
        if len(piece) < TINY:
            if self.tiny is None:
                self.tiny = bytearray(piece)
            else:
                self.tiny.extend(piece)
            return
        if self.tiny is not None:
            self.pieces.append(bytes(self.tiny))
            self.tiny = None
        self.pieces.append(piece)

    def join(self, last: bytes = b"") -> bytes:
        """All pieces and ``last`` as one ``bytes``. The pieces stay."""
        if not self.pieces:
            return bytes(self.tiny) + last if self.tiny is not None else last
        tail = [bytes(self.tiny)] if self.tiny is not None else []
        return b"".join([*self.pieces, *tail, last])
