"""What a relay counts: plain numbers, so that an event costs next to nothing.

A ``Series`` belongs to one upstream and one model, by the names of the configuration and never
by a client's; whoever counts for a stream looks it up once. ``exposition`` tells them to
Prometheus. All of it lives in one loop, and needs no lock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from sans_io_stream import Usage

__all__ = ["OTHER", "Labels", "Metrics", "Series", "Waits"]

Labels = tuple[str, str]
"""An upstream and a model, as the configuration names them."""
OTHER: Labels = ("other", "other")
"""What the configuration has no name for, such as a stream of an upstream that is gone."""
FAST = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
SLOW = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
BETWEEN = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)
"""Bounds of buckets, in seconds: of what the relay does, of what a provider does, of the gaps in
an answer."""


class Waits:
    """How long something took, in seconds: a histogram. ``bounds`` are included in their
    buckets; the last bucket is for all that took longer."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds


class Series:
    """The numbers of one upstream and model."""

    __slots__ = (
        "attempts", "begun", "between", "dollars", "ended", "errors", "first_byte",
        "first_visible", "reconnects", "resumes", "retries", "running", "tokens",
    )  # fmt: skip

    def __init__(self) -> None:
        self.running = 0
        self.begun = 0
        self.ended: Counter[str] = Counter()
        """By outcome."""
        self.attempts = 0
        self.retries = 0
        self.reconnects = 0
        self.resumes: Counter[str] = Counter()
        """By mode."""
        self.errors: Counter[str] = Counter()
        """By kind."""
        self.first_byte = Waits(SLOW)
        self.first_visible = Waits(SLOW)
        self.between = Waits(BETWEEN)
        self.tokens: Counter[tuple[str, str]] = Counter()
        """By kind, and by whether the counts are "final" or "partial"."""
        self.dollars: Counter[str] = Counter()
        """Billionths of them, by whether the counts are "final" or "partial"."""

    def used(self, usage: Usage, dollars: Decimal | None) -> None:
        """What one generation used, and what it cost, if that is known."""
        counts = "final" if usage.final else "partial"
        for kind, count in (
            ("prompt", usage.prompt_tokens),
            ("completion", usage.completion_tokens),
        ):
            if count:
                self.tokens[kind, counts] += count
        if dollars:
            self.dollars[counts] += int(dollars * 10**9)


class Metrics:
    """The numbers of one relay. ``labels`` gives the names of an upstream and of a model as
    clients call it: without it all are ``OTHER``."""

    def __init__(self, labels: Callable[[str, str], Labels] = lambda upstream, model: OTHER):
        self._labels = labels
        self.series: dict[Labels, Series] = {}
        self.entries = 0
        self.entry_bytes = 0
        self.client_bytes = 0
        self.store_append = Waits(FAST)
        self.shown = Waits(FAST)
        self.store_errors: Counter[str] = Counter()
        """By what was wanted of the store."""
        self.requests: Counter[tuple[str, str, str]] = Counter()
        """By route, format and status."""
        self.limited: Counter[tuple[str, str]] = Counter()
        """Refused requests, by the name of the key and the limit that it has reached."""
        self.take_overs = 0

    def labels(self, upstream: str, model: str) -> Labels:
        """The names under which a stream is counted."""
        return self._labels(upstream, model)

    def of(self, upstream: str, model: str) -> Series:
        """The numbers of an upstream and a model."""
        return self.series.setdefault(self._labels(upstream, model), Series())

    def taken_over(self) -> None:
        """A stream of another worker's, or of a process that died, is this one's now."""
        self.take_overs += 1
