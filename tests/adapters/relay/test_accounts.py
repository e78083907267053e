"""Limits of keys: what is refused before anybody is asked, what ends in the middle, what is
counted, and how often."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from sans_io_stream import (
    Connected,
    ErrorInfo,
    Event,
    Price,
    PriceTable,
    ReasoningDelta,
    ResumePoint,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from sans_io_stream.resume import ResumeOrigin
from sans_io_stream_adapters.relay import beginning
from sans_io_stream_adapters.relay.config import ClientKey, Route, Upstream
from sans_io_stream_adapters.relay.operations.allowance import Allowance, period_of
from sans_io_stream_adapters.relay.stores.memory import MemoryStore
from sans_io_stream_adapters.relay.stores.protocol import MOST_SPENT, Spent, StoreError
from sans_io_stream_adapters.relay.stores.sqlite import SQLiteStore
from sans_io_stream_adapters.testing import FaultServer

from .asgi import Answer, ask, relay_of, talk
from .scripted import BACKENDS, DONE, Scripted, config, now, said, saying, virtually

if TYPE_CHECKING:
    from sans_io_stream_adapters.relay.app import Relay

BEGUN = datetime(2026, 11, 27, 22, 0, tzinfo=UTC).timestamp()
DAY = "2026-11-27"
TWO_HOURS = 7200
PRICES = PriceTable({"m": Price("1000", "1000"), "free": Price(0, 0)})
"""A thousandth of a dollar for each token."""
ASKING = {"authorization": "Bearer key-of-alice"}
PATHS = ["/v1/chat/completions", "/v1/messages", "/v1/streams"]


def key(**limits: Any) -> ClientKey:
    return ClientKey.of("alice", "key-of-alice", **limits)


def clock() -> float:
    """A day of 2026, two hours before its end."""
    return BEGUN + now() - START[0]


START = [0.0]


def run(
    backend: str,
    main: Callable[[Relay], Awaitable[None]],
    owner: ClientKey,
    store: Any = None,
    **fields: Any,
) -> None:
    async def within() -> None:
        START[0] = now()
        kept = MemoryStore() if store is None else store
        async with relay_of(config(keys=(owner,), **fields), store=kept, clock=clock) as relay:
            await main(relay)

    virtually(backend, within)


def used(prompt: int, completion: int, *, final: bool = True) -> Usage:
    return Usage(prompt_tokens=prompt, completion_tokens=completion, final=final)


def counting(*counts: tuple[int, int], every: float = 1.0, end: Sequence[Event] = DONE) -> Scripted:
    """A stream that tells its counts so far behind each piece."""
    words: list[tuple[float, list[Event]]] = []
    for one in counts:
        words.append((every, [TextDelta("a")]))
        words.append((0.0, [used(*one, final=False)]))
    return Scripted((0.0, [StreamStart("r", "m")]), *words, (every, [*end]))


async def begin(relay: Relay, path: str = "/v1/streams", **fields: Any) -> Answer:
    headers = {**ASKING, **fields.pop("headers", {})}
    return await ask(relay, "POST", path, talk(stream=True, **fields), headers)


async def spent(relay: Relay, period: str = DAY) -> Spent:
    return await relay.hub.store.spend("alice", period, Spent())


# ---- how many at once


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("path", PATHS)
def test_no_more_streams_than_a_key_may_have(backend: str, path: str, monkeypatch: Any) -> None:
    async def main(relay: Relay) -> None:
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(begin, relay)
            await anyio.sleep(0.5)
            answer = await begin(relay, path, max_tokens=5)
            assert answer.status == 429
            assert answer.headers["x-should-retry"] == "true"
            assert "2 streams at once" in answer.json["error"]["message"]
            error = answer.json["error"]
            assert "rate_limit" in (error.get("kind"), error.get("type", "")[:10])
        # Nobody was asked for what was refused.
        assert len(left) == 1
        assert (await begin(relay)).status == 200
        assert relay.metrics.limited["alice", "streams"] == 1

    left = saying(monkeypatch, said("abc", 1.0), said("abc", 1.0), said("d"))
    run(backend, main, key(streams=2))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stream_that_could_not_be_kept_holds_no_place(
    backend: str, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Its client was told of an end and need not come back: it gets one in the store as well, as
    soon as there is space, is counted once, and what it used is paid."""

    class Full(MemoryStore):
        full = False

        async def append(self, id: str, entries: Any) -> None:
            if self.full:
                raise StoreError("the disk is full")
            await super().append(id, entries)

    store = Full()

    async def main(relay: Relay) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(begin, relay)
            await anyio.sleep(1.5)
            store.full = True
        await anyio.sleep(60.0)
        assert (await begin(relay)).status == 429
        assert await spent(relay) == Spent()
        store.full = False
        await anyio.sleep(60.0)
        assert relay.metrics.of("test", "test/m").ended == {"interrupted": 1}
        assert await spent(relay) == Spent(30)
        assert (await begin(relay)).status == 200

    saying(monkeypatch, counting((10, 20), (10, 40)), said("a"))
    run(backend, main, key(streams=1, budget=Allowance(tokens=1000)), store)
    # It is tried again every few seconds, and told once.
    assert caplog.text.count("cannot be kept") == 1


