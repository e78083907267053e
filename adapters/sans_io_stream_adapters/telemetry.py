"""Streams as OpenTelemetry spans and metrics: ``open_stream(request, observers=[Telemetry()])``.

What is emitted is ``conventions``' to say; this is the emitting. A stream's span is a child of
the span that is current where the stream is first read, and is not made the current one itself.
Never content, never keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .conventions import (
    DURATION,
    FIRST_CHUNK,
    NEXT_CHUNK,
    TOKENS,
    Attributes,
    Metric,
    attributes_of,
    metric_attributes_of,
    request_attributes_of,
    span_name_of,
    tokens_of,
)
from .facts import Facts

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, Meter
    from opentelemetry.trace import Span, Tracer

    from sans_io_stream import Event, StreamRequest

__all__ = ["Telemetry"]

NAME = "sans_io_stream_adapters"


class Telemetry:
    """An ``Observer`` that tells of each stream: one span, and four histograms.

    ``meter`` and ``tracer`` are those of the global providers unless given. It may be shared by
    any number of streams and threads. A chunk, in the sense of the conventions, is a read that
    brings a piece of the answer.

    Raises ``ImportError`` where OpenTelemetry's API is not installed.
    """

    def __init__(self, meter: Meter | None = None, tracer: Tracer | None = None) -> None:
        try:
            from opentelemetry import metrics, trace
        except ImportError:
            raise ImportError(
                "Telemetry needs OpenTelemetry: pip install 'sans-io-stream[otel]'"
            ) from None
        self._tracer = trace.get_tracer(NAME) if tracer is None else tracer
        meter = metrics.get_meter(NAME) if meter is None else meter
        self.tokens = histogram(meter, TOKENS)
        self.duration = histogram(meter, DURATION)
        self.first_chunk = histogram(meter, FIRST_CHUNK)
        self.next_chunk = histogram(meter, NEXT_CHUNK)

    def begin(self, request: StreamRequest, now: float) -> Emitter:
        """A stream is about to connect: its span begins."""
        from opentelemetry.trace import SpanKind

        facts = Facts(request, now)
        span = self._tracer.start_span(
            span_name_of(facts), kind=SpanKind.CLIENT, attributes=request_attributes_of(facts)
        )
        return Emitter(self, facts, span)


class Emitter:
    """The ``Watch`` of one stream. Its span ends with ``StreamEnd``, or when the consumer has
    left."""

    def __init__(self, telemetry: Telemetry, facts: Facts, span: Span) -> None:
        self._telemetry = telemetry
        self._facts = facts
        self._span: Span | None = span
        self._attributes: Attributes | None = None
        """Those of the chunks."""

    def saw(self, events: Sequence[Event], now: float) -> None:
        """Tell of these events."""
        facts, telemetry = self._facts, self._telemetry
        before = facts.last_piece
        if facts.saw(events, now):
            if before is None or self._attributes is None:
                # Once for many: a model that is named later is told at the end.
                self._attributes = metric_attributes_of(facts)
            if before is None:
                telemetry.first_chunk.record(now - facts.begun, self._attributes)
            else:
                telemetry.next_chunk.record(now - before, self._attributes)
        if facts.ended is not None:
            self._finish()

    def closed(self, now: float) -> None:
        """Nothing more comes."""
        self._facts.close(now)
        self._finish()

    def _finish(self) -> None:
        from opentelemetry.trace import Status, StatusCode

        span, self._span = self._span, None
        if span is None:
            return
        facts, telemetry = self._facts, self._telemetry
        attributes = metric_attributes_of(facts)
        if facts.seconds is not None:
            telemetry.duration.record(facts.seconds, attributes)
        attributes.pop("error.type", None)
        for kind, count in tokens_of(facts).items():
            telemetry.tokens.record(count, {**attributes, "gen_ai.token.type": kind})
        found = attributes_of(facts)
        span.set_attributes(found)
        if "error.type" in found:
            # Without a description: messages of providers quote what they were sent.
            span.set_status(Status(StatusCode.ERROR))
        span.end()


def histogram(meter: Meter, metric: Metric) -> Histogram:
    return meter.create_histogram(
        metric.name,
        unit=metric.unit,
        description=metric.description,
        explicit_bucket_boundaries_advisory=metric.buckets,
    )
