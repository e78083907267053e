"""What a runtime is to the loops: six primitives, and what they may say.

Times are those of ``now``, in seconds; a deadline of None is never. A primitive raises
``OutOfTime`` at its deadline, and when it is interrupted, and ``OSError`` for whatever the
network does. None of them knows what it is used for.
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import Protocol

__all__ = [
    "GLANCE",
    "MOST",
    "AsyncBasics",
    "AsyncNetwork",
    "Basics",
    "Network",
    "OutOfTime",
    "default_context",
    "left",
    "told_by",
]

MOST = 64 * 1024
"""The most bytes that one ``receive`` gives, and that a runtime keeps unread."""
GLANCE = 0.001
"""Seconds for a look at what lies there already."""


class OutOfTime(Exception):
    """The deadline of a primitive has come, or it was interrupted."""


class AsyncBasics(Protocol):
    """What every driver of one stream needs. At most one connection is there at a time, and one
    primitive at work."""

    def now(self) -> float:
        """The runtime's monotonic clock, in seconds."""
        ...

    def begin(self) -> None:
        """A step begins. What interrupted those before it is not meant for this one."""
        ...

    def interrupt(self) -> None:
        """Let the primitive at work raise ``OutOfTime`` soon."""
        ...

    async def wait_until(self, time: float) -> None:
        """Sleep. Raises ``OutOfTime`` only when it is interrupted."""
        ...

    async def close(self) -> None:
        """Close the connection, whatever its state; a second call does nothing."""
        ...


class AsyncNetwork(AsyncBasics, Protocol):
    """The primitives of an asynchronous runtime that has sockets."""

    async def connect(self, host: str, port: int, deadline: float | None) -> None:
        """Dial."""
        ...

    async def start_tls(
        self, server_hostname: str, context: ssl.SSLContext, deadline: float | None
    ) -> None:
        """Shake hands over what is connected, which may be TLS already."""
        ...

    async def send(self, data: bytes, deadline: float | None) -> None:
        """Send all of ``data``."""
        ...

    async def receive(self, deadline: float | None) -> bytes:
        """What is there, at least one byte; empty at an orderly end. A deadline that is not
        after now asks for what lies there already."""
        ...


class Basics(Protocol):
    """``AsyncBasics``, blocking. ``interrupt`` may be called from another thread."""

    def now(self) -> float: ...
    def begin(self) -> None: ...
    def interrupt(self) -> None: ...
    def wait_until(self, time: float) -> None: ...
    def close(self) -> None: ...


class Network(Basics, Protocol):
    """``AsyncNetwork``, blocking."""

    def connect(self, host: str, port: int, deadline: float | None) -> None: ...
    def start_tls(
        self, server_hostname: str, context: ssl.SSLContext, deadline: float | None
    ) -> None: ...
    def send(self, data: bytes, deadline: float | None) -> None: ...
    def receive(self, deadline: float | None) -> bytes: ...


@cache
def default_context() -> ssl.SSLContext:
    """The context of those who bring none: the system's certificates, and HTTP/1.1."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def left(deadline: float | None, now: float) -> float | None:
    """The seconds until a deadline, at least a glance; None for ever."""
    return None if deadline is None else max(deadline - now, GLANCE)


def told_by(error: BaseException) -> OSError:
    """What the system or TLS said, where a runtime has wrapped it: of several addresses, what
    was said of the last one."""
    cause = error.__cause__
    while isinstance(cause, BaseExceptionGroup):
        group: BaseExceptionGroup[BaseException] = cause  # pyright: ignore[reportUnknownVariableType]
        cause = group.exceptions[-1]
    if isinstance(cause, OSError):
        return cause
    return error if isinstance(error, OSError) else ConnectionResetError(str(error))
