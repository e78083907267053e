"""Limits: how much of anything a peer may make us hold. Immutable values, no logic."""

from __future__ import annotations

import msgspec

__all__ = ["DEFAULT_LIMITS", "Limits"]

KIB = 1024
MIB = 1024 * KIB


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a peer may send before the stream fails with an error that names the limit.

    Each limit is checked on its unit (a line, a record, a JSON value), never on what
    happens to lie in a buffer, so that it acts at the same byte however the reads fall.
    Raises ``ValueError`` for a limit below 1.
    """

    record_bytes: int = 64 * MIB
    """The data of one record, in bytes."""
    line_bytes: int = 64 * MIB
    """One line of an event stream or of JSON lines, in bytes, without its line end."""
    depth: int = 200
    """How deep the JSON of one record may nest."""
    choices: int = 128
    """How many alternative answers one stream may hold."""
    tool_calls: int = 1024
    """How many tool calls one stream may hold."""
    arguments_bytes: int = 16 * MIB
    """The arguments of one tool call, in bytes of UTF-8."""
    error_body_bytes: int = 1 * MIB
    """How much of an error document is read, in bytes."""
    head_bytes: int = 64 * KIB
    """The head of one HTTP response, interim ones included, and its trailers, in bytes each."""
    transcript_bytes: int = 64 * MIB
    """The text that a transcript keeps, in bytes of UTF-8."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) < 1:
                raise ValueError(f"Limits.{name} must be at least 1, not {getattr(self, name)}")


DEFAULT_LIMITS = Limits()
