"""Limits, Timeouts, ReconnectPolicy: what the user allows. Immutable values, no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "DEFAULT_LIMITS",
    "DEFAULT_POLICY",
    "Allowance",
    "Limits",
    "ReconnectPolicy",
    "Timeouts",
]

Allowance = Literal["replay", "restart", "continuation"]
"""What a session may do only where the user says so; see ``ReconnectPolicy.allow``."""

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


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long a session waits for what, in seconds; None for ever.

    Idle and progress run only while the session asks for data, so that a slow consumer makes
    no timeout. Raises ``ValueError`` for a time that is not above 0.
    """

    connect: float | None = 10.0
    """To dial, to pass the proxy and to shake hands, together."""
    response: float | None = 300.0
    """From the whole request to the response head; also for each piece of the request."""
    idle: float | None = 300.0
    """Without a single byte of the body. Heartbeats count. A model that thinks may send nothing
    for minutes."""
    progress: float | None = 900.0
    """With heartbeats at the most: nothing that belongs to the answer."""
    total: float | None = None
    """For the whole answer, over all connections and waits."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(
                    f"Timeouts.{name} must be above 0 seconds, or None for ever; not {value!r}"
                )

    @classmethod
    def for_heartbeat(cls, interval: float) -> Timeouts:
        """For a server that promises a sign of life every ``interval`` seconds.

        Three in a row may be missed before the connection counts as dead.
        """
        return cls(idle=3 * interval)


class ReconnectPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When a session tries again, how long it waits, and what it may do without being exact.

    Raises ``ValueError`` for a value that makes no sense.
    """

    max_attempts: int = 5
    """Attempts in a row. A row starts afresh when an exact resume has delivered something."""
    max_retries: int = 3
    """Attempts after the first one while no answer has begun."""
    max_connections: int = 50
    """Connections for one answer in all: those to which a redirect leads, and those on which
    only a cursor is checked, are counted like any other."""
    initial_delay: float = 1.0
    """Seconds before the second attempt of a row."""
    multiplier: float = 2.0
    """How much longer each further delay is."""
    max_delay: float = 30.0
    """Seconds that no delay of our own exceeds, jitter aside."""
    jitter: float = 0.2
    """A delay is made longer by up to this part of it, never shorter."""
    max_retry_after: float = 120.0
    """Seconds. A server that asks for a longer wait ends the stream, and its end says when to
    come back."""
    max_redirects: int = 5
    """Redirects in a row, where the request allows any."""
    allow: frozenset[Allowance] = frozenset()
    """``replay``: send the request again, billed, and deliver what is beyond the delivered
    part if that comes again; ``restart``: start over with a new answer; ``continuation``: ask
    the model to go on from the partial answer."""

    def __post_init__(self) -> None:
        for name, least in (
            ("max_attempts", 1),
            ("max_retries", 0),
            ("max_connections", 1),
            ("initial_delay", 0),
            ("multiplier", 1),
            ("max_delay", 0),
            ("jitter", 0),
            ("max_retry_after", 0),
            ("max_redirects", 0),
        ):
            value = getattr(self, name)
            if not value >= least:
                raise ValueError(f"ReconnectPolicy.{name} must be at least {least}, not {value!r}")
        unknown = set(self.allow) - {"replay", "restart", "continuation"}
        if unknown:
            raise ValueError(
                f"ReconnectPolicy.allow knows replay, restart and continuation, not {unknown}"
            )

    @classmethod
    def never(cls) -> ReconnectPolicy:
        """One connection for the answer and no more: no redirect is followed, and what a
        snapshot or a check of a cursor would need a second one for ends there."""
        return cls(max_attempts=1, max_retries=0, max_connections=1)

    def delay(self, attempt: int, fraction: float) -> float:
        """Seconds before ``attempt`` (2 is the second of a row); ``fraction`` of the jitter."""
        delay = self.initial_delay
        for _ in range(attempt - 2):
            if delay >= self.max_delay:
                break
            delay *= self.multiplier
        return min(delay, self.max_delay) * (1 + self.jitter * fraction)


DEFAULT_LIMITS = Limits()
DEFAULT_POLICY = ReconnectPolicy()
