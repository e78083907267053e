"""Who may run: slots, queues and holds as one pure state machine.

Nothing here waits or knows the time. The rules: never more than ``max_concurrent`` run, never
more than an origin's own limit of that origin, and none of an origin that is held. Of those
that may begin the one that came first does, so that an origin's streams begin in their order,
and nobody is overtaken but for its own origin's sake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

__all__ = ["Schedule"]


class Schedule:
    """The state of a pool: what waits, what runs, and which origins are held.

    A stream is known by its ticket, a number that grows. ``per_origin`` is a limit for every
    origin, or limits by origin; None, or an origin without one, is no limit.

    Raises ``ValueError`` for a limit below 1, or a ``max_waiting`` below 0.
    """

    def __init__(
        self,
        max_concurrent: int,
        per_origin: int | Mapping[str, int] | None = None,
        max_waiting: int = 1000,
    ) -> None:
        limits = per_origin if isinstance(per_origin, Mapping) else {"per_origin": per_origin}
        given = {name: limit for name, limit in limits.items() if limit is not None}
        for name, limit in {"max_concurrent": max_concurrent, **given}.items():
            if limit < 1:
                raise ValueError(f"{name} is at least 1, not {limit!r}")
        if max_waiting < 0:
            raise ValueError(f"max_waiting is at least 0, not {max_waiting!r}")
        self.max_concurrent = max_concurrent
        self.max_waiting = max_waiting
        self._per_origin = per_origin
        self._last = 0
        self._origins: dict[int, str] = {}
        """Of every ticket that waits or runs."""
        self._queues: dict[str, dict[int, None]] = {}
        self._running: Counter[str] = Counter()
        self._held: dict[str, float] = {}

    @property
    def running(self) -> int:
        """How many run."""
        return self._running.total()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._origins) - self.running

    def has_room(self, origin: str, now: float) -> bool:
        """Whether one more of that origin may come: to wait, or to begin at once."""
        if self.waiting < self.max_waiting:
            return True
        return self.running < self.max_concurrent and self._may_begin(origin, now)

    def add(self, origin: str) -> int:
        """One more waits. Returns its ticket."""
        self._last += 1
        self._origins[self._last] = origin
        self._queues.setdefault(origin, {})[self._last] = None
        return self._last

    def take(self, now: float) -> list[int]:
        """The tickets that begin now: they run from now on."""
        self._held = {origin: until for origin, until in self._held.items() if until > now}
        begun: list[int] = []
        while self.running < self.max_concurrent:
            heads = [
                (next(iter(queue)), origin)
                for origin, queue in self._queues.items()
                if self._may_begin(origin, now)
            ]
            if not heads:
                break
            ticket, origin = min(heads)
            self._leave_queue(ticket, origin)
            self._running[origin] += 1
            begun.append(ticket)
        return begun

    def remove(self, ticket: int) -> None:
        """It has ended, or waits no longer. One that is not there is no mistake."""
        origin = self._origins.pop(ticket, None)
        if origin is None:
            return
        if ticket in self._queues.get(origin, ()):
            self._leave_queue(ticket, origin)
            return
        self._running[origin] -= 1
        if not self._running[origin]:
            del self._running[origin]

    def hold(self, origin: str, until: float) -> None:
        """Nothing of that origin begins before ``until``; an earlier hold that lasts longer
        stays."""
        self._held[origin] = max(until, self._held.get(origin, until))

    def held_until(self, origin: str, now: float) -> float | None:
        """When the origin is free again; None if it is."""
        until = self._held.get(origin)
        return None if until is None or until <= now else until

    def held(self, now: float) -> dict[str, float]:
        """The origins that are held, and until when."""
        return {origin: until for origin, until in self._held.items() if until > now}

    def next_time(self, now: float) -> float | None:
        """When ``take`` may find something, if nothing else happens before; None if it will
        not."""
        if self.running >= self.max_concurrent:
            return None
        times = [
            until
            for origin, until in self._held.items()
            if until > now and origin in self._queues and self._below_limit(origin)
        ]
        return min(times, default=None)

    def _may_begin(self, origin: str, now: float) -> bool:
        return self._below_limit(origin) and self.held_until(origin, now) is None

    def _below_limit(self, origin: str) -> bool:
        limit = self._per_origin
        if isinstance(limit, Mapping):
            limit = limit.get(origin)
        return limit is None or self._running[origin] < limit

    def _leave_queue(self, ticket: int, origin: str) -> None:
        queue = self._queues[origin]
        del queue[ticket]
        if not queue:
            del self._queues[origin]
