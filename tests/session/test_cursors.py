"""Cursors that mislead: records that repeat, ids that come twice, and what is no answer at all.

What cannot be known ends honestly: never is an answer with a hole called complete.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from sans_io_stream import (
    Record,
    Resumed,
    ResumePoint,
    StreamDecoder,
    StreamEnd,
    StreamRequest,
    TextDelta,
    Unrecognized,
)
from sans_io_stream.session import StreamSession
from tests.session.peer import Asked, Reply, Run, Server, drive, response
from tests.session.scripts import broken, of_type, whole
from tests.session.stories import STORIES, sse

PLAIN = StreamRequest("GET", "http://a.test/", dialect="records", terminator="[END]")
HOLYSHEEP = STORIES["holysheep"].request
LLAMA = STORIES["llamacpp"].request


def ticks(*data: str, ids: list[Any] | None = None) -> list[bytes]:
    names = range(len(data)) if ids is None else ids
    return [sse(text, id=str(own)) for own, text in zip(names, data, strict=True)]


def behind(records: list[bytes], cut: int) -> Server:
    """A server that breaks behind so many records, and then goes on exactly there."""
    served: list[Asked] = []

    def serve(asked: Asked) -> Reply:
        served.append(asked)
        return broken(*records[:cut]) if len(served) == 1 else whole(*records[cut:])

    return serve


def answer(reply: Reply, _: Asked) -> Reply:
    return reply


def data_of(run: Run) -> list[str]:
    return [event.data for event in run.events if isinstance(event, Record)]


def modes(run: Run) -> list[str]:
    return [event.mode for event in run.events if isinstance(event, Resumed)]


def text_of(run: Run) -> str:
    return "".join(event.text for event in run.events if isinstance(event, TextDelta))


def honest(run: Run, told: list[str], of: list[str]) -> None:
    """All of it and complete, or a beginning and interrupted."""
    if run.end == StreamEnd("complete"):
        assert told == of
    else:
        assert run.end.outcome == "interrupted"
        assert told == of[: len(told)]


# ---- records that repeat


@pytest.mark.parametrize("cut", range(1, 7))
@pytest.mark.parametrize("words", [["tick", "tock"] * 3, ["tick"] * 6])
def test_a_record_with_the_words_of_the_first_is_no_beginning(words: list[str], cut: int) -> None:
    records = ticks(*words, "[END]")
    run = drive(StreamSession(PLAIN), behind(records, cut))
    assert run.end == StreamEnd("complete")
    assert data_of(run) == [*words, "[END]"]
    assert modes(run) == ["continue"]


def test_nor_is_it_for_a_new_process() -> None:
    words = ["tick", "tock", "tick", "tock", "[END]"]
    records = ticks(*words)
    first = drive(StreamSession(PLAIN), lambda asked: whole(*records))
    for place, point in enumerate(of_type(first, ResumePoint)[:-1]):
        assert isinstance(point, ResumePoint)
        session = StreamSession(PLAIN, resume_from=point.token)
        run = drive(session, partial(answer, whole(*records[place + 1 :])))
        assert run.end == StreamEnd("complete")
        assert data_of(run) == words[place + 1 :]


def chunk(text: str, *, own: str = "x", finish: str | None = None) -> bytes:
    delta = {"content": text} if text else {}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return sse({"choices": [choice], "id": own, "model": "m"})


LAUGH = [
    *(chunk(word) for word in ("ha ", "ho ", "ha ", "ha ", "end")),
    chunk("", finish="stop"),
    sse("[DONE]"),
]
ROW = b"".join(LAUGH)


def ring(asked: Asked) -> Reply:
    return Reply(response(ROW[int(asked.query["from"]) :]))


def test_bytes_that_look_like_the_beginning_are_asked_for_from_the_start() -> None:
    for at in range(len(LAUGH[0]), len(ROW) - 20):
        served: list[Asked] = []

        def serve(asked: Asked, at: int = at, served: list[Asked] = served) -> Reply:
            served.append(asked)
            if len(served) > 1:
                return ring(asked)
            return Reply(response(ROW[:at])[:-5], lost=True)

        run = drive(StreamSession(LLAMA), serve)
        assert run.end == StreamEnd("complete"), at
        assert text_of(run) == "ha ho ha ha end", at


def test_so_does_a_new_process() -> None:
    first = drive(StreamSession(LLAMA), lambda asked: whole(*LAUGH))
    events = first.events
    for place, event in enumerate(events):
        if not isinstance(event, ResumePoint):
            continue
        before = "".join(e.text for e in events[:place] if isinstance(e, TextDelta))
        run = drive(StreamSession(LLAMA, resume_from=event.token), ring)
        assert run.end == StreamEnd("complete")
        assert before + text_of(run) == "ha ho ha ha end"


def test_the_same_words_behind_a_first_record_without_an_id_are_not_swallowed() -> None:
    words = ["hello", "tock", "hello", "tock", "[END]"]
    records = [sse("hello"), sse("tock", id="1"), sse("hello"), sse("tock", id="2")]
    records.append(sse("[END]", id="3"))
    for cut in range(2, len(records)):
        run = drive(StreamSession(PLAIN), behind(records, cut))
        honest(run, data_of(run), words)


# ---- ids that come twice

CYCLES = {
    "constant": ["same"] * 7,
    "pairs": [str(n // 2) for n in range(7)],
    "twos": [str(n % 2) for n in range(7)],
    "threes": [str(n % 3) for n in range(7)],
    "thirties": [str(n % 30) for n in range(64)],
}


@pytest.mark.parametrize("cycle", CYCLES)
def test_plain_ids_that_come_twice_are_no_cursors(cycle: str) -> None:
    ids = [*CYCLES[cycle], "e"]
    words = [*(f"r{n}" for n in range(len(ids) - 1)), "[END]"]
    records = ticks(*words, ids=ids)
    for cut in range(1, len(records)):
        run = drive(StreamSession(PLAIN), behind(records, cut))
        honest(run, data_of(run), words)


@pytest.mark.parametrize("cycle", CYCLES)
def test_chunk_ids_that_come_twice_are_no_cursors(cycle: str) -> None:
    ids = CYCLES[cycle]
    words = [f"w{n} " for n in range(len(ids))]
    records = [chunk(word, own=own) for word, own in zip(words, ids, strict=True)]
    records += [chunk("", own="last", finish="stop"), sse("[DONE]")]
    for cut in range(1, len(ids)):
        run = drive(StreamSession(HOLYSHEEP), behind(records, cut))
        told = [event.text for event in run.events if isinstance(event, TextDelta)]
        honest(run, told, words)


def test_behind_an_id_that_came_twice_no_point_follows() -> None:
    decoder = StreamDecoder("records")
    points: list[Any] = []
    for record in ticks(*"abcdef", ids=["1", "2", "2", "3", "1", "4"]):
        points += [e.cursor for e in decoder.receive_data(record) if type(e) is ResumePoint]
        decoder = StreamDecoder.restore(decoder.snapshot())
    assert points == ["1", "2"]


def test_only_so_many_ids_are_remembered() -> None:
    decoder = StreamDecoder("records")
    for number in range(1000):
        decoder.receive_data(sse("x", id=f"event-{number}"))
    assert len(decoder.snapshot()) < 4096


def test_a_stream_whose_chunks_share_an_id_is_read_to_its_end() -> None:
    records = [chunk(word, own="same") for word in ("one ", "two ", "three")]
    records += [chunk("", own="same", finish="stop"), sse("[DONE]")]
    run = drive(StreamSession(HOLYSHEEP), lambda asked: whole(*records))
    assert run.end == StreamEnd("complete")
    assert text_of(run) == "one two three"


# ---- what is no answer

OK = b"HTTP/1.1 200 OK\r\n"
STREAM = OK + b"content-type: text/event-stream\r\n\r\n"
PAGES = {
    "named": OK + b"content-type: text/html; charset=utf-8\r\n\r\n<html>login</html>\r\n",
    "nameless": OK + b"\r\n<html>login</html>\r\n\r\n",
    "claimed": STREAM + b"<html>\n<b>\n</html>\n\n",
    "a record": STREAM + b"data: sorry\n\n",
    "of another kind": STREAM + b"data: {}\n\n",
}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", ["openai-responses", "interactions", "holysheep", "llamacpp"])
def test_something_else_instead_of_the_answer_refuses_that_body_alone(name: str, page: str) -> None:
    story = STORIES[name]
    if (name, page) == ("llamacpp", "of another kind"):
        pytest.skip("any JSON may stand in a row of bytes")
    first = [wire for _, wire in story.records[:8]]
    uncut = drive(StreamSession(story.request), story.serve)
    served: list[Asked] = []

    def serve(asked: Asked) -> Reply:
        served.append(asked)
        if len(served) == 1:
            return broken(*first)
        return Reply(PAGES[page]) if len(served) == 2 else story.serve(asked)

    run = drive(StreamSession(story.request), serve)
    assert run.end == StreamEnd("complete")
    assert not of_type(run, Unrecognized)
    assert modes(run) in (["continue"], ["replay"])
    assert text_of(run) == text_of(uncut)
    assert served[1].target == served[2].target
