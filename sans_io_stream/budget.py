"""Budget: what many streams together may use, in dollars or in tokens.

It counts what a provider tells within the stream, and what came since with the user's own
``estimate``; as soon as real counts come they take the estimates' place. Once it is spent no
stream begins, and those that run are cancelled at the next piece of their answers. It can be
overrun by what comes at once: a provider that counts only at the end has sent all by then.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from .errors import BudgetSpent, UnknownPriceError
from .events import (
    Delta,
    Event,
    ReasoningDelta,
    Reconnecting,
    RefusalDelta,
    Resumed,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from .pricing import EXACT, Amount, PriceTable, amount
from .tally import AccountKey, Pricing

if TYPE_CHECKING:
    from .pricing import Prices
    from .request import StreamRequest

__all__ = ["Budget", "Left"]

Estimate = Callable[[str], int]
"""How many tokens a piece of text is, about."""
FREE = Usage(prompt_tokens=0, completion_tokens=0)


class Left(NamedTuple):
    """What is left of a budget; None where there is no limit."""

    dollars: Decimal | None
    tokens: int | None


class Spent(NamedTuple):
    """What one stream has used. ``dollars`` is None where it has no price."""

    tokens: int
    dollars: Decimal | None


class Budget:
    """A limit of ``dollars``, of ``tokens``, or of both, on all streams that it observes.

    ``prices`` is a ``PriceTable``, or whatever has its ``cost`` (None: the small table that
    comes with the library), at the prices of the day ``at`` (None: the newest). ``estimate``
    says how many tokens a piece of text is, and is given every delta's, once: without it nothing
    is known between the provider's own counts. Prompts are never estimated.

    It may be shared by any number of threads and tasks. Raises ``ValueError`` if nothing is
    limited.
    """

    def __init__(
        self,
        dollars: Amount | None = None,
        tokens: int | None = None,
        prices: Prices | None = None,
        estimate: Estimate | None = None,
        at: date | None = None,
    ) -> None:
        if dollars is None and tokens is None:
            raise ValueError("a Budget limits dollars=, tokens=, or both")
        if tokens is not None and tokens < 0:
            raise ValueError(f"tokens is 0 or more, not {tokens!r}")
        self.dollars = None if dollars is None else amount(dollars, "dollars")
        self.tokens = tokens
        self.estimate = estimate
        if prices is None and dollars is not None:
            prices = PriceTable()
        self.pricing = Pricing(prices, at)
        self._lock = allocate_lock()
        self._tokens = 0
        self._dollars = Decimal(0)
        self._unpriced = prices is None

    def begin(self, request: StreamRequest, now: float) -> BudgetedStream:
        """Let one stream begin: an ``Observer`` does so.

        Raises ``BudgetSpent`` if nothing is left, ``UnknownPriceError`` if dollars are limited
        and the request's model has no price.
        """
        del now
        key = AccountKey.of(request)
        if self.dollars is not None and self.pricing.cost(FREE, key) is None:
            raise UnknownPriceError(unpriced(key))
        reason = self.reason
        if reason is not None:
            raise BudgetSpent(reason)
        return BudgetedStream(self, key)

    @property
    def reason(self) -> str | None:
        """Why no more may be used; None while something is left."""
        with self._lock:
            tokens, dollars = self._tokens, self._dollars
        if self.tokens is not None and tokens >= self.tokens:
            return f"the budget is spent: {tokens:,} of {self.tokens:,} tokens"
        if self.dollars is not None and dollars >= self.dollars:
            return f"the budget is spent: {dollars:f} of {self.dollars:f} dollars"
        return None

    @property
    def spent_tokens(self) -> int:
        """How many tokens were used, those of running streams included."""
        with self._lock:
            return max(0, self._tokens)

    @property
    def spent_dollars(self) -> Decimal | None:
        """What was used cost, that of running streams included; None if any of it has no
        price."""
        with self._lock:
            return None if self._unpriced else max(Decimal(0), self._dollars)

    @property
    def left(self) -> Left:
        """What may still be used; 0 if more was used than that."""
        with self._lock:
            tokens, dollars = max(0, self._tokens), max(Decimal(0), self._dollars)
        return Left(
            None
            if self.dollars is None
            else max(Decimal(0), EXACT.subtract(self.dollars, dollars)),
            None if self.tokens is None else max(0, self.tokens - tokens),
        )

    def reset(self) -> None:
        """Begin anew: another day or month. What running streams have used so far is forgotten,
        what they use from now on counts."""
        with self._lock:
            self._tokens = 0
            self._dollars = Decimal(0)
            self._unpriced = self.pricing.prices is None

    def charge(self, old: Spent, new: Spent) -> None:
        """A stream that had used ``old`` has now used ``new``."""
        with self._lock:
            self._tokens += new.tokens - old.tokens
            if new.dollars is None:
                self._unpriced = True
            else:
                more = EXACT.subtract(new.dollars, old.dollars or 0)
                self._dollars = EXACT.add(self._dollars, more)

    def __repr__(self) -> str:
        return f"<Budget {self.left}>"


def unpriced(key: AccountKey) -> str:
    """What to do about a model without a price."""
    if key.model is None:
        return (
            "dollars are limited, and the request names no model to price: "
            "give it one, StreamRequest(..., model=...)"
        )
    return (
        f"dollars are limited, and {key.model!r} has no price: give it one, Budget(..., "
        f"prices=PriceTable().with_prices({{{key.model!r}: Price(prompt, completion)}})), "
        "or limit tokens"
    )


class BudgetedStream:
    """A budget's eye on one stream."""

    __slots__ = ("_after", "_budget", "_called", "_generation", "_key", "_spent", "_usages")

    def __init__(self, budget: Budget, key: AccountKey) -> None:
        self._budget = budget
        self._key = key
        self._generation = 0
        self._usages: dict[int, Usage] = {}
        self._after: dict[int, int] = {}
        """By generation, the estimate of what came after its last counts."""
        self._called: set[tuple[int, int]] = set()
        """The tool calls whose arguments came in pieces."""
        self._spent = Spent(0, Decimal(0))

    @property
    def spent(self) -> Spent:
        """What the stream has used so far, as the budget counts it."""
        return self._spent

    def saw(self, events: Sequence[Event], now: float) -> str | None:
        """Count these; the reason why the stream has to end, if the budget is spent and the
        answer goes on.

        A count says nothing of whether more comes: many providers tell theirs behind the last
        word. So it is the next piece of the answer that ends the stream, or the next attempt.
        """
        del now
        changed = over = some = goes_on = False
        for event in events:
            if isinstance(event, Delta | Reconnecting):
                some, goes_on, over = True, True, False
            if isinstance(event, Usage):
                self._count(event)
                changed, goes_on, over = True, False, event.final
            elif isinstance(event, StreamStart):
                self._generation = event.generation
            elif isinstance(event, Resumed):
                if event.mode in ("restart", "continuation"):
                    self._generation += 1
                    self._called.clear()
            elif isinstance(event, StreamEnd):
                over = True
            elif self._budget.estimate is not None and (text := self._text_of(event)):
                tokens = self._budget.estimate(text)
                self._after[self._generation] = self._after.get(self._generation, 0) + tokens
                changed = True
        goes_on = goes_on or (some and self._budget.reason is not None)
        if changed:
            old, self._spent = self._spent, self._sum()
            self._budget.charge(old, self._spent)
        return self._budget.reason if goes_on and not over else None

    def closed(self, now: float) -> None:
        """What was counted stays counted: nobody will tell it better."""

    def _text_of(self, event: Event) -> str:
        """What the model wrote in this event, once."""
        if isinstance(event, TextDelta | ReasoningDelta | RefusalDelta):
            return event.text
        if isinstance(event, ToolCallDelta):
            if event.arguments:
                self._called.add((event.choice, event.index))
            return event.arguments
        if isinstance(event, ToolCall) and (event.choice, event.index) not in self._called:
            return event.arguments
        return ""

    def _count(self, usage: Usage) -> None:
        """A snapshot: where it counts the answer anew, it is right about all that came."""
        self._generation = generation = usage.generation
        before = self._usages.get(generation)
        known = None if before is None else before.completion_tokens
        if usage.final or usage.completion_tokens not in (None, known):
            for one in [one for one in self._after if one >= generation]:
                del self._after[one]
        self._usages[generation] = usage

    def _sum(self) -> Spent:
        """All generations together: a void one is billed as well."""
        tokens, dollars = 0, Decimal(0)
        unpriced = False
        for generation in {*self._usages, *self._after}:
            usage = self._usages.get(generation, FREE)
            after = self._after.get(generation, 0)
            prompt, completion = usage.prompt_tokens, usage.completion_tokens
            if prompt is None and completion is None:
                tokens += usage.total_tokens or 0
            tokens += (prompt or 0) + (completion or 0) + after
            cost = self._budget.pricing.cost(
                msgspec.structs.replace(
                    usage, prompt_tokens=prompt or 0, completion_tokens=(completion or 0) + after
                ),
                self._key,
            )
            unpriced = unpriced or cost is None
            dollars = EXACT.add(dollars, cost or 0)
        return Spent(tokens, None if unpriced else dollars)
