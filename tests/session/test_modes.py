"""What is not exact happens only where it is allowed, is said, and is never done blindly.

The request sent again and compared, a restart, a continuation by each provider's own way, a
retry before anything visible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sans_io_stream import (
    Finish,
    Reconnecting,
    Resumed,
    StreamEnd,
    StreamRequest,
    StreamStart,
    TextDelta,
    Transcript,
    Usage,
)
from tests.session.answers import joined
from tests.session.scripts import BUSY, LOST, broken, calls, of_type, run_of, whole
from tests.session.stories import sse

if TYPE_CHECKING:
    from tests.session.peer import Reply, Run

HI = [{"role": "user", "content": "Hi"}]
# ---- two protocols, record by record


def chunk(text: str | None = None, **more: Any) -> bytes:
    delta = {"role": "assistant"} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": more.pop("finish", None)}
    return sse({"id": more.pop("id", "c-1"), "model": "m", "choices": [choice], **more})


STOP = chunk("", finish="stop") + sse("[DONE]")


def chat(**options: Any) -> StreamRequest:
    body = {"model": "m", "messages": HI, "stream": True}
    options = {"dialect": "openai-chat", **options}
    return StreamRequest("POST", "http://api.test/v1/chat/completions", json=body, **options)


def claude(model: str = "claude-sonnet-4-5") -> StreamRequest:
    body = {"model": model, "messages": HI, "stream": True}
    return StreamRequest("POST", "http://api.test/v1/messages", json=body, dialect="anthropic")


def message(id: str, *texts: str, tokens: int = 1, end: bool = False) -> list[bytes]:
    about: dict[str, Any] = {"id": id, "model": "claude", "role": "assistant", "content": []}
    usage = {"input_tokens": 10, "output_tokens": tokens}
    block = {"type": "text", "text": ""}
    values: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**about, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": block},
    ]
    for text in texts:
        delta = {"type": "text_delta", "text": text}
        values.append({"type": "content_block_delta", "index": 0, "delta": delta})
    if end:
        values += [
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"output_tokens": 20},
            },
            {"type": "message_stop"},
        ]
    return [sse(value, event=value["type"]) for value in values]


# ---- the request again, compared


def test_a_replay_by_post_delivers_only_what_is_new() -> None:
    again = [chunk(id="c-2"), chunk("Hello", id="c-2"), chunk(", wor"), chunk("ld"), STOP]
    first = [chunk(), chunk("Hel"), chunk("lo, w")]
    run = run_of(chat(), broken(*first), whole(*again), allow={"replay"})
    assert calls(run) == [("POST", "/v1/chat/completions")] * 2
    assert run.asked[0].json == run.asked[1].json
    assert of_type(run, Resumed) == [Resumed("replay")]
    assert len(of_type(run, StreamStart)) == 1
    place = run.events.index(Resumed("replay"))
    texts = [event.text for event in run.events[place:] if isinstance(event, TextDelta)]
    assert "".join(texts) == "orld"
    assert joined(run.events)["TextDelta 0"] == "Hello, world"
    assert run.end == StreamEnd("complete")


@pytest.mark.parametrize(
    "again",
    [
        [chunk(), chunk("Jello, world"), STOP],
        [chunk(), chunk("Hello, v"), chunk("ault"), STOP],
        [chunk(), chunk("Hello"), STOP],
        [chunk(), STOP],
        [chunk(), chunk("Hel")],
    ],
)
def test_another_answer_is_refused_and_nothing_of_it_delivered(again: list[bytes]) -> None:
    first = [chunk(), chunk("Hel"), chunk("lo, w")]
    run = run_of(chat(), broken(*first), whole(*again), allow={"replay"})
    assert joined(run.events) == {"TextDelta 0": "Hello, w"}
    assert not of_type(run, Resumed, Finish)
    assert run.end.outcome == "interrupted"
    assert run.end.error.kind == "cursor"
    assert len(run.asked) == 2


def test_a_refused_replay_may_still_be_a_restart() -> None:
    other = [chunk(), chunk("Jello"), STOP]
    first = [chunk(), chunk("Hello")]
    run = run_of(chat(), broken(*first), whole(*other), whole(*other), allow={"replay", "restart"})
    assert of_type(run, Resumed) == [Resumed("restart")]
    assert Transcript.of(run.events).text == "Jello"
    assert run.end == StreamEnd("complete")


def test_a_replay_that_fails_tells_the_providers_error() -> None:
    error = sse({"error": {"message": "no", "type": "invalid_request_error"}})
    run = run_of(chat(), broken(chunk(), chunk("Hel")), whole(chunk(), error), allow={"replay"})
    assert joined(run.events) == {"TextDelta 0": "Hel"}
    assert run.end.outcome == "failed"
    assert (run.end.error.message, run.end.error.type) == ("no", "invalid_request_error")


# ---- a restart


def test_a_restart_voids_what_was_delivered() -> None:
    first, second = message("m-1", "Hel", "lo"), message("m-2", "Bye", tokens=2, end=True)
    run = run_of(claude(), broken(*first), whole(*second), allow={"restart"})
    assert run.asked[0].json == run.asked[1].json
    place = run.events.index(Resumed("restart"))
    start = run.events[place + 1]
    assert isinstance(start, StreamStart)
    assert (start.response_id, start.generation) == ("m-2", 1)
    before = Transcript.of(run.events[:place])
    assert before.text == "Hello"
    told = Transcript.of(run.events)
    assert (told.text, told.response_id) == ("Bye", "m-2")
    assert run.end == StreamEnd("complete")


def test_a_restart_does_not_void_what_was_billed() -> None:
    first, second = message("m-1", "Hel", "lo"), message("m-2", "Bye", tokens=2, end=True)
    run = run_of(claude(), broken(*first), whole(*second), allow={"restart"})
    told = Transcript.of(run.events)
    assert [(u.generation, u.prompt_tokens, u.completion_tokens) for u in told.billed] == [
        (0, 10, 1),
        (1, 10, 20),
    ]
    assert told.usage is not None
    assert told.usage.completion_tokens == 20


# ---- a continuation

QUOTED = (
    "Your previous response was interrupted and ended with: Hello, \n"
    "Continue from where you left off, without repeating anything."
)


def prefix(role: str = "assistant", text: str = "Hello, ", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": text, **more}


def continued(request: StreamRequest, dialect: str) -> Run:
    if dialect == "anthropic":
        first, second = message("m-1", "Hel", "lo, "), message("m-2", "world", end=True)
    else:
        first = [chunk(), chunk("Hel"), chunk("lo, ")]
        second = [chunk(id="c-2"), chunk("world", id="c-2"), STOP]
    run = run_of(request, broken(*first), whole(*second), allow={"continuation"})
    assert of_type(run, Resumed) == [Resumed("continuation")]
    place = run.events.index(Resumed("continuation"))
    start = run.events[place + 1]
    assert isinstance(start, StreamStart)
    assert start.generation == 1
    assert Transcript.of(run.events).text == "Hello, world"
    assert run.end == StreamEnd("complete")
    return run


@pytest.mark.parametrize(
    "model",
    [
        "claude-sonnet-4-5", "claude-opus-4-1-20250805", "claude-sonnet-4-20250514",
        "claude-3-5-haiku-latest", "claude-3-opus-20240229", "claude-haiku-4.5",
        "anthropic/claude-sonnet-4.5", "claude-2.1",
    ],
)  # fmt: skip
def test_claude_up_to_4_5_goes_on_from_a_prefill(model: str) -> None:
    run = continued(claude(model), "anthropic")
    # The API refuses a prefill that ends in white space.
    turns = [*HI, prefix(text="Hello,")]
    assert run.asked[1].json == {"model": model, "messages": turns, "stream": True}


@pytest.mark.parametrize(
    "model", ["claude-opus-4-6", "claude-sonnet-4.6", "claude-opus-5", "claude-sonnet-10-1", "opus"]
)
def test_claude_since_4_6_is_asked_in_a_users_turn(model: str) -> None:
    run = continued(claude(model), "anthropic")
    turns = [*HI, prefix(), prefix("user", QUOTED)]
    assert run.asked[1].json == {"model": model, "messages": turns, "stream": True}


def test_deepseek_goes_on_from_a_prefix_below_beta() -> None:
    run = continued(chat(continuation="deepseek"), "openai-chat")
    assert run.asked[1].target == "/beta/chat/completions"
    turns = [*HI, prefix(prefix=True)]
    assert run.asked[1].json == {"model": "m", "messages": turns, "stream": True}


def test_mistral_goes_on_from_a_prefix() -> None:
    run = continued(chat(dialect="mistral"), "mistral")
    assert run.asked[1].target == "/v1/chat/completions"
    turns = [*HI, prefix(prefix=True)]
    assert run.asked[1].json == {"model": "m", "messages": turns, "stream": True}


def test_vllm_leaves_the_last_message_open() -> None:
    run = continued(chat(continuation="vllm"), "openai-chat")
    assert run.asked[1].json == {
        "model": "m",
        "messages": [*HI, prefix()],
        "stream": True,
        "continue_final_message": True,
        "add_generation_prompt": False,
    }


def test_a_second_continuation_goes_on_from_both_parts() -> None:
    run = run_of(
        chat(continuation="vllm"),
        broken(chunk(), chunk("Hel")),
        broken(chunk(), chunk("lo, ")),
        whole(chunk(), chunk("world"), STOP),
        allow={"continuation"},
    )
    assert [asked.json["messages"][-1]["content"] for asked in run.asked[1:]] == ["Hel", "Hello, "]
    starts = [event.generation for event in run.events if isinstance(event, StreamStart)]
    assert starts == [0, 1, 2]
    assert Transcript.of(run.events).text == "Hello, world"


def test_an_answer_that_has_begun_a_tool_call_cannot_be_continued() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a'}}
    delta = {"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}
    called = sse({"id": "c-1", "model": "m", "choices": [delta]})
    run = run_of(
        chat(continuation="vllm"), broken(chunk(), chunk("Hi"), called), allow={"continuation"}
    )
    assert len(run.asked) == 1
    assert run.end.outcome == "interrupted"
    assert joined(run.events) == {"TextDelta 0": "Hi", "call 0 0 name": "f", "call 0 0": '{"a'}


# ---- nothing is allowed


def test_what_is_not_allowed_ends_interrupted_with_all_that_was_delivered() -> None:
    run = run_of(claude(), broken(*message("m-1", "Hel", "lo, ")))
    told = Transcript.of(run.events)
    assert told.text == "Hello, "
    assert told.usage is not None
    assert (told.usage.prompt_tokens, told.usage.completion_tokens) == (10, 1)
    last = [event for event in run.events if isinstance(event, Usage)][-1]
    assert not last.final
    assert run.end.outcome == "interrupted"
    assert run.end.error.kind == "connection"
    assert not of_type(run, Reconnecting, Resumed)
    assert len(run.asked) == 1


# ---- a retry before anything visible


@pytest.mark.parametrize(
    ("first", "generation"),
    [
        (LOST, 0),
        (BUSY, 0),
        (broken(), 0),
        (broken(b": hello\n\n"), 0),
        (broken(chunk()), 1),
        (broken(chunk(), chunk("")), 1),
    ],
)
def test_before_anything_visible_it_is_simply_tried_again(first: Reply, generation: int) -> None:
    run = run_of(chat(), first, whole(chunk(), chunk("Hi"), STOP))
    starts = [event.generation for event in run.events if isinstance(event, StreamStart)]
    assert starts == sorted({0, generation})
    assert not of_type(run, Resumed)
    assert joined(run.events) == {"TextDelta 0": "Hi"}
    assert run.end == StreamEnd("complete")
