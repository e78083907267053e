"""What a refusal, a row of attempts and a reconnection time are about, and how long they last."""

from __future__ import annotations

import pytest

from sans_io_stream import ReconnectPolicy, Record, Resumed, ResumePoint, StreamEnd, StreamRequest
from sans_io_stream.session import StreamSession
from tests.session.answers import only_end
from tests.session.peer import Asked, Reply, Run, Server, drive
from tests.session.scripts import LOST, broken, calls, of_type, run_of, whole
from tests.session.stories import STORIES, gone, sse

BACKGROUND = STORIES["openai-responses"]
RECORDS = [wire for _, wire in BACKGROUND.records]
LLAMA = STORIES["llamacpp"]
NO_CONTENT = Reply(b"HTTP/1.1 204 No Content\r\n\r\n")
POST = ("POST", "/v1/responses")


def get(number: int) -> tuple[str, str]:
    return ("GET", f"/v1/responses/resp_1?stream=true&starting_after={number}")


def failing(number: int) -> bytes:
    error = {"type": "server_error", "code": "server_error", "message": "x"}
    return sse({"type": "error", "sequence_number": number, "error": error}, event="error")


def run_against(request: StreamRequest, server: Server, **options: object) -> Run:
    run = drive(StreamSession(request, policy=ReconnectPolicy(**options)), server)  # type: ignore[arg-type]
    only_end(run)
    return run


# ---- refusals are about a generation


def test_a_new_generation_is_taken_up_though_the_old_one_could_not_be() -> None:
    run = run_of(
        BACKGROUND.request,
        broken(*RECORDS[:6]),
        Reply(gone()),
        Reply(gone()),
        broken(*RECORDS[:6]),
        whole(*RECORDS[6:]),
        allow={"restart"},
    )
    assert run.end == StreamEnd("complete")
    assert calls(run)[3:] == [POST, get(5)]


def test_a_generation_behind_one_that_failed_is_taken_up() -> None:
    run = run_of(
        BACKGROUND.request,
        whole(RECORDS[0], failing(1)),
        broken(*RECORDS[:6]),
        whole(*RECORDS[6:]),
    )
    assert run.end == StreamEnd("complete")
    assert calls(run) == [POST, POST, get(5)]


def test_of_one_that_failed_nothing_is_asked_while_another_may_have_begun() -> None:
    run = run_of(BACKGROUND.request, whole(RECORDS[0], failing(1)), LOST, whole(*RECORDS))
    assert run.end == StreamEnd("complete")
    assert calls(run) == [POST] * 3


def test_what_was_not_there_is_asked_for_again_once_it_may_have_begun() -> None:
    run = run_of(LLAMA.request, LOST, Reply(gone()), LOST, Reply(LLAMA.wire(LLAMA.after(None))))
    assert run.end == StreamEnd("complete")
    assert [asked.method for asked in run.asked] == ["POST", "GET", "POST", "GET"]


def test_an_error_told_in_an_exact_resume_is_asked_for_once() -> None:
    def serve(asked: Asked) -> Reply:
        if asked.method == "POST":
            return broken(*RECORDS[:6])
        return whole(RECORDS[6], failing(7))

    run = run_against(BACKGROUND.request, serve, allow=frozenset({"restart"}), max_connections=4)
    assert calls(run) == [POST, get(5), POST, get(5)]


# ---- a row starts afresh with something new


def test_a_server_that_never_gets_beyond_one_record_is_given_up() -> None:
    run = run_against(BACKGROUND.request, lambda asked: broken(*RECORDS[:6]))
    assert len(run.asked) == 5
    assert run.end.outcome == "interrupted"
    points = [event.cursor for event in of_type(run, ResumePoint) if isinstance(event, ResumePoint)]
    assert points == [0, 1, 2, 3, 4, 5]


def test_heartbeats_with_a_number_are_nothing_new() -> None:
    def serve(asked: Asked) -> Reply:
        if asked.method == "POST":
            return broken(*RECORDS[:6])
        number = int(asked.query["starting_after"]) + 1
        return broken(sse({"type": "keepalive", "sequence_number": number}, event="keepalive"))

    run = run_against(BACKGROUND.request, serve)
    assert len(run.asked) == 5
    assert run.end.outcome == "interrupted"


def test_a_record_that_only_comes_again_is_nothing_new() -> None:
    request = StreamRequest("GET", "http://a.test/", dialect="records")
    run = run_against(request, lambda asked: broken(b"id: 1\ndata: x\n\n"))
    assert len(run.asked) == 5
    assert len(of_type(run, ResumePoint)) == len(of_type(run, Record)) == 1


# ---- what the stream itself says


def test_a_reconnection_time_holds_until_another_is_told() -> None:
    request = StreamRequest("GET", "http://a.test/", dialect="records", terminator="[END]")
    run = run_of(
        request,
        broken(b"retry: 5000\n\nid: 1\ndata: x\n\n"),
        broken(b": nothing but a comment\n\n"),
        broken(b"retry: 7000\nid: 2\ndata: y\n\n"),
        whole(b"id: 3\ndata: [END]\n\n"),
    )
    assert run.waits == [5.0, 5.0, 7.0]


def test_a_snapshot_keeps_the_reconnection_time() -> None:
    request = StreamRequest("GET", "http://a.test/", dialect="records", terminator="[END]")
    replies = [
        broken(b"retry: 5000\n\nid: 1\ndata: x\n\n"),
        broken(b": nothing but a comment\n\n"),
        whole(b"id: 3\ndata: [END]\n\n"),
    ]
    session = StreamSession(request)
    run = drive(session, lambda asked: replies.pop(0), stop=lambda run: len(run.asked) == 2)
    again = StreamSession.restore(session.snapshot(run.now), request, run.now)
    rest = drive(again, lambda asked: replies.pop(0), now=run.now)
    assert rest.end == StreamEnd("complete")


@pytest.mark.parametrize("strategy", ["eventsource", "last-event-id"])
@pytest.mark.parametrize("terminator", [None, "[END]"])
def test_204_ends_a_plain_event_stream_behind_a_cursor(
    strategy: str, terminator: str | None
) -> None:
    request = StreamRequest(
        "GET", "http://a.test/", dialect="records", resume=strategy, terminator=terminator
    )
    run = run_of(request, broken(b"id: 1\ndata: x\n\n"), NO_CONTENT)
    assert run.end == StreamEnd("complete")
    assert of_type(run, Record) == [Record("message", "x", "1")]
    assert not of_type(run, Resumed)
    token = next(event for event in run.events if isinstance(event, ResumePoint)).token
    second = drive(StreamSession(request, resume_from=token), lambda asked: NO_CONTENT)
    assert second.end == StreamEnd("complete")


def test_204_is_no_end_of_any_other_stream() -> None:
    run = run_of(BACKGROUND.request, broken(*RECORDS[:6]), NO_CONTENT, *[NO_CONTENT] * 9)
    assert run.end.outcome == "interrupted"
