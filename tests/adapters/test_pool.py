"""Pools: never more streams at a time than were allowed, and every answer whole."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import httpx
import pytest

from sans_io_stream import (
    Event,
    Price,
    PriceTable,
    Reconnecting,
    ReconnectPolicy,
    StreamEnd,
    StreamFailed,
    StreamRequest,
    StreamStart,
    TextDelta,
    Timeouts,
    TokenTracker,
    Transcript,
    Usage,
)
from sans_io_stream.errors import RateLimited
from sans_io_stream_adapters import asyncio as on_asyncio
from sans_io_stream_adapters import sync as on_sync
from sans_io_stream_adapters.pool.errors import PoolCancelled, PoolFull
from sans_io_stream_adapters.responses import resumable
from sans_io_stream_adapters.testing import Busy, Cut, Fault, FaultServer, Reset, Stall, Well

from .colours import ASYNC, COLOURS, aopen
from .pools import Dressed, fast, pooled, runs

QUICK = ReconnectPolicy(
    initial_delay=0.001, jitter=0.0, max_attempts=50, max_retries=50, max_connections=100
)
ONCE = ReconnectPolicy.never()
TEXT = "Many streams, and each of them whole. " * 4


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def served(dialect: str = "openai-chat", **options: Any) -> FaultServer:
    return FaultServer(dialect, text=TEXT, pieces=12, **options)


NEVER = Timeouts(connect=None, response=None, idle=None, progress=None)


class Refusals:
    """Tells when a stream has to try again, after the pool has seen it."""

    def __init__(self, seen: Callable[[float], None]) -> None:
        self.seen = seen

    def begin(self, request: StreamRequest, now: float) -> Refusals:
        return self

    def saw(self, events: list[Event], now: float) -> None:
        if any(isinstance(event, Reconnecting) for event in events):
            self.seen(now)

    def closed(self, now: float) -> None:
        pass


class Dials:
    """An ``open_stream`` that counts connections: when whom is dialled, and how many are there."""

    def __init__(self, colour: str) -> None:
        self.opener = on_sync.open_stream if colour == "sync" else partial(aopen, colour)
        self.dialled: list[tuple[str, float]] = []
        self.streams: list[Any] = []
        self.there: set[int] = set()
        self.dialling: set[int] = set()
        self.most = 0
        self.lock = threading.Lock()

    def __call__(self, request: StreamRequest, **options: Any) -> Any:
        stream: Any = self.opener(request, **options)
        network = stream._network
        connect, close = network.connect, network.close
        number = len(self.streams)
        self.streams.append(stream)

        def connects(host: str, port: int, deadline: float | None) -> Any:
            with self.lock:
                self.dialled.append((request.url, network.now()))
                self.there.add(number)
                self.dialling.add(number)
                self.most = max(self.most, len(self.there))
            return connect(host, port, deadline)

        def closes() -> Any:
            with self.lock:
                if number in self.dialling:
                    # Who dials closes first what was there before.
                    self.dialling.remove(number)
                else:
                    self.there.discard(number)
            return close()

        network.connect, network.close = connects, closes
        return stream


# ---- many streams


def test_200_streams_ten_at_a_time(colour: str) -> None:
    async def body() -> None:
        async with pooled(colour, 10, open=dials) as pool:
            texts = [stream.value.text async for stream in pool.map(requests)]
            stats = pool.stats()
        assert texts == [TEXT] * 200
        assert Counter(one.state for one in stats.session_stats.values()) == {"complete": 200}
        assert [*stats.session_stats] == [*stats.session_stats.keys()]
        assert (stats.active_streams, stats.waiting, stats.available_slots) == (0, 0, 10)
        assert sum(one.attempts for one in stats.session_stats.values()) == 200
        assert {one.error for one in stats.session_stats.values()} == {None}
        (told,) = stats.latencies.values()
        assert told.first_byte.count == told.first_delta.count == 200

    dials = Dials(colour)
    with served() as server:
        requests = [server.request() for _ in range(200)]
        runs(colour, body)
        seen = server.wait_until(lambda seen: seen.open == 0)
    assert 1 < dials.most <= 10
    assert not dials.there
    assert seen.connections == len(seen.requests) == 200
    assert 1 < seen.most_at_once <= 10


def test_200_streams_while_much_goes_wrong(colour: str) -> None:
    turns: list[Fault] = [
        Cut(at=0.6), Well(), Busy(429, retry_after=0), Cut.in_event(3), Well(), Busy(503), Reset(),
        Well(), Reset(at=0.4), Well(),
    ]  # fmt: skip

    async def body() -> None:
        texts: dict[Hashable, str] = {}
        async with pooled(colour, 10, policy=QUICK, open=dials) as pool:
            async for stream in pool.as_completed(requests):
                texts[stream.key] = stream.value.text
            stats = pool.stats()
        assert texts == dict.fromkeys(requests, TEXT)
        assert sum(one.attempts for one in stats.session_stats.values()) == len(
            server.seen.requests
        )
        assert Counter(one.state for one in stats.session_stats.values()) == {"complete": 200}

    dials = Dials(colour)
    with served("openai-responses", faults=turns * 20) as server:
        requests = {f"stream {number}": server.request() for number in range(200)}
        runs(colour, body)
        assert server.seen.most_at_once <= 10
        assert len(server.seen.requests) > 250
        assert 1 < dials.most <= 10
        assert not dials.there
        server.wait_until(lambda seen: seen.open == 0)


def test_each_origin_has_its_own_limit(colour: str) -> None:
    async def body() -> None:
        async with pooled(colour, 10, per_origin={one.url: 2, other.url: 3}) as pool:
            mixed = [server.request() for _ in range(20) for server in (one, other)]
            assert [stream.state async for stream in pool.map(mixed)] == ["complete"] * 40

    with served() as one, served() as other:
        runs(colour, body)
        assert one.seen.most_at_once <= 2
        assert other.seen.most_at_once <= 3
        assert len(one.seen.requests) == len(other.seen.requests) == 20


def test_one_429_holds_the_others_of_its_origin_back(
    colour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dials = Dials(colour)
    refused: list[tuple[float, float]] = []
    """When a refusal was seen, and for how long the origin was held then."""

    async def body() -> None:
        async with pooled(colour, 6, timeouts=NEVER, open=dials) as pool:

            def seen(now: float) -> None:
                refused.append((now, pool.stats().held[busy.url]))

            reading = aiter(await pool.start(busy.request(), observers=[Refusals(seen)]))
            while not isinstance(await anext(reading), Reconnecting):
                pass
            for _ in range(19):
                await pool.start(busy.request(), handler=read)
            await pool.start(well.request(), handler=read)
        told = pool.stats().session_stats
        assert Counter(one.state for one in told.values()) == {"complete": 21}

    async def read(stream: Any) -> int:
        return len([event async for event in stream])

    with served(faults=[Busy(429, retry_after=25)]) as busy, served() as well:
        fast(colour, monkeypatch, body)
        assert len(busy.seen.requests) == 21
    ((refusal, held),) = refused
    assert 15 < held <= 25
    mine = sorted(now for url, now in dials.dialled if url.startswith(busy.url))
    # After the one that was refused nobody came for 25 seconds, and then all did.
    assert mine[0] < refusal
    assert mine[1] >= refusal + 25
    assert len(mine) == 21
    # Another origin is not held.
    (elsewhere,) = [now for url, now in dials.dialled if url.startswith(well.url)]
    assert elsewhere < refusal + 25


def test_a_429_holds_back_the_reconnects_of_others_too(
    colour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dials = Dials(colour)
    refused: list[float] = []

    async def body() -> None:
        async with pooled(colour, 2, timeouts=NEVER, open=dials) as pool:
            running = await pool.start(server.request())
            reading = aiter(running)
            while not isinstance(await anext(reading), TextDelta):
                pass

            def seen(now: float) -> None:
                refused.append(now)
                dials.streams[0].reconnect()

            await (await pool.start(server.request(), observers=[Refusals(seen)])).result()
            assert (await running.result()).text == TEXT

    with served("openai-responses", faults=[Stall.in_event(7), Busy(429, retry_after=5)]) as server:
        fast(colour, monkeypatch, body)
        assert len(server.seen.requests) == 4
    (refusal,) = refused
    times = [now for _, now in dials.dialled]
    assert times[1] < refusal
    assert times[2] >= refusal + 5


def test_who_is_just_being_opened_is_held_back_too(
    colour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Late(Dials):
        """The others' refusal comes between its slot and its opening."""

        def __call__(self, request: StreamRequest, **options: Any) -> Any:
            self.until = pools[0]._pooling.now() + 5
            pools[0]._pooling.hold(server.url, self.until)
            return super().__call__(request, **options)

    async def body() -> None:
        async with pooled(colour, 2, timeouts=NEVER, open=dials) as pool:
            pools.append(pool)
            await (await pool.start(server.request())).result()

    pools: list[Any] = []
    dials = Late(colour)
    with served() as server:
        fast(colour, monkeypatch, body)
    ((_, dialled),) = dials.dialled
    assert dialled >= dials.until


