"""What the state of an answer is made of: choices, open calls, and how it exceeds a limit."""

from __future__ import annotations

import msgspec

from ..errors import ErrorInfo
from ..json_scan import JSONScan

__all__ = ["Call", "Choice", "LimitReached", "byte_size"]


class LimitReached(Exception):
    """Raised inside a dialect when a limit is exceeded; the decoder ends the stream."""

    def __init__(self, limit: str, size: int, what: str) -> None:
        super().__init__(f"{what} exceeds Limits.{limit} ({size})")
        self.error = ErrorInfo("limit", str(self))


class Choice(msgspec.Struct, gc=False):
    """One alternative answer: its last finish reason, and what it has had."""

    index: int
    raw_reason: str | None = None
    visible: bool = False
    calls: int = 0
    finished: bool = False


class Call(msgspec.Struct, gc=False):
    """One open tool call. ``key`` is the provider's own number or name for it."""

    index: int
    choice: int
    key: str | int | None = None
    id: str | None = None
    name: str | None = None
    pieces: list[str] = []
    size: int = 0
    stopped: bool = False
    """Its end was told, but its arguments are no JSON: the reason to stop says why."""
    scan: JSONScan | None = None
    """Follows the structure of the arguments, once somebody asks whether they are whole."""
    scanned: int = 0
    """How many of the pieces ``scan`` has seen."""
    balanced: bool = False
    """The pieces that ``scan`` has seen are one whole object."""
    broken: bool = False
    """They are none, and can become none any more."""

    @property
    def arguments(self) -> str:
        """The arguments so far."""
        return "".join(self.pieces)


def byte_size(text: str | None) -> int:
    """The bytes of ``text`` in UTF-8, lone surrogates included."""
    return len(text.encode("utf-8", "surrogatepass")) if text else 0
