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

from ..json_scan import JSONScan
from .shapes import is_array, is_object
from .surrogates import encodable

__all__ = ["REFUSED", "TooDeep", "Unreadable", "is_json", "read_json", "read_object", "scrub"]

REFUSED = (msgspec.MsgspecError, ValueError, RecursionError)
"""What a msgspec decoder raises for data that it does not take."""

STREAMED = frozenset(
    {
        "arguments", "completion", "content", "delta", "generated_text", "input", "output",
        "partial_json", "reasoning", "reasoning_content", "refusal", "response", "text",
        "stringValue", "string_value", "thinking", "value",
    }
)  # fmt: skip
"""The keys under which text comes in pieces: there, half a character may stand at an edge."""

NOTHING: frozenset[str] = frozenset()
WHOLE = frozenset({"error", "meta", "metadata", "usage", "usageMetadata", "usage_metadata"})
"""The keys under which nothing comes in pieces, whatever it is called there."""

LONG = 1 << 16
_DECODE = msgspec.json.Decoder().decode


class Unreadable(Exception):
    """The data is not JSON, even read tolerantly. Its text says where and why."""


class TooDeep(Exception):
    """The data nests deeper than allowed."""


def read_json(data: bytes, depth: int) -> tuple[Any, bool]:
    """The JSON value in ``data``, and whether it took a tolerant reading.

    All strings of the value can be encoded, but for the edges of those that come in pieces
    (``STREAMED``). Raises ``Unreadable`` or ``TooDeep``.
    """
    # A value of depth d has at least d openers and d closers.
    if len(data) > 2 * depth and exceeds(data, depth):
        raise TooDeep
    try:
        return _DECODE(data), False
    except REFUSED as error:
        why = str(error)
    try:
        value = json.loads(data.decode("utf-8", "replace"), strict=False)
        return scrub(value, STREAMED), True
    except (ValueError, RecursionError):
        raise Unreadable(why) from None


def read_object(data: bytes, depth: int) -> dict[str, Any]:
    """The JSON object in ``data``; an empty one where there is none."""
    try:
        value = read_json(data, depth)[0]
    except (Unreadable, TooDeep, RecursionError):
        return {}
    return value if is_object(value) else {}


def is_json(text: str | bytes) -> bool:
    """Whether ``text`` is one whole JSON value."""
    try:
        msgspec.json.decode(text)
    except REFUSED:
        return False
    return True


def scrub(value: Any, streamed: frozenset[str] = NOTHING, edges: bool = False) -> Any:
    """``value`` with U+FFFD for every lone surrogate in its strings and keys.

    Under the keys in ``streamed`` half a character may stay at either end of a string.
    """
    if isinstance(value, str):
        return mended(value, edges)
    if is_array(value):
        return [scrub(item, streamed, edges) for item in value]
    if is_object(value):
        return {
            mended(key, False): scrub(item, NOTHING if key in WHOLE else streamed, key in streamed)
            for key, item in value.items()
        }
    return value


def mended(text: str, edges: bool) -> str:
    """``text`` with U+FFFD for its lone surrogates; at the edges they stay if ``edges``."""
    if encodable(text):
        return text
    first = text[0] if edges and "\udc00" <= text[0] <= "\udfff" else ""
    last = text[-1] if edges and "\ud800" <= text[-1] <= "\udbff" else ""
    inner = text[len(first) : len(text) - len(last)]
    return first + inner.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") + last


def count_up_to(data: bytes, byte: bytes, most: int) -> int:
    """How often ``byte`` stands in ``data``, or ``most + 1`` if it is more often."""
    found = place = -1
    while found < most and (place := data.find(byte, place + 1)) >= 0:
        found += 1
    return found + 1


def exceeds(data: bytes, depth: int) -> bool:
    """Whether ``data`` nests deeper than ``depth``."""
    if len(data) > LONG:
        # A search is many times faster than a count, but for its start.
        openers = count_up_to(data, b"{", depth)
        openers += count_up_to(data, b"[", depth)
    else:
        openers = data.count(b"{") + data.count(b"[")
    if openers <= depth:
        return False
    scan = JSONScan(max_depth=depth)
    scan.feed(data)
    return scan.too_deep
