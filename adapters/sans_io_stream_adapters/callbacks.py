"""What a user's callback returned: waited for where that can be, refused where it cannot."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import TypeVar, cast

__all__ = ["acalled", "called"]

T = TypeVar("T")


async def acalled(name: str, result: Awaitable[T] | T) -> T:
    """The result of the callback ``name``: waited for if it is asynchronous."""
    if isinstance(result, Awaitable):
        return await cast("Awaitable[T]", result)
    return result


def called(name: str, result: Awaitable[T] | T) -> T:
    """The same where nothing can wait. Raises ``TypeError`` if it is asynchronous."""
    if isinstance(result, Coroutine):
        result.close()
    if isinstance(result, Awaitable):
        raise TypeError(f"{name} is asynchronous, and this stream is not: pass a function")
    return result
