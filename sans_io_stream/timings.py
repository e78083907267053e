"""Timings: how long answers let one wait, by provider and model, as an ``Observer``.

Of each stream it counts the first byte, the first visible delta, and the gaps between visible
deltas, each in a histogram whose buckets grow by a constant factor: a percentile is off by at
most ``ERROR`` of itself, whatever was measured, and the memory is bounded whatever comes.
The rule of the buckets is that of DDSketch (Masson, Rim, Lee, VLDB 2019, section 2.1).
"""

from __future__ import annotations

import math
from _thread import allocate_lock
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .events import Connected, Disconnected, MediaDelta, RefusalDelta, TextDelta, ToolCallDelta

if TYPE_CHECKING:
    from .events import Event
    from .request import StreamRequest

__all__ = ["ERROR", "Histogram", "Latencies", "Latency", "Timings"]

ERROR = 0.01
"""The most that a percentile is off, as a part of itself."""
GROWTH = math.log((1 + ERROR) / (1 - ERROR))
LEAST, MOST = 1e-6, 1e6
"""Seconds: what is shorter counts as 0, what is longer as that long. So a histogram has at
most 1,383 buckets."""
NONE = -(10**6)
"""The bucket of what counts as 0."""
PAIRS = 256
"""Pairs of provider and model that are told apart."""

Pair = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of one kind of wait, in seconds; None where nothing was measured."""

    count: int
    p50: float | None
    p90: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Latencies:
    """How long the streams of one provider and model let one wait, in seconds.

    ``first_byte`` and ``first_delta`` count from the beginning of the stream, with all that was
    tried in vain: to the head of the first answer (a status of 2xx), and to the first visible
    delta (text, refusal, tool call or media, not empty). ``between`` is from one read with
    visible deltas to the next; deltas of one read came together, and the pause of a reconnect
    is not counted.
    """

    first_byte: Latency
    first_delta: Latency
    between: Latency


class Histogram:
    """Seconds, counted in buckets that grow. Not safe by itself between threads."""

    __slots__ = ("_buckets", "count")

    def __init__(self) -> None:
        self.count = 0
        self._buckets: dict[int, int] = {}

    @property
    def buckets(self) -> int:
        """How many buckets there are: its memory."""
        return len(self._buckets)

    def add(self, seconds: float) -> None:
        """Count one."""
        bucket = NONE if seconds < LEAST else math.ceil(math.log(min(seconds, MOST)) / GROWTH)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self.count += 1

    def percentile(self, percent: float) -> float | None:
        """The least value that so many percent do not exceed, within ``ERROR`` of it; None
        where nothing was counted."""
        rank = max(1, math.ceil(self.count * percent / 100))
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                # The middle of the bucket: as far below its top as above its bottom.
                return 0.0 if bucket == NONE else math.exp(bucket * GROWTH) * (1 - ERROR)
        return None

    @property
    def latency(self) -> Latency:
        """What is asked for most."""
        p50, p90, p99 = (self.percentile(percent) for percent in (50, 90, 99))
        return Latency(self.count, p50, p90, p99)


class Timings:
    """An ``Observer`` that measures. Give it to ``open_stream(observers=[timings])``, to any
    number of streams in any number of threads.

    Beyond ``PAIRS`` pairs of provider and model, further ones are counted as ``(None, None)``,
    as what names neither.
    """

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._waits: dict[Pair, tuple[Histogram, Histogram, Histogram]] = {}

    def begin(self, request: StreamRequest, now: float) -> TimingsWatch:
        """A stream begins."""
        pair = (request.provider, request.model)
        with self._lock:
            if pair not in self._waits and len(self._waits) >= PAIRS:
                pair = (None, None)
            waits = self._waits.setdefault(pair, (Histogram(), Histogram(), Histogram()))
        return TimingsWatch(self, waits, now)

    @property
    def latencies(self) -> dict[Pair, Latencies]:
        """What was measured until now, by provider and model."""
        with self._lock:
            return {
                pair: Latencies(*(histogram.latency for histogram in waits))
                for pair, waits in self._waits.items()
            }

    def add(self, histogram: Histogram, seconds: float) -> None:
        """Count one wait; for the watches."""
        with self._lock:
            histogram.add(seconds)


class TimingsWatch:
    """The eye of ``Timings`` on one stream."""

    __slots__ = ("_begun", "_last", "_owner", "_waits")

    def __init__(
        self, owner: Timings, waits: tuple[Histogram, Histogram, Histogram], begun: float
    ) -> None:
        self._owner = owner
        self._waits: list[Histogram | None] = [*waits]
        self._begun = begun
        self._last: float | None = None

    def saw(self, events: Sequence[Event], now: float) -> str | None:
        """Measure what came."""
        visible = lost = False
        for event in events:
            # Not a match: its class patterns take four times as long, and this is each delta.
            if isinstance(event, (TextDelta, RefusalDelta)):
                visible = visible or event.text != ""
            elif isinstance(event, (ToolCallDelta, MediaDelta)):
                visible = True
            elif isinstance(event, Connected) and 200 <= event.status < 300:
                self._once(0, now)
            elif isinstance(event, Disconnected):
                lost = True
        if visible:
            self._once(1, now)
            between = self._waits[2]
            if self._last is not None and between is not None:
                self._owner.add(between, now - self._last)
            self._last = now
        if lost:
            # Behind whatever came with it: what comes next comes over another connection.
            self._last = None
        return None

    def closed(self, now: float) -> None:
        """Nothing more comes."""

    def _once(self, which: int, now: float) -> None:
        histogram, self._waits[which] = self._waits[which], None
        if histogram is not None:
            self._owner.add(histogram, now - self._begun)
