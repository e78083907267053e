"""No second generation is begun blindly beside one that may have begun and be stored.

OpenAI in the background: only with an idempotency key, or if it is known that nothing was
begun. llama.cpp: what is there is asked for first, and only a 404 says that nothing is.
"""

from __future__ import annotations

import pytest

from sans_io_stream import Resumed, StreamEnd, StreamRequest, Transcript
from sans_io_stream.session import Connect, StreamSession, Wait
from tests.session.peer import Reply, Run
from tests.session.scripts import BUSY, LOST, broken, calls, of_type, run_of, whole
from tests.session.stories import STORIES, gone

RESPONSES = STORIES["openai-responses"]
LLAMA = STORIES["llamacpp"]
CREATED = RESPONSES.records[0][1]


def background(key: str | None = None) -> StreamRequest:
    headers = {} if key is None else {"idempotency-key": key}
    url, body = "http://api.test/v1/responses", {"background": True, "stream": True}
    return StreamRequest("POST", url, headers, json=body, dialect="openai-responses")


@pytest.mark.parametrize("first", [LOST, broken(), broken(b": hello\n\n"), broken(CREATED[:40])])
def test_a_stored_generation_that_may_have_begun_is_not_begun_again(first: Reply) -> None:
    run = run_of(background(), first)
    assert calls(run) == [("POST", "/v1/responses")]
    assert run.end.outcome == "interrupted"
    rest = whole(*(record for _, record in RESPONSES.records))
    keyed = run_of(background("key-1"), first, rest)
    assert calls(keyed) == [("POST", "/v1/responses")] * 2
    assert [asked.headers["idempotency-key"] for asked in keyed.asked] == ["key-1"] * 2
    assert keyed.end == StreamEnd("complete")


def test_a_stored_generation_that_has_begun_is_asked_for() -> None:
    rest = whole(*(record for _, record in RESPONSES.records[1:]))
    run = run_of(background(), broken(CREATED), rest)
    assert calls(run) == [
        ("POST", "/v1/responses"),
        ("GET", "/v1/responses/resp_1?stream=true&starting_after=0"),
    ]
    assert of_type(run, Resumed) == [Resumed("continue")]
    assert run.end == StreamEnd("complete")


def test_a_refused_request_began_nothing_and_may_be_sent_again() -> None:
    run = run_of(background(), BUSY, whole(*(record for _, record in RESPONSES.records)))
    assert calls(run) == [("POST", "/v1/responses")] * 2
    assert run.end == StreamEnd("complete")


def test_what_was_never_sent_may_be_sent() -> None:
    session = StreamSession(background())
    session.start(0.0)
    assert isinstance(session.next_step(0.0), Connect)
    session.connection_lost(ConnectionRefusedError("refused"), 0.0)
    session.closed(0.0)
    assert isinstance(session.next_step(0.0), Wait)
    session.handle_timeout(1.0)
    step = session.next_step(1.0)
    assert isinstance(step, Connect)
    assert step.request.method == "POST"


def llama(*replies: Reply) -> Run:
    return run_of(LLAMA.request, *replies)


POST, ASK = ("POST", "/v1/chat/completions"), ("GET", "/v1/stream/conv%201?from=0")


def test_llamacpp_asks_for_what_is_there_before_it_posts_again() -> None:
    answer = Reply(LLAMA.wire(LLAMA.after(None)))
    there = llama(LOST, answer)
    assert calls(there) == [POST, ASK]
    assert there.end == StreamEnd("complete")
    again = llama(LOST, Reply(gone()), answer)
    assert calls(again) == [POST, ASK, POST]
    assert again.end == StreamEnd("complete")
    assert Transcript.of(there.events).text == Transcript.of(again.events).text != ""


def test_llamacpp_posts_again_after_nothing_but_a_404() -> None:
    for status in (400, 410):
        run = llama(LOST, Reply(gone(status)))
        assert calls(run) == [POST, ASK]
        assert run.end.outcome == "interrupted"
    busy = llama(LOST, BUSY, LOST, Reply(LLAMA.wire(LLAMA.after(None))))
    assert calls(busy) == [POST, ASK, ASK, ASK]
    assert busy.end == StreamEnd("complete")


def test_a_refused_cursor_does_not_say_that_nothing_was_begun() -> None:
    for status in (400, 410):
        run = run_of(background(), broken(CREATED), Reply(gone(status)), Reply(gone(status)))
        assert [method for method, _ in calls(run)] == ["POST", "GET", "GET"]
        assert run.end.outcome == "interrupted"
