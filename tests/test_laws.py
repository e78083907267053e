"""The laws of the library, each as a property over generated streams.

``test_captures.py`` holds the same laws over recorded ones.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sans_io_stream import (
    Finish,
    Limits,
    ResumePoint,
    StreamDecoder,
    StreamEnd,
    ToolCall,
    Transcript,
    Usage,
    decode_event,
    encode_event,
)
from sans_io_stream.events import ANSWER_EVENTS, Event
from tests.cuts import cut, single
from tests.generated import Stream, streams

PLACES = st.lists(st.integers(0, 4000), max_size=12)


def read(
    reads: list[bytes], dialect: str | None, *, truncated: bool = False, **options: Any
) -> list[Event]:
    decoder = StreamDecoder(dialect, **options)
    events = [event for data in reads for event in decoder.receive_data(data)]
    return events + decoder.receive_eof(truncated=truncated)


def read_slowly(stream: Stream, **options: Any) -> list[Event]:
    """One byte at a time, without any shortcut."""
    body = stream.body
    return read(single(body), stream.wire.dialect, **options)


def answer_of(events: list[Event]) -> list[Event]:
    return [event for event in events if type(event) in ANSWER_EVENTS]


@given(stream=streams(), places=PLACES, detected=st.booleans(), typed=st.booleans())
def test_law_1_the_events_are_the_same_for_every_chunking(
    stream: Stream, places: list[int], detected: bool, typed: bool
) -> None:
    expected = read_slowly(stream)
    dialect = None if detected else stream.wire.dialect
    content_type = stream.content_type if typed else None
    found = read(cut(stream.body, places), dialect, content_type=content_type)
    if detected:
        # Heartbeats pass at once while the dialect is sought; all else is in order.
        assert answer_of(found) == answer_of(expected)
    else:
        assert found == expected


@given(stream=streams())
def test_law_1_a_read_may_be_a_record(stream: Stream) -> None:
    assert read(cut(stream.body, stream.record_ends), stream.wire.dialect) == read_slowly(stream)


@given(
    stream=streams(),
    places=PLACES,
    sizes=st.tuples(st.integers(1, 400), st.integers(1, 400), st.integers(1, 40)),
    depth=st.integers(1, 7),
)
def test_law_1_limits_act_at_the_same_event(
    stream: Stream, places: list[int], sizes: tuple[int, int, int], depth: int
) -> None:
    record, line, arguments = sizes
    limits = Limits(
        record_bytes=record, line_bytes=line, arguments_bytes=arguments, tool_calls=1, depth=depth
    )
    expected = read_slowly(stream, limits=limits)
    assert read(cut(stream.body, places), stream.wire.dialect, limits=limits) == expected


@given(stream=streams())
def test_law_2_nothing_is_lost(stream: Stream) -> None:
    answer = stream.answer
    transcript = Transcript.of(read([stream.body], stream.wire.dialect))
    assert transcript.text == "".join(answer.text)
    assert transcript.reasoning == "".join(answer.reasoning)
    assert [call.name for call in transcript.tool_calls] == [call.name for call in answer.calls]
    assert all(call.complete for call in transcript.tool_calls)
    for found, said in zip(transcript.tool_calls, answer.calls, strict=True):
        if stream.wire.names_calls:
            assert (found.id, found.arguments) == (said.id, said.arguments)
        else:
            assert json.loads(found.arguments) == json.loads(said.arguments)
    usage = transcript.usage
    assert usage is not None
    assert usage.final
    assert (usage.prompt_tokens, usage.completion_tokens) == (answer.prompt, answer.completion)
    assert transcript.finish_reason == ("tool_calls" if answer.calls else "stop")
    assert transcript.end == StreamEnd("complete")
    assert transcript.model == "m-1"
    assert (transcript.response_id is None) == (stream.wire.dialect == "ollama")


@given(stream=streams(), place=st.integers(0, 10**6), truncated=st.booleans())
def test_law_3_a_cut_stream_is_never_complete_before_the_providers_word(
    stream: Stream, place: int, truncated: bool
) -> None:
    words = {"openai-chat": -3, "anthropic": -2}.get(stream.wire.dialect, -1)
    if stream.framing == "jsonl" and stream.wire.dialect == "openai-chat":
        words = -2
    records = [0, *stream.record_ends]
    # Before the record that holds the provider's word has begun to be whole.
    body = stream.body[: place % max(1, records[words - 1] + 1)]
    end = read([body], stream.wire.dialect, truncated=truncated)[-1]
    assert isinstance(end, StreamEnd)
    assert end.outcome == "interrupted"
    assert end.error is not None
    assert end.error.kind == "truncated"


@given(stream=streams(), place=st.integers(0, 10**6))
def test_a_call_that_is_cut_off_is_never_reported(stream: Stream, place: int) -> None:
    body = stream.body[: place % (len(stream.body) + 1)]
    events = read([body], stream.wire.dialect, truncated=True)
    said = [json.loads(call.arguments) for call in stream.answer.calls]
    reported = [json.loads(event.arguments) for event in events if isinstance(event, ToolCall)]
    assert reported == said[: len(reported)]


@given(stream=streams(), places=PLACES)
@settings(max_examples=50)
def test_law_5_a_snapshot_changes_nothing(stream: Stream, places: list[int]) -> None:
    decoder = StreamDecoder(None)
    events: list[Event] = []
    for data in cut(stream.body, places):
        decoder = StreamDecoder.restore(decoder.snapshot())
        events += decoder.receive_data(data)
    decoder = StreamDecoder.restore(decoder.snapshot())
    assert events + decoder.receive_eof() == read([stream.body], None)


@given(stream=streams(), place=st.integers(0, 10**6), truncated=st.booleans())
def test_the_tail_is_always_the_same(stream: Stream, place: int, truncated: bool) -> None:
    body = stream.body[: place % (len(stream.body) + 1)]
    events = read([body], stream.wire.dialect, truncated=truncated)
    assert [type(event) for event in events].count(StreamEnd) == 1
    assert isinstance(events.pop(), StreamEnd)
    if events and isinstance(events[-1], ResumePoint) and events[-1].ended:
        events.pop()
    if events and isinstance(events[-1], Usage) and events[-1].final:
        events.pop()
    while events and isinstance(events[-1], Finish):
        events.pop()
    assert not any(isinstance(e, Finish | StreamEnd) for e in events)
    assert not any(isinstance(e, Usage) and e.final for e in events)


@given(stream=streams())
def test_every_event_is_json_both_ways(stream: Stream) -> None:
    for event in read([stream.body], stream.wire.dialect, raw=True):
        encoded = encode_event(event)
        assert b"\n" not in encoded
        again = decode_event(encoded)
        assert encode_event(again) == encoded
        if isinstance(event, Usage):
            assert isinstance(again, Usage)
            assert again.raw == event.raw
        else:
            assert again == event


@given(stream=streams())
def test_positions_count_the_answers_events(stream: Stream) -> None:
    position = 0
    for event in read([stream.body], stream.wire.dialect):
        if isinstance(event, ResumePoint):
            assert event.position == position
        elif type(event) in ANSWER_EVENTS:
            position += 1


@given(st.binary(max_size=300), PLACES, st.sampled_from([None, "openai-chat", "records", "text"]))
def test_any_bytes_give_events_and_one_end(
    data: bytes, places: list[int], dialect: str | None
) -> None:
    events = read(cut(data, places), dialect)
    assert [type(event) for event in events].count(StreamEnd) == 1
    assert isinstance(events[-1], StreamEnd)
    for event in events:
        encode_event(event)