@pytest.mark.parametrize("colour", ["asyncio", "sync"])
def test_a_pool_runs_over_the_connections_of_a_client(colour: str) -> None:
    async def body() -> None:
        client: Any = on_httpx(trust_env=False)
        pool: Any = opened(3, policy=QUICK, open=partial(resumable, client))
        async with Dressed(pool) if colour == "sync" else pool as entered:
            texts = [stream.value.text async for stream in entered.map([server.request()] * 6)]
        assert texts == [TEXT] * 6
        told = entered.stats().session_stats.values()
        assert sum(one.attempts for one in told) == 8
        closing = client.close() if colour == "sync" else await client.aclose()
        assert closing is None

    on_httpx = httpx.Client if colour == "sync" else httpx.AsyncClient
    opened = on_sync.StreamPool if colour == "sync" else on_asyncio.StreamPool
    with served(
        "openai-responses", faults=[Cut(at=0.5), Well(), Busy(429, retry_after=0)]
    ) as server:
        runs(colour, body)
        assert server.seen.most_at_once <= 3


# ---- results, keys and places


def test_results_come_in_order_as_completed_or_all_mixed(colour: str) -> None:
    async def words(stream: Any) -> int:
        text = "".join([event.text async for event in stream if isinstance(event, TextDelta)])
        return len(text.split())

    async def body() -> None:
        async with pooled(colour, 3) as pool:
            by_key = {letter: server.request() for letter in "abcdefg"}
            told = [(one.key, one.value) async for one in pool.map(by_key, words)]
            assert told == [(letter, 28) for letter in "abcdefg"]
            told = [(one.key, one.value) async for one in pool.as_completed(by_key, words)]
            assert sorted(told) == [(letter, 28) for letter in "abcdefg"]
            pairs = [*by_key.items()]
            mixed: dict[Hashable, list[Event]] = {}
            async for key, event in pool.merged(pairs):
                mixed.setdefault(key, []).append(event)
            assert sorted(map(str, mixed)) == [*"abcdefg"]
            for events in mixed.values():
                assert Transcript.of(events).text == TEXT
                assert isinstance(events[-1], StreamEnd)
            numbered = [one.key async for one in pool.map([server.request()] * 2)]
            assert numbered == [0, 1]

    with served() as server:
        runs(colour, body)


