"""One line of the log for each request, and its numbers: what was asked, and what came of it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, MutableMapping
from typing import TYPE_CHECKING, Any

import anyio

from .telling import LINES, Told, tell

if TYPE_CHECKING:
    from ..http import Send
    from .metrics import Metrics

__all__ = ["Access"]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Access:
    """One request. It is the ``send`` of its response, too, and counts what passes; ``route`` and
    ``format`` are names of the application's, and ``key`` that of the configuration."""

    __slots__ = (
        "_begun", "_bytes", "_metrics", "_send", "_status", "_stream", "_whole", "format", "key",
        "route",
    )  # fmt: skip

    def __init__(self, send: Send, metrics: Metrics) -> None:
        self._send = send
        self._metrics = metrics
        self._begun = anyio.current_time()
        self._status = self._bytes = 0
        self._stream: str | None = None
        self._whole = False
        self.route = "none"
        self.format = "none"
        self.key: str | None = None

    def __call__(self, message: MutableMapping[str, Any]) -> Awaitable[None]:
        """Send it. No frame of its own: this is every piece for every reader."""
        if message["type"] == "http.response.body":
            size = len(message.get("body", b""))
            self._bytes += size
            self._metrics.client_bytes += size
            self._whole = not message.get("more_body", False)
        elif message["type"] == "http.response.start":
            self._status = message["status"]
            for name, value in message["headers"]:
                if name == b"x-stream-id":
                    self._stream = value.decode("latin-1")
        return self._send(message)

    @property
    def begun(self) -> bool:
        """Whether anything was sent."""
        return self._status != 0

    def over(self, method: str) -> None:
        """The request is over: count and tell it."""
        self._metrics.requests[self.route, self.format, str(self._status)] += 1
        if not LINES.isEnabledFor(logging.INFO):
            return
        fields = {
            "method": method if method in METHODS else "other",
            "route": self.route,
            "format": self.format,
            "status": self._status,
            "stream": self._stream,
            "key": self.key,
            "seconds": round(anyio.current_time() - self._begun, 3),
            "bytes": self._bytes,
            "whole": self._whole,
        }
        tell(Told("request", fields))
