"""The clocks of a body: idle, progress, total.

Idle and progress run only from when a ``Receive`` is first asked for until something comes of
it: what a consumer takes its time with is no fault of the server's. All times are the
driver's, in seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .wire import after, sooner

if TYPE_CHECKING:
    from ..policy import Timeouts

__all__ = ["Clocks"]


class Clocks:
    """The clocks of one session; ``begin_body`` winds the first two up."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self.total: float | None = None
        """When the whole answer has to be there."""
        self._since: float | None = None
        """When a ``Receive`` was first asked for that nothing has come of yet."""
        self._left = timeouts.progress
        """What is left until only heartbeats are too little."""
        self._limit: float | None = None
        """When that ``Receive`` has to have ended."""
        self._span = sooner(timeouts.idle, timeouts.progress)
        """How long the next one may take."""
        self._cap: float | None = None
        """The end of what is no part of the answer: an error body, a last look."""

    def start(self, now: float) -> None:
        """The session begins."""
        self.total = after(now, self._timeouts.total)

    def begin_body(self, cap: float | None = None) -> None:
        """A body begins. ``cap`` is when it has to be over, whatever comes."""
        self.moved_on()
        self._cap = cap

    def asked(self, now: float) -> float | None:
        """A ``Receive`` is asked for: when it has to have ended."""
        if self._since is None:
            self._since = now
            limit = None if self._span is None else now + self._span
            if self.total is not None or self._cap is not None:
                limit = sooner(sooner(limit, self.total), self._cap)
            self._limit = limit
        return self._limit

    def moved_on(self) -> None:
        """Something of the answer came."""
        self._since = None
        if self._left != self._timeouts.progress:
            self._left = self._timeouts.progress
            self._span = sooner(self._timeouts.idle, self._left)

    def heard(self, now: float, progress: bool) -> None:
        """Bytes came; ``progress`` if they told more than that the server is alive."""
        since = self._since
        if progress or self._left is None or since is None:
            self._since = None
            if progress:
                self.moved_on()
            return
        self._left -= now - since
        self._since, self._span = None, sooner(self._timeouts.idle, self._left)

    def over(self, now: float) -> str | None:
        """Which clock has run out by ``now``; None if none has."""
        if self.total is not None and now >= self.total:
            return "total"
        if self._cap is not None and now >= self._cap:
            return "cap"
        for name, left in (("idle", self._timeouts.idle), ("progress", self._left)):
            limit = None if self._since is None else after(self._since, left)
            if limit is not None and now >= limit:
                return name
        return None
