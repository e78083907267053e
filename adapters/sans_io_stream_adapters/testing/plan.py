"""The plan: which faults happen in which order, drawn from a seed where the user wants so.

The same seed draws the same faults everywhere: only ``Random.random`` is used, which Python
promises never to change. Places are parts of a response, so that a drawn cut falls within it
whatever its length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random

from .faults import (
    Break,
    Busy,
    Cut,
    Fault,
    Forget,
    Heartbeats,
    Ignore,
    Jump,
    Lie,
    NoEnd,
    Refuse,
    Repeat,
    Reset,
    Skip,
    Stall,
)

__all__ = ["BREAKS", "EVERYTHING", "Plan", "draw"]

BREAKS: tuple[type[Fault], ...] = (Cut, Reset)
"""What breaks a response at once: nobody has to wait for a timeout."""
EVERYTHING: tuple[type[Fault], ...] = (
    Cut, Reset, Refuse, Busy, Repeat, Skip, Jump, Ignore, Forget, NoEnd, Lie, Stall, Heartbeats,
)  # fmt: skip
NTH = 8
"""Of how many characters, records or chunk headers one is drawn."""


@dataclass(frozen=True)
class Plan:
    """The faults of a server, one turn for each request. ``str`` shows them as a list."""

    turns: tuple[tuple[Fault, ...], ...] = ()
    seed: int | None = None

    @classmethod
    def of(
        cls, faults: Iterable[Fault | Sequence[Fault]], *, seed: int | None = None, cuts: int = 0
    ) -> Plan:
        """These faults, and then so many drawn cuts."""
        told: list[Fault | Sequence[Fault]] = [*faults]
        if cuts:
            told += draw(0 if seed is None else seed, cuts)
        turns = [tuple(one) if isinstance(one, Sequence) else (one,) for one in told]
        for turn in turns:
            for one in turn:
                check(one)
        return cls(tuple(turns), seed)

    def __str__(self) -> str:
        lines = [
            f"{number}. {' + '.join(map(repr, turn)) or 'Well()'}"
            for number, turn in enumerate(self.turns, 1)
        ]
        return "\n".join([*lines, f"{len(lines) + 1}. and on: Well()"])


def check(told: object) -> None:
    """Raise ``TypeError`` for what is no fault, such as a class of them."""
    if not isinstance(told, Fault):
        raise TypeError(f"{told!r} is not a fault, such as Cut(at=120)")


def draw(seed: int, count: int, kinds: Sequence[type[Fault]] = BREAKS) -> list[Fault]:
    """``count`` faults of these kinds, the same ones for the same seed, everywhere.

    ``kinds=EVERYTHING`` draws from all there are; ``Stall`` and ``Heartbeats`` have a client
    wait for its own timeout.
    """
    random = Random(seed).random
    return [drawn(kinds[int(random() * len(kinds))], random) for _ in range(count)]


def drawn(kind: type[Fault], random: Callable[[], float]) -> Fault:
    """One fault of that kind."""
    if issubclass(kind, Break):
        at, nth = round(random(), 4), 1 + int(random() * NTH)
        ways = (kind(at), kind(at), kind(at))
        special = (kind.in_character(nth), kind.in_event(nth), kind.in_chunk_header(nth))
        return (*ways, *special)[int(random() * 6)]
    number = 1 + int(random() * 4)
    if kind is Busy:
        return Busy(429, retry_after=0) if number % 2 else Busy(503)
    if kind in (Repeat, Skip):
        return Repeat(number) if kind is Repeat else Skip(number)
    if kind is Jump:
        return Jump(number * 3 if random() < 0.5 else -number)
    if kind is Heartbeats:
        return Heartbeats(after=number)
    return kind()
