"""One connection: from dialling, through a proxy and TLS, to the last byte of the response.

It knows sockets' steps and HTTP, and nothing of retries, resuming or dialects. Phases go one
way, those that are not needed are left out::

    authorize → connect → proxy_tls → ask → tunnel → tls → send ⇄ look → head → body

``authorize`` waits for what each attempt needs of its own: a signature, a fresh token. ``ask``
sends ``CONNECT``, ``tunnel`` reads the proxy's answer. ``look`` is a glance at the receiving side
between two pieces of a long request: a server may answer before it has read all of it. A refusal
ends the sending; an answer that begins is read while the rest is sent. When sending fails nothing
more is sent, and an answer that may be waiting is read for a moment.

With a driver that has an HTTP client of its own it is ``connect → client → client_body``
behind ``authorize``, and what happens inside is the client's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..errors import ErrorInfo
from ..http import BodyEnd, Broken, Exchange, Head, Item, connect_bytes, request_bytes
from ..secret import Unshown
from ..url import parse_url
from .backoff import with_head
from .steps import Authorize, Connect, Receive, Send, StartTLS, Step

if TYPE_CHECKING:
    from ..policy import Limits, Timeouts
    from ..request import HTTPRequest
    from .proxy import Proxy

__all__ = ["Phase", "Wire", "after", "sooner"]

Phase = Literal[
    "authorize", "connect", "proxy_tls", "ask", "tunnel", "tls", "send", "look", "head", "body",
    "client", "client_body",
]  # fmt: skip

SLICE = 64 * 1024
"""The most bytes that are sent without a look at the receiving side."""
LAST_LOOK = 1.0
"""Seconds for an answer that may be waiting behind a failed send."""

TOO_LATE = {
    "connect": ("connect", "no connection to {where}"),
    "proxy_tls": ("connect", "no TLS with the proxy"),
    "ask": ("connect", "no tunnel through the proxy"),
    "tunnel": ("connect", "no tunnel through the proxy"),
    "tls": ("connect", "no TLS with {where}"),
    "send": ("response", "the request was not taken"),
    "head": ("response", "no response"),
    "client": ("response", "no response"),
}
"""For each phase the timeout that bounds it, and what did not come."""


class Wire:
    """One connection for one request. ``sent_any`` says that the server may know of it.

    ``by_socket`` says that the driver is known to have no HTTP client of its own: what fails
    before ``connected`` has then sent nothing.
    """

    def __init__(
        self,
        request: HTTPRequest,
        now: float,
        timeouts: Timeouts,
        limits: Limits,
        proxy: Proxy | None = None,
        by_socket: bool = False,
        authorize: bool = False,
    ) -> None:
        self.phase: Phase
        self.sent_any = False
        self.by_socket = by_socket
        self._timeouts = timeouts
        self._limits = limits
        self._proxy = proxy
        self._tunnel: Exchange | None = None
        self._refusal: Head | None = None
        """The head with which the proxy refused the tunnel."""
        self._answered = False
        """The head of an answer is in."""
        self._offset = 0
        self._failure: ErrorInfo | None = None
        self._ask(request, now, "authorize" if authorize else "connect")

    def _ask(self, request: HTTPRequest, now: float, phase: Phase) -> None:
        """From here on it is about this request. Raises before anything is changed."""
        url = parse_url(request.url)
        self._data = request_bytes(request.method, url, request.headers, request.body)
        self.request, self.url, self.phase = request, url, phase
        self._exchange = Exchange(request.method, limits=self._limits)
        connect, response = self._timeouts.connect, self._timeouts.response
        waiting = phase == "authorize"
        # How long a signature may take is its maker's business; the clocks begin behind it.
        self._deadline = None if waiting else after(now, connect)
        self._response_deadline = None if waiting else after(now, add(connect, response))

    # ---- what is next

    def step(self, deadline: float | None) -> Step:
        """What the driver is to do; ``deadline`` bounds it, beside the phase's own."""
        limit = sooner(self._deadline, deadline)
        where = self._proxy if self._proxy is not None else self.url
        match self.phase:
            case "authorize":
                return Authorize(self.request, deadline)
            case "connect":
                answer_by = sooner(self._response_deadline, deadline)
                return Connect(where.host, where.port, limit, self.request, answer_by)
            case "proxy_tls":
                return StartTLS(where.host, limit)
            case "tls":
                return StartTLS(self.url.host, limit)
            case "ask":
                assert self._proxy is not None
                return Send(Unshown(connect_bytes(self.url.host_port, self._proxy.headers)), limit)
            case "send":
                # Whoever interrupts a driver gets a traceback of what it was sending.
                return Send(Unshown(self._data[self._offset : self._offset + SLICE]), limit)
            case _:
                return Receive(limit)

    @property
    def sending(self) -> bool:
        """There is more of the request to be sent."""
        return self.phase in ("send", "look")

    # ---- what happened

    def authorized(self, request: HTTPRequest, now: float) -> None:
        """This is what goes out instead."""
        self._ask(request, now, "connect")

    def client_sends(self, now: float) -> None:
        """The driver has an HTTP client of its own, which has the request now."""
        self.phase, self.sent_any, self._data = "client", True, b""
        self._deadline = after(now, self._timeouts.response)

    def client_answers(self) -> None:
        """Its client has the response's head."""
        self.phase, self.sent_any, self._data = "client_body", True, b""

    def connected(self, now: float) -> None:
        """The connection is there."""
        self.by_socket = True
        if self._proxy is not None:
            self.phase = "proxy_tls" if self._proxy.tls else "ask"
        elif self.url.secure:
            self.phase = "tls"
        else:
            self._begin_sending(now)

    def tls_started(self, now: float) -> None:
        """The handshake is done."""
        if self.phase == "proxy_tls":
            self.phase = "ask"
        else:
            self._begin_sending(now)

    def sent(self, now: float) -> None:
        """What ``step`` gave to send is sent."""
        if self.phase == "ask":
            self.phase, self._tunnel = "tunnel", Exchange("CONNECT", limits=self._limits)
            return
        self.sent_any = True
        self._offset += SLICE
        self._deadline = after(now, self._timeouts.response)
        if self._offset < len(self._data):
            self.phase, self._deadline = "look", now
        else:
            self.phase, self._data = "body" if self._answered else "head", b""

    def body(self, data: bytes) -> list[Item]:
        """``received``, once the head is in."""
        return self._exchange.receive_data(data)

    def received(self, data: bytes, now: float) -> list[Item]:
        """What ``data`` tells, in order."""
        if self.phase == "tunnel":
            assert self._tunnel is not None
            return self._through(self._tunnel.receive_data(data), now)
        items = self._exchange.receive_data(data)
        head = items[0] if items else None
        if isinstance(head, Head):
            self._answered = True
            if not self.sending or not 200 <= head.status < 300:
                self.stop_sending()
        if self.phase == "look":
            # A 1xx, a part of a head, or an answer that has begun: the request goes on.
            self._begin_sending(now)
        return items

    def stop_sending(self) -> None:
        """The rest of the request is of no use to a server that has answered."""
        self.phase, self._data = "body", b""

    def ended(self, now: float) -> list[Item]:
        """What the orderly end of the connection tells."""
        if self._failure is not None and self.phase == "head":
            return [Broken(self._failure)]
        if self._tunnel is not None:
            return self._through(self._tunnel.receive_eof(), now)
        return self._exchange.receive_eof()

    def lost(self, error: ErrorInfo, now: float) -> list[Item]:
        """The connection failed. A failed send leaves a moment to read an answer."""
        if self.phase == "send":
            self._fail_sending(error, now)
            return []
        return self._break(error, now)

    def timed_out(self, now: float) -> list[Item] | None:
        """The time of this phase is up; None if it is not."""
        if self._deadline is None or now < self._deadline:
            return None
        if self.phase == "look":
            self._begin_sending(now)
            return []
        if self._failure is not None:
            return [Broken(self._failure)]
        phase = self.phase
        late = self._response_deadline is not None and now >= self._response_deadline
        if phase == "connect" and late and not self.by_socket:
            # Who dials is not so late: this is a client's, and the request may be on its way.
            phase, self.sent_any = "client", True
        name, what = TOO_LATE[phase]
        seconds = getattr(self._timeouts, name)
        message = f"{what.format(where=self.url.origin)} within Timeouts.{name} ({seconds:g} s)"
        error = ErrorInfo("timeout", message, retryable=True)
        if phase == "send":
            self._fail_sending(error, now)
            return []
        return self._break(error, now)

    def _begin_sending(self, now: float) -> None:
        """The way is free for the request."""
        self.phase, self._deadline = "send", after(now, self._timeouts.response)

    def _fail_sending(self, error: ErrorInfo, now: float) -> None:
        self.sent_any = True
        self._failure, self._data = error, b""
        self.phase = "body" if self._answered else "head"
        self._deadline = now + LAST_LOOK

    def _break(self, error: ErrorInfo, now: float) -> list[Item]:
        """The connection is of no more use."""
        if self._refusal is not None and self._tunnel is not None:
            # What is missing is no more than the rest of the proxy's words.
            return self._through(self._tunnel.receive_eof(), now)
        return [Broken(self._failure or error)]

    def _through(self, items: list[Item], now: float) -> list[Item]:
        """The proxy's answer."""
        tunnel = self._tunnel
        assert tunnel is not None
        for item in items:
            if isinstance(item, Head):
                self._refusal = None if 200 <= item.status < 300 else item
            elif isinstance(item, Broken):
                if self._refusal is None:
                    return [item]
                head = self._refusal
                return [Broken(with_head(item.error, head.status, head.headers))]
            elif isinstance(item, BodyEnd):
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
