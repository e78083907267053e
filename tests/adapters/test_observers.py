"""Observers of streams, on every runtime: each is told all there is, and once that it is over."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sans_io_stream import (
    Budget,
    Event,
    Price,
    PriceTable,
    ReconnectPolicy,
    StreamEnd,
    StreamRequest,
    StreamStart,
    TextDelta,
    TokenTracker,
    Usage,
)
from sans_io_stream_adapters import sync as on_sync
from sans_io_stream_adapters.telemetry import Telemetry
from sans_io_stream_adapters.testing import Cut, Fault, FaultServer, Stall, Well

from .colours import COLOURS, collect
from .pools import pooled, runs

PRICES = PriceTable({"m": Price(1_000_000, 2_000_000)})
TOLD: list[Event] = [
    StreamStart("r", "m"),
    Usage(prompt_tokens=9, completion_tokens=1, total_tokens=10),
    *[TextDelta("word ")] * 9,
    Usage(prompt_tokens=9, completion_tokens=9, total_tokens=18),
]
"""An answer that counts its prompt at its start."""


class Ledger:
    """An observer that keeps what each of its watches was told."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.watches: list[Kept] = []

    def begin(self, request: StreamRequest, now: float) -> Kept:
        watch = Kept()
        with self.lock:
            self.watches.append(watch)
        return watch

    @property
    def balanced(self) -> bool:
        return all(watch.closings == 1 for watch in self.watches)


class Kept:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closings = 0

    def saw(self, events: Sequence[Event], now: float) -> None:
        assert not self.closings
        self.events += events

    def closed(self, now: float) -> None:
        self.closings += 1


class Faulty(Ledger):
    """One whose watches raise."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def begin(self, request: StreamRequest, now: float) -> Kept:
        return FaultyWatch(self.where)


class FaultyWatch(Kept):
    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def saw(self, events: Sequence[Event], now: float) -> None:
        if self.where == "saw" and any(isinstance(event, TextDelta) for event in events):
            raise LookupError("my own fault")

    def closed(self, now: float) -> None:
        if self.where == "closed":
            raise LookupError("my own fault")


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_that_it_is_over_is_told_once() -> None:
    ledger = Ledger()
    with (
        FaultServer("openai-chat") as server,
        on_sync.open_stream(server.request(), proxy=False, observers=[ledger]) as stream,
    ):
        for _ in stream:
            pass
        stream.close()
        stream.close()
    assert [watch.closings for watch in ledger.watches] == [1]


@pytest.mark.parametrize("where", ["saw", "closed"])
def test_one_that_raises_takes_nothing_from_the_others(colour: str, where: str) -> None:
    before, after = Ledger(), Ledger()

    def leave(_: Any, event: Event) -> None:
        if isinstance(event, TextDelta):
            raise KeyError

    with FaultServer("openai-chat", pieces=9, faults=[Stall.in_event(5)]) as server:
        with pytest.raises(LookupError) as raised:
            collect(
                colour, server.request(), seen=leave, proxy=False,
                observers=[before, Faulty(where), after],
            )  # fmt: skip
        assert raised.value.args == ("my own fault",)
        # The connection is closed all the same.
        server.wait_until(lambda seen: seen.open == 0)
    assert before.watches[0].events == after.watches[0].events
    assert any(isinstance(event, TextDelta) for event in after.watches[0].events)
    assert before.balanced
    assert after.balanced


def test_in_a_pool_all_agree_whatever_becomes_of_the_streams(colour: str) -> None:
    """Cut and begun again, cancelled while running and while waiting, left by a handler."""
    spans, metrics = InMemorySpanExporter(), InMemoryMetricReader()
    traces = TracerProvider()
    traces.add_span_processor(SimpleSpanProcessor(spans))
    telemetry = Telemetry(MeterProvider([metrics]).get_meter("t"), traces.get_tracer("t"))
    tracker, ledger = TokenTracker(PRICES), Ledger()
    budget = Budget(tokens=10**9, prices=PRICES)
    policy = ReconnectPolicy(
        initial_delay=0.001, jitter=0.0, max_attempts=50, max_retries=50, max_connections=100,
        allow=frozenset({"restart"}),
    )  # fmt: skip

    async def leaves(stream: Any) -> str:
        async for event in stream:
            if isinstance(event, TextDelta):
                break
        return "left"

    async def body() -> None:
        async with pooled(
            colour, 3, policy=policy, prices=PRICES,
            observers=[telemetry, tracker, budget, ledger],
        ) as pool:  # fmt: skip
            async for _ in pool.as_completed(well.request(**names) for _ in range(12)):
                pass
            stuck = [await pool.start(stalling.request(**names)) for _ in range(3)]
            for stream in stuck:
                while not isinstance(await anext(aiter(stream)), TextDelta):
                    pass
            waiting = [await pool.start(stalling.request(**names)) for _ in range(4)]
            pool.cancel("enough")
            for stream in (*stuck, *waiting):
                await stream.result()
            handled = await pool.start(well.request(**names), handler=leaves)
            assert await handled.result() == "left"
        told = pool.stats().session_stats
        states = Counter(one.state for one in told.values())
        assert states == {"complete": 13, "cancelled": 7}
        costs = [one.cost for one in told.values() if one.usage is not None]
        assert sum(cost for cost in costs if cost is not None) == budget.spent_dollars

    names = {"provider": "acme", "model": "m"}
    turns: list[Fault] = [Cut(at=0.6), Well(), Cut(at=0.7), Cut(at=0.6), Well(), Well()]
    with (
        FaultServer("anthropic", events=TOLD, faults=turns * 3) as well,
        FaultServer("anthropic", events=TOLD, faults=[Stall.in_event(6)] * 9) as stalling,
    ):
        runs(colour, body)
    # Those that waited never began.
    assert len(ledger.watches) == tracker.account.streams == 16
    assert ledger.balanced
    assert len(spans.get_finished_spans()) == 16
    ends = Counter(type(watch.events[-1]) is StreamEnd for watch in ledger.watches)
    assert ends[True] >= 12
    account = tracker.account
    counted = [account.total, account.partial]
    tokens = sum((one.prompt_tokens or 0) + (one.completion_tokens or 0) for one in counted)
    assert account.partial.prompt_tokens
    assert budget.spent_tokens == tokens
    assert account.cost is not None
    assert account.partial_cost is not None
    assert budget.spent_dollars == account.cost + account.partial_cost
    data = metrics.get_metrics_data()
    assert data is not None
    points = {
        metric.name: list(metric.data.data_points)
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
    }
    used: Any = points["gen_ai.client.token.usage"]
    assert sum(point.sum for point in used) == tokens
    durations: Any = points["gen_ai.client.operation.duration"]
    assert sum(point.count for point in durations) == 16
