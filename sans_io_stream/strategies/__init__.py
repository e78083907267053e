"""Resume strategies: one file per mechanism. How a provider's answer is taken up again.

``STRATEGIES`` names them; ``BY_DIALECT`` says which one a dialect has of its own, where there
is just one. Everything else has none, unless the request says so.
"""

from __future__ import annotations

from ..errors import UnknownDialectError
from .base import Known, Strategy
from .event_source import EventSourceStrategy, LastEventIDStrategy
from .gemini_interactions import GeminiInteractionsStrategy
from .holysheep import HolySheepStrategy
from .llamacpp import LlamaCppStrategy
from .openai_responses import OpenAIResponsesStrategy
from .relay import RelayStrategy

__all__ = ["BY_DIALECT", "STRATEGIES", "Known", "Strategy", "strategy_for", "strategy_named"]

NONE = Strategy()
STRATEGIES: dict[str, Strategy] = {
    strategy.name: strategy
    for strategy in (
        NONE,
        OpenAIResponsesStrategy(),
        GeminiInteractionsStrategy(),
        LastEventIDStrategy(),
        EventSourceStrategy(),
        HolySheepStrategy(),
        LlamaCppStrategy(),
        RelayStrategy(),
    )
}

BY_DIALECT = {
    "openai-responses": "openai-responses",
    "gemini-interactions": "gemini-interactions",
    "holysheep": "holysheep",
    "records": "last-event-id",
    "native": "last-event-id",
}


def strategy_for(dialect: str | None) -> Strategy:
    """The strategy that a dialect has of its own."""
    return STRATEGIES[BY_DIALECT.get(dialect or "", "none")]


def strategy_named(name: str) -> Strategy:
    """The strategy of that name. Raises ``UnknownDialectError`` for any other."""
    try:
        return STRATEGIES[name]
    except KeyError:
        known = ", ".join(STRATEGIES)
        raise UnknownDialectError(
            f"no resume strategy is called {name!r}; there are: {known}"
        ) from None
