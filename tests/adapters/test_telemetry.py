"""Streams as spans and metrics, as OpenTelemetry's own SDK collects them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from sans_io_stream import (
    Event,
    ReconnectPolicy,
    StreamEnd,
    StreamRequest,
    StreamStart,
    TextDelta,
    Usage,
)
from sans_io_stream.errors import ErrorInfo
from sans_io_stream_adapters import conventions
from sans_io_stream_adapters.telemetry import Telemetry
from sans_io_stream_adapters.testing import Busy, Cut, FaultServer

from .colours import COLOURS, collect

QUICK = ReconnectPolicy(initial_delay=0.001, jitter=0.0)
REQUEST = StreamRequest(
    "POST",
    "https://api.openai.com/v1/chat/completions",
    {"authorization": "Bearer secret-key"},
    json={"model": "gpt-x", "messages": [{"role": "user", "content": "secret words"}]},
    dialect="openai-chat",
)


class Collected:
    """A Telemetry, and what it told."""

    def __init__(self) -> None:
        self.spans = InMemorySpanExporter()
        self.metrics = InMemoryMetricReader()
        traces = TracerProvider()
        traces.add_span_processor(SimpleSpanProcessor(self.spans))
        self.tracer = traces.get_tracer("tests")
        meter = MeterProvider([self.metrics]).get_meter("tests")
        self.telemetry = Telemetry(meter, self.tracer)

    def tell(self, *reads: tuple[float, Sequence[Event]]) -> None:
        """Show a stream that begins at 100 s these events at these times."""
        watch = self.telemetry.begin(REQUEST, 100.0)
        for now, events in reads:
            assert watch.saw(events, now) is None  # type: ignore[func-returns-value]
        watch.closed(reads[-1][0] + 1)
        watch.closed(reads[-1][0] + 2)

    @property
    def span(self) -> ReadableSpan:
        (span,) = self.spans.get_finished_spans()
        return span

    def points(self, metric: conventions.Metric) -> list[Any]:
        data = self.metrics.get_metrics_data()
        assert data is not None
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for found in scope.metrics
            if found.name == metric.name and found.unit == metric.unit
            for point in found.data.data_points
        ]


def test_a_whole_answer_is_a_span_and_its_measurements() -> None:
    told = Collected()
    told.tell(
        (101.0, [StreamStart("resp_1", "gpt-x-2026")]),
        (102.0, [TextDelta("secret"), TextDelta(" words")]),
        (102.5, [TextDelta(".")]),
        (104.5, [TextDelta(".")]),
        (105.0, [Usage(prompt_tokens=20, completion_tokens=30), StreamEnd("complete")]),
    )
    span = told.span
    assert (span.name, span.kind, span.status.status_code) == (
        "chat gpt-x",
        SpanKind.CLIENT,
        StatusCode.UNSET,
    )
    attributes = dict(span.attributes or {})
    assert attributes["gen_ai.response.id"] == "resp_1"
    assert attributes["gen_ai.usage.output_tokens"] == 30
    assert attributes["gen_ai.response.time_to_first_chunk"] == 2.0
    (duration,) = told.points(conventions.DURATION)
    assert (duration.count, duration.sum) == (1, 5.0)
    assert duration.attributes["gen_ai.response.model"] == "gpt-x-2026"
    (first,) = told.points(conventions.FIRST_CHUNK)
    assert (first.count, first.sum) == (1, 2.0)
    (following,) = told.points(conventions.NEXT_CHUNK)
    assert (following.count, following.min, following.max) == (2, 0.5, 2.0)
    tokens = {p.attributes["gen_ai.token.type"]: p.sum for p in told.points(conventions.TOKENS)}
    assert tokens == {"input": 20, "output": 30}
    assert "secret" not in span.to_json()


@pytest.mark.parametrize("metric", [conventions.TOKENS, conventions.DURATION], ids=lambda m: m.name)
def test_the_buckets_are_those_that_are_advised(metric: conventions.Metric) -> None:
    told = Collected()
    told.tell((101.0, [Usage(prompt_tokens=1), StreamEnd("complete")]))
    (point,) = told.points(metric)
    assert tuple(point.explicit_bounds) == metric.buckets


def test_a_failure_tells_its_kind_and_not_its_words() -> None:
    told = Collected()
    error = ErrorInfo("rate_limit", "you said: secret words", status=429)
    told.tell((101.0, [StreamEnd("failed", error)]))
    assert told.span.status.status_code is StatusCode.ERROR
    assert told.span.status.description is None
    assert dict(told.span.attributes or {})["error.type"] == "rate_limit"
    (duration,) = told.points(conventions.DURATION)
    assert duration.attributes["error.type"] == "rate_limit"
    assert not told.points(conventions.TOKENS)
    assert "secret" not in told.span.to_json()


def test_a_stream_that_is_left_ends_its_span_once() -> None:
    told = Collected()
    told.tell((101.0, [TextDelta("x")]))
    assert told.span.status.status_code is StatusCode.UNSET
    (duration,) = told.points(conventions.DURATION)
    assert (duration.count, duration.sum) == (1, 2.0)


def test_a_span_is_the_child_of_what_asks() -> None:
    told = Collected()
    with told.tracer.start_as_current_span("asking") as asking:
        told.tell((101.0, [StreamEnd("complete")]))
    child, parent = told.spans.get_finished_spans()
    assert child.parent is not None
    assert child.parent.span_id == asking.get_span_context().span_id
    assert parent.parent is None


@pytest.mark.parametrize("colour", COLOURS)
def test_real_streams_are_told(colour: str) -> None:
    told = Collected()
    with FaultServer("openai-responses", pieces=9, faults=[Cut(at=0.5)]) as server:
        collect(colour, server.request(), policy=QUICK, proxy=False, observers=[told.telemetry])
    attributes = dict(told.span.attributes or {})
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert attributes["server.address"] == "127.0.0.1"
    assert attributes["server.port"] == server.port
    assert "error.type" not in attributes


def test_a_refusal_is_told() -> None:
    told = Collected()
    once = ReconnectPolicy.never()
    with FaultServer("openai-chat", faults=[Busy(status=401)]) as server:
        collect("sync", server.request(), policy=once, proxy=False, observers=[told.telemetry])
    assert dict(told.span.attributes or {})["error.type"] == "authentication"


def test_without_providers_it_asks_the_global_ones() -> None:
    # Which do nothing, as nobody has set them up.
    watch = Telemetry().begin(REQUEST, 1.0)
    watch.saw([TextDelta("x"), StreamEnd("complete")], 2.0)
    watch.closed(3.0)


def test_a_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ImportError, match=r"pip install 'sans-io-stream\[otel\]'"):
        Telemetry()
