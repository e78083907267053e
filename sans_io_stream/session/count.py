"""What a session has tried so far: plain numbers, which bound what it tries next."""

from __future__ import annotations

import msgspec

from .ladder import EXACT

__all__ = ["Count"]


class Count(msgspec.Struct):
    """What has been tried so far."""

    row: int = 0
    """Attempts since something new was last delivered exactly."""
    retries: int = 0
    connections: int = 0
    redirects: int = 0
    begun: bool = False
    """A response has had a head that was no error's."""
    unanswered: bool = False
    refused: tuple[str, ...] = ()

    def ask_anew(self) -> None:
        """Another generation has taken the place of the one that could not be asked for."""
        self.refused = tuple(mode for mode in self.refused if mode not in EXACT)
