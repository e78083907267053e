"""Looking into plain data of which nothing is known: what is not there is empty."""

from __future__ import annotations

import zlib
from typing import Any, TypeGuard

__all__ = ["elements", "is_array", "is_object", "members", "short", "whole_number", "word"]


LONGEST_NAME = 64


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether ``value`` is a JSON object."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeGuard[list[Any]]:
    """Whether ``value`` is a JSON array."""
    return isinstance(value, list)


def whole_number(value: Any) -> int | None:
    """``value`` if it is a whole number, however it is written (Titan and Lua say ``1.0``)."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def members(value: Any) -> dict[str, Any]:
    """``value`` if it is an object, else an empty one."""
    return value if is_object(value) else {}


def elements(value: Any) -> list[Any]:
    """``value`` if it is an array, else an empty one."""
    return value if is_array(value) else []


def short(name: str) -> str:
    """``name``, or a digest of it if it is too long to be remembered."""
    if len(name) <= LONGEST_NAME:
        return name
    data = name.encode("utf-8", "replace")
    # A peer that made two of its names meet would only confuse its own answer.
    return f"{zlib.crc32(data):08x}{zlib.adler32(data):08x}:{len(data)}"


def word(value: Any) -> str | None:
    """``value`` if it is a non-empty string."""
    return value if isinstance(value, str) and value else None