def test_a_stream_is_iterated_or_waited_for(colour: str) -> None:
    async def body() -> None:
        async with pooled(colour, 2) as pool:
            read = await pool.start(server.request(), "read")
            events = [event async for event in read]
            assert Transcript.of(events).text == TEXT
            assert (read.state, read.error) == ("complete", None)
            assert read.value is read.transcript is await read.result()

            waited = await pool.start(server.request(), "waited")
            transcript = await waited.result()
            assert (transcript.text, transcript.end) == (TEXT, StreamEnd("complete"))
            with pytest.raises(RuntimeError, match="were not kept"):
                aiter(waited)

            half = await pool.start(server.request(), "half")
            begun = [await anext(aiter(half))]
            assert (await half.result()).text == TEXT
            begun += [event async for event in half]
            assert Transcript.of(begun).text == TEXT

            handled = await pool.start(server.request(), "handled", handler=nothing)
            with pytest.raises(RuntimeError, match="go to its handler"):
                aiter(handled)
            assert await handled.result() == "nothing"
            assert handled.state == "complete"

    async def nothing(stream: Any) -> str:
        return "nothing"

    with served() as server:
        runs(colour, body)


def test_the_value_is_not_there_before_the_end(colour: str) -> None:
    async def body() -> None:
        async with pooled(colour, 2) as pool:
            stream = await pool.start(server.request())
            await anext(aiter(stream))
            assert stream.state == "running"
            assert stream.transcript is None
            with pytest.raises(RuntimeError, match="result"):
                _ = stream.value
            stream.cancel()

    with served(faults=[Stall.in_event(4)]) as server:
        runs(colour, body)


