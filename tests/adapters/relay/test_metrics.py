"""The relay's numbers: what is counted, and what Prometheus reads of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from sans_io_stream import (
    Connected,
    Disconnected,
    ErrorInfo,
    Event,
    Reconnecting,
    Resumed,
    StreamEnd,
    TextDelta,
    Usage,
)
from sans_io_stream_adapters.relay.app import Relay
from sans_io_stream_adapters.relay.config import ClientKey, Route
from sans_io_stream_adapters.relay.hub import Hub
from sans_io_stream_adapters.relay.operations.exposition import FAMILIES, Exposition
from sans_io_stream_adapters.relay.operations.metrics import Metrics, Series, Waits
from sans_io_stream_adapters.relay.operations.watching import Eye
from sans_io_stream_adapters.relay.stores.memory import MemoryStore
from tests.sources import REPO

from .asgi import ask, relay_of, talk
from .scripted import BACKENDS, DONE, UPSTREAM, Scripted, config, now, said, saying, virtually

Numbers = dict[tuple[str, frozenset[tuple[str, str]]], float]
PAGE = REPO / "docs" / "relay-operations.md"


def numbers_of(text: str) -> Numbers:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def number(numbers: Numbers, name: str, **labels: str) -> float | None:
    return numbers.get((f"sans_io_stream_{name}", frozenset(labels.items())))


async def scraped(relay: Relay) -> Numbers:
    answer = await ask(relay, "GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return numbers_of(answer.body.decode())


def run(backend: str, main: Callable[[Relay], Awaitable[None]], **fields: Any) -> None:
    async def within() -> None:
        async with relay_of(config(**fields), clock=now) as relay:
            await main(relay)

    virtually(backend, within)


OWN = {"upstream": "test", "model": "test/*"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stream_from_its_beginning_to_its_end(backend: str, monkeypatch: Any) -> None:
    async def main(relay: Relay) -> None:
        answer = await ask(relay, "POST", "/v1/streams", talk())
        numbers = await scraped(relay)
        assert number(numbers, "streams", **OWN) == 0
        assert number(numbers, "streams_begun_total", **OWN) == 1
        assert number(numbers, "streams_ended_total", **OWN, outcome="complete") == 1
        assert number(numbers, "upstream_attempts_total", **OWN) == 2
        assert number(numbers, "upstream_retries_total", **OWN) == 0
        assert number(numbers, "upstream_reconnects_total", **OWN) == 1
        assert number(numbers, "upstream_resumes_total", **OWN, mode="continue") == 1
        assert number(numbers, "upstream_errors_total", **OWN, kind="connection") == 1
        assert number(numbers, "first_byte_seconds_sum", **OWN) == 2
        assert number(numbers, "first_visible_seconds_sum", **OWN) == 3
        # The pause of the reconnect is not among them.
        assert number(numbers, "between_chunks_seconds_sum", **OWN) == 0.25
        assert number(numbers, "between_chunks_seconds_count", **OWN) == 1
        assert number(numbers, "between_chunks_seconds_bucket", **OWN, le="0.1") == 0
        assert number(numbers, "between_chunks_seconds_bucket", **OWN, le="0.25") == 1
        assert number(numbers, "between_chunks_seconds_bucket", **OWN, le="+Inf") == 1
        counts = {**OWN, "counts": "final"}
        assert number(numbers, "tokens_total", **counts, kind="prompt") == 10
        assert number(numbers, "tokens_total", **counts, kind="completion") == 3
        assert number(numbers, "dollars_total", **counts) == 0.25
        assert number(numbers, "client_bytes_total") == len(answer.body)
        assert (number(numbers, "entries_total") or 0) >= 4
        assert number(numbers, "store_append_seconds_count") == number(
            numbers, "shown_seconds_count"
        )
        done = {"route": "ask", "format": "native", "status": "200"}
        assert number(numbers, "requests_total", **done) == 1

    lost = ErrorInfo("connection", "lost", retryable=True)
    usage = Usage(prompt_tokens=10, completion_tokens=3, final=True, cost=0.25)
    words: list[tuple[float, list[Event]]] = [
        (2.0, [Connected(200)]),
        (1.0, [TextDelta("a")]),
        (0.25, [TextDelta("b"), TextDelta("c")]),
        (1.0, [Disconnected(lost), Reconnecting(2, 1.0)]),
        (5.0, [Connected(200), Resumed("continue"), TextDelta("d")]),
        (0.0, [usage, *DONE]),
    ]
    saying(monkeypatch, Scripted(*words))
    run(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_runs_and_who_reads(backend: str, monkeypatch: Any) -> None:
    async def main(relay: Relay) -> None:
        seen: list[Numbers] = []

        async def pause(answer: Any) -> None:
            if not seen and b"data: " in answer.body:
                seen.append(await scraped(relay))

        await ask(relay, "POST", "/v1/streams", talk(), pause=pause)
        assert number(seen[0], "streams", **OWN) == 1
        assert number(seen[0], "readers") == 1
        assert number(await scraped(relay), "readers") == 0

    saying(monkeypatch, said("abc", every=1.0))
    run(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_failure_is_counted_by_the_providers_own_kind(backend: str, monkeypatch: Any) -> None:
    async def main(relay: Relay) -> None:
        answer = await ask(relay, "POST", "/v1/chat/completions", talk())
        assert answer.status == 502
        numbers = await scraped(relay)
        # What a client is told of it is another thing.
        assert number(numbers, "upstream_errors_total", **OWN, kind="authentication") == 1
        assert number(numbers, "streams_ended_total", **OWN, outcome="failed") == 1
        failed = {"route": "ask", "format": "openai-chat", "status": "502"}
        assert number(numbers, "requests_total", **failed) == 1

    error = ErrorInfo("authentication", "no such key sk-1", status=401)
    saying(monkeypatch, Scripted((0.0, [Connected(401), StreamEnd("failed", error)])))
    run(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_label_is_a_clients_word(backend: str, monkeypatch: Any) -> None:
    word = "canary-of-a-client"

    async def main(relay: Relay) -> None:
        for model in (f"test/{word}", f"fast-{word}", word):
            await ask(relay, "POST", "/v1/streams", {**talk(), "model": model})
        await ask(relay, "GET", f"/{word}")
        await ask(relay, word.upper(), "/v1/models")
        await ask(relay, "GET", f"/v1/streams/{word}")
        answer = await ask(relay, "GET", "/metrics")
        assert word not in answer.body.decode().lower()
        numbers = numbers_of(answer.body.decode())
        assert number(numbers, "streams_begun_total", upstream="test", model="fast-*") == 1
        assert number(numbers, "streams_begun_total", **OWN) == 1
        nothing = {"route": "none", "format": "none", "status": "404"}
        assert number(numbers, "requests_total", **nothing) == 1

    saying(monkeypatch, said("a"), said("b"))
    run(backend, main, routes=(Route("fast-*", "test"),))


def test_two_relays_have_two_registries() -> None:
    one, two = (Relay(config()) for _ in range(2))
    one.metrics.taken_over()
    told = [Exposition(relay.metrics, relay.hub).told(None)[0].decode() for relay in (one, two)]
    assert [number(numbers_of(text), "take_overs_total") for text in told] == [1, 0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_open_metrics_where_they_are_accepted(backend: str) -> None:
    async def main(relay: Relay) -> None:
        accept = {"accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
        answer = await ask(relay, "GET", "/metrics", headers=accept)
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        # Without types.
        parse = vars(openmetrics)["text_string_to_metric_families"]
        families = {family.name for family in parse(answer.body.decode())}
        assert "sans_io_stream_requests" in families
        assert "process_open_fds" in families

    run(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_metrics_need_a_key_that_may_have_them(backend: str) -> None:
    keys = (
        ClientKey.of("alice", "key-of-alice"),
        ClientKey.of("prometheus", "key-of-prometheus", metrics=True),
    )

    async def main(relay: Relay) -> None:
        for key, status in (("nobody", 401), ("key-of-alice", 403), ("key-of-prometheus", 200)):
            headers = {"authorization": f"Bearer {key}"}
            assert (await ask(relay, "GET", "/metrics", headers=headers)).status == status
        # Whoever scrapes asks for nothing at our expense.
        answer = await ask(relay, "POST", "/v1/streams", talk(), headers)
        assert (answer.status, answer.json["error"]["code"]) == (404, "model_not_found")

    run(backend, main, keys=keys)


def test_the_page_lists_what_there_is() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text("utf-8").splitlines()
        if line.startswith("| `sans_io_stream_")
    ]
    told = [
        [
            f"`{family.name}`",
            family.kind,
            ", ".join(f"`{label}`" for label in family.labels),
            family.help.removesuffix("."),
        ]
        for family in FAMILIES
    ]
    assert rows == told


def test_names_are_prometheus_own_way() -> None:
    for family in FAMILIES:
        assert family.name.startswith("sans_io_stream_")
        assert family.name.endswith(("_total", "_seconds", "_streams", "_readers"))


def test_a_bound_belongs_to_its_bucket() -> None:
    waits = Waits((1.0, 2.0))
    for seconds in (0.0, 1.0, 1.5, 2.0, 2.5):
        waits.add(seconds)
    assert (waits.counts, waits.sum) == ([2, 2, 1], 7.0)


def test_an_event_costs_next_to_nothing() -> None:
    """At most 5 µs where all machines are slow and busy; 0.2 where it was measured."""
    eye = Eye(Series(), {})
    events: list[Event] = [TextDelta("a")]
    rounds, begun = 20_000, time.process_time()
    for at in range(rounds):
        eye.saw(events, float(at))
    assert (time.process_time() - begun) / rounds < 5e-6


def test_a_hub_of_its_own_counts_too() -> None:
    hub = Hub(MemoryStore())
    hub.metrics.of("anything", "any model").begun += 1
    text = Exposition(hub.metrics, hub).told(None)[0].decode()
    labels = {"upstream": "other", "model": "other"}
    assert number(numbers_of(text), "streams_begun_total", **labels) == 1
    assert Metrics().labels(UPSTREAM.name, "m") == ("other", "other")
