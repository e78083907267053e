"""Sums of token counts, and of what they cost, that never hide what is not known.

A ``Tally`` adds up generations: counts that some told are added, counts that none told stay
None. What could not be priced is counted, and makes the sum of the costs None.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, Self

import msgspec

from .events import Usage
from .pricing import EXACT
from .usage import COUNTS

if TYPE_CHECKING:
    from .pricing import Prices
    from .request import StreamRequest

__all__ = ["Account", "AccountKey", "Entry", "Pricing", "Sums", "Tally"]

TOKENS = tuple(name for name in COUNTS if name != "cost")


class AccountKey(NamedTuple):
    """Whom tokens are accounted to, and by whose prices."""

    provider: str | None
    model: str | None

    @classmethod
    def of(cls, request: StreamRequest, answers: str | None = None) -> Self:
        """The provider and the model that ``request`` names; else its dialect, and the model
        that ``answers``."""
        return cls(request.provider or request.dialect, request.model or answers)


class Pricing(NamedTuple):
    """With which prices, and on which day (None: the newest)."""

    prices: Prices | None = None
    at: date | None = None

    def cost(self, usage: Usage, key: AccountKey) -> Decimal | None:
        """What these tokens cost; None if that is not known."""
        if self.prices is None or key.model is None:
            return None
        return self.prices.cost(usage, key.model, key.provider, self.at)


@dataclass(slots=True)
class Tally:
    """The counts of some generations, added."""

    counts: dict[str, int] = field(default_factory=dict[str, int])
    dollars: Decimal = Decimal(0)
    reported: Decimal | None = None
    generations: int = 0
    unpriced: int = 0

    def add(self, usage: Usage, cost: Decimal | None) -> None:
        """Add one generation."""
        self.generations += 1
        for name in TOKENS:
            count = getattr(usage, name)
            if count is not None:
                self.counts[name] = self.counts.get(name, 0) + count
        if cost is None:
            self.unpriced += 1
        else:
            self.dollars = EXACT.add(self.dollars, cost)
        if usage.cost is not None:
            self.reported = EXACT.add(self.reported or 0, Decimal(repr(usage.cost)))

    def merge(self, other: Self) -> None:
        """Add all of another tally."""
        self.generations += other.generations
        self.unpriced += other.unpriced
        self.dollars = EXACT.add(self.dollars, other.dollars)
        for name, count in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        if other.reported is not None:
            self.reported = EXACT.add(self.reported or 0, other.reported)

    @property
    def cost(self) -> Decimal | None:
        """What all of it costs; None if there is nothing, or something has no price."""
        return self.dollars if self.generations and not self.unpriced else None

    def usage(self, *, final: bool) -> Usage:
        """The sums in the normal form."""
        return msgspec.convert({"event": "usage", "final": final, **self.counts}, Usage)


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of some streams' tokens.

    ``total`` adds the final counts; ``partial`` the last known ones of generations that never
    told their final ones: at least that much was used. ``cost`` and ``partial_cost`` are dollars
    by the price table, None if any of it has no price (``unpriced`` generations have none).
    ``reported_cost`` adds what providers themselves said they charged, and is nowhere else.
    ``streams`` is how many streams this was, ``uncounted`` how many of them told no count.
    """

    total: Usage
    partial: Usage
    cost: Decimal | None
    partial_cost: Decimal | None
    reported_cost: Decimal | None
    unpriced: int
    streams: int
    uncounted: int

    def report(self) -> dict[str, object]:
        """The same as plain data: dollars are texts, so that no digit of them is lost."""
        told: dict[str, object] = {"streams": self.streams, "uncounted": self.uncounted}
        for name, usage in (("total", self.total), ("partial", self.partial)):
            told[name] = {count: getattr(usage, count) for count in TOKENS}
        for name in ("cost", "partial_cost", "reported_cost"):
            dollars: Decimal | None = getattr(self, name)
            told[name] = None if dollars is None else format(dollars, "f")
        return {**told, "unpriced": self.unpriced}


class Entry(NamedTuple):
    """One stream that may still be corrected: the last known counts of its generations."""

    key: AccountKey
    usages: tuple[Usage, ...]
    costs: tuple[Decimal | None, ...]
    response_id: str | None = None

    def is_of(self, provider: str | None, response_id: str) -> bool:
        """Whether it is a part of that answer."""
        return self.response_id == response_id and self.key.provider == provider


class Sums:
    """The streams of one account that can no longer change."""

    __slots__ = ("final", "partial", "streams", "uncounted")

    def __init__(self) -> None:
        self.final = Tally()
        self.partial = Tally()
        self.streams = 0
        self.uncounted = 0

    def post(self, entry: Entry) -> None:
        self.streams += 1
        self.uncounted += not entry.usages
        self.add(entry)

    def add(self, entry: Entry) -> None:
        """Add the counts of a stream that is counted elsewhere."""
        for usage, cost in zip(entry.usages, entry.costs, strict=True):
            tally = self.final if usage.final else self.partial
            tally.add(usage, cost)

    def merge(self, other: Sums) -> None:
        self.final.merge(other.final)
        self.partial.merge(other.partial)
        self.streams += other.streams
        self.uncounted += other.uncounted

    def account(self) -> Account:
        final, partial = self.final, self.partial
        together = Tally()
        together.merge(final)
        together.merge(partial)
        return Account(
            total=final.usage(final=True),
            partial=partial.usage(final=False),
            cost=final.cost,
            partial_cost=partial.cost,
            reported_cost=together.reported,
            unpriced=together.unpriced,
            streams=self.streams,
            uncounted=self.uncounted,
        )
