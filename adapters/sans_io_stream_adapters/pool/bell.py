"""Bells: how those who wait for a change of some state are woken, whatever they wait with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

__all__ = ["Bell", "Ringer"]

R = TypeVar("R", bound="Ringer")


class Ringer(Protocol):
    """What wakes somebody."""

    def set(self) -> None: ...


class Bell(Generic[R]):
    """Wakes all who listen: take a signal, look whether to wait, wait for the signal."""

    def __init__(self, make: Callable[[], R]) -> None:
        self._make = make
        self._signal: R | None = None

    def listen(self) -> R:
        """What the next ``ring`` sets."""
        if self._signal is None:
            self._signal = self._make()
        return self._signal

    def ring(self) -> None:
        """Something has changed."""
        signal, self._signal = self._signal, None
        if signal is not None:
            signal.set()
