"""The relay's numbers as Prometheus reads them: ``FAMILIES`` says what each is called.

Counting is ``metrics``' business; here is only what is asked for a few times a minute. Each relay
has a registry of its own, so that two in one process are not taken for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

try:
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
    )
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.registry import Collector
except ImportError as missing:
    raise ImportError(
        "metrics need prometheus-client: pip install 'sans-io-stream[relay]'"
    ) from missing

from .metrics import Metrics, Series, Waits

if TYPE_CHECKING:
    from ..hub import Hub

__all__ = ["FAMILIES", "Exposition"]

Value = int | float | Waits
Row = tuple[tuple[str, ...], Value]
"""The values of the labels, and the number."""
WHOSE = ("upstream", "model")
BILLION = 10**9


class Family(NamedTuple):
    """One metric: its ``name``, with its unit and, if it counts, ``_total``; the ``labels``, and
    what gives its rows."""

    name: str
    help: str
    labels: tuple[str, ...]
    rows: Callable[[Metrics, Hub], Iterable[Row]]

    @property
    def kind(self) -> str:
        """counter, gauge or histogram."""
        if self.name.endswith("_total"):
            return "counter"
        return "histogram" if self.name.endswith("_seconds") else "gauge"


def each(value: Callable[[Series], Value]) -> Callable[[Metrics, Hub], Iterable[Row]]:
    """A number of each upstream and model."""

    def rows(metrics: Metrics, hub: Hub) -> Iterator[Row]:
        return ((labels, value(series)) for labels, series in metrics.series.items())

    return rows


def by(values: Callable[[Series], Iterable[Row]]) -> Callable[[Metrics, Hub], Iterable[Row]]:
    """The numbers of each upstream and model, by further labels."""

    def rows(metrics: Metrics, hub: Hub) -> Iterator[Row]:
        return (
            ((*labels, *more), value)
            for labels, series in metrics.series.items()
            for more, value in values(series)
        )

    return rows


def one(value: Callable[[Metrics], Value]) -> Callable[[Metrics, Hub], Iterable[Row]]:
    """A number of the whole relay."""
    return lambda metrics, hub: [((), value(metrics))]


def counted(values: Callable[[Metrics], Iterable[Row]]) -> Callable[[Metrics, Hub], Iterable[Row]]:
    """Numbers of the whole relay, by labels."""

    def rows(metrics: Metrics, hub: Hub) -> Iterable[Row]:
        return values(metrics)

    return rows


def readers(metrics: Metrics, hub: Hub) -> Iterable[Row]:
    """Who reads now: the hub knows."""
    return [((), hub.readers)]


def single(told: Iterable[tuple[str, Value]]) -> Iterator[Row]:
    """The rows of what is counted by one label."""
    return (((name,), value) for name, value in told)


FAMILIES = (
    Family(
        "sans_io_stream_streams",
        "Streams that this worker takes from their providers now.",
        WHOSE,
        each(lambda series: series.running),
    ),
    Family(
        "sans_io_stream_readers",
        "Responses through which streams are read now.",
        (),
        readers,
    ),
    Family(
        "sans_io_stream_streams_begun_total",
        "Streams that began here.",
        WHOSE,
        each(lambda series: series.begun),
    ),
    Family(
        "sans_io_stream_streams_ended_total",
        "Streams that ended here, by outcome.",
        (*WHOSE, "outcome"),
        by(lambda series: single(series.ended.items())),
    ),
    Family(
        "sans_io_stream_take_overs_total",
        "Streams that were taken over from a worker that died.",
        (),
        one(lambda metrics: metrics.take_overs),
    ),
    Family(
        "sans_io_stream_entries_total",
        "Entries that were written to the store: what the providers' streams said at once.",
        (),
        one(lambda metrics: metrics.entries),
    ),
    Family(
        "sans_io_stream_entry_bytes_total",
        "Bytes of these entries.",
        (),
        one(lambda metrics: metrics.entry_bytes),
    ),
    Family(
        "sans_io_stream_client_bytes_total",
        "Bytes of bodies that were sent to clients.",
        (),
        one(lambda metrics: metrics.client_bytes),
    ),
    Family(
        "sans_io_stream_first_byte_seconds",
        "From asking the provider to the head of its answer, all attempts included.",
        WHOSE,
        each(lambda series: series.first_byte),
    ),
    Family(
        "sans_io_stream_first_visible_seconds",
        "From asking the provider to the first visible piece of its answer.",
        WHOSE,
        each(lambda series: series.first_visible),
    ),
    Family(
        "sans_io_stream_between_chunks_seconds",
        "From one read with visible pieces to the next, on one connection to the provider.",
        WHOSE,
        each(lambda series: series.between),
    ),
    Family(
        "sans_io_stream_store_append_seconds",
        "How long the store took to keep what was read at once.",
        (),
        one(lambda metrics: metrics.store_append),
    ),
    Family(
        "sans_io_stream_shown_seconds",
        "From what was read of the provider to its being there for readers.",
        (),
        one(lambda metrics: metrics.shown),
    ),
    Family(
        "sans_io_stream_store_errors_total",
        "Failures of the store, by what was wanted of it.",
        ("wanted",),
        counted(lambda metrics: single(metrics.store_errors.items())),
    ),
    Family(
        "sans_io_stream_upstream_attempts_total",
        "Connections to the provider that were tried, the first ones included.",
        WHOSE,
        each(lambda series: series.attempts),
    ),
    Family(
        "sans_io_stream_upstream_retries_total",
        "Further attempts before there was any answer.",
        WHOSE,
        each(lambda series: series.retries),
    ),
    Family(
        "sans_io_stream_upstream_reconnects_total",
        "Further attempts behind the beginning of an answer.",
        WHOSE,
        each(lambda series: series.reconnects),
    ),
    Family(
        "sans_io_stream_upstream_resumes_total",
        "Answers that were taken up again on another connection, by mode.",
        (*WHOSE, "mode"),
        by(lambda series: single(series.resumes.items())),
    ),
    Family(
        "sans_io_stream_upstream_errors_total",
        "Connections and answers of the provider that failed, by kind of error.",
        (*WHOSE, "kind"),
        by(lambda series: single(series.errors.items())),
    ),
    Family(
        "sans_io_stream_tokens_total",
        'Tokens of streams that ended here; counts="partial" are the last known ones of streams '
        "that were cut.",
        (*WHOSE, "kind", "counts"),
        by(lambda series: series.tokens.items()),
    ),
    Family(
        "sans_io_stream_dollars_total",
        "What these tokens cost, as far as that is known.",
        (*WHOSE, "counts"),
        by(lambda series: single((name, n / BILLION) for name, n in series.dollars.items())),
    ),
    Family(
        "sans_io_stream_requests_total",
        "Requests that are over, by what was asked and by status; 0 where the client left before "
        "any.",
        ("route", "format", "status"),
        counted(lambda metrics: metrics.requests.items()),
    ),
    Family(
        "sans_io_stream_limited_total",
        "Requests that a limit of their key refused.",
        ("key", "limit"),
        counted(lambda metrics: metrics.limited.items()),
    ),
)
"""What is told, in this order."""


class Exposition(Collector):
    """The registry of one relay."""

    def __init__(self, metrics: Metrics, hub: Hub) -> None:
        self._metrics = metrics
        self._hub = hub
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def collect(self) -> Iterator[Metric]:
        """All families as they stand now."""
        for family in FAMILIES:
            yield collected(family, family.rows(self._metrics, self._hub))

    def told(self, accept: str | None) -> tuple[bytes, str]:
        """The text for a scraper that accepts this, and its content type."""
        encode, kind = choose_encoder(accept or "")
        return encode(self.registry), kind


def collected(family: Family, rows: Iterable[Row]) -> Metric:
    """A family with its rows."""
    name, help, labels = family.name, family.help, family.labels
    if family.kind == "histogram":
        waits = HistogramMetricFamily(name, help, labels=labels)
        for values, value in rows:
            assert isinstance(value, Waits)
            waits.add_metric(values, buckets_of(value), value.sum)
        return waits
    make = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    told = make(name, help, labels=labels)
    for values, value in rows:
        assert not isinstance(value, Waits)
        told.add_metric(values, value)
    return told


def buckets_of(waits: Waits) -> list[tuple[str, float]]:
    """The buckets as Prometheus has them: each counts all that is before it, too."""
    sum_ = 0
    found: list[tuple[str, float]] = []
    for bound, count in zip((*waits.bounds, float("inf")), waits.counts, strict=True):
        sum_ += count
        found.append((f"{bound:g}" if bound != float("inf") else "+Inf", sum_))
    return found
