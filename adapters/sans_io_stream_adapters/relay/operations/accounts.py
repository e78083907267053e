"""What streams use: counted once, when they are over, and held against the budgets of keys.

A key's budget is one core ``Budget`` for each period in this worker: it holds what the store knows
of all workers, and what streams here have used since. While a stream runs its watch ends it; once
its end is written down what it used moves to the store. Who wrote the end does so, and nobody
else: a worker that dies in between leaves it uncounted, and none counts it twice. What a store
could not take is owed, and added with the next sum.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import anyio

from sans_io_stream import Budget, BudgetSpent, ErrorInfo, UnknownPriceError, Usage
from sans_io_stream.budget import BudgetedStream
from sans_io_stream.budget import Spent as Charged
from sans_io_stream.pricing import EXACT
from sans_io_stream.tally import AccountKey
from sans_io_stream_adapters.logs import LOG

from ..http import Refused
from ..stores.protocol import Spent, StoreError
from .allowance import BILLION, ends_in, nanodollars, period_of
from .guessing import uncounted
from .telling import LINES, Told, tell
from .watching import Eye, Given

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest
    from sans_io_stream.observing import Observer
    from sans_io_stream.pricing import Prices

    from ..config import ClientKey, RelayConfig, Upstream
    from ..hub import Running
    from ..stores.protocol import Meta, Store
    from .metrics import Metrics

__all__ = ["Accounts"]

NOTHING = Charged(0, Decimal(0))


class Today:
    """Prices of the day that it is."""

    def __init__(self, prices: Prices, clock: Callable[[], float]) -> None:
        self._prices = prices
        self._clock = clock

    def cost(
        self, usage: Usage, model: str, provider: str | None = None, at: date | None = None
    ) -> Decimal | None:
        """What these tokens cost today."""
        today = datetime.fromtimestamp(self._clock(), UTC).date()
        return self._prices.cost(usage, model, provider, at or today)


class Bill(NamedTuple):
    """What a stream used, and what stands for it in a budget of this worker until it is paid."""

    spent: Spent
    budget: Budget | None = None
    watch: BudgetedStream | None = None


class Purse:
    """The budget of one key in this worker."""

    def __init__(self, owner: ClientKey, prices: Prices | None, clock: Callable[[], float]) -> None:
        assert owner.budget is not None
        self.allowance = owner.budget
        self._name = owner.name
        self._prices = prices
        self._clock = clock
        self._owed: list[Bill] = []
        self._period = ""
        self._known = NOTHING
        """What the store knew last, of this period and all workers."""
        self.budget = self._anew()

    def turn(self) -> str:
        """The period that it is now: of another one than before nothing is spent. A clock that is
        put back opens none again."""
        period = period_of(self.allowance.period, self._clock())
        if period > self._period:
            self._period, self._known = period, NOTHING
            self.budget = self._anew()
        return self._period

    def _anew(self) -> Budget:
        return Budget(self.allowance.dollars, self.allowance.tokens, self._prices)

    async def pay(self, store: Store, *bills: Bill) -> None:
        """Have the store know these, and hear what all workers have spent. Raises
        ``StoreError``: then they are owed."""
        due = [*self._owed, *bills]
        self._owed = []
        period = self.turn()
        try:
            total = await store.spend(
                self._name, period, sum((bill.spent for bill in due), Spent())
            )
        except StoreError:
            self._owed = due + self._owed
            raise
        for bill in due:
            if bill.budget is not None and bill.watch is not None:
                bill.budget.charge(bill.watch.spent, NOTHING)
        if period == self._period:
            known = self._known
            # Answers may come in another order than the questions, and sums only grow.
            dollars = EXACT.divide(Decimal(total.nanodollars), Decimal(BILLION))
            self._known = Charged(
                max(total.tokens, known.tokens), max(dollars, known.dollars or Decimal(0))
            )
            self.budget.charge(known, self._known)


class Account(NamedTuple):
    """A stream that runs here. ``asked`` are the tokens of its prompt at least."""

    eye: Eye
    asked: int
    budget: Budget | None = None
    watch: BudgetedStream | None = None


class Accounts:
    """The accounts of one relay. ``clock`` gives seconds since 1970."""

    def __init__(
        self, config: RelayConfig, store: Store, metrics: Metrics, clock: Callable[[], float]
    ) -> None:
        self._config = config
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._prices = None if config.prices is None else Today(config.prices, clock)
        self._purses = {
            key.name: Purse(key, self._prices, clock)
            for key in config.keys
            if key.budget is not None
        }
        self.running: dict[str, Account] = {}
        """Those of the streams that run here, by their ids."""

    async def open(self) -> None:
        """Learn what was spent before. Raises ``StoreError``."""
        for purse in self._purses.values():
            await purse.pay(self._store)

    async def admit(
        self, owner: ClientKey, upstream: Upstream, there: str, request: StreamRequest
    ) -> None:
        """Whether a key may begin a stream: raises ``Refused`` where its budget is spent, or in
        dollars and the model without a price; ``StoreError``."""
        purse = self._purses.get(owner.name)
        if purse is None:
            return
        with anyio.CancelScope(shield=True):
            await purse.pay(self._store)
        try:
            purse.budget.begin(named(request, upstream, there), 0.0)
        except UnknownPriceError:
            why = (
                "this key's budget is in dollars, and the model has no price here: ask for "
                "another model, or have its price configured"
            )
            error = ErrorInfo("permission", why, code="model_without_price", status=403)
            raise Refused(403, error) from None
        except BudgetSpent as spent:
            self._metrics.limited[owner.name, "budget"] += 1
            wait = ends_in(purse.allowance.period, self._clock())
            error = ErrorInfo(
                "quota",
                f"{spent}; another {purse.allowance.period} begins in {wait:.0f} s (UTC)",
                code="insufficient_quota",
                status=429,
                retryable=True,
                retry_after=wait,
            )
            raise Refused(429, error) from None

    def too_many(self, owner: ClientKey) -> Refused:
        """What to raise where a key has as many streams as it may have."""
        self._metrics.limited[owner.name, "streams"] += 1
        why = f"this key may have {owner.streams} streams at once: wait for one to end"
        return Refused(429, ErrorInfo("rate_limit", why, status=429, retryable=True))

    def observers(
        self, meta: Meta, upstream: Upstream, there: str, request: StreamRequest, asked: int
    ) -> list[Observer]:
        """What looks at a stream of the provider's from its beginning here."""
        series = self._metrics.of(meta.provider, meta.model)
        label, model = self._metrics.labels(meta.provider, meta.model)
        named_ = {"stream": meta.id, "key": meta.owner, "upstream": label, "model": model}
        eye = Eye(series, named_)
        purse = self._purses.get(meta.owner)
        if purse is None:
            self.running[meta.id] = Account(eye, asked)
            return [eye]
        purse.turn()
        watch = BudgetedStream(purse.budget, AccountKey.of(named(request, upstream, there)))
        self.running[meta.id] = Account(eye, asked, purse.budget, watch)
        return [eye, Given(watch)]

    async def over(self, running: Running, *, kept: bool) -> None:
        """A stream ended here. ``kept`` says that its end is written down, by this worker: it is
        counted then, and what it used. Its readers may have been told of another end before."""
        meta, end = running.meta, running.end
        account = self.running.pop(meta.id, None)
        series = self._metrics.of(meta.provider, meta.model)
        usages = list(running.usages.values())
        costs = [self._cost(meta, usage) for usage in usages]
        if kept and end is not None:
            series.ended[end.outcome] += 1
            for usage, cost in zip(usages, costs, strict=True):
                series.used(usage, cost)
        well = end is not None and end.outcome in ("complete", "cancelled")
        level = logging.INFO if well else logging.WARNING
        if LINES.isEnabledFor(level):
            told = self._told(running, account, usages, costs)
            tell(Told("stream", told), level)
        purse = self._purses.get(meta.owner)
        if purse is None:
            return
        budget, watch = (None, None) if account is None else (account.budget, account.watch)
        if not kept:
            if budget is not None and watch is not None:
                budget.charge(watch.spent, NOTHING)
            return
        unpaid = uncounted(usages, asked_of(account, running), running.said)
        spent = spent_of([*usages, unpaid], [*costs, self._cost(meta, unpaid)])
        try:
            await purse.pay(self._store, Bill(spent, budget, watch))
        except StoreError as error:
            self._metrics.store_errors["spend"] += 1
            LOG.error(
                "what stream %s used is still to be told: the store fails: %s", meta.id, error
            )

    def _cost(self, meta: Meta, usage: Usage) -> Decimal | None:
        """What a generation cost: as clients were told, else by the prices."""
        if usage.cost is not None:
            return Decimal(repr(usage.cost))
        there = self._config.there(meta.provider, meta.model)
        if self._prices is None or there is None:
            return None
        return self._prices.cost(at_least(usage), there, meta.provider)

    def _told(
        self,
        running: Running,
        account: Account | None,
        usages: list[Usage],
        costs: list[Decimal | None],
    ) -> dict[str, object]:
        """What the log says of a stream that is over."""
        meta, end = running.meta, running.end
        eye = None if account is None else account.eye
        upstream, model = self._metrics.labels(meta.provider, meta.model)
        known = [cost for cost in costs if cost is not None]
        return {
            "stream": meta.id,
            "key": meta.owner,
            "upstream": upstream,
            "model": model,
            "outcome": None if end is None else end.outcome,
            "error": None if end is None or end.error is None else end.error.kind,
            "upstream_error": None if eye is None else eye.error,
            "upstream_status": None if eye is None else eye.status,
            "seconds": round(self._clock() - meta.created, 3),
            "attempts": None if eye is None else eye.attempts,
            "entries": running.log.last.entry,
            "bytes": running.log.size,
            "prompt_tokens": sum(usage.prompt_tokens or 0 for usage in usages) or None,
            "completion_tokens": sum(usage.completion_tokens or 0 for usage in usages) or None,
            "dollars": f"{sum(known, Decimal(0)):f}" if known else None,
            "counts": counts_of(usages),
        }


