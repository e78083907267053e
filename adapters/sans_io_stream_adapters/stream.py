"""What an open stream is in every runtime, without its loop: options, transcript, its end.

The two loops (``loop`` and ``loop_sync``) are the same text but for ``async`` and ``await``;
what needs neither stands here.
"""

from __future__ import annotations

import math
import random
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, TypedDict

from sans_io_stream import (
    ErrorInfo,
    Event,
    LimitExceeded,
    Limits,
    ReconnectPolicy,
    ResumePoint,
    StreamEnd,
    StreamInterrupted,
    StreamRequest,
    StreamSession,
    TextDelta,
    Timeouts,
    Transcript,
)
from sans_io_stream.errors import raise_for_end
from sans_io_stream.session import Connect, Send, StartTLS

from . import logs
from .network import default_context
from .proxies import proxy_for
from .recorder import Recorder

if TYPE_CHECKING:
    from _typeshed import StrPath

    from sans_io_stream.observing import Observer, Watch
    from sans_io_stream.request import HTTPRequest
    from sans_io_stream.session import Proxy, Step

__all__ = ["INTERRUPTED", "Opened", "StreamOptions"]

INTERRUPTED = ErrorInfo("connection", "the step was interrupted", retryable=True)
FOLDED = 256
"""Events that are kept before they are folded into the transcript together."""


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


class Opened:
    """An open stream. Its loop is a subclass's.

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
        self._end: StreamEnd | None = None
        if on_error not in ("raise", "event"):
            raise ValueError(f"on_error is 'raise' or 'event', not {on_error!r}")
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
        self._observers = observers
        self._watches: list[Watch] = []
        self._raises = on_error == "raise"
        self._transcript = Transcript(limits)
        self._unfolded: list[Event] = []
        self._point: ResumePoint | None = None
        self._pending: deque[Event] = deque()
        self._asked: Callable[[float], list[Event]] | None = None
        """What is to be told the session when the primitive at work has stopped."""
        self._full: LimitExceeded | None = None
        """Why the transcript could keep no more."""
        self._untold: StreamEnd | None = None
        """An end that is not the session's, and that no watch has seen."""
        self._started = self._busy = self._over = self._left = self._raised = False

    def __repr__(self) -> str:
        state = "open" if self._end is None else self._end.outcome
        return f"<{type(self).__name__} {self._request!r}, {state}>"

    @property
    def request(self) -> StreamRequest:
        """The request that is being answered."""
        return self._request

    @property
    def transcript(self) -> Transcript:
        """The events handed out so far, folded into one answer."""
        self._fold()
        return self._transcript

    @property
    def whole(self) -> Transcript:
        """The transcript of an answer that is complete. Raises ``StreamInterrupted`` or
        ``StreamFailed`` for any other, one that was cancelled or not read to its end included."""
        transcript, end = self.transcript, self._end
        if end is not None and end.outcome == "cancelled":
            raise StreamInterrupted(end, transcript, self._point)
        transcript.raise_for_outcome()
        return transcript

    @property
    def resume_point(self) -> ResumePoint | None:
        """The last ``ResumePoint`` handed out: where another stream can go on."""
        return self._point

    def stop_request(self) -> HTTPRequest | None:
        """The call that ends a generation which goes on without its reader, where there is
        one; see ``StreamSession.stop_request``."""
        return self._session.stop_request()

    # ---- for the loops

    def _check_text(self) -> None:
        if "restart" in self._session.policy.allow:
            raise ValueError(
                "text() cannot take back what a restart makes void: iterate the stream for its "
                "events, and start over at Resumed('restart')"
            )

    def _tls(self) -> ssl.SSLContext:
        return default_context() if self._context is None else self._context

    def _hand_out(self) -> Event:
        """The next pending event, on its way to the consumer."""
        event = self._pending.popleft()
        kind = type(event)
        unfolded = self._unfolded
        unfolded.append(event)
        if kind is TextDelta and len(unfolded) < FOLDED:
            # Most events, and nothing of what follows is for them.
            return event
        if kind is ResumePoint:
            self._point = event  # type: ignore[assignment]
        elif kind is StreamEnd:
            self._end = event  # type: ignore[assignment]
        if len(unfolded) >= FOLDED or kind is StreamEnd:
            self._fold()
        return event if self._full is None else self._overflow(self._full)

    def _fold(self) -> None:
        unfolded, self._unfolded = self._unfolded, []
        try:
            self._transcript.extend(unfolded)
        except LimitExceeded as limit:
            self._full = limit

    def _overflow(self, limit: LimitExceeded) -> StreamEnd:
        """What the transcript cannot keep ends the stream: half an answer would be none."""
        told = self._end is not None or any(type(event) is StreamEnd for event in self._pending)
        self._end = StreamEnd("failed", limit.end.error)
        self._untold = None if told else self._end
        self._pending.clear()
        self._full = None
        self._transcript.add(self._end)
        self._asked = partial(self._session.cancel, None)
        return self._end

    def _begin(self, now: float) -> None:
        """The stream is about to connect. Raises what an observer has against it."""
        for observer in self._observers[len(self._watches) :]:
            self._watches.append(observer.begin(self.request, now))
        if logs.listening():
            self._watches.append(logs.LogWatch(self.request, now))

    def _note(self, events: list[Event], now: float) -> None:
        """Keep what the session said, unless the consumer has its end already."""
        if self._end is not None or not events:
            return
        self._pending.extend(events)
        for watch in self._watches:
            reason = watch.saw(events, now)
            if reason is not None and self._asked is None:
                self._asked = partial(self._session.cancel, reason)

    def _put_away(self, now: float) -> None:
        """Nothing more comes."""
        if self._recorder is not None:
            self._recorder.close()
        untold, self._untold = self._untold, None
        for watch in self._watches:
            if untold is not None:
                watch.saw([untold], now)
            watch.closed(now)

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

    def _leave(self) -> None:
        """The consumer wants no more: what it has not taken is dropped."""
        self._left = True
        if self._end is None:
            self._end = StreamEnd("cancelled")
            self._unfolded.append(self._end)

    def _raise_at_end(self) -> None:
        """Raise what the outcome calls for, once."""
        if self._raises and self._end is not None and not self._raised and not self._left:
            self._raised = True
            raise_for_end(self._end, self.transcript, self._point)
