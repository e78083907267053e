"""One connection: from dialling, through a proxy and TLS, to the last byte of the response.

It knows sockets' steps and HTTP, and nothing of retries, resuming or dialects. Phases go one
way, those that are not needed are left out::

    connect → proxy_tls → tunnel → tls → send ⇄ look → head → body → over

``look`` is a glance at the receiving side between two pieces of a long request: a server may
answer before it has read all of it. When sending fails nothing more is sent, and an answer
that may be waiting is read for a moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..errors import ErrorInfo
from ..http import BodyEnd, Broken, Exchange, Head, Item, connect_bytes, request_bytes
from ..url import parse_url
from .steps import Connect, Receive, Send, StartTLS, Step

if TYPE_CHECKING:
    from ..policy import Limits, Timeouts
    from ..request import HTTPRequest
    from .proxy import Proxy

__all__ = ["Phase", "Wire", "after", "sooner"]

Phase = Literal["connect", "proxy_tls", "tunnel", "tls", "send", "look", "head", "body", "over"]

SLICE = 64 * 1024
"""The most bytes that are sent without a look at the receiving side."""
LAST_LOOK = 1.0
"""Seconds for an answer that may be waiting behind a failed send."""

DIALLING = ("connect", "proxy_tls", "tunnel", "tls")
TOO_LATE = {
    "connect": ("connect", "no connection to {where}"),
    "proxy_tls": ("connect", "no TLS with the proxy"),
    "tunnel": ("connect", "no tunnel through the proxy"),
    "tls": ("connect", "no TLS with {where}"),
    "send": ("response", "the request was not taken"),
    "head": ("response", "no response"),
}
"""For each phase the timeout that bounds it, and what did not come."""


class Wire:
    """One connection for one request. ``sent_any`` says that the server may know of it."""

    def __init__(
        self,
        request: HTTPRequest,
        now: float,
        timeouts: Timeouts,
        limits: Limits,
        proxy: Proxy | None = None,
    ) -> None:
        self.request = request
        self.url = parse_url(request.url)
        self.phase: Phase = "connect"
        self.sent_any = False
        self._timeouts = timeouts
        self._limits = limits
        self._proxy = proxy
        self._deadline = after(now, timeouts.connect)
        self._response_deadline = after(now, add(timeouts.connect, timeouts.response))
        self._tunnel: Exchange | None = None
        self._tunnel_sent = False
        self._exchange = Exchange(request.method, limits=limits)
        self._data = request_bytes(request.method, self.url, request.headers, request.body)
        self._offset = 0
        self._failure: ErrorInfo | None = None

    # ---- what is next

    def step(self, deadline: float | None) -> Step:
        """What the driver is to do; ``deadline`` bounds it, beside the phase's own."""
        limit = sooner(self._deadline, deadline)
        where = self._proxy if self._proxy is not None else self.url
        match self.phase:
            case "connect":
                answer_by = sooner(self._response_deadline, deadline)
                return Connect(where.host, where.port, limit, self.request, answer_by)
            case "proxy_tls":
                return StartTLS(where.host, limit)
            case "tls":
                return StartTLS(self.url.host, limit)
            case "tunnel" if not self._tunnel_sent:
                assert self._proxy is not None
                return Send(connect_bytes(self.url.host_port, self._proxy.headers), limit)
            case "send":
                return Send(self._data[self._offset : self._offset + SLICE], limit)
            case _:
                return Receive(limit)

    @property
    def dialling(self) -> bool:
        """The request is not begun yet."""
        return self.phase in DIALLING

    # ---- what happened

    def bypass(self) -> None:
        """The driver has an HTTP client of its own, and the response's head."""
        self.phase, self.sent_any, self._data = "body", True, b""

    def connected(self, now: float) -> None:
        """The connection is there."""
        if self._proxy is not None:
            self.phase = "proxy_tls" if self._proxy.tls else "tunnel"
        elif self.url.secure:
            self.phase = "tls"
        else:
            self._begin_sending(now)

    def tls_started(self, now: float) -> None:
        """The handshake is done."""
        if self.phase == "proxy_tls":
            self.phase = "tunnel"
        else:
            self._begin_sending(now)

    def sent(self, now: float) -> None:
        """What ``step`` gave to send is sent."""
        if self.phase == "tunnel":
            self._tunnel_sent = True
            self._tunnel = Exchange("CONNECT", limits=self._limits)
            return
        self.sent_any = True
        self._offset += SLICE
        self._deadline = after(now, self._timeouts.response)
        if self._offset < len(self._data):
            self.phase, self._deadline = "look", now
        else:
            self.phase, self._data = "head", b""

    def received(self, data: bytes, now: float) -> list[Item]:
        """What ``data`` tells, in order."""
        if self.phase == "tunnel":
            assert self._tunnel is not None
            return self._through(self._tunnel.receive_data(data), now)
        items = self._exchange.receive_data(data)
        if any(type(item) is Head for item in items):
            self.phase = "body"
        elif self.phase == "look":
            # A 1xx, or the beginning of a head: the request goes on.
            self.phase, self._deadline = "send", after(now, self._timeouts.response)
        return items

    def ended(self, now: float) -> list[Item]:
        """What the orderly end of the connection tells."""
        if self._failure is not None and self.phase == "head":
            return [Broken(self._failure)]
        return (self._exchange if self._tunnel is None else self._tunnel).receive_eof()

    def lost(self, error: ErrorInfo, now: float) -> list[Item]:
        """The connection failed. A failed send leaves a moment to read an answer."""
        if self.phase == "send":
            self._stop_sending(error, now)
            return []
        return [Broken(self._failure or error)]

    def timed_out(self, now: float) -> list[Item] | None:
        """The time of this phase is up; None if it is not."""
        if self.phase in ("body", "over") or self._deadline is None or now < self._deadline:
            return None
        if self.phase == "look":
            self.phase, self._deadline = "send", after(now, self._timeouts.response)
            return []
        if self._failure is not None:
            return [Broken(self._failure)]
        name, what = TOO_LATE[self.phase]
        seconds = getattr(self._timeouts, name)
        message = f"{what.format(where=self.url.origin)} within Timeouts.{name} ({seconds:g} s)"
        error = ErrorInfo("timeout", message, retryable=True)
        if self.phase == "send":
            self._stop_sending(error, now)
            return []
        return [Broken(error)]

    def _begin_sending(self, now: float) -> None:
        """The way is free for the request."""
        self.phase, self._deadline = "send", after(now, self._timeouts.response)

    def _stop_sending(self, error: ErrorInfo, now: float) -> None:
        self.sent_any = True
        self._failure, self._data = error, b""
        self.phase, self._deadline = "head", now + LAST_LOOK

    def _through(self, items: list[Item], now: float) -> list[Item]:
        """The proxy's answer."""
        tunnel = self._tunnel
        assert tunnel is not None
        for item in items:
            if isinstance(item, Broken):
                return [item]
            if isinstance(item, BodyEnd):
                if tunnel.unread:
                    what = "bytes came through the tunnel before anything was asked"
                    return [Broken(ErrorInfo("framing", what))]
                self._tunnel = None
                if self.url.secure:
                    self.phase = "tls"
                else:
                    self._begin_sending(now)
        return []


def after(now: float, seconds: float | None) -> float | None:
    """So many seconds later; None is never."""
    return None if seconds is None else now + seconds


def sooner(one: float | None, other: float | None) -> float | None:
    """The earlier of two times; None is never."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def add(one: float | None, other: float | None) -> float | None:
    """Two durations; None is for ever."""
    return None if one is None or other is None else one + other
