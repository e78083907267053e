"""What the tests of several framings name alike."""

from __future__ import annotations

from sans_io_stream.framing.items import Unfinished, WireRecord

BOM = b"\xef\xbb\xbf"


def unfinished(data: bytes, closed: bool = True) -> Unfinished:
    """What the end of input cut off."""
    return Unfinished(WireRecord(data), closed)
