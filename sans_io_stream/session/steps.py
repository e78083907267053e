"""The steps: what a driver is to do next, as values.

A driver carries one out, tells the session how it went, and asks again. Times are those of
the driver's own monotonic clock, in seconds; None is never.
"""

from __future__ import annotations

import msgspec

from ..events import StreamEnd
from ..request import HTTPRequest

__all__ = ["Authorize", "Close", "Connect", "Done", "Receive", "Send", "StartTLS", "Step", "Wait"]


class Authorize(msgspec.Struct, frozen=True):
    """Call ``StreamRequest.authorize`` with ``request``; then ``authorized`` with what it gave,
    or ``connection_lost``. It comes before each ``Connect`` of a request that has one. Its
    deadline is that of the whole answer."""

    request: HTTPRequest
    deadline: float | None = None


class Connect(msgspec.Struct, frozen=True):
    """Dial; then ``connected`` or ``connection_lost``.

    ``request`` is for drivers with an HTTP client of their own: they send it, say
    ``request_sent`` and then ``response_started``; ``response_deadline`` is when the response's
    head has to be there.
    """

    host: str
    port: int
    deadline: float | None
    request: HTTPRequest
    response_deadline: float | None = None


class StartTLS(msgspec.Struct, frozen=True):
    """Shake hands over what is connected, then ``tls_started`` or ``connection_lost``."""

    server_hostname: str
    deadline: float | None


class Send(msgspec.Struct, frozen=True):
    """Send all of ``data``, then ``sent`` or ``connection_lost``."""

    data: bytes
    deadline: float | None

    def __repr__(self) -> str:
        return f"Send({len(self.data)} bytes, deadline={self.deadline!r})"


class Receive(msgspec.Struct, frozen=True):
    """Receive what is there, then ``receive_data``, ``receive_eof`` or ``connection_lost``.

    At the deadline ``handle_timeout``. A deadline that is not after now asks for what lies
    there already.
    """

    deadline: float | None


class Wait(msgspec.Struct, frozen=True):
    """Sleep, then ``handle_timeout``."""

    until: float
    reason: str


class Close(msgspec.Struct, frozen=True):
    """Close the connection, whatever its state, then ``closed``."""


class Done(msgspec.Struct, frozen=True):
    """Nothing is left to do. ``end`` is the ``StreamEnd`` that has been told."""

    end: StreamEnd


Step = Authorize | Connect | StartTLS | Send | Receive | Wait | Close | Done
