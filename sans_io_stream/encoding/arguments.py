"""The arguments of a call where a protocol wants them as a JSON value instead of text."""

from __future__ import annotations

from typing import Any

import msgspec

from ..dialects.tolerant import REFUSED, scrub

__all__ = ["object_or_text"]

LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")


def object_or_text(arguments: str) -> Any:
    """``arguments`` as a JSON value on one line, its numbers and its order untouched; None
    where there are none. What is no JSON stays text."""
    if not arguments.strip():
        return None
    data = str(scrub(arguments)).encode()
    try:
        msgspec.json.decode(data)
    except REFUSED:
        return arguments
    # Outside of strings, where alone they may stand, line ends are whitespace.
    return msgspec.Raw(data.translate(LINE_ENDS))
