"""What is measured of streams, against the exact percentiles of the same numbers."""

from __future__ import annotations

import math
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream import (
    Connected,
    Disconnected,
    Event,
    MediaDelta,
    ReasoningDelta,
    RefusalDelta,
    StreamEnd,
    StreamRequest,
    TextDelta,
    ToolCallDelta,
)
from sans_io_stream.timings import ERROR, PAIRS, Histogram, Latency, Timings

seconds = st.floats(min_value=1e-6, max_value=1e6)


def request(model: str | None = "m", provider: str | None = "p") -> StreamRequest:
    return StreamRequest("POST", "https://a.example/", model=model, provider=provider)


def exact(values: list[float], percent: float) -> float:
    """The nearest-rank percentile, of all values."""
    return sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]


@given(values=st.lists(seconds, min_size=1), percent=st.floats(min_value=0, max_value=100))
def test_a_percentile_is_off_by_no_more_than_is_stated(values: list[float], percent: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    told = histogram.percentile(percent)
    assert told is not None
    assert told == pytest.approx(exact(values, percent), rel=ERROR + 1e-9)
    assert histogram.count == len(values)


def test_whatever_is_measured_the_memory_is_bounded() -> None:
    histogram = Histogram()
    # One at each of all orders of magnitude there are, many times over.
    for power in range(-35_000, 35_000):
        histogram.add(math.exp(power / 50))
    histogram.add(math.inf)
    assert histogram.buckets <= 1384
    assert histogram.percentile(100) == pytest.approx(1e6, rel=ERROR)


def test_nothing_measured_is_no_number() -> None:
    assert Histogram().latency == Latency(0, None, None, None)


def test_what_is_too_short_to_measure_is_none_at_all() -> None:
    histogram = Histogram()
    histogram.add(0.0)
    assert histogram.latency == Latency(1, 0.0, 0.0, 0.0)


def test_the_waits_of_one_stream() -> None:
    timings = Timings()
    watch = timings.begin(request(), 100.0)
    script: list[tuple[float, list[Event]]] = [
        (101.0, [Connected(429), Disconnected()]),
        (103.0, [Connected(200)]),
        (104.0, [ReasoningDelta("thinking"), TextDelta("")]),
        (105.0, [TextDelta("a"), TextDelta("b")]),
        (107.0, [TextDelta("c")]),
        (108.0, [Disconnected()]),
        (118.0, [Connected(200), TextDelta("d")]),
        (122.0, [TextDelta("e"), StreamEnd("complete")]),
    ]
    for now, events in script:
        assert watch.saw(events, now) is None
    watch.closed(123.0)
    (told,) = timings.latencies.values()
    assert told.first_byte.count == told.first_delta.count == 1
    assert told.first_byte.p50 == pytest.approx(3.0, rel=ERROR)
    assert told.first_delta.p50 == pytest.approx(5.0, rel=ERROR)
    # From 105 to 107 and from 118 to 122; not the reconnect from 107 to 118.
    assert told.between.count == 2
    assert told.between.p50 == pytest.approx(2.0, rel=ERROR)
    assert told.between.p99 == pytest.approx(4.0, rel=ERROR)


READS = st.lists(
    st.tuples(
        st.floats(min_value=0.001, max_value=99),
        st.sampled_from(
            [
                [TextDelta("x")],
                [TextDelta("x"), RefusalDelta("y")],
                [TextDelta("")],
                [ReasoningDelta("z")],
                [TextDelta("x"), Disconnected()],
                [Disconnected()],
                [Connected(503)],
                [Connected(200)],
            ]
        ),
    ),
    max_size=30,
)


@given(st.lists(READS, max_size=5))
def test_percentiles_are_those_of_the_waits_that_there_were(
    streams: list[list[tuple[float, list[Event]]]],
) -> None:
    timings = Timings()
    waits: dict[str, list[float]] = {"first_byte": [], "first_delta": [], "between": []}
    for reads in streams:
        watch = timings.begin(request(), now := 1000.0)
        heads, seen, breaks = list[float](), list[float](), list[float]()
        for gap, events in reads:
            now += gap
            watch.saw(events, now)
            heads += [now for event in events if event == Connected(200)]
            seen += (
                [now] if any(getattr(event, "text", "") in ("x", "y") for event in events) else []
            )
            breaks += [now] if Disconnected() in events else []
        waits["first_byte"] += [one - 1000.0 for one in heads[:1]]
        waits["first_delta"] += [one - 1000.0 for one in seen[:1]]
        waits["between"] += [
            later - before
            for before, later in pairwise(seen)
            if not any(before <= broken < later for broken in breaks)
        ]
    told = timings.latencies.get(("p", "m"))
    for name, values in waits.items():
        latency: Latency = Latency(0, None, None, None) if told is None else getattr(told, name)
        assert latency.count == len(values)
        for percent in (50, 90, 99):
            measured = getattr(latency, f"p{percent}")
            if values:
                assert measured == pytest.approx(exact(values, percent), rel=ERROR + 1e-9)
            else:
                assert measured is None


def test_a_break_in_the_read_that_brought_a_delta_is_a_reconnect_too() -> None:
    timings = Timings()
    watch = timings.begin(request(), 0.0)
    watch.saw([TextDelta("a")], 1.0)
    watch.saw([TextDelta("b"), Disconnected()], 3.0)
    watch.saw([TextDelta("c")], 100.0)
    (told,) = timings.latencies.values()
    assert told.between.count == 1
    assert told.between.p99 == pytest.approx(2.0, rel=ERROR)


@pytest.mark.parametrize(
    ("event", "visible"),
    [
        (TextDelta("x"), True),
        (RefusalDelta("x"), True),
        (ToolCallDelta(0, "id", "name", ""), True),
        (MediaDelta("image/png", b"x"), True),
        (TextDelta(""), False),
        (ReasoningDelta("x"), False),
        (StreamEnd("complete"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_visible(event: Event, visible: bool) -> None:
    timings = Timings()
    timings.begin(request(), 0.0).saw([event], 1.0)
    assert timings.latencies["p", "m"].first_delta.count == visible


def test_each_provider_and_model_by_itself_and_no_more_than_so_many() -> None:
    timings = Timings()
    for number in range(2 * PAIRS):
        timings.begin(request(f"model-{number}"), 0.0).saw([Connected(200)], 1.0)
    told = timings.latencies
    assert len(told) == PAIRS + 1
    assert told["p", "model-0"].first_byte.count == 1
    assert told[None, None].first_byte.count == PAIRS
    assert sum(one.first_byte.count for one in told.values()) == 2 * PAIRS


def test_threads_may_share_it() -> None:
    timings = Timings()

    def many() -> None:
        for _ in range(500):
            timings.begin(request(), 0.0).saw([Connected(200), TextDelta("x")], 1.0)

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert timings.latencies["p", "m"].first_delta.count == 4000