def test_a_key_is_taken_until_its_stream_has_ended(colour: str) -> None:
    async def body() -> None:
        async with pooled(colour, 1) as pool:
            first = await pool.start(server.request(), "key")
            await anext(aiter(first))
            with pytest.raises(ValueError, match="'key' has not ended"):
                await pool.start(server.request(), "key")
            first.cancel()
            await first.result()
            await (await pool.start(server.request(), "key")).result()
            assert [*pool.stats().session_stats] == ["key"]

    with served(faults=[Stall.in_event(4)]) as server:
        runs(colour, body)


def test_streams_are_started_within_the_block_alone(colour: str) -> None:
    async def body() -> None:
        pool = pooled(colour, 1)
        with pytest.raises(RuntimeError, match="between entering and leaving"):
            await pool.start(server.request())
        async with pool:
            pass
        with pytest.raises(RuntimeError, match="between entering and leaving"):
            await pool.start(server.request())
        with pytest.raises(RuntimeError, match="entered once"):
            async with pool:
                pass

    with served() as server:
        runs(colour, body)


def test_the_queue_has_a_bound(colour: str) -> None:
    async def body() -> None:
        async with pooled(colour, 1, max_waiting=1) as pool:
            running = await pool.start(stalling.request())
            await anext(aiter(running))
            waiting = await pool.start(server.request())
            assert pool.stats().waiting == 1
            with pytest.raises(PoolFull, match="1 streams wait"):
                await pool.start(server.request(), wait=False)
            running.cancel()
            # As soon as the slot is free one may wait again: this waits until then.
            third = await pool.start(server.request())
            assert (await third.result()).text == (await waiting.result()).text == TEXT

    with served() as server, served(faults=[Stall.in_event(4)]) as stalling:
        runs(colour, body)


