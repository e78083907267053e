"""Policies: the defaults that the documentation promises, the delays, and what is refused."""

from __future__ import annotations

from math import nan
from typing import Any

import msgspec
import pytest

from sans_io_stream.policy import Limits, ReconnectPolicy, Timeouts

KIB, MIB = 1024, 1024 * 1024


def test_the_defaults() -> None:
    assert msgspec.structs.asdict(ReconnectPolicy()) == {
        "max_attempts": 5,
        "max_retries": 3,
        "max_connections": 50,
        "initial_delay": 1.0,
        "multiplier": 2.0,
        "max_delay": 30.0,
        "jitter": 0.2,
        "max_retry_after": 120.0,
        "max_redirects": 5,
        "allow": frozenset(),
    }
    assert msgspec.structs.asdict(Timeouts()) == {
        "connect": 10.0,
        "response": 300.0,
        "idle": 300.0,
        "progress": 900.0,
        "total": None,
    }
    limits = Limits()
    assert (limits.record_bytes, limits.line_bytes, limits.depth) == (64 * MIB, 64 * MIB, 200)
    assert (limits.head_bytes, limits.error_body_bytes) == (64 * KIB, MIB)


def test_the_delays_double_up_to_the_longest() -> None:
    policy = ReconnectPolicy()
    assert [policy.delay(attempt, 0.0) for attempt in range(2, 9)] == [1, 2, 4, 8, 16, 30, 30]


def test_a_delay_of_any_attempt_is_finite_and_soon_computed() -> None:
    assert ReconnectPolicy().delay(10**9, 0.0) == 30
    assert ReconnectPolicy(initial_delay=50).delay(2, 0.0) == 30


def test_jitter_makes_a_delay_longer_never_shorter() -> None:
    policy = ReconnectPolicy()
    for attempt in range(2, 9):
        plain = policy.delay(attempt, 0.0)
        delays = [policy.delay(attempt, part / 10) for part in range(11)]
        assert delays == sorted(delays)
        assert delays[0] == plain
        assert delays[-1] == pytest.approx(plain * 1.2)
    assert ReconnectPolicy(jitter=0).delay(3, 1.0) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_attempts", 0),
        ("max_retries", -1),
        ("max_connections", 0),
        ("initial_delay", -0.1),
        ("multiplier", 0.99),
        ("max_delay", -1),
        ("jitter", -0.1),
        ("jitter", nan),
        ("initial_delay", nan),
        ("max_retry_after", -1),
        ("max_redirects", -1),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_by_name(name: str, value: float) -> None:
    options: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=rf"ReconnectPolicy\.{name} "):
        ReconnectPolicy(**options)


def test_an_unknown_allowance_is_refused() -> None:
    allow: Any = frozenset({"replay", "magic"})
    with pytest.raises(ValueError, match="magic"):
        ReconnectPolicy(allow=allow)
    every = ReconnectPolicy(allow=frozenset({"replay", "restart", "continuation"}))
    assert len(every.allow) == 3


def test_never_is_one_connection() -> None:
    never = ReconnectPolicy.never()
    assert (never.max_attempts, never.max_retries, never.max_connections) == (1, 0, 1)
    assert never.allow == frozenset()


def test_a_promised_heartbeat_may_be_missed_twice() -> None:
    assert Timeouts.for_heartbeat(15) == Timeouts(idle=45)


@pytest.mark.parametrize("name", ["connect", "response", "idle", "progress", "total"])
def test_a_timeout_is_above_zero_or_never(name: str) -> None:
    for bad in (0, -1, nan):
        with pytest.raises(ValueError, match=rf"Timeouts\.{name} "):
            Timeouts(**{name: bad})
    assert getattr(Timeouts(**{name: None}), name) is None
    assert getattr(Timeouts(**{name: 0.001}), name) == 0.001


@pytest.mark.parametrize("name", Limits.__struct_fields__)
def test_a_limit_is_at_least_one(name: str) -> None:
    for bad in (0, -1):
        with pytest.raises(ValueError, match=rf"Limits\.{name} "):
            Limits(**{name: bad})
    assert getattr(Limits(**{name: 1}), name) == 1


def test_policies_cannot_be_changed() -> None:
    for value in (Limits(), Timeouts(), ReconnectPolicy()):
        with pytest.raises(AttributeError):
            setattr(value, value.__struct_fields__[0], 1)
