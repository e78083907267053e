"""What a key may use in a day or in a month: values, and the arithmetic of periods, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Literal

import msgspec

from sans_io_stream.pricing import EXACT, amount

if TYPE_CHECKING:
    from ..config import RelayConfig

__all__ = ["Allowance", "check_prices", "ends_in", "nanodollars", "period_of"]

Period = Literal["day", "month"]
FORMS = {"day": "%Y-%m-%d", "month": "%Y-%m"}
BILLION = 10**9


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """The budget of a key: ``dollars`` (exact: a text, a ``Decimal``, or a number as it is
    written), ``tokens`` of prompts and completions, or both, in each ``period``."""

    period: Period = "day"
    dollars: Decimal | None = None
    tokens: int | None = None

    def __post_init__(self) -> None:
        if self.period not in FORMS:
            raise ValueError('period is "day" or "month"')
        if self.dollars is None and self.tokens is None:
            raise ValueError("a budget limits dollars, tokens, or both")
        if self.tokens is not None and self.tokens < 0:
            raise ValueError("tokens is at least 0")
        if self.dollars is not None:
            msgspec.structs.force_setattr(self, "dollars", amount(self.dollars, "dollars"))


def nanodollars(dollars: Decimal) -> int:
    """A sum in billionths of a dollar, rounded up."""
    return int(EXACT.multiply(dollars, BILLION).to_integral_value(ROUND_CEILING))


def period_of(period: Period, now: float) -> str:
    """The name of the period at a time in seconds since 1970: later ones sort behind it."""
    return datetime.fromtimestamp(now, UTC).strftime(FORMS[period])


def ends_in(period: Period, now: float) -> float:
    """Seconds until the period is over."""
    moment = datetime.fromtimestamp(now, UTC)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        end = day + timedelta(days=1)
    else:
        # Behind the 28th of any month and four days, it is the next one.
        end = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return (end - moment).total_seconds()


def check_prices(config: RelayConfig) -> None:
    """Raise ``ValueError`` where a key has dollars, and a model that it may ask for no price, as
    far as the configuration names them."""
    for key in config.keys:
        if key.budget is None or key.budget.dollars is None:
            continue
        if config.prices is None:
            raise ValueError(f"the budget of key {key.name!r} is in dollars: [prices] are needed")
        for name in config.models(key):
            upstream, there = config.route(name)
            if config.prices.price(there, upstream.name) is None:
                raise ValueError(
                    f"the budget of key {key.name!r} is in dollars, and the model {name!r} has no "
                    f"price: add {there!r} to [prices], 0 if it costs nothing, or leave the model "
                    "out of the key's models"
                )