# ---- how much


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("path", PATHS)
def test_a_spent_budget_refuses_until_its_period_ends(
    backend: str, path: str, monkeypatch: Any
) -> None:
    async def main(relay: Relay) -> None:
        assert (await begin(relay)).events("native")[-1] == StreamEnd("complete")
        assert await spent(relay) == Spent(100, 0)
        answer = await begin(relay, path, max_tokens=5)
        assert answer.status == 429
        assert 0 < TWO_HOURS - int(answer.headers["retry-after"]) < 60
        error = answer.json["error"]
        assert error.get("status", 429) == 429
        assert "100 of 100 tokens" in error["message"]
        if path == "/v1/messages":
            assert error["type"] == "billing_error"
        else:
            assert error["code"] == "insufficient_quota"
        assert len(left) == 1
        assert relay.metrics.limited["alice", "budget"] == 1
        await anyio.sleep(TWO_HOURS)
        assert (await begin(relay, path, max_tokens=5)).status == 200

    words: list[tuple[float, list[Event]]] = [(1.0, [TextDelta("a"), used(60, 40), *DONE])]
    left = saying(monkeypatch, Scripted(*words), said("b"))
    run(backend, main, key(budget=Allowance(tokens=100)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stream_ends_in_the_middle_when_the_budget_is_spent(
    backend: str, monkeypatch: Any
) -> None:
    async def main(relay: Relay) -> None:
        end = (await begin(relay, model="cheap")).events("native")[-1]
        assert isinstance(end, StreamEnd)
        assert end.outcome == "cancelled"
        assert end.error is not None
        assert end.error.message == "the budget is spent: 0.06 of 0.05 dollars"
        # The last counts that are known are what is paid: to the next piece of the answer.
        assert await spent(relay) == Spent(60, 60_000_000)
        series = relay.metrics.of("test", "cheap")
        assert series.ended == {"cancelled": 1}
        assert series.tokens == {("prompt", "partial"): 10, ("completion", "partial"): 50}

    saying(monkeypatch, counting((10, 20), (10, 50), (10, 80), (10, 99)))
    owner = key(budget=Allowance(dollars=Decimal("0.05")))
    run(backend, main, owner, routes=(Route("cheap", "test", "m"),), prices=PRICES)


@pytest.mark.parametrize("backend", BACKENDS)
def test_streams_of_one_key_share_what_is_left(backend: str, monkeypatch: Any) -> None:
    async def main(relay: Relay) -> None:
        ends: list[Event] = []

        async def one() -> None:
            ends.append((await begin(relay)).events("native")[-1])

        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(one)
        assert [end.outcome for end in ends if isinstance(end, StreamEnd)] == ["cancelled"] * 2
        assert (await spent(relay)).tokens == 100

    saying(monkeypatch, *(counting((0, 25), (0, 50), (0, 75), (0, 100)) for _ in range(2)))
    run(backend, main, key(budget=Allowance(tokens=100)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_other_workers_spent_counts(backend: str, monkeypatch: Any) -> None:
    async def main(relay: Relay) -> None:
        await relay.hub.store.spend("alice", DAY, Spent(70))
        first = await begin(relay)
        assert first.events("native")[-1] == StreamEnd("complete")
        await relay.hub.store.spend("alice", DAY, Spent(10))
        assert (await begin(relay)).status == 429
        assert await spent(relay) == Spent(100)

    saying(monkeypatch, counting((0, 10), (0, 20)))
    run(backend, main, key(budget=Allowance(tokens=100)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_restart_forgets_nothing(backend: str, tmp_path: Path, monkeypatch: Any) -> None:
    owner = key(budget=Allowance(tokens=100, period="month"))

    async def first(relay: Relay) -> None:
        await begin(relay)

    async def second(relay: Relay) -> None:
        answer = await begin(relay)
        assert answer.status == 429
        assert 3 * 86400 < int(answer.headers["retry-after"]) < 4 * 86400

    saying(monkeypatch, counting((100, 0), every=0.0))
    for main in (first, second):
        store = SQLiteStore(tmp_path / "streams.db")
        # Its thread is real: the clock does not jump for it.
        START[0] = 0.0

        async def within(main: Any = main, store: Any = store) -> None:
            options: dict[str, Any] = {"store": store, "clock": lambda: BEGUN}
            async with relay_of(config(keys=(owner,)), **options) as relay:
                await main(relay)

        anyio.run(within, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("resumes", [True, False])
def test_a_stream_that_is_taken_over_is_paid_once(
    backend: str, resumes: bool, monkeypatch: Any
) -> None:
    """Its process died in the middle: what the last one knows is what was used."""
    store = MemoryStore()
    store.close = store.open  # type: ignore[method-assign]  # it outlives the process
    owner = key(budget=Allowance(tokens=100_000))

    async def dies(relay: Relay) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(begin, relay)
            await anyio.sleep(2.5)
            group.cancel_scope.cancel()
        # As if it were killed: nothing of it is written any more.
        kept = store.append

        async def lost(id: str, entries: Any) -> None:
            raise StoreError("the process is dead")

        store.append = lost  # type: ignore[method-assign]
        for id in relay.accounts.running:
            running = await relay.hub.find(id)
            assert running is not None
            running.stop(StreamEnd("interrupted"))
        await anyio.sleep(1.0)
        store.append = kept  # type: ignore[method-assign]
        assert await spent(relay) == Spent()

    async def goes_on(relay: Relay) -> None:
        await anyio.sleep(10.0)
        assert await spent(relay) == Spent(80 if resumes else 30)
        await relay.hub.tidy()
        series = relay.metrics.of("test", "test/m")
        assert series.ended == {"complete" if resumes else "interrupted": 1}
        assert relay.metrics.take_overs == 1
        assert not relay.accounts.running

    async def again(relay: Relay) -> None:
        assert await spent(relay) == Spent(80 if resumes else 30)

    point = ResumePoint(1, 1, ResumeOrigin("openai-responses", "sequence")) if resumes else None
    told = [] if point is None else [point]
    before = Scripted(
        (1.0, [StreamStart("r", "m"), TextDelta("a"), used(10, 20, final=False), *told]),
        (100.0, [*DONE]),
    )
    after = Scripted((1.0, [TextDelta("b"), used(10, 70), *DONE]))
    saying(monkeypatch, before, after)
    for main in (dies, goes_on, again):
        run(backend, main, owner, store)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_client_that_left_pays_all_the_same(backend: str, monkeypatch: Any) -> None:
    async def main(relay: Relay) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(begin, relay)
            await anyio.sleep(1.5)
            group.cancel_scope.cancel()
        await anyio.sleep(10.0)
        assert await spent(relay) == Spent(50)

    saying(monkeypatch, counting((10, 20), (10, 40)))
    run(backend, main, key(budget=Allowance(tokens=1000)))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("path", PATHS)
def test_who_ends_a_stream_before_it_is_counted_pays_for_what_was_said(
    backend: str, path: str, monkeypatch: Any
) -> None:
    """Else a client that ends each answer before its last word has all of them for nothing."""

    async def main(relay: Relay) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(partial(begin, relay, path, max_tokens=50, text="x" * 80))
            await anyio.sleep(9.5)
            (id,) = relay.accounts.running
            assert (await ask(relay, "DELETE", f"/v1/streams/{id}", headers=ASKING)).status == 204
        await anyio.sleep(1.0)
        # A token for each piece of the answer, or for four letters of it or of the question.
        assert await spent(relay) == Spent(20 + 7 + 3, 30_000_000)
        # What is told of tokens is what was counted.
        assert not relay.metrics.of("test", "m").tokens
        assert (await begin(relay, path, model="m", max_tokens=5)).status == 429

    words: list[tuple[float, list[Event]]] = [
        (1.0, [TextDelta("ab")]),
        (1.0, [ReasoningDelta("x" * 13)]),
        (1.0, [ToolCallDelta(0, "c", "f", '{"a')]),
    ]
    words.extend((1.0, [TextDelta("ab")]) for _ in range(5))
    saying(monkeypatch, Scripted(*words, (9.0, [used(10, 40), *DONE])))
    owner = key(budget=Allowance(tokens=30))
    fields: dict[str, Any] = {"routes": (Route("m", "test"),), "prices": PRICES}
    run(backend, main, owner, **fields)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("answers", [True, False])
def test_who_ends_a_stream_before_its_first_word_pays_for_what_was_read(
    backend: str, answers: bool, monkeypatch: Any
) -> None:
    async def main(relay: Relay) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(partial(begin, relay, text="x" * 80))
            await anyio.sleep(5.5)
            (id,) = relay.accounts.running
            await ask(relay, "DELETE", f"/v1/streams/{id}", headers=ASKING)
        await anyio.sleep(1.0)
        assert await spent(relay) == Spent(20 if answers else 0)

    head: list[Event] = [Connected(200)]
    saying(monkeypatch, Scripted(*([(1.0, head)] if answers else []), (9.0, [*DONE])))
    run(backend, main, key(budget=Allowance(tokens=1000)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_answer_without_counts_is_not_for_nothing(backend: str, monkeypatch: Any) -> None:
    async def main(relay: Relay) -> None:
        await begin(relay)
        assert await spent(relay) == Spent(5)
        # Of counts that are there the larger is paid, and the provider's last word as it is.
        await begin(relay)
        assert await spent(relay) == Spent(5 + 10 + 5)
        await begin(relay)
        assert await spent(relay) == Spent(5 + 10 + 5 + 12)

    text: list[Event] = [TextDelta("a" * 20)]
    first = Scripted((0.0, [*text, *DONE]))
    second = Scripted((0.0, [*text, used(10, 1, final=False), StreamEnd("interrupted")]))
    third = Scripted((0.0, [*text, used(10, 2), *DONE]))
    saying(monkeypatch, first, second, third)
    run(backend, main, key(budget=Allowance(tokens=1000)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_the_store_could_not_take_is_owed(
    backend: str, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Ailing(MemoryStore):
        fails = False

        async def spend(self, owner: str, period: str, more: Spent) -> Spent:
            if self.fails:
                raise StoreError("it is away")
            return await super().spend(owner, period, more)

    store = Ailing()

    async def main(relay: Relay) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(begin, relay)
            await anyio.sleep(0.5)
            store.fails = True
        await anyio.sleep(5.0)
        assert relay.metrics.store_errors["spend"] == 1
        # Nobody can say whether there is anything left.
        refused = await begin(relay)
        assert (refused.status, refused.json["error"]["status"]) == (503, 503)
        assert refused.headers["x-should-retry"] == "true"
        store.fails = False
        assert (await begin(relay)).status == 429
        assert await spent(relay) == Spent(100)

    saying(monkeypatch, counting((60, 40)))
    run(backend, main, key(budget=Allowance(tokens=100)), store)
    assert "what stream" in caplog.text


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_clock_that_is_put_back_opens_no_period_again(backend: str, monkeypatch: Any) -> None:
    async def main(relay: Relay) -> None:
        await anyio.sleep(TWO_HOURS)
        await begin(relay)
        START[0] += 60.0
        assert (await begin(relay)).status == 200
        await anyio.sleep(5.0)
        assert await spent(relay, "2026-11-28") == Spent(80)
        assert (await begin(relay)).events("native")[-1] == StreamEnd("complete")
        assert (await begin(relay)).status == 429

    saying(monkeypatch, *(counting((30, 10)) for _ in range(3)))
    run(backend, main, key(budget=Allowance(tokens=100)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_who_repeats_himself_is_not_refused(backend: str, monkeypatch: Any) -> None:
    async def main(relay: Relay) -> None:
        headers = {"idempotency-key": "once"}
        first = await begin(relay, headers=headers)
        assert (await begin(relay)).status == 429
        again = await begin(relay, headers=headers)
        assert (again.status, again.id) == (200, first.id)

    saying(monkeypatch, counting((60, 40)))
    run(backend, main, key(budget=Allowance(tokens=100), streams=1))


@pytest.mark.parametrize("backend", BACKENDS)
def test_dollars_need_a_price(backend: str, monkeypatch: Any) -> None:
    async def main(relay: Relay) -> None:
        answer = await begin(relay, model="test/unknown")
        assert (answer.status, answer.json["error"]["kind"]) == (403, "permission")
        assert "the model has no price here" in answer.json["error"]["message"]
        assert (await begin(relay, model="test/free")).status == 200

    saying(monkeypatch, said("a"))
    run(backend, main, key(budget=Allowance(dollars=Decimal(1))), prices=PRICES)


def test_dollars_need_prices_of_all_models_that_are_named() -> None:
    owner = key(budget=Allowance(dollars=Decimal(1)))
    with pytest.raises(ValueError, match=r"key 'alice' is in dollars: \[prices\] are needed"):
        config(keys=(owner,))
    routes = (Route("cheap", "test", "m"), Route("fast", "test", "unpriced"), Route("x-*", "test"))
    with pytest.raises(ValueError, match="the model 'fast' has no price: add 'unpriced' to"):
        config(keys=(owner,), routes=routes, prices=PRICES)
    narrow = key(budget=Allowance(dollars=Decimal(1)), models=("cheap", "x-*"))
    assert config(keys=(narrow,), routes=routes, prices=PRICES).keys == (narrow,)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_provider_says_it_charged_is_what_is_paid(backend: str, monkeypatch: Any) -> None:
    async def main(relay: Relay) -> None:
        await begin(relay)
        assert await spent(relay) == Spent(2, 250_000_000)

    told = Usage(prompt_tokens=1, completion_tokens=1, final=True, cost=0.25)
    saying(monkeypatch, Scripted((0.0, [TextDelta("a"), told, *DONE])))
    run(backend, main, key(budget=Allowance(dollars=Decimal(1))), prices=PRICES)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_absurd_sum_is_paid_as_far_as_a_store_can_hold_it(
    backend: str, tmp_path: Path, monkeypatch: Any
) -> None:
    owner = key(budget=Allowance(dollars=Decimal(1)))

    async def main() -> None:
        store = SQLiteStore(tmp_path / "streams.db")
        options: dict[str, Any] = {"store": store, "clock": lambda: BEGUN}
        async with relay_of(config(keys=(owner,), prices=PRICES), **options) as relay:
            assert (await begin(relay)).events("native")[-1] == StreamEnd("complete")
            while relay.accounts.running:
                await anyio.lowlevel.checkpoint()
            assert (await begin(relay)).status == 429
            assert await spent(relay) == Spent(2, MOST_SPENT)

    told = Usage(prompt_tokens=1, completion_tokens=1, final=True, cost=1e13)
    saying(monkeypatch, Scripted((0.0, [TextDelta("a"), told, *DONE])))
    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_failure_before_any_word_costs_nothing(backend: str, monkeypatch: Any) -> None:
    async def main(relay: Relay) -> None:
        assert (await begin(relay, PATHS[0], text="x" * 80)).status == 500
        assert await spent(relay) == Spent()
        assert not relay.accounts.running

    failed = StreamEnd("failed", ErrorInfo("server", "no", status=500))
    saying(monkeypatch, Scripted((0.0, [failed])))
    run(backend, main, key(budget=Allowance(tokens=100)))


def test_each_opening_is_watched(monkeypatch: Any) -> None:
    """The real streams are given the same observers as those of these tests."""
    given: list[Any] = []

    def open_stream(request: Any, **options: Any) -> Scripted:
        given.extend(options["observers"])
        return said("a")

    async def main(relay: Relay) -> None:
        await begin(relay)

    monkeypatch.setattr(beginning, "open_stream", open_stream)
    run("asyncio", main, key(budget=Allowance(tokens=100)))
    assert [type(one).__name__ for one in given] == ["Eye", "Given"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_over_a_wire(backend: str) -> None:
    """A provider that counts at the end has sent all by then: the next stream is refused."""

    async def main(server: FaultServer) -> None:
        upstream = Upstream(name="test", provider="anthropic", api_key="k", base_url=server.url)
        owner = key(budget=Allowance(tokens=5))
        async with relay_of(config(upstreams=(upstream,), keys=(owner,))) as relay:
            assert (await begin(relay)).events("native")[-1] == StreamEnd("complete")
            series = relay.metrics.of("test", "test/m")
            assert sum(series.first_byte.counts) == sum(series.first_visible.counts) == 1
            assert (await begin(relay)).status == 429
            assert len(server.seen.requests) == 1
            while relay.accounts.running:
                await anyio.lowlevel.checkpoint()
            tokens = sum(series.tokens.values())
            assert tokens > 5
            period = period_of("day", relay.hub.clock())
            assert await relay.hub.store.spend("alice", period, Spent()) == Spent(tokens)

    with FaultServer("anthropic", text="Hello", pieces=5) as server:
        anyio.run(main, server, backend=backend)
