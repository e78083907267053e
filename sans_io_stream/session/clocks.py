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
        self._idle = timeouts.idle
        self._progress = timeouts.progress
        self._cap: float | None = None
        """The end of what is no part of the answer: an error body, a last look."""

    def start(self, now: float) -> None:
        """The session begins."""
        self.total = after(now, self._timeouts.total)

    def begin_body(self, cap: float | None = None) -> None:
        """A body begins. ``cap`` is when it has to be over, whatever comes."""
        self._idle, self._progress = self._timeouts.idle, self._timeouts.progress
        self._since, self._cap = None, cap

    def asked(self, now: float) -> float | None:
        """A ``Receive`` is asked for: when it has to have ended."""
        if self._since is None:
            self._since = now
        limits = (after(self._since, self._idle), after(self._since, self._progress), self._cap)
        soonest = self.total
        for limit in limits:
            soonest = sooner(soonest, limit)
        return soonest

    def heard(self, now: float, progress: bool) -> None:
        """Bytes came; ``progress`` if they told more than that the server is alive."""
        if progress:
            self._progress = self._timeouts.progress
        elif self._progress is not None and self._since is not None:
            self._progress -= now - self._since
        self._idle, self._since = self._timeouts.idle, None

    def over(self, now: float) -> str | None:
        """Which clock has run out by ``now``; None if none has."""
        if self.total is not None and now >= self.total:
            return "total"
        if self._cap is not None and now >= self._cap:
            return "cap"
        for name, left in (("idle", self._idle), ("progress", self._progress)):
            limit = None if self._since is None else after(self._since, left)
            if limit is not None and now >= limit:
                return name
        return None
