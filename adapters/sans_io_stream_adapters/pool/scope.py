"""What ends the work of one stream from outside."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Endable", "Scope"]


class Endable(Protocol):
    """A stream, as far as a scope is concerned."""

    def cancel(self, reason: str | None = None) -> None: ...


class Scope(Protocol):
    """The work of one stream; ``cancel`` may be called once it has been entered."""

    def cancel(self, reason: str | None) -> None: ...
