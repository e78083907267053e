"""How a session itself ends an answer: its own errors, and what it judges others by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..dialects.registry import dialect_class
from ..errors import ErrorInfo
from ..policy import Timeouts

if TYPE_CHECKING:
    from ..transcript import Transcript

__all__ = ["LOST", "continuable", "exhausted", "patience", "too_late", "used_up"]

LOST = frozenset({"connection", "cursor", "exhausted", "timeout", "truncated"})
"""Kinds of errors that interrupt an answer; all others fail it."""


def exhausted(error: ErrorInfo, connections: int) -> ErrorInfo:
    """The last of so many failures."""
    message = f"gave up after {connections} connections; the last one: {error}"
    kind = "exhausted" if error.kind in LOST else error.kind
    return msgspec.structs.replace(error, kind=kind, message=message)


def used_up(most: int) -> ErrorInfo:
    """There is a way to go on, and no connection for it."""
    message = f"all connections that ReconnectPolicy.max_connections allows ({most}) are used up"
    return ErrorInfo("exhausted", message)


def too_late(error: ErrorInfo, delay: float) -> ErrorInfo:
    """The server asks for a longer wait than there is time for."""
    message = f"worth another attempt in {delay:g} s, which is too long to wait: {error}"
    return msgspec.structs.replace(error, message=message, retry_after=delay)


def patience(dialect: str | None) -> Timeouts:
    """The timeouts that suit a dialect."""
    return Timeouts() if dialect is None else dialect_class(dialect).timeouts


def continuable(transcript: Transcript) -> str | None:
    """The text of an answer that is nothing but one text, or has thought before it."""
    if set(transcript.choices) != {0} or transcript.tool_calls or transcript.refusal:
        return None
    return transcript.text or None
