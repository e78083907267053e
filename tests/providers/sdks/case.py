"""What a case is, and what the cases of all vendors say."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "FUNCTION",
    "KEY",
    "KEYED",
    "MESSAGES",
    "SCHEMA",
    "SYSTEM",
    "TOOLS",
    "Case",
    "Send",
    "module",
    "read",
]

KEY = "test-key"
KEYED = {"api_key": KEY}
Send = Callable[[str, dict[str, Any]], None]
"""``send(base_url, fields)`` makes the call with the SDK, and reads its stream to the end."""


@dataclass(frozen=True)
class Case:
    """One call. ``name`` is that of its golden file."""

    name: str
    builder: str
    """``module.function`` below ``sans_io_stream.providers``."""
    sdk: str
    """The distribution that sends it."""
    base: str
    """The base URL that the SDK has by itself, or that the vendor documents for it."""
    answer: str
    send: Send
    fields: dict[str, Any]
    """What is said of the call itself, to either side."""
    ours: dict[str, Any] = field(default_factory=lambda: {"api_key": KEY})
    """What the builder alone is told."""
    theirs: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the SDK alone is told: that which the builder says unasked."""
    default: Callable[[], str] | None = None
    """The base URL that the SDK has by itself; None if it has none."""
    secure: bool = False
    """Whether the SDK makes this call over TLS alone."""


def module(name: str) -> Any:
    return importlib.import_module(name)


def read(stream: Any) -> None:
    for _ in stream:
        pass


MESSAGES = [{"role": "user", "content": "Say hello."}]
SYSTEM = [{"role": "system", "content": "Be brief."}, *MESSAGES]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
FUNCTION = {"name": "weather", "description": "The weather of a city.", "parameters": SCHEMA}
TOOLS = [{"type": "function", "function": FUNCTION}]
