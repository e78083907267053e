"""A tracker and a budget as observers of real streams, on every runtime."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import anyio
import pytest

from sans_io_stream import (
    Budget,
    BudgetSpent,
    Event,
    Price,
    PriceTable,
    ReconnectPolicy,
    StreamEnd,
    StreamInterrupted,
    StreamRequest,
    StreamStart,
    TextDelta,
    TokenTracker,
    UnknownPriceError,
    Usage,
)
from sans_io_stream.errors import ErrorInfo
from sans_io_stream_adapters.testing import Cut, FaultServer, Stall

from .colours import ASYNC, COLOURS, aopen, aread, collect, run
from .colours import Told as Heard

PRICES = PriceTable({"m": Price(1_000_000, 2_000_000)})
QUICK = ReconnectPolicy(initial_delay=0.001, jitter=0.0)
ONCE = ReconnectPolicy.never()
TOLD: list[Event] = [
    StreamStart("r", "m"),
    Usage(prompt_tokens=9, completion_tokens=1, total_tokens=10),
    *[TextDelta("word ")] * 9,
    Usage(prompt_tokens=9, completion_tokens=9, total_tokens=18),
]
"""An answer that counts its prompt at its start."""
RESTART = ReconnectPolicy(initial_delay=0.001, jitter=0.0, allow=frozenset({"restart"}))


def asked(server: FaultServer) -> StreamRequest:
    return server.request(provider="acme", model="m")


def counted(usage: Usage) -> tuple[int | None, int | None]:
    return usage.prompt_tokens, usage.completion_tokens


# ---- the tracker


@pytest.mark.parametrize("colour", COLOURS)
def test_it_counts_what_the_transcript_does(colour: str) -> None:
    tracker = TokenTracker(PRICES)
    with FaultServer("openai-chat", pieces=9) as server:
        told = collect(colour, asked(server), proxy=False, observers=[tracker])
    assert told.stream is not None
    usage = told.stream.transcript.usage
    assert usage is not None
    assert counted(tracker.total) == counted(usage)
    assert tracker.cost == PRICES.cost(usage, "m")
    assert list(tracker.accounts) == [("acme", "m")]


@pytest.mark.parametrize("colour", COLOURS)
def test_a_stream_that_reconnects_counts_once(colour: str) -> None:
    tracker, plain = TokenTracker(), TokenTracker()
    with FaultServer("openai-responses", pieces=9, faults=[Cut(at=0.4), Cut(at=0.6)]) as server:
        told = collect(colour, asked(server), policy=QUICK, proxy=False, observers=[tracker])
        collect(colour, asked(server), proxy=False, observers=[plain])
    assert told.end == StreamEnd("complete")
    assert tracker.report() == plain.report()


@pytest.mark.parametrize("colour", COLOURS)
def test_a_stream_that_is_taken_up_from_a_token_counts_once(colour: str) -> None:
    tracker, plain = TokenTracker(), TokenTracker()
    with FaultServer("openai-responses", pieces=9, faults=[Cut(at=0.6)]) as server:
        first = collect(colour, asked(server), policy=ONCE, proxy=False, observers=[tracker])
        assert isinstance(first.raised, StreamInterrupted)
        assert first.raised.resume_point is not None
        assert (tracker.account.streams, tracker.account.uncounted) == (1, 1)
        token = first.raised.resume_point.token
        collect(colour, asked(server), proxy=False, observers=[tracker], resume_from=token)
        collect(colour, asked(server), proxy=False, observers=[plain])
    assert tracker.report() == plain.report()


@pytest.mark.parametrize("colour", COLOURS)
def test_void_generations_are_kept(colour: str) -> None:
    tracker = TokenTracker()
    with FaultServer("anthropic", events=TOLD, faults=[Cut(at=0.6)]) as server:
        told = collect(colour, asked(server), policy=RESTART, proxy=False, observers=[tracker])
    assert told.end == StreamEnd("complete")
    assert told.stream is not None
    void, last = told.stream.transcript.billed
    assert (void.final, last.final) == (False, True)
    assert counted(tracker.total) == counted(last)
    assert counted(tracker.partial) == counted(void)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_stream_that_its_consumer_left_is_partial(colour: str) -> None:
    tracker = TokenTracker()

    def leave(_: Any, event: Event) -> None:
        if isinstance(event, TextDelta):
            raise KeyError

    with (
        FaultServer("anthropic", events=TOLD, faults=[Stall.in_event(7)]) as server,
        pytest.raises(KeyError),
    ):
        collect(colour, asked(server), proxy=False, observers=[tracker], seen=leave)
    assert counted(tracker.total) == (None, None)
    assert tracker.partial.prompt_tokens
    assert tracker.account.streams == 1


# ---- the budget


@pytest.mark.parametrize("colour", COLOURS)
def test_a_spent_budget_refuses_before_it_connects(colour: str) -> None:
    tracker = TokenTracker()
    with FaultServer("openai-chat", pieces=9) as server:
        budget = Budget(tokens=1)
        first = collect(colour, asked(server), proxy=False, observers=[budget])
        assert first.end == StreamEnd("complete")
        with pytest.raises(BudgetSpent):
            collect(colour, asked(server), proxy=False, observers=[tracker, budget])
        with pytest.raises(UnknownPriceError):
            collect(colour, asked(server), proxy=False, observers=[tracker, Budget(dollars=1)])
        assert server.seen.connections == 1
    assert tracker.accounts == {}


@pytest.mark.parametrize("colour", COLOURS)
def test_an_estimate_cancels_a_stream_with_the_reason(colour: str) -> None:
    budget, tracker = Budget(dollars=20, prices=PRICES, estimate=lambda _: 1), TokenTracker()
    # The server holds its tongue after the seventh event: what ends the stream is the budget.
    with FaultServer("openai-chat", pieces=40, faults=[Stall.in_event(30)]) as server:
        told = collect(colour, asked(server), proxy=False, observers=[tracker, budget])
    assert told.raised is None
    end = told.end
    assert end.outcome == "cancelled"
    assert isinstance(end.error, ErrorInfo)
    assert end.error.kind == "cancelled"
    assert end.error.message.startswith("the budget is spent: ")
    assert (budget.spent_dollars or 0) >= Decimal(20)
    assert tracker.account.uncounted == 1


@pytest.mark.parametrize("colour", ASYNC)
def test_many_streams_at_once_share_it(colour: str) -> None:
    budget, tracker = Budget(tokens=10**9, prices=PRICES, estimate=len), TokenTracker(PRICES)
    with FaultServer("openai-chat", pieces=9) as server:

        async def main() -> None:
            async with anyio.create_task_group() as tasks:
                for _ in range(8):
                    stream = aopen(colour, asked(server), proxy=False, observers=[tracker, budget])
                    tasks.start_soon(aread, stream, Heard(), None)

        run(colour, main)
    assert tracker.account.streams == 8
    prompt, completion = counted(tracker.total)
    assert prompt is not None
    assert completion is not None
    assert budget.spent_tokens == prompt + completion
    assert budget.spent_dollars == tracker.cost


def test_many_threads_share_it() -> None:
    budget, tracker = Budget(tokens=10**9, estimate=len), TokenTracker()
    with FaultServer("openai-chat", pieces=9) as server:

        def read() -> None:
            for _ in range(3):
                collect("sync", asked(server), proxy=False, observers=[tracker, budget])

        threads = [threading.Thread(target=read) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert tracker.account.streams == 18
    prompt, completion = counted(tracker.total)
    assert prompt is not None
    assert completion is not None
    assert budget.spent_tokens == prompt + completion
