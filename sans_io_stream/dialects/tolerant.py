"""Reading JSON that msgspec refuses but servers send.

First msgspec. What it refuses is read a second time by the standard library's decoder with
everything allowed that is seen in the field: lone surrogates, NaN and infinities, raw control
characters in strings, invalid UTF-8 (replaced). Depth is checked before either, on the
record's own structure, so that no nesting reaches the interpreter's stack.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from ..framing.json_scan import JSONScan

__all__ = ["REFUSED", "TooDeep", "Unreadable", "read_json"]

REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a msgspec decoder raises for data that it does not take."""

_DECODE = msgspec.json.Decoder().decode


class Unreadable(Exception):
    """The data is not JSON, even read tolerantly. Its text says where and why."""


class TooDeep(Exception):
    """The data nests deeper than allowed."""


def read_json(data: bytes, depth: int) -> Any:
    """The JSON value in ``data``. Raises ``Unreadable`` or ``TooDeep``."""
    # A value of depth d has at least d openers and d closers.
    if len(data) > 2 * depth and exceeds(data, depth):
        raise TooDeep
    try:
        return _DECODE(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        why = str(error)
    except RecursionError:
        why = "nested too deeply for this interpreter's stack"
    try:
        return json.loads(data.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        raise Unreadable(why) from None


def exceeds(data: bytes, depth: int) -> bool:
    """Whether ``data`` nests deeper than ``depth``."""
    if data.count(b"{") + data.count(b"[") <= depth:
        return False
    scan = JSONScan(max_depth=depth)
    scan.feed(data)
    return scan.too_deep
