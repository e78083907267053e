"""What a user's callback returned: waited for where that can be, refused where it cannot."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine

__all__ = ["acalled", "called"]


async def acalled(result: object) -> None:
    """Wait for a callback that is asynchronous; a plain one is done."""
    if isinstance(result, Awaitable):
        await result


def called(result: object) -> None:
    """Raise ``TypeError`` for a callback that is asynchronous: nothing here can wait for it."""
    if isinstance(result, Coroutine):
        result.close()
    if isinstance(result, Awaitable):
        raise TypeError("on_reconnect is asynchronous, and this stream is not: pass a function")
