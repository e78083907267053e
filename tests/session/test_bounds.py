"""Bounds that hold whatever happens: connections in all, the total time, the provider's end."""

from __future__ import annotations

import pytest

from sans_io_stream import ReconnectPolicy, StreamRequest, StreamSession, Timeouts
from sans_io_stream.session import Close, Connect, Done, Wait
from tests.session.peer import Asked, Reply, drive, response
from tests.session.stories import STORIES
from tests.session.test_scripts import CHAT, HEAD, answered, begun, words

PLAIN = StreamRequest("GET", "http://api.test/a", dialect="records")
NEVER = ReconnectPolicy.never()


# ---- connections


def led_on(asked: Asked) -> Reply:
    return Reply(answered(302, "Location: /b")) if asked.path == "/a" else Reply(b"", lost=True)


@pytest.mark.parametrize(
    ("policy", "paths", "outcome"),
    [
        (NEVER, ["/a"], "failed"),
        (ReconnectPolicy(max_connections=1), ["/a"], "failed"),
        (ReconnectPolicy(max_connections=2), ["/a", "/b"], "interrupted"),
        (ReconnectPolicy(max_connections=3), ["/a", "/b", "/a"], "failed"),
        (ReconnectPolicy(max_connections=4), ["/a", "/b", "/a", "/b"], "interrupted"),
    ],
)
def test_a_redirect_takes_a_connection(
    policy: ReconnectPolicy, paths: list[str], outcome: str
) -> None:
    run = drive(StreamSession(PLAIN, policy=policy), led_on)
    assert [asked.path for asked in run.asked] == paths
    assert run.end.outcome == outcome
    if outcome == "failed":
        assert f"ReconnectPolicy.max_connections allows ({len(paths)})" in run.end.error.message


@pytest.mark.parametrize("most", range(1, 8))
def test_a_check_takes_a_connection(most: int) -> None:
    story = STORIES["holysheep-checked"]

    def one_more(asked: Asked) -> Reply:
        other = story.other(asked)
        if other is not None:
            return Reply(other)
        wire = response(b"", pieces=story.after(story.asked_from(asked))[:1])
        return Reply(wire[:-5], lost=True)

    policy = ReconnectPolicy(max_connections=most)
    run = drive(StreamSession(story.request, policy=policy), one_more)
    assert len(run.asked) == most
    assert words(run.events)[-1] == "StreamEnd interrupted exhausted"


def test_a_restored_session_has_no_more_than_the_first_one() -> None:
    session = begun(policy=NEVER)
    restored = StreamSession.restore(session.snapshot(0.0), CHAT, 0.0, policy=NEVER)
    assert words(restored.start(0.0)) == ["StreamEnd interrupted exhausted"]
    assert isinstance(restored.next_step(0.0), Done)
    # Before there was any, there is one.
    session = StreamSession(CHAT, policy=NEVER)
    session.not_before(5.0, 0.0)
    session.start(0.0)
    restored = StreamSession.restore(session.snapshot(0.0), CHAT, 0.0, policy=NEVER)
    assert restored.start(0.0) == []
    assert restored.next_step(0.0) == Wait(5.0, "held back")


# ---- time


@pytest.mark.parametrize("state", ["held back", "backoff"])
def test_nothing_is_waited_for_beyond_the_total_time(state: str) -> None:
    session = StreamSession(CHAT, timeouts=Timeouts(total=10))
    if state == "held back":
        session.not_before(1000.0, 0.0)
    session.start(0.0)
    if state == "backoff":
        session.connected(0.0)
        session.sent(0.0)
        session.receive_data(answered(503), 0.0)
        session.closed(0.0)
        session.not_before(1000.0, 0.0)
    assert session.next_step(0.0) == Wait(10.0, state)
    assert session.handle_timeout(9.9) == []
    assert words(session.handle_timeout(10.0)) == ["StreamEnd interrupted timeout"]
    assert isinstance(session.next_step(10.0), Done)


