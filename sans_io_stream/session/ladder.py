"""What a broken answer is tried with next: the rungs of a ladder, from exact to inexact.

Each rung says for itself whether it can be had: the strategy has a call for it, the server has
not refused it, the policy allows it. The first that can be had is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from ..policy import ReconnectPolicy
from ..request import HTTPRequest, StreamRequest
from ..strategies.base import Known, Strategy
from ..strategies.continuation import continued

__all__ = ["EXACT", "GENERATES", "Attempt", "Mode", "Situation", "next_attempt"]

Mode = Literal[
    "first", "check", "continue", "replay", "retry", "again", "repeat", "restart", "continuation"
]
"""``replay`` asks for what is stored, ``repeat`` sends the request again to compare; ``again``
takes an event stream up wherever it is."""

EXACT: frozenset[Mode] = frozenset({"continue", "replay"})
"""Modes in which nothing is generated anew."""
GENERATES: frozenset[Mode] = frozenset({"retry", "again", "repeat", "restart", "continuation"})


class Attempt(msgspec.Struct, frozen=True):
    """One request, and what its answer is to be taken for."""

    mode: Mode
    request: HTTPRequest


class Situation(msgspec.Struct, frozen=True):
    """Where an answer stands when it breaks off."""

    request: StreamRequest
    first: HTTPRequest
    strategy: Strategy
    policy: ReconnectPolicy
    known: Known
    visible: bool
    """Something has been delivered that cannot be taken back."""
    unanswered: bool
    """A request was sent, and nothing says that it began no generation."""
    comparable: bool
    """Whatever comes again can be compared with what was delivered."""
    refused: frozenset[str]
    """Modes that the server, or the provider's own error, has ruled out."""
    text: str | None
    """The text delivered, if the answer is nothing else."""
    placed: bool = False
    """In the same records, if they come again, the delivered part can be told."""


def next_attempt(at: Situation) -> Attempt | None:
    """The next thing to try, None if there is nothing."""
    for mode, rung in RUNGS.items():
        if mode in at.refused:
            continue
        try:
            request = rung(at)
        except ValueError:
            # A cursor or an id of the server's that would break out of its place.
            continue
        if request is not None:
            return Attempt(mode, request)
    return None


def _continue(at: Situation) -> HTTPRequest | None:
    if at.known.cursor is None:
        return None
    # A cursor that cannot be asked about is not asked from.
    at.strategy.check(at.first, at.known)
    return at.strategy.resume(at.first, at.known)


def _replay(at: Situation) -> HTTPRequest | None:
    wanted = at.visible or at.strategy.stores(at.first)
    told = at.comparable or at.placed
    return at.strategy.replay(at.first, at.known) if wanted and told else None


def _retry(at: Situation) -> HTTPRequest | None:
    stores = at.strategy.stores(at.first)
    blind = stores and at.unanswered and at.first.header("idempotency-key") is None
    return None if at.visible or blind else at.first


def _again(at: Situation) -> HTTPRequest | None:
    return at.first if at.strategy.inexact else None


def _repeat(at: Situation) -> HTTPRequest | None:
    return at.first if "replay" in at.policy.allow and at.comparable else None


def _restart(at: Situation) -> HTTPRequest | None:
    return at.first if "restart" in at.policy.allow else None


def _continuation(at: Situation) -> HTTPRequest | None:
    way = at.request.continues
    if "continuation" not in at.policy.allow or way is None or not at.text:
        return None
    return continued(way, at.first, at.text)


RUNGS: dict[Mode, Callable[[Situation], HTTPRequest | None]] = {
    "continue": _continue,
    "replay": _replay,
    "retry": _retry,
    "again": _again,
    "repeat": _repeat,
    "restart": _restart,
    "continuation": _continuation,
}
