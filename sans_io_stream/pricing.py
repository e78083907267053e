"""Money: what token counts cost, in exact decimals.

A ``Price`` belongs to one model from one day on, a ``PriceTable`` to many. Both are values. What
is not known costs None, never 0: a count that nobody told, a model without a price, a day
before the first one. Days are handed in; nothing here knows what day it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Context, Decimal, InvalidOperation, localcontext
from typing import TYPE_CHECKING, NamedTuple, Protocol

from .model_names import model_keys

if TYPE_CHECKING:
    from .events import Usage

__all__ = [
    "EXACT",
    "Amount",
    "Estimate",
    "Price",
    "PriceTable",
    "Prices",
    "amount",
    "day_of",
    "known_as",
]

Amount = Decimal | int | str | float
"""A sum of money. A float is taken as it is written: ``0.1`` is a tenth."""
Given = Mapping[str, "Price | Iterable[Price]"]
"""Prices by model: one, or those of several days."""
MILLION = Decimal(1_000_000)
EXACT = Context(prec=100)
"""In it money is reckoned: a program may have set its own context to round."""


class Prices(Protocol):
    """Whatever knows what tokens cost: a ``PriceTable``, or another source of prices."""

    def cost(
        self, usage: Usage, model: str, provider: str | None = None, at: date | None = None
    ) -> Decimal | None:
        """What these tokens cost, in dollars; None if that is not known."""
        ...


@dataclass(frozen=True, slots=True, init=False)
class Price:
    """What a model charges, in dollars per million tokens, from ``valid_from`` on (None: always).

    ``cached`` and ``cache_write`` are for those parts of the prompt, ``reasoning`` for that part
    of the completion; where one is None, the part costs what the rest of its whole does.
    Raises ``ValueError`` for what is no price.
    """

    prompt: Decimal
    completion: Decimal
    cached: Decimal | None
    cache_write: Decimal | None
    reasoning: Decimal | None
    valid_from: date | None

    def __init__(
        self,
        prompt: Amount,
        completion: Amount,
        cached: Amount | None = None,
        cache_write: Amount | None = None,
        reasoning: Amount | None = None,
        valid_from: date | str | None = None,
    ) -> None:
        given = {"cached": cached, "cache_write": cache_write, "reasoning": reasoning}
        object.__setattr__(self, "prompt", amount(prompt, "prompt"))
        object.__setattr__(self, "completion", amount(completion, "completion"))
        for name, value in given.items():
            object.__setattr__(self, name, None if value is None else amount(value, name))
        object.__setattr__(self, "valid_from", day_of(valid_from))

    def cost(self, usage: Usage) -> Decimal | None:
        """What these tokens cost, in dollars; None where the prompt's count or the completion's
        is None.

        A part whose count is None has no price of its own: its tokens are among the others.
        """
        if usage.prompt_tokens is None or usage.completion_tokens is None:
            return None
        with localcontext(EXACT):
            into = charged(
                usage.prompt_tokens,
                self.prompt,
                (usage.cached_tokens, self.cached),
                (usage.cache_write_tokens, self.cache_write),
            )
            out_of = charged(
                usage.completion_tokens, self.completion, (usage.reasoning_tokens, self.reasoning)
            )
            return (into + out_of) / MILLION

    def scaled(self, factor: Amount) -> Price:
        """The same price times ``factor``."""
        by = amount(factor, "factor")
        parts = (self.cached, self.cache_write, self.reasoning)
        with localcontext(EXACT):
            cached, written, reasoning = (None if part is None else part * by for part in parts)
            prompt, completion = self.prompt * by, self.completion * by
        return Price(prompt, completion, cached, written, reasoning, self.valid_from)


def charged(whole: int, rate: Decimal, *parts: tuple[int | None, Decimal | None]) -> Decimal:
    """The price of ``whole`` tokens, of which ``parts`` have rates of their own.

    Where the parts are told to be more than the whole, no more than the whole is charged.
    """
    left, sum_ = whole, Decimal(0)
    for count, own in parts:
        if count is not None and own is not None:
            part = min(count, left)
            left -= part
            sum_ += part * own
    return sum_ + left * rate


def amount(value: Amount, name: str) -> Decimal:
    """``value`` as an exact sum. Raises ``ValueError``, naming it, for what is none."""
    try:
        sum_ = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise ValueError(f"{name} is an amount of dollars, not {value!r}") from None
    if isinstance(value, bool) or not sum_.is_finite() or sum_ < 0:
        raise ValueError(f"{name} is an amount of dollars, 0 or more, not {value!r}")
    return sum_


def day_of(at: date | str | None) -> date | None:
    """The day of a moment: in UTC where it has a time zone, else its own. A text is an ISO date.
    Raises ``ValueError`` for a text that is none."""
    if isinstance(at, str):
        return date.fromisoformat(at)
    if isinstance(at, datetime):
        return (at if at.tzinfo is None else at.astimezone(UTC)).date()
    return at


class Estimate(NamedTuple):
    """What a plan costs, in dollars: all of it (None if any of it is not known), and by model."""

    total: Decimal | None
    by_model: dict[str, Decimal | None]


class PriceTable:
    """The prices of many models, by any of their names (see ``model_names``).

    ``prices`` are everybody's, ``providers`` those that a provider has for itself, which go
    before. ``as_of`` is the day on which the table was made. Without ``prices`` it is the small
    table that comes with the library (see ``price_list``). An immutable value.
    """

    __slots__ = ("_prices", "as_of")

    def __init__(
        self,
        prices: Given | PriceTable | None = None,
        *,
        providers: Mapping[str, Given] | None = None,
        as_of: date | str | None = None,
    ) -> None:
        if prices is None:
            from .price_list import AS_OF, PRICES

            prices, as_of = PRICES, as_of or AS_OF
        self.as_of = day_of(as_of)
        self._prices: dict[tuple[str | None, str], tuple[Price, ...]] = {}
        if isinstance(prices, PriceTable):
            self._prices |= prices._prices
            self.as_of = self.as_of or prices.as_of
        else:
            self._add(None, prices)
        for provider, own in (providers or {}).items():
            self._add(known_as(provider), own)

    def _add(self, provider: str | None, prices: Given) -> None:
        """Put these in: those of a model take the place of all that it had."""
        found: dict[str, tuple[Price, ...]] = {}
        for model, given in prices.items():
            several = checked(model, (given,) if isinstance(given, Price) else given)
            key = model_keys(model)[0]
            found[key] = found.get(key, ()) + several
        for key, several in found.items():
            days = [price.valid_from for price in several]
            if not several or len(set(days)) < len(days):
                raise ValueError(f"{key!r} needs one price for each valid_from, not {days}")
            self._prices[provider, key] = tuple(sorted(several, key=begins))

    def __repr__(self) -> str:
        of = "" if self.as_of is None else f" of {self.as_of}"
        return f"<PriceTable{of}, {len(self._prices)} models>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PriceTable):
            return NotImplemented
        return self._prices == other._prices and self.as_of == other.as_of

    __hash__ = None  # type: ignore[assignment]

    @property
    def models(self) -> list[str]:
        """The models that have a price, each by the key of its name, sorted."""
        return sorted({key for _, key in self._prices})

    def price(
        self, model: str, provider: str | None = None, at: date | None = None
    ) -> Price | None:
        """The price of a model on the day of ``at`` (None: the newest); None if it has none.

        A provider's own prices go before everybody's, and a snapshot's own before its model's.
        """
        keys = model_keys(model)
        for owner in (None,) if provider is None else (known_as(provider), None):
            for key in keys:
                several = self._prices.get((owner, key))
                if several is not None:
                    return valid(several, day_of(at))
        return None

    def cost(
        self, usage: Usage, model: str, provider: str | None = None, at: date | None = None
    ) -> Decimal | None:
        """What these tokens cost, in dollars; None for a model without a price, or counts that
        nobody told."""
        price = self.price(model, provider, at)
        return None if price is None else price.cost(usage)

    def estimate(
        self,
        plan: Mapping[str, tuple[int, int]],
        provider: str | None = None,
        at: date | None = None,
    ) -> Estimate:
        """What a plan of (prompt, completion) tokens by model costs: a month's, say."""
        from .events import Usage

        costs = {
            model: self.cost(
                Usage(prompt_tokens=prompt, completion_tokens=completion), model, provider, at
            )
            for model, (prompt, completion) in plan.items()
        }
        known = [cost for cost in costs.values() if cost is not None]
        with localcontext(EXACT):
            total = sum(known, Decimal(0))
        return Estimate(total if len(known) == len(costs) else None, costs)

    def scaled(self, factor: Amount) -> PriceTable:
        """The same table with every price times ``factor``: ``"0.5"`` for a gateway that takes
        half."""
        table = PriceTable({}, as_of=self.as_of)
        table._prices = {
            key: tuple(price.scaled(factor) for price in several)
            for key, several in self._prices.items()
        }
        return table

    def with_prices(self, prices: Given | PriceTable, *, provider: str | None = None) -> PriceTable:
        """The same table with these prices in place of those of the same models; of ``provider``
        alone, if it is named. Another table brings its providers' prices along."""
        table = PriceTable(self)
        if not isinstance(prices, PriceTable):
            table._add(None if provider is None else known_as(provider), prices)
        elif provider is None:
            table._prices |= prices._prices
            table.as_of = prices.as_of or self.as_of
        else:
            raise ValueError("a PriceTable names its providers itself: leave provider out")
        return table

    @classmethod
    def from_json(cls, data: bytes | str) -> PriceTable:
        """The table written in this JSON (see ``price_files``). Raises ``ValueError``, saying
        where, for what is no table."""
        from .price_files import json_table

        return json_table(data)

    @classmethod
    def from_toml(cls, text: str) -> PriceTable:
        """The table written in this TOML (see ``price_files``). Raises ``ValueError``, saying
        where, for what is no table."""
        from .price_files import toml_table

        return toml_table(text)


def known_as(provider: str) -> str:
    """A provider's name in one spelling."""
    return provider.strip().lower().replace("_", "-")


def checked(model: str, several: Iterable[object]) -> tuple[Price, ...]:
    """The prices of a model. Raises ``TypeError`` for what is none."""
    prices: list[Price] = []
    for price in several:
        if not isinstance(price, Price):
            raise TypeError(f"{model!r} needs a Price(prompt, completion), or several of them")
        prices.append(price)
    return tuple(prices)


def begins(price: Price) -> date:
    """The first day of a price."""
    return price.valid_from or date.min


def valid(several: tuple[Price, ...], day: date | None) -> Price | None:
    """The last of these, sorted by their days, that has begun on ``day``."""
    if day is None:
        return several[-1]
    begun = [price for price in several if begins(price) <= day]
    return begun[-1] if begun else None
