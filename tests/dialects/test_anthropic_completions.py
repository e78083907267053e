from __future__ import annotations

from typing import Any

import pytest

from sans_io_stream import (
    Annotation,
    Finish,
    Heartbeat,
    StreamDecoder,
    StreamStart,
    TextDelta,
    Transcript,
    Unrecognized,
)
from tests.dialects.block_wires import lines, mangled, of, outcome, read, sse

NAME = "anthropic-completions"


def piece(text: str, reason: str | None = None, stop: str | None = None) -> dict[str, Any]:
    told = {"completion": text, "stop_reason": reason, "stop": stop}
    return {"type": "completion", "id": "compl_1", "model": "claude-2.1", "log_id": "l", **told}


ANSWER = [piece(" One"), {"type": "ping"}, piece(" two"), piece("", "stop_sequence", "\n\nHuman:")]


def test_an_answer() -> None:
    events = read(sse(*ANSWER), NAME)
    assert events[:-2] == [
        StreamStart("compl_1", "claude-2.1"),
        TextDelta(" One"),
        Heartbeat("ping"),
        TextDelta(" two"),
        Annotation("stop_sequence", "\n\nHuman:"),
    ]
    assert of(events, Finish) == [Finish("stop", "stop_sequence")]
    assert outcome(events) == "complete"
    assert read(lines(*ANSWER), NAME, "application/x-ndjson") == events


@pytest.mark.parametrize(
    ("raw", "reason"), [("stop_sequence", "stop"), ("max_tokens", "length"), ("new", "other")]
)
def test_reasons(raw: str, reason: str) -> None:
    said = Transcript.of(read(sse(piece("x"), piece("", raw)), NAME))
    assert (said.finish_reason, said.raw_finish_reason) == (reason, raw)


def test_a_cut_answer_is_interrupted() -> None:
    events = read(sse(*ANSWER[:3]), NAME)
    assert not of(events, Finish)
    assert outcome(events) == "interrupted"


@pytest.mark.parametrize(
    "data",
    ['{"type":"error","error":{"type":"overloaded_error","message":"m"}}', '{"message":"m"}'],
)
def test_errors(data: str) -> None:
    events = read(sse(*ANSWER[:3]) + f"event: error\ndata: {data}\n\n".encode(), NAME)
    assert outcome(events) == "failed"
    assert not of(events, Unrecognized)


def test_what_has_no_meaning_is_not_dropped() -> None:
    body = b'data: {"type":"novel"}\n\ndata: [1]\n\n'
    assert len(of(read(body, NAME), Unrecognized)) == 2


def test_wrong_types_never_raise() -> None:
    for variant in mangled(ANSWER[3]):
        decoder = StreamDecoder(NAME, content_type="application/x-ndjson")
        Transcript.of(decoder.receive_data(lines(*ANSWER[:3], variant)) + decoder.receive_eof())