def named(request: StreamRequest, upstream: Upstream, there: str) -> StreamRequest:
    """The request, under the names by which prices are configured."""
    return replace(request, provider=upstream.name, model=there)


def at_least(usage: Usage) -> Usage:
    """The counts, with 0 where nothing is told yet: at least that much was used."""
    return Usage(
        **{
            name: getattr(usage, name)
            for name in ("cached_tokens", "cache_write_tokens", "reasoning_tokens")
        },
        prompt_tokens=usage.prompt_tokens or 0,
        completion_tokens=usage.completion_tokens or 0,
    )


def asked_of(account: Account | None, running: Running) -> int:
    """Tokens of a prompt that its provider has read: a refusal costs nothing."""
    if account is None:
        return 0
    ended = running.end is not None and running.end.outcome == "cancelled"
    read = running.said or (ended and account.eye.answered)
    return account.asked if read else 0


def counts_of(usages: list[Usage]) -> str | None:
    """Whether all counts are the provider's last word; None where there are none."""
    if not usages:
        return None
    return "final" if all(usage.final for usage in usages) else "partial"


def spent_of(usages: Iterable[Usage], costs: Iterable[Decimal | None]) -> Spent:
    """All generations together, void ones included: they are billed as well."""
    tokens = 0
    for usage in usages:
        counts = usage.prompt_tokens, usage.completion_tokens
        known = counts if counts != (None, None) else (usage.total_tokens,)
        tokens += sum(count or 0 for count in known)
    return Spent(tokens, sum(nanodollars(cost) for cost in costs if cost is not None))
