"""Replicate: events whose data is text, written after its documentation."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sans_io_stream import (
    Finish,
    Heartbeat,
    MediaDelta,
    ResumePoint,
    TextDelta,
    Unrecognized,
)
from tests.dialects.reading import Read, read


def event(type_: str, data: str = "", id_: str | None = None) -> bytes:
    lines = [f"event: {type_}"] if type_ else []
    lines += [f"id: {id_}"] if id_ else []
    lines += [f"data: {line}" for line in data.split("\n")]
    return "\n".join([*lines, "", ""]).encode()


DONE = event("done", "{}")


def replicate(*events: bytes, **options: Any) -> Read:
    return read("replicate", b"".join(events), **options)


def test_output_is_text_whatever_it_looks_like() -> None:
    pieces = [":", "\n", " ", "{}", "[DONE]", '{"error": "x"}', "  a\nb", ": comment"]
    got = replicate(event("output"), *(event("output", piece) for piece in pieces), DONE)
    assert [delta.text for delta in got.of(TextDelta)] == pieces
    assert got.of(Finish) == [Finish("stop", "done")]
    assert got.outcome == "complete"


def test_each_record_with_an_id_gives_a_resume_point() -> None:
    got = replicate(
        event("output", "a", "17:0"), event("output", "b", "17:1"), event("done", "{}", "17:2")
    )
    assert [point.cursor for point in got.of(ResumePoint)] == ["17:0", "17:1", "17:2"]
    assert [point.ended for point in got.of(ResumePoint)] == [False, False, True]


def test_an_empty_first_piece_and_comments_are_heartbeats() -> None:
    got = replicate(b": hi\n\n", event("output"), event("output", "x"), DONE)
    assert [beat.text for beat in got.of(Heartbeat)] == ["hi", ""]


def test_images_come_as_data_urls() -> None:
    url = "data:image/webp;base64," + base64.b64encode(b"RIFF").decode()
    got = replicate(event("output", url), event("output", "data:image/png;base64,???"), DONE)
    assert got.of(MediaDelta) == [MediaDelta("image/webp", b"RIFF")]
    assert got.transcript.text == "data:image/png;base64,???"


def test_logs_are_annotations() -> None:
    assert replicate(event("logs", "loading…\nready"), DONE).annotations("logs") == [
        "loading…\nready"
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("CUDA out of memory", "CUDA out of memory"),
        ('{"detail": "prediction failed"}', "prediction failed"),
        ('{"error": {"message": "no GPU"}}', "no GPU"),
        ('"quoted"', "quoted"),
    ],
)
def test_errors_are_text_or_json(data: str, message: str) -> None:
    got = replicate(
        event("output", "x"), event("error", data), event("done", '{"reason": "error"}')
    )
    assert got.outcome == "failed"
    assert got.error is not None
    assert got.error.message == message
    assert got.of(Finish) == [Finish("error", "error")]


@pytest.mark.parametrize("data", [b"\xed\xa0", b'{"a":"\xff"}', b"[" * 5000])
@pytest.mark.parametrize("name", ["done", "logs", "error", "novel", ""])
def test_data_that_is_no_json_raises_nothing(name: str, data: bytes) -> None:
    body = b"event: output\ndata: x\n\nevent: " + name.encode() + b"\ndata: " + data + b"\n\n"
    assert read("replicate", body).transcript.text == "x"


@pytest.mark.parametrize(("reason", "word"), [("canceled", "cancelled"), ("error", "failed")])
def test_done_with_a_reason_is_no_success(reason: str, word: str) -> None:
    got = replicate(event("output", "x"), event("done", f'{{"reason": "{reason}"}}'))
    assert got.outcome == "failed"
    assert got.error is not None
    assert got.error.type == reason
    assert word in got.error.message
    assert got.of(Finish) == [Finish("error", reason)]


def test_without_done_the_answer_is_interrupted() -> None:
    got = replicate(event("output", "x"))
    assert got.outcome == "interrupted"
    assert got.of(Finish) == []


def test_a_block_without_its_end_may_lack_a_line() -> None:
    cut = event("output", "a\nb").removesuffix(b"\n")
    assert replicate(event("output", "x"), cut).transcript.text == "x"
    assert replicate(event("output", "x"), DONE.removesuffix(b"\n")).outcome == "complete"


def test_invalid_utf8_is_replaced() -> None:
    got = replicate(b"event: output\ndata: a\xffb\n\n", DONE)
    assert got.transcript.text == "a\ufffdb"


def test_a_document_of_an_error_is_one() -> None:
    got = replicate(event("", '{"detail": "Unauthenticated", "status": 401}'))
    assert got.outcome == "failed"
    assert got.error is not None
    assert (got.error.message, got.error.kind) == ("Unauthenticated", "authentication")


@pytest.mark.parametrize("data", ["null", "1", "[]", "{", '{"reason": 1}', '{"novel": 1}', ""])
def test_done_says_so_whatever_its_data(data: str) -> None:
    assert replicate(event("output", "x"), event("done", data)).outcome == "complete"


def test_unknown_events_are_unrecognized() -> None:
    got = replicate(event("novel", "x"), event("", "y"), DONE)
    assert [(e.type, e.data) for e in got.of(Unrecognized)] == [("novel", "x"), ("", "y")]