@pytest.mark.parametrize(
    "options",
    [
        {"buffer": 0},
        {"retain": -1},
        {"on_failure": "ignore"},
        {"max_waiting": -1},
        {"capture": "answer.jsonl"},
        {"resume_from": "token"},
    ],
    ids=repr,
)
def test_options_that_make_no_sense_are_refused_at_once(
    colour: str, options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        pooled(colour, 1, **options)


def test_options_that_there_are_not_are_refused_at_once(colour: str) -> None:
    async def body() -> None:
        async with pooled(colour, 1) as pool:
            with pytest.raises(TypeError, match="a stream has no option polcy"):
                await pool.start(server.request(), polcy=ONCE)

    with pytest.raises(TypeError, match="a StreamPool has no option per_orgin"):
        pooled(colour, 1, per_orgin=2)
    with pytest.raises(TypeError):
        pooled(colour, None)
    with served() as server:
        runs(colour, body)


@pytest.mark.parametrize("port", ["", ":443"])
def test_an_origin_is_known_by_any_url_of_it(port: str) -> None:
    async def body() -> None:
        async with pooled("sync", 9, per_origin={f"HTTPS://a.example{port}/v1": 1}) as pool:
            for _ in range(3):
                await pool.start(request, observers=[waits])
            assert (pool.stats().active_streams, pool.stats().waiting) == (1, 2)
            pool.cancel()
            go_on.set()

    class Waits(Refusals):
        def begin(self, request: StreamRequest, now: float) -> Refusals:
            go_on.wait()
            raise RuntimeError

    go_on, waits = threading.Event(), Waits(lambda now: None)
    request = StreamRequest("POST", "https://a.example/v1/chat")
    with pytest.raises(ValueError, match="begins with https"):
        pooled("sync", 9, per_origin={"a.example": 1})
    with pytest.raises(ExceptionGroup, match="nobody asked"):
        runs("sync", body)


def test_who_breaks_off_cancels_what_was_begun(colour: str) -> None:
    async def body() -> None:
        async with pooled(colour, 2, buffer=1) as pool:
            merged = pool.merged(server.request() for _ in range(10_000))
            for _ in range(3):
                await anext(aiter(merged))
            merged.cancel("enough")
            # The slots are free again.
            texts = [stream.value.text async for stream in pool.map([server.request()] * 3)]
            assert texts == [TEXT] * 3
        states = Counter(one.state for one in pool.stats().session_stats.values())
        assert states["complete"] >= 3
        assert states.total() <= 6

    with served() as server:
        runs(colour, body)


# ---- what is told


class Prices:
    """A cent for each token of the answer; nothing is known of other models."""

    def cost(
        self, usage: Usage, model: str, provider: str | None = None, at: date | None = None
    ) -> Decimal | None:
        if model != "test" or usage.completion_tokens is None:
            return None
        return Decimal(usage.completion_tokens) / 100


def test_stats_tell_tokens_cost_and_whose_they_are(colour: str) -> None:
    events: list[Event] = [TextDelta("x"), Usage(7, 5, 12, final=True)]

    async def body() -> None:
        async with pooled(colour, 2, prices=Prices(), retain=3) as pool:
            begun = pool._pooling.now()
            request = server.request(provider="ours")
            async for stream in pool.as_completed(dict.fromkeys(range(5), request)):
                assert stream.value.usage.total_tokens == 12
            told = pool.stats()
            elapsed = pool._pooling.now() - begun
        assert len(told.session_stats) == 3
        pools.append(pool)
        for one in told.session_stats.values():
            assert (one.tokens, one.cost) == (12, Decimal("0.05"))
            assert (one.provider, one.model, one.attempts) == ("ours", "test", 1)
            assert 0 < one.duration <= elapsed
        assert [*told.latencies] == [("ours", "test")]

    pools: list[Any] = []
    with FaultServer("openai-chat", events=events) as server:
        runs(colour, body)
    # There may be no clock any more, and it is told all the same.
    assert len(pools[0].stats().session_stats) == 3
    assert pooled(colour, 4).stats().available_slots == 4


def test_stats_tell_the_cost_that_a_tracker_tells(colour: str) -> None:
    """By the provider's own prices, and by the name that the request has for the model."""
    prices = PriceTable(
        {"alias": Price(1, 1), "m": Price(2, 2)}, providers={"ours": {"alias": Price(5, 5)}}
    )
    events: list[Event] = [StreamStart("r", "m"), TextDelta("x"), Usage(7, 5, 12, final=True)]
    tracker = TokenTracker(prices)

    async def body() -> None:
        async with pooled(colour, 2, prices=prices, observers=[tracker]) as pool:
            await (await pool.start(server.request(provider="ours", model="alias"))).result()
            (one,) = pool.stats().session_stats.values()
            assert one.cost == tracker.cost == Decimal("0.00006")
            assert one.model == "m"

    with FaultServer("openai-chat", events=events) as server:
        runs(colour, body)


def test_a_stream_whose_model_nobody_names_has_no_cost(colour: str) -> None:
    async def body() -> None:
        async with pooled(colour, 2, prices=PriceTable()) as pool:
            await (await pool.start(request)).result()
            (one,) = pool.stats().session_stats.values()
            assert (one.tokens, one.cost, one.model) == (12, None, None)

    with FaultServer("gemini", events=[TextDelta("x"), Usage(7, 5, 12, final=True)]) as server:
        request = StreamRequest("POST", server.url, json={}, dialect="gemini")
        runs(colour, body)


@pytest.mark.parametrize("wrong", [None, "text", ("key", "text"), (1, 2, 3)], ids=repr)
def test_what_is_no_request_is_not_passed_over(colour: str, wrong: Any) -> None:
    async def body() -> None:
        async with pooled(colour, 2) as pool:
            mapped = pool.map([server.request(), wrong, server.request()])
            with pytest.raises((TypeError, ValueError)):
                await anext(aiter(mapped))
            with pytest.raises(TypeError, match="a pool streams StreamRequests, not"):
                await pool.start(wrong)

    with served() as server:
        runs(colour, body)


def test_a_source_of_requests_that_breaks_loses_nothing_that_was_begun(colour: str) -> None:
    def requests() -> Iterator[StreamRequest]:
        yield server.request()
        raise LookupError("no more")

    async def body() -> None:
        async with pooled(colour, 2) as pool:
            mapped = pool.map(requests())
            with pytest.raises(LookupError, match="no more"):
                await anext(aiter(mapped))
            assert [stream.value.text async for stream in mapped] == [TEXT]

    with served() as server:
        runs(colour, body)


def test_stats_tell_what_runs_and_what_waits(colour: str) -> None:
    async def body() -> None:
        async with pooled(colour, 1) as pool:
            running = await pool.start(server.request(), "running")
            await anext(aiter(running))
            await pool.start(server.request(), "waiting")
            told = pool.stats()
            assert (told.active_streams, told.waiting, told.available_slots) == (1, 1, 0)
            states = {key: one.state for key, one in told.session_stats.items()}
            assert states == {"running": "running", "waiting": "waiting"}
            assert [one.attempts for one in told.session_stats.values()] == [1, 0]
            assert told.session_stats["waiting"].duration == 0.0
            pool.cancel()

    with served(faults=[Stall.in_event(4)]) as server:
        runs(colour, body)


# ---- what fails


def test_a_stream_for_which_there_is_no_thread_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def starts(thread: threading.Thread) -> None:
        if thread.name == "stream-pool" and go_on.is_set() and len(refused) < 2:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    def waits(stream: Any) -> None:
        go_on.wait()

    refused: list[threading.Thread] = []
    go_on = threading.Event()
    with served() as server:
        monkeypatch.setattr(threading.Thread, "start", starts)
        with on_sync.StreamPool(1, proxy=False) as pool:
            pool.start(server.request(), handler=waits)
            streams = [pool.start(server.request()) for _ in range(3)]
            go_on.set()
            assert streams[2].result().text == TEXT
            for stream in streams[:2]:
                with pytest.raises(RuntimeError, match="new thread"):
                    stream.result()


def test_one_failure_leaves_the_others_alone(colour: str) -> None:
    async def body() -> None:
        async with pooled(colour, 2, policy=ONCE) as pool:
            ended = [stream async for stream in pool.map([server.request() for _ in range(6)])]
            assert [one.state for one in ended].count("complete") == 5
            (failed,) = [one for one in ended if one.error is not None]
            assert isinstance(failed.error, RateLimited)
            with pytest.raises(RateLimited):
                _ = failed.value
            with pytest.raises(RateLimited):
                await failed.result()
            told = pool.stats().session_stats[failed.key]
            assert told.error is not None
            assert told.error.startswith("RateLimited: ")

    with served(faults=[Well(), Busy(429)]) as server:
        runs(colour, body)


def test_an_iteration_raises_what_the_stream_raised(colour: str) -> None:
    async def body() -> None:
        async with pooled(colour, 2, policy=ONCE) as pool:
            stream = await pool.start(server.request())
            reading = aiter(stream)
            while not isinstance(event := await anext(reading), StreamEnd):
                pass
            with pytest.raises(StreamFailed):
                await anext(reading)
            assert stream.transcript.end == event

    with served(faults=[Busy(400)]) as server:
        runs(colour, body)


def test_merged_streams_tell_a_failure_with_their_end(colour: str) -> None:
    async def body() -> None:
        ends: dict[Hashable, str] = {}
        async with pooled(colour, 1, policy=ONCE) as pool:
            async for key, event in pool.merged({key: server.request() for key in "abc"}):
                if isinstance(event, StreamEnd):
                    ends[key] = event.outcome
        assert ends == {"a": "complete", "b": "failed", "c": "complete"}

    with served(faults=[Well(), Busy(429)]) as server:
        runs(colour, body)


class Broken(Exception):
    """What a handler raises."""


async def broken(stream: Any) -> None:
    async for event in stream:
        if isinstance(event, TextDelta):
            raise Broken("in the handler")


def test_what_a_handler_raises_is_its_result(colour: str) -> None:
    async def body() -> None:
        async with pooled(colour, 2) as pool:
            stream = await pool.start(server.request(), handler=broken)
            other = await pool.start(server.request())
            with pytest.raises(Broken):
                await stream.result()
            assert (await other.result()).text == TEXT

    with served() as server:
        runs(colour, body)


def test_a_failure_that_nobody_asked_about_is_raised_at_the_end(colour: str) -> None:
    async def body() -> None:
        pool = pooled(colour, 1)
        await pool.__aenter__()
        await pool.start(server.request(), handler=broken)
        done = [await pool.start(server.request()) for _ in range(3)]
        with pytest.raises(ExceptionGroup, match="nobody asked") as raised:
            await pool.__aexit__(None, None, None)
        assert [type(error) for error in raised.value.exceptions] == [Broken]
        assert [stream.value.text for stream in done] == [TEXT] * 3

    with served() as server:
        runs(colour, body)


def test_what_keeps_a_stream_from_opening_fails_it_alone(colour: str) -> None:
    class Refusing:
        def begin(self, request: StreamRequest, now: float) -> Any:
            raise PermissionError("no")

    async def body() -> None:
        async with pooled(colour, 1) as pool:
            refused = await pool.start(server.request(), observers=[Refusing()])
            bad = await pool.start(server.request(), resume_from="no token")
            assert (await (await pool.start(server.request())).result()).text == TEXT
            with pytest.raises(PermissionError):
                await refused.result()
            with pytest.raises(ValueError, match="token"):
                await bad.result()

    with served() as server:
        runs(colour, body)


def test_the_first_failure_ends_all_where_that_is_wanted(colour: str) -> None:
    async def body() -> None:
        async with pooled(colour, 2, policy=ONCE, on_failure="cancel") as pool:
            stalled = await pool.start(stalling.request())
            await anext(aiter(stalled))
            nine = [server.request() for _ in range(9)]
            states = [stream.state async for stream in pool.map(nine)]
            assert states[0] == "failed"
            assert set(states[1:]) == {"cancelled"}
            assert len(states) < 9
            end = (await stalled.result()).end
            assert stalled.state == end.outcome == "cancelled"
            assert end.error.message == "another stream of the pool failed"
            with pytest.raises(PoolCancelled) as raised:
                await pool.start(server.request())
            assert isinstance(raised.value.__cause__, RateLimited)

    with served(faults=[Busy(429)]) as server, served(faults=[Stall.in_event(4)]) as stalling:
        runs(colour, body)


# ---- memory


def test_what_is_not_read_is_not_kept(colour: str) -> None:
    async def body() -> None:
        async with pooled(colour, 2, buffer=5) as pool:
            slow = await pool.start(long.request())
            read = [await anext(aiter(slow))]
            # Meanwhile the others go by, through the other slot.
            async for other in pool.map([server.request() for _ in range(10)]):
                assert other.state == "complete"
                assert slow.buffered <= 5
            assert slow.state == "running"
            async for event in slow:
                assert slow.buffered <= 5
                read.append(event)
            assert Transcript.of(read).text == slow.value.text == "x" * 4000
            deltas = [event for event in read if isinstance(event, TextDelta)]
            assert len(deltas) == 4000

    with served() as server, FaultServer("openai-chat", text="x" * 4000, pieces=4000) as long:
        runs(colour, body)


def test_leaving_reads_to_the_end_what_nobody_reads(colour: str) -> None:
    async def body() -> None:
        async with pooled(colour, 2, buffer=1) as pool:
            ignored = [await pool.start(server.request()) for _ in range(5)]
            begun = await pool.start(server.request())
            # Not before: those in front of it hold the slots, and wait to be read.
            for stream in ignored[:4]:
                await stream.result()
            first = await anext(aiter(begun))
        assert [stream.value.text for stream in ignored] == [TEXT] * 5
        # What was begun is kept, whole.
        rest = [event async for event in begun]
        assert Transcript.of([first, *rest]).text == TEXT

    with served() as server:
        runs(colour, body)


@pytest.mark.parametrize("colour", ASYNC)
def test_handlers_may_start_further_streams(colour: str) -> None:
    async def body() -> None:
        async def more(stream: Any) -> None:
            async for _ in stream:
                pass
            further.append(await pool.start(server.request()))

        further: list[Any] = []
        async with pooled(colour, 1) as pool:
            await pool.start(server.request(), handler=more)
        assert [one.value.text for one in further] == [TEXT]

    with served() as server:
        runs(colour, body)
