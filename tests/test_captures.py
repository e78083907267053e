"""Every recorded stream reads as the vendor's own SDK reads it, however it is cut.

Needs ``../shared/captures``; skipped where it is missing (the laws hold over generated
streams in ``test_laws.py`` all the same).
"""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest

from sans_io_stream import StreamDecoder, StreamEnd, ToolCall, Transcript, encode_event
from sans_io_stream.events import ANSWER_EVENTS, Event, join_deltas
from tests.cuts import cut, single
from tests.expectations import DISAGREEMENTS, Recording, differences, recordings

RECORDINGS = recordings()
pytestmark = pytest.mark.skipif(not RECORDINGS, reason="../shared/captures is missing")
each = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.id)
CLOSE, PARTS = 4000, 32

STOP_ON_EVERY_RECORD = {"gemini"}
"""Here the provider's word stands on every record: only the transport knows of a cut."""
SAME_PROTOCOL = {"mistral": "openai-chat"}
"""What is detected where two names are one protocol on the wire."""

UNTELLABLE = {"vertex__vertexai-sdk-test-data__streaming-failure-invalid-json"}
"""One made-up object that belongs to no protocol."""


def read(
    recording: Recording, reads: list[bytes], *, detected: bool = False, **options: Any
) -> list[Event]:
    dialect = None if detected else recording.dialect
    options = {"content_type": recording.content_type, "status": recording.status, **options}
    truncated = options.pop("truncated", False)
    decoder = StreamDecoder(dialect, **options)
    events = [event for data in reads for event in decoder.receive_data(data)]
    return events + decoder.receive_eof(truncated=truncated)


def closely(body: bytes, every: bool) -> list[bytes]:
    """Byte by byte: all of it, or what lies within ``CLOSE`` bytes of an end of it."""
    if every or len(body) <= 2 * CLOSE:
        return single(body)
    return [*single(body[:CLOSE]), body[CLOSE:-CLOSE], *single(body[-CLOSE:])]


def check(recording: Recording, events: list[Event]) -> None:
    found = differences(Transcript.of(events), recording.expected, recording.dialect)
    assert set(found) == set(DISAGREEMENTS.get(recording.id, {})), found


@each
def test_equals_the_vendors_reading(recording: Recording) -> None:
    as_the_vendor_reads(recording, every=False)


def as_the_vendor_reads(recording: Recording, *, every: bool) -> None:
    body = recording.body
    whole = read(recording, [body])
    check(recording, whole)
    assert join_deltas(read(recording, closely(body, every))) == join_deltas(whole)
    drawn = random.Random(recording.id)
    for count in (1, 7, 60):
        places = [drawn.randrange(len(body) + 1) for _ in range(count)]
        assert read(recording, cut(body, places)) == whole


@each
def test_equals_it_with_the_dialect_detected(recording: Recording) -> None:
    body = recording.body
    drawn = random.Random(recording.id)
    places = [drawn.randrange(len(body) + 1) for _ in range(20)]
    for claim in (recording.content_type, None):
        decoder = StreamDecoder(status=recording.status, content_type=claim)
        events = [e for data in cut(body, places) for e in decoder.receive_data(data)]
        events += decoder.receive_eof()
        check(recording, events)
        if recording.status == 200:
            if recording.id in UNTELLABLE:
                continue
            name = SAME_PROTOCOL.get(recording.dialect, recording.dialect)
            assert decoder.dialect == name


@each
def test_shortcuts_change_the_speed_alone(recording: Recording) -> None:
    as_without_shortcuts(recording, every=False)


def as_without_shortcuts(recording: Recording, *, every: bool) -> None:
    body = recording.body
    slow = read(recording, closely(body, every), shortcuts=False)
    for size in (len(body) or 1, 16384, 1400, 97):
        reads = [body[i : i + size] for i in range(0, len(body), size)]
        assert read(recording, reads) == slow
    for end in (b"\n\n", b"\r\n\r\n", b"\n"):
        reads = [part + end for part in body.split(end)]
        reads[-1] = reads[-1].removesuffix(end)
        assert read(recording, reads) == slow


