"""What an open stream is in every runtime, without its loop: options, transcript, its end.

The two loops (``loop`` and ``loop_sync``) are the same text but for ``async`` and ``await``;
what needs neither stands here.
"""

from __future__ import annotations

import math
import random
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, TypedDict

from sans_io_stream import (
    ErrorInfo,
    Event,
    Limits,
    ReconnectPolicy,
    StreamRequest,
    StreamSession,
    Timeouts,
)
from sans_io_stream.session import Connect, Send, StartTLS

from .delivery import Delivery
from .network import default_context
from .proxies import proxy_for
from .recorder import Recorder

if TYPE_CHECKING:
    from _typeshed import StrPath

    from sans_io_stream.observing import Observer
    from sans_io_stream.request import HTTPRequest
    from sans_io_stream.session import Proxy, Step

__all__ = ["INTERRUPTED", "Opened", "StreamOptions"]

INTERRUPTED = ErrorInfo("connection", "the step was interrupted", retryable=True)


class StreamOptions(TypedDict, total=False):
    """The keyword options of every ``open_stream``.

    ``resume_from`` is the token of an earlier ``ResumePoint``; ``policy``, ``timeouts`` and
    ``limits`` are values of the core. ``ssl_context`` takes the place of the system's
    certificates. ``proxy`` is a URL; None asks the usual variables, False is none at all.
    ``capture`` is a path to record to (see ``recorder``). ``on_reconnect(attempt, delay)`` is
    called, and awaited if it can be, as ``Reconnecting`` is handed out. ``on_error="event"``
    ends the iteration at ``StreamEnd`` instead of raising. ``observers`` see the events as they
    come, and may end the stream (see ``sans_io_stream.observing``).
    """

    resume_from: str | None
    policy: ReconnectPolicy | None
    timeouts: Timeouts | None
    limits: Limits | None
    ssl_context: ssl.SSLContext | None
    proxy: str | Proxy | Literal[False] | None
    capture: StrPath | None
    on_reconnect: Callable[[int, float], object] | None
    on_error: Literal["raise", "event"]
    observers: Sequence[Observer]


class Opened(Delivery):
    """An open stream of a session. Its loop is a subclass's.

    Raises ``ResumeTokenError`` for a token that is none, ``ValueError`` for a proxy that
    cannot be spoken to.
    """

    def __init__(
        self,
        request: StreamRequest,
        *,
        resume_from: str | None = None,
        policy: ReconnectPolicy | None = None,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | Proxy | Literal[False] | None = None,
        capture: StrPath | None = None,
        on_reconnect: Callable[[int, float], object] | None = None,
        on_error: Literal["raise", "event"] = "raise",
        observers: Sequence[Observer] = (),
    ) -> None:
        # What ``repr`` shows comes first: a traceback may ask for it half way.
        self._request = request
        super().__init__(limits=limits, on_error=on_error, observers=observers)
        self._recorder = None if capture is None else Recorder(capture, request.dialect)
        self._session = StreamSession(
            request,
            resume_from=resume_from,
            policy=policy,
            timeouts=timeouts,
            limits=limits,
            proxy=proxy_for(request.url, proxy),
            random=random.random,
            tap=self._recorder,
        )
        self._context = ssl_context
        self._on_reconnect = on_reconnect
        self._asked: Callable[[float], list[Event]] | None = None
        """What is to be told the session when the primitive at work has stopped."""
        self._started = self._busy = False

    def __repr__(self) -> str:
        state = "open" if self._end is None else self._end.outcome
        return f"<{type(self).__name__} {self._request!r}, {state}>"

    @property
    def request(self) -> StreamRequest:
        """The request that is being answered."""
        return self._request

    def stop_request(self) -> HTTPRequest | None:
        """The call that ends a generation which goes on without its reader, where there is
        one; see ``StreamSession.stop_request``."""
        return self._session.stop_request()

    def not_before(self, time: float) -> None:
        """Begin no connection before ``time``, on the runtime's clock; one that is there goes
        on. It may be called from another thread."""
        self._session.not_before(time, time)

    # ---- for the loops

    def _check_text(self) -> None:
        if "restart" in self._session.policy.allow:
            raise ValueError(
                "text() cannot take back what a restart makes void: iterate the stream for its "
                "events, and start over at Resumed('restart')"
            )

    def _tls(self) -> ssl.SSLContext:
        return default_context() if self._context is None else self._context

    def _put_away(self, now: float) -> None:
        try:
            if self._recorder is not None:
                self._recorder.close()
        finally:
            super()._put_away(now)

    def _cancel(self, reason: str | None) -> None:
        if self._asked is None or reason is None:
            self._asked = partial(self._session.cancel, reason)

    def _authorize(self, request: HTTPRequest) -> HTTPRequest | Awaitable[HTTPRequest]:
        """``request`` with what this attempt needs, from the user's own callable."""
        authorize = self.request.authorize
        assert authorize is not None
        return authorize(request)

    def _out_of_time(self, step: Step, now: float) -> list[Event]:
        """A primitive has stopped at its deadline, or because it was interrupted."""
        if self._asked is not None:
            asked, self._asked = self._asked, None
            return asked(now)
        if isinstance(step, Connect | StartTLS | Send) and now < (step.deadline or math.inf):
            # Nobody knows how much of it was done.
            return self._session.connection_lost(INTERRUPTED, now)
        return self._session.handle_timeout(now)
