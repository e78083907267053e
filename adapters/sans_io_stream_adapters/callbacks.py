"""What a user's callback returned: waited for where that can be, refused where it cannot."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol, TypeVar, cast, runtime_checkable

from .libraries import running

if TYPE_CHECKING:
    from sans_io_stream.request import HTTPRequest

    from .libraries import OnAsyncio, OnTrio

__all__ = ["AsyncAuthorizing", "Authorizing", "acalled", "called"]

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


class AsyncAuthorizing:
    """What an ``authorize`` gives, waited for no longer than its stream has time."""

    def __init__(self) -> None:
        self._on: OnAsyncio | OnTrio | None = None

    async def result(
        self, given: Awaitable[HTTPRequest] | HTTPRequest, deadline: float | None
    ) -> HTTPRequest:
        """Raises ``OutOfTime`` at the deadline, and when it is interrupted."""
        if not isinstance(given, Awaitable):
            return given
        self._on = running()
        return await self._on.bounded(deadline, lambda: given)

    def interrupt(self) -> None:
        """Wait no longer."""
        if self._on is not None:
            self._on.interrupt()


class Authorizing:
    """The same where nothing can wait, and nothing can be interrupted."""

    def result(
        self, given: Awaitable[HTTPRequest] | HTTPRequest, deadline: float | None
    ) -> HTTPRequest:
        return called("authorize", given)

    def interrupt(self) -> None:
        pass
