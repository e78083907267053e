"""What a pool notes of one stream, and when it holds an origin for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sans_io_stream import (
    Disconnected,
    ErrorInfo,
    Event,
    Reconnecting,
    StreamDecoder,
    StreamEnd,
    StreamRequest,
    StreamStart,
    Usage,
)
from sans_io_stream_adapters.pool.stats import Eye, PoolStats, SessionStats

if TYPE_CHECKING:
    from sans_io_stream.errors import ErrorKind

REQUEST = StreamRequest("POST", "https://a.example/")


def holds(*batches: list[Event], longest: float = 120.0) -> list[float]:
    """The times until which an origin is held, of events that come at 100, 101, …"""
    held: list[float] = []
    eye = Eye(held.append, longest)
    watch = eye.begin(REQUEST, 100.0)
    for number, events in enumerate(batches):
        assert watch.saw(events, 100.0 + number) is None
    watch.closed(200.0)
    return held


def busy(status: int, retry_after: float | None = None) -> Disconnected:
    kind: ErrorKind = "rate_limit" if status == 429 else "server"
    return Disconnected(ErrorInfo(kind, status=status, retry_after=retry_after))


@pytest.mark.parametrize("status", [429, 503, 529])
def test_an_origin_is_held_as_long_as_it_asks_for(status: int) -> None:
    # The backoff that follows is the stream's own, and not shorter.
    assert holds([busy(status, 5.0), Reconnecting(1, 5.5)]) == [105.0]


def test_without_a_time_of_its_own_as_long_as_the_stream_itself_waits() -> None:
    assert holds([busy(429), Reconnecting(1, 2.5)]) == [102.5]


def test_what_ends_the_stream_holds_the_others_all_the_same() -> None:
    error = ErrorInfo("rate_limit", status=429, retry_after=7.0)
    assert holds([], [StreamEnd("failed", error)]) == [108.0]


def test_an_overload_that_is_told_within_the_stream_holds_too() -> None:
    error = ErrorInfo("overloaded", retryable=True)
    assert holds([Disconnected(error)], [Reconnecting(1, 1.0)]) == [102.0]


def test_no_longer_than_the_policy_would_wait() -> None:
    assert holds([busy(429, 3600.0)], longest=60.0) == [160.0]


@pytest.mark.parametrize(
    ("events", "held"),
    [
        ([busy(500, 5.0), Reconnecting(1, 5.0)], []),
        ([Disconnected(ErrorInfo("connection", "reset")), Reconnecting(1, 1.0)], []),
        ([Disconnected(), Reconnecting(1, 1.0)], []),
        ([busy(429, 1.0), Reconnecting(1, 1.0), busy(500), Reconnecting(2, 9.0)], [101.0]),
        ([busy(429), Reconnecting(1, 1.0), busy(500), Reconnecting(2, 9.0)], [101.0]),
    ],
    ids=["server", "network", "nothing", "later", "later, without a time"],
)
def test_other_breaks_are_the_streams_own(events: list[Event], held: list[float]) -> None:
    assert holds(events) == held


def test_attempts_model_and_usage_are_noted() -> None:
    eye = Eye(lambda until: None, 1.0)
    assert (eye.attempts, eye.usages, eye.model) == (0, [], None)
    eye.begin(REQUEST, 0.0)
    eye.saw([StreamStart(model="m"), Usage(10, 1), Usage(10, 5, 15)], 1.0)
    eye.saw([Disconnected(), Reconnecting(1, 0.0), Usage(10, 7, 17, generation=1)], 2.0)
    assert (eye.attempts, eye.model) == (2, "m")
    # Within a generation the last word counts; generations are billed each.
    assert [usage.total_tokens for usage in eye.usages] == [15, 17]


def test_of_the_answer_nothing_is_kept() -> None:
    body = b"""data: {"candidates":[{"content":{"parts":[{"text":"Hello"}]}}],\
"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1}}\n\n"""
    eye = Eye(lambda until: None, 1.0)
    eye.saw(StreamDecoder("gemini").receive_data(body), 1.0)
    (usage,) = eye.usages
    assert usage.raw == {"promptTokenCount": 9, "candidatesTokenCount": 1}
    assert b"Hello" not in bytes(usage.source or b"")


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, None),
        (Usage(), None),
        (Usage(3), 3),
        (Usage(3, 4), 7),
        (Usage(3, 4, 9), 9),
    ],
)
def test_tokens_are_those_that_were_told(usage: Usage | None, tokens: int | None) -> None:
    assert SessionStats("key", None, None, "running", 0.0, 1, usage).tokens == tokens


def test_what_is_available_is_what_does_not_run() -> None:
    assert PoolStats(10, 3, 5).available_slots == 7