def test_what_is_held_back_begins_before_the_total_time_is_over() -> None:
    session = StreamSession(CHAT, timeouts=Timeouts(total=10))
    session.not_before(5.0, 0.0)
    session.start(0.0)
    assert session.next_step(0.0) == Wait(5.0, "held back")
    session.handle_timeout(5.0)
    assert isinstance(session.next_step(5.0), Connect)


# ---- the provider's end


@pytest.mark.parametrize("name", ["chat", "openai-responses", "interactions", "llamacpp"])
def test_behind_the_last_word_nothing_is_taken_up(name: str) -> None:
    story = STORIES[name]
    session = begun(story.request)
    session.receive_data(HEAD + b"".join(story.after(None)), 0.0)
    assert words(session.reconnect(0.2)) == ["StreamEnd complete"]
    assert session.next_step(0.2) == Close()
    session.closed(0.2)
    assert isinstance(session.next_step(0.2), Done)


def test_a_generation_can_be_stopped_from_its_beginning_to_its_end() -> None:
    story = STORIES["openai-responses"]
    records = story.after(None)
    session = StreamSession(story.request)
    assert session.stop_request() is None
    session = begun(story.request)
    session.receive_data(HEAD + records[0], 0.0)
    asked = session.stop_request()
    assert asked is not None
    session.cancel(None, 0.0)
    assert session.stop_request() == asked
    session = begun(story.request)
    session.receive_data(HEAD + b"".join(records), 0.0)
    assert session.stop_request() is None
    session.receive_eof(0.0)
    assert session.stop_request() is None


def test_a_known_conversation_is_not_stopped_before_it_is_asked_for_nor_after() -> None:
    story = STORIES["llamacpp"]
    session = StreamSession(story.request)
    assert session.stop_request() is None
    run = drive(session, story.serve, size=60, stop=lambda run: len(run.events) > 3)
    assert session.end is None
    assert session.stop_request() is not None
    session = StreamSession(story.request)
    run = drive(session, story.serve)
    assert run.end.outcome == "complete"
    assert session.stop_request() is None


# ---- never a second time blindly

STORED = StreamRequest(
    "POST",
    "http://api.test/v1/responses",
    json={"background": True, "stream": True},
    dialect="openai-responses",
)


@pytest.mark.parametrize(
    ("data", "again"),
    [
        (b"", False),
        (HEAD, False),
        # An error of the server's own says that nothing was begun.
        (b"HTTP/1.1 503 X\r\nContent-Length: 9\r\n\r\n{", True),
        (b"HTTP/1.1 502 X\r\nContent-Length: 9\r\n\r\n{", False),
    ],
    ids=["request", "head", "error", "gateway"],
)
@pytest.mark.parametrize("how", ["reconnect", "snapshot", "lost"])
def test_what_may_be_stored_is_not_begun_twice(data: bytes, how: str, again: bool) -> None:
    session = begun(STORED)
    session.receive_data(data, 0.0)
    if how == "snapshot":
        session = StreamSession.restore(session.snapshot(0.0), STORED, 0.0)
        session.start(0.0)
    elif how == "lost":
        session.connection_lost(ConnectionResetError("reset"), 0.0)
    else:
        session.reconnect(0.0)
    assert (session.end is None) is again
    if not again:
        assert session.end is not None
        assert session.end.outcome != "complete"


def test_with_a_key_it_is() -> None:
    keyed = StreamRequest(
        "POST", STORED.url, {"idempotency-key": "k"}, STORED.body, dialect="openai-responses"
    )
    for data in (b"", HEAD):
        session = begun(keyed)
        session.receive_data(data, 0.0)
        assert words(session.reconnect(0.0))[-1] == "Reconnecting 2 after 0"


def test_what_was_not_sent_is_begun_by_another_connection() -> None:
    session = StreamSession(STORED)
    session.start(0.0)
    session.connected(0.0)
    assert words(session.reconnect(0.0))[-1] == "Reconnecting 2 after 0"
