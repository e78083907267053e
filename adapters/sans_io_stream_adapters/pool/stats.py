"""What a pool tells of itself: values, and the eye that gathers them from each stream.

The eye is an ``Observer`` of one stream. It sees each event before the consumer does, and so
tells the pool at once when the provider asks to come back later.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple

from sans_io_stream import (
    Disconnected,
    ErrorInfo,
    Event,
    Reconnecting,
    StreamEnd,
    StreamRequest,
    StreamStart,
    Usage,
)
from sans_io_stream.tally import Tally
from sans_io_stream.usage import compact_usage

if TYPE_CHECKING:
    from sans_io_stream.tally import AccountKey, Pricing
    from sans_io_stream.timings import Latencies

__all__ = ["Eye", "PoolStats", "Priced", "SessionStats", "State"]

State = Literal["waiting", "running", "complete", "failed", "cancelled"]
"""``failed`` is also what was interrupted; ``complete`` also a handler that read no further."""

THROTTLED = frozenset({429, 503, 529})
"""Statuses that ask to come back later; 529 is Anthropic's "overloaded"."""

NOTED = frozenset({Disconnected, Reconnecting, Usage, StreamStart, StreamEnd})


@dataclass(frozen=True, slots=True)
class SessionStats:
    """One stream of a pool. ``duration`` is in seconds, from its slot to its end or to now.

    ``usage`` adds all generations that were billed, void ones included. ``attempts`` counts
    those at a connection, 0 before its slot. ``cost`` is None without ``prices``, and where
    they do not know it; it is the one that a ``TokenTracker`` would tell. ``error`` is the text
    of what it failed of.
    """

    key: Hashable
    provider: str | None
    model: str | None
    state: State
    duration: float
    attempts: int
    usage: Usage | None = None
    cost: Decimal | None = None
    error: str | None = None

    @property
    def tokens(self) -> int | None:
        """All tokens, as far as the provider told; None if it did not."""
        if self.usage is None:
            return None
        if self.usage.total_tokens is not None:
            return self.usage.total_tokens
        counts = (self.usage.prompt_tokens, self.usage.completion_tokens)
        known = [count for count in counts if count is not None]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A pool at one moment.

    ``session_stats`` has each stream that waits or runs, and those that ended last, up to
    ``retain``. ``held`` says for how many seconds an origin is held back. ``latencies`` are by
    provider and model.
    """

    max_concurrent: int
    active_streams: int
    waiting: int
    session_stats: Mapping[Hashable, SessionStats] = field(
        default_factory=dict[Hashable, SessionStats]
    )
    held: Mapping[str, float] = field(default_factory=dict[str, float])
    latencies: Mapping[tuple[str | None, str | None], Latencies] = field(
        default_factory=dict[tuple[str | None, str | None], "Latencies"]
    )

    @property
    def available_slots(self) -> int:
        """How many more could run now."""
        return self.max_concurrent - self.active_streams


class Priced(NamedTuple):
    """What is told of a stream, and what its price is made of."""

    told: SessionStats
    key: AccountKey
    usages: list[Usage]

    def stats(self, pricing: Pricing) -> SessionStats:
        """The same with its cost: each generation is billed by itself."""
        tally = Tally()
        for usage in self.usages:
            tally.add(usage, pricing.cost(usage, self.key))
        return self.told if tally.cost is None else replace(self.told, cost=tally.cost)


class Eye:
    """What a pool knows of one stream. ``hold`` is called with a time before which its origin
    wants no connection; a hold is at most ``longest`` seconds."""

    def __init__(self, hold: Callable[[float], None], longest: float) -> None:
        self._hold = hold
        self._longest = longest
        self._throttled = False
        """The last break came of too many requests, and named no time."""
        self._usages: dict[int, Usage] = {}
        self.model: str | None = None
        self.attempts = 0
        self.end: StreamEnd | None = None

    @property
    def usages(self) -> list[Usage]:
        """What was billed until now, by generation, without the answers around it."""
        return [compact_usage(usage) for _, usage in sorted(self._usages.items())]

    def begin(self, request: StreamRequest, now: float) -> Eye:
        """The stream begins."""
        self.attempts = 1
        return self

    def saw(self, events: Sequence[Event], now: float) -> str | None:
        """Note what concerns the pool."""
        for event in events:
            # Most events are deltas, and pass at the price of this look.
            if type(event) in NOTED:
                self._note(event, now)
        return None

    def closed(self, now: float) -> None:
        """Nothing more comes."""

    def _note(self, event: Event, now: float) -> None:
        match event:
            case Disconnected(error) if error is not None:
                self._broken(error, now)
            case Reconnecting(_, delay):
                self.attempts += 1
                if self._throttled:
                    self._hold(now + min(delay, self._longest))
            case Usage():
                # Another dict: one that a thread iterates does not change.
                self._usages = {**self._usages, event.generation: event}
            case StreamStart(_, model) if model is not None:
                self.model = model
            case StreamEnd(_, error):
                self.end = event
                if error is not None:
                    self._broken(error, now)
            case _:
                pass

    def _broken(self, error: ErrorInfo, now: float) -> None:
        throttled = error.status in THROTTLED or error.kind in ("rate_limit", "overloaded")
        self._throttled = throttled and error.retry_after is None
        if throttled and error.retry_after is not None:
            self._hold(now + min(error.retry_after, self._longest))
