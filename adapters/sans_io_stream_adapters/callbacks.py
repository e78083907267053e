"""What a user's callback returned: waited for where that can be, refused where it cannot."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol, TypeVar, cast, runtime_checkable

__all__ = ["acalled", "called"]

T = TypeVar("T")


@runtime_checkable
class Closing(Protocol):
    """What can be put away unbegun: a coroutine, or what stands for one."""

    def close(self) -> None: ...


async def acalled(name: str, result: Awaitable[T] | T) -> T:
    """The result of the callback ``name``: waited for if it is asynchronous."""
    if isinstance(result, Awaitable):
        return await cast("Awaitable[T]", result)
    return result


def called(name: str, result: Awaitable[T] | T) -> T:
    """The same where nothing can wait. Raises ``TypeError`` if it is asynchronous."""
    if isinstance(result, Awaitable):
        # A coroutine that was never begun would warn of it.
        if isinstance(result, Closing):
            result.close()
        raise TypeError(f"{name} is asynchronous, and this stream is not: pass a function")
    return result
