"""The headline: every shortcut for speed against one-byte reads with the shortcuts off.

Whole event sequences are compared, limits, errors, resume points and snapshots included, on
generated streams, on recorded ones, and on both after everything that befalls streams in the
field was done to them. ``make exhaustive`` runs many times as many.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream import Limits, StreamDecoder, StreamEnd, encode_event
from sans_io_stream.events import Event, join_deltas
from tests.cuts import cut, single
from tests.expectations import recordings
from tests.generated import Stream, streams
from tests.mutations import cuts, mutate

RECORDINGS = recordings()
SEEDS = int(os.environ.get("SANS_IO_STREAM_SEEDS", "40"))
MOST_BYTES = 6000


def read(
    reads: list[bytes],
    dialect: str | None,
    *,
    truncated: bool,
    snapshots: bool = False,
    **options: Any,
) -> list[Event]:
    decoder = StreamDecoder(dialect, **options)
    events: list[Event] = []
    for data in reads:
        if snapshots:
            decoder = StreamDecoder.restore(decoder.snapshot())
        events += decoder.receive_data(data)
    return join_deltas(events + decoder.receive_eof(truncated=truncated))


def limits(drawn: Random) -> Limits | None:
    return drawn.choice(
        [
            None,
            None,
            None,
            Limits(record_bytes=drawn.randint(1, 2000), line_bytes=drawn.randint(1, 2000)),
            Limits(depth=drawn.randint(1, 8)),
            Limits(arguments_bytes=drawn.randint(1, 60), tool_calls=drawn.randint(1, 3), choices=1),
        ]
    )


def compare(body: bytes, dialect: str, content_type: str | None, drawn: Random) -> None:
    name = drawn.choice([dialect, dialect, dialect, None, "records", "openai-chat"])
    options: dict[str, Any] = {
        "content_type": drawn.choice([content_type, None]),
        "limits": limits(drawn),
        "raw": drawn.random() < 0.1,
        "truncated": drawn.random() < 0.3,
    }
    expected = read(single(body), name, shortcuts=False, **options)
    assert isinstance(expected[-1], StreamEnd)
    assert sum(isinstance(event, StreamEnd) for event in expected) == 1
    for event in expected:
        encode_event(event)
    for _ in range(3):
        places = cuts(len(body), drawn)
        if drawn.random() < 0.3:
            places = [i + 1 for i in range(1, len(body)) if body[i - 1 : i + 1] == b"\n\n"]
        reads = cut(body, places)
        snapshots = len(reads) < 60 and drawn.random() < 0.3
        found = read(reads, name, snapshots=snapshots, **options)
        assert found == expected, (name, options, places[:20], snapshots)


@given(stream=streams(), seed=st.integers(0, 2**32))
def test_generated_streams(stream: Stream, seed: int) -> None:
    drawn = Random(seed)
    compare(mutate(stream.body, drawn), stream.wire.dialect, stream.content_type, drawn)


@pytest.mark.skipif(not RECORDINGS, reason="../shared/captures is missing")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_recorded_streams(seed: int) -> None:
    spoil_recordings(Random(seed), 12)


@pytest.mark.exhaustive
@pytest.mark.skipif(not RECORDINGS, reason="../shared/captures is missing")
@pytest.mark.parametrize("seed", range(10_000, 10_200))
def test_recorded_streams_at_length(seed: int) -> None:
    spoil_recordings(Random(seed), 200)


def spoil_recordings(drawn: Random, count: int) -> None:
    for _ in range(count):
        recording = drawn.choice(RECORDINGS)
        body = recording.body[: drawn.choice([800, 2500, MOST_BYTES])]
        compare(mutate(body, drawn), recording.dialect, recording.content_type, drawn)