@each
def test_complete_only_after_the_providers_word(recording: Recording) -> None:
    complete_after_the_word(recording, every=False)


def complete_after_the_word(recording: Recording, *, every: bool) -> None:
    body = recording.body
    words = words_of(recording)
    ways = [True, False]
    if recording.dialect in STOP_ON_EVERY_RECORD:
        # Only the transport knows of a cut between two records.
        words, ways = [], [True]
    ends = [i for i in range(len(body)) if body[i : i + 1] in (b"\n", b"}")]
    step = max(1, len(ends) // (500 if every else 12))
    for end in ends[::step] + ends[-6:]:
        for truncated in ways:
            last = read(recording, [body[: end + 1]], truncated=truncated)[-1]
            assert isinstance(last, StreamEnd)
            if last.outcome == "complete":
                seen = plain_bytes(recording, body[: end + 1])
                assert any(word in seen for word in words), (end, words, truncated)


def plain_bytes(recording: Recording, body: bytes) -> bytes:
    """What stands in ``body``, the base64 payloads of Bedrock's frames decoded."""
    if recording.dialect != "bedrock-invoke":
        return body
    payloads = body.split(b'{"bytes":"')[1:]
    return b"\n".join(base64.b64decode(p.split(b'"')[0] + b"==") for p in payloads)


def words_of(recording: Recording) -> list[bytes]:
    """The provider's own words for the end, as they stand on the wire of its protocol."""
    reason = str(recording.expected["finish_reason"]).split(":")[0].encode()
    return {
        "openai-chat": [b'"finish_reason":"' + reason, b'"finish_reason": "' + reason, b"[DONE]"],
        "mistral": [b'"finish_reason":"' + reason, b"[DONE]"],
        "openai-completions": [b'"finish_reason":"' + reason, b"[DONE]", b'"finish_reason": "'],
        "anthropic": [b"message_stop", b'"stop_reason":"', b'"stop_reason": "'],
        "ollama": [b'"done":true', b'"done": true', b"done_reason"],
        "openai-responses": [b"response.completed", b"response.incomplete", b"response.failed"],
    }.get(recording.dialect, [reason])


@each
def test_a_snapshot_anywhere_changes_nothing(recording: Recording) -> None:
    body = recording.body
    drawn = random.Random(recording.id)
    places = [drawn.randrange(len(body) + 1) for _ in range(25)]
    decoder = StreamDecoder(
        recording.dialect, content_type=recording.content_type, status=recording.status
    )
    events: list[Event] = []
    for data in cut(body, places):
        events += decoder.receive_data(data)
        decoder = StreamDecoder.restore(decoder.snapshot())
    assert events + decoder.receive_eof() == read(recording, [body])


@each
def test_every_record_gives_an_event_or_is_structural(recording: Recording) -> None:
    """Nothing is lost without a trace: what is not understood is at least told."""
    events = read(recording, [recording.body], raw=True)
    assert [type(event) for event in events].count(StreamEnd) == 1
    for event in events:
        encode_event(event)
    told = [e for e in events if type(e) in ANSWER_EVENTS]
    assert told or recording.status != 200 or not recording.body


@each
def test_calls_are_reported_once_and_whole(recording: Recording) -> None:
    events = read(recording, [recording.body])
    reported = [(e.choice, e.index) for e in events if isinstance(e, ToolCall)]
    assert len(reported) == len(set(reported))
    transcript = Transcript.of(events)
    assert {c.index for c in transcript.tool_calls if c.complete} == {
        index for choice, index in reported if choice == 0
    }


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(PARTS))
def test_all_of_it_at_every_place(part: int) -> None:
    for recording in RECORDINGS[part::PARTS]:
        as_the_vendor_reads(recording, every=True)
        as_without_shortcuts(recording, every=True)
        complete_after_the_word(recording, every=True)


def test_every_disagreement_is_about_a_capture() -> None:
    assert set(DISAGREEMENTS) <= {recording.id for recording in RECORDINGS}
