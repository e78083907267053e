"""HolySheep: chat chunks whose id is the cursor of the chunk, in any framing."""

from __future__ import annotations

import json

import pytest

from sans_io_stream import Finish, ResumePoint, StreamDecoder, StreamEnd, TextDelta, Usage
from sans_io_stream.encoding import Encoder

from .writing import HEAD, SAID, answer, back, values

NAME = "holysheep"


@pytest.mark.parametrize("framing", ["sse", "jsonl"])
def test_the_cursor_is_the_chunks_own_id(framing: str) -> None:
    encoder = Encoder(NAME, framing)
    events = answer(TextDelta("a"), TextDelta("b"), usage=Usage(prompt_tokens=1))
    body = b"".join(encoder.encode(event, id=f"evt-{n}") for n, event in enumerate(events))
    decoder = StreamDecoder(NAME, content_type=encoder.content_type)
    found = decoder.receive_data(body) + decoder.receive_eof()
    points = [event for event in found if isinstance(event, ResumePoint)]
    assert [point.cursor for point in points][:3] == ["evt-0", "evt-1", "evt-2"]
    assert points[-1].cursor == "evt-5"
    assert points[-1].ended
    assert {point.origin.response_id for point in points} == {"r1"}


def test_without_a_cursor_a_chunk_has_no_id() -> None:
    chunks = values(answer(*SAID), NAME)
    assert not any("id" in chunk for chunk in chunks)
    assert {chunk["response_id"] for chunk in chunks} == {"r1"}


def test_an_event_stream_has_it_as_its_own_id_too() -> None:
    record = Encoder(NAME).encode(HEAD[0], id="7")
    head, _, data = record.partition(b"data: ")
    assert head == b"id: 7\n"
    assert json.loads(data)["id"] == "7"


@pytest.mark.parametrize(
    ("finish", "word"),
    [
        (Finish("stop", "STOP"), "STOP"),
        (Finish("stop", None), "stop"),
        (Finish("pause", None), "pause_turn"),
        (Finish("content_filter", "promptFeedback:SAFETY"), "content_filter"),
        (Finish("error", None), "error"),
        (Finish("other", None), "other"),
    ],
)
def test_reasons(finish: Finish, word: str) -> None:
    events = [*HEAD, TextDelta("x"), finish, StreamEnd("complete")]
    assert values(events, NAME)[-1]["choices"][0]["finish_reason"] == word
    assert Finish(finish.reason, word) in back(events, NAME)


def test_the_last_cursor_is_the_terminators_where_there_is_one() -> None:
    """Two records with one cursor would leave open which of them a client has seen."""
    for framing, chunks_with_it in (("sse", 0), ("jsonl", 1)):
        encoder = Encoder(NAME, framing)
        for event in HEAD:
            encoder.encode(event, id="1")
        body = encoder.encode(StreamEnd("complete"), id="2")
        assert body.count(b'"id":"2"') == chunks_with_it
        assert body.endswith(b"id: 2\ndata: [DONE]\n\n") is (framing == "sse")
