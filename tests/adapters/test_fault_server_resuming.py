"""Every resume mechanism goes on exactly, wherever it broke, over real sockets."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from sans_io_stream import (
    Event,
    ReasoningDelta,
    Record,
    Resumed,
    StreamStart,
    TextDelta,
    Timeouts,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from sans_io_stream.strategies.holysheep import HolySheepStrategy
from sans_io_stream_adapters.testing import (
    BREAKS,
    Busy,
    Cut,
    FaultServer,
    Forget,
    Heartbeats,
    Ignore,
    Jump,
    NoEnd,
    Refuse,
    Repeat,
    Reset,
    Skip,
    Stall,
    draw,
)
from tests.adapters.driving import AT_ONCE, Run, drive
from tests.adapters.raw import ask

Servers = Callable[..., FaultServer]

TEXT = "Hello, wörld 🦜,\nand more of it"
ARGUMENTS = ['{"ci', 'ty": "', "Köln", '"}']
EVENTS: list[Event] = [
    StreamStart("resp_1", "test"),
    ReasoningDelta("Hm 🤔"),
    *(TextDelta(word) for word in ["Hel", "lo, ", "wörld", " 🦜", ' "fin"']),
    ToolCallDelta(0, "call_1", "weather", ""),
    *(ToolCallDelta(0, "call_1", "weather", piece) for piece in ARGUMENTS),
    ToolCall(0, "call_1", "weather", "".join(ARGUMENTS)),
    Usage(prompt_tokens=11, completion_tokens=7, total_tokens=18, final=True),
]

MECHANISMS: dict[str, dict[str, Any]] = {
    "openai-responses": {"dialect": "openai-responses"},
    "gemini-interactions": {"dialect": "gemini-interactions"},
    "native": {"dialect": "native"},
    "records": {"dialect": "records"},
    "eventsource": {"dialect": "records", "resume": "eventsource"},
    "holysheep": {"dialect": "holysheep"},
    "holysheep-body": {"dialect": "holysheep", "resume": HolySheepStrategy(via="body")},
    "holysheep-checked": {"dialect": "holysheep", "resume": HolySheepStrategy(checked=True)},
    "llamacpp": {"dialect": "openai-chat", "resume": "llamacpp"},
}


def options_of(name: str) -> dict[str, Any]:
    options = MECHANISMS[name]
    if options["dialect"] == "records":
        return {**options, "text": TEXT * 3}
    return {**options, "events": EVENTS}


def said(run: Run) -> list[Any]:
    """The answer, without the borders of its deltas."""
    told: list[Any] = [
        "".join(event.text for event in run.of(kind)) for kind in (TextDelta, ReasoningDelta)
    ]
    told.append("".join(event.arguments for event in run.of(ToolCallDelta)))
    return [*told, run.of(ToolCall), [(e.data, e.id) for e in run.of(Record)], run.end.outcome]


@pytest.fixture(scope="module")
def uncut() -> Callable[[str], list[Any]]:
    def told(name: str) -> list[Any]:
        with FaultServer(**options_of(name)) as server:
            whole = said(drive(server.request()))
        assert whole[-1] == "complete"
        return whole

    return told


@pytest.mark.parametrize("name", MECHANISMS)
def test_it_goes_on_exactly_after_a_cut_at_many_bytes(
    fault_server: Servers, uncut: Callable[[str], list[Any]], name: str
) -> None:
    whole, options = uncut(name), options_of(name)
    size = len(ask(fault_server(**options), "/v1/stream").wire)
    step = max(1, size // 60)
    resumed = 0
    for at, kind in zip(range(0, size, step), itertools.cycle(BREAKS), strict=False):
        with FaultServer(**options, faults=[kind(at)]) as server:  # type: ignore[call-arg]
            run = drive(server.request())
            assert said(run) == whole, (at, run.end)
        resumed += bool(run.of(Resumed))
        assert {event.mode for event in run.of(Resumed)} <= {"continue", "replay"}
    assert resumed > 20


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", MECHANISMS)
def test_it_goes_on_exactly_after_drawn_cuts(
    fault_server: Servers, uncut: Callable[[str], list[Any]], name: str, seed: int
) -> None:
    server = fault_server(**options_of(name), seed=seed, cuts=4)
    run = drive(server.request())
    assert said(run) == uncut(name), f"{server.plan}\n{run.end}"


@pytest.mark.parametrize("name", MECHANISMS)
def test_it_goes_on_through_every_kind_of_trouble(
    fault_server: Servers, uncut: Callable[[str], list[Any]], name: str
) -> None:
    faults = [
        Refuse(),
        Busy(503),
        Cut(0.6),
        Busy(429, retry_after=1),
        Refuse(reset=False),
        Reset.in_chunk_header(2),
        (Repeat(1), Cut.in_character(1)) if name != "llamacpp" else Cut.in_character(1),
        Heartbeats(after=1, count=2, every=0.0),
    ]
    server = fault_server(**options_of(name), faults=faults)
    run = drive(server.request())
    assert said(run) == uncut(name)
    assert max(run.waits) > 0.9


def test_what_each_mechanism_asks_is_answered(fault_server: Servers) -> None:
    """The requests behind a cut in the middle, as the server saw them."""
    asked: dict[str, list[str]] = {}
    for name in MECHANISMS:
        server = fault_server(**options_of(name), faults=[Cut(0.6)])
        drive(server.request())
        asked[name] = [f"{one.method} {one.target}" for one in server.seen.requests]
        last = server.seen.requests[-1]
        if name in ("native", "records", "eventsource"):
            assert last.header("last-event-id")
        elif name == "holysheep-body":
            assert last.json()["stream_options"]["resume_from_event_id"].startswith("evt_")
        elif name.startswith("holysheep"):
            assert last.header("x-stream-event-id")
    chat, below = "POST /v1/chat/completions", "?stream=true&"
    assert asked["holysheep"] == [chat] * 2
    assert asked["holysheep-checked"] == [chat, "POST /v1/stream/check", chat]
    assert asked["openai-responses"][1].startswith(f"GET /v1/responses/resp_1{below}starting_after")
    assert asked["gemini-interactions"][1].startswith(
        f"GET /v1beta/interactions/resp_1{below}last_event_id="
    )
    assert asked["llamacpp"][1].startswith("GET /v1/stream/conversation%201?from=")


# ---- cursors that the server does not keep


@pytest.mark.parametrize("name", ["openai-responses", "gemini-interactions"])
def test_a_stored_answer_that_comes_from_its_start_is_a_replay(
    fault_server: Servers, uncut: Callable[[str], list[Any]], name: str
) -> None:
    server = fault_server(**options_of(name), faults=[Cut(0.6), Ignore()])
    run = drive(server.request())
    assert said(run) == uncut(name)
    assert [event.mode for event in run.of(Resumed)] == ["replay"]


# An event source asks again without its cursor, as browsers do.
@pytest.mark.parametrize("name", [name for name in MECHANISMS if name != "eventsource"])
def test_a_forgotten_cursor_ends_the_stream_with_the_truth(
    fault_server: Servers, name: str
) -> None:
    server = fault_server(**options_of(name), faults=[Cut(0.6), *[Forget()] * 20])
    run = drive(server.request())
    assert run.end.outcome == "interrupted"


def test_a_check_tells_that_a_cursor_is_forgotten(fault_server: Servers) -> None:
    server = fault_server(**options_of("holysheep-checked"), faults=[Cut(0.6), Forget()])
    run = drive(server.request())
    assert run.end.outcome == "interrupted"
    first, check = server.seen.requests
    assert (first.faults, check.faults) == ((Cut(0.6),), (Forget(),))
    assert check.path == "/v1/stream/check"


@pytest.mark.parametrize("fault", [Skip(1), Jump(5)])
def test_numbers_that_do_not_join_are_no_continuation(fault_server: Servers, fault: Any) -> None:
    options = options_of("openai-responses")
    server = fault_server(**options, faults=[Cut(0.6), *[fault] * 20])
    run = drive(server.request())
    assert "continue" not in {event.mode for event in run.of(Resumed)}


def test_a_missing_end_is_asked_for(
    fault_server: Servers, uncut: Callable[[str], list[Any]]
) -> None:
    server = fault_server(**options_of("openai-responses"), faults=[NoEnd()])
    assert said(drive(server.request())) == uncut("openai-responses")
    assert server.seen.connections == 2


def test_without_a_mechanism_every_request_begins(fault_server: Servers) -> None:
    server = fault_server("openai-chat", events=EVENTS, faults=[Cut(0.6)])
    run = drive(server.request())
    assert run.end.outcome == "interrupted"
    server = fault_server("openai-responses", resume="none", events=EVENTS, faults=[Cut(0.6)])
    run = drive(server.request())
    assert run.end.outcome == "interrupted"
    assert "background" not in json.loads(server.request().body)


def test_timeouts_of_the_client_end_stalls_and_heartbeats(
    fault_server: Servers, uncut: Callable[[str], list[Any]]
) -> None:
    soon = Timeouts(idle=0.05, progress=0.1, response=0.1)
    server = fault_server(
        **options_of("openai-responses"),
        faults=[Stall(at=0.5), Heartbeats(after=2, every=0.01), Stall(at=0)],
    )
    run = drive(server.request(), timeouts=soon, policy=AT_ONCE)
    assert said(run) == uncut("openai-responses")
    assert server.seen.connections == 4


# ---- other calls


def test_calls_that_ask_for_no_stream(fault_server: Servers) -> None:
    server = fault_server("openai-responses", faults=[Cut(10)])
    assert b"cancelled" in ask(server, "/v1/responses/resp_1/cancel").wire
    assert ask(server, "/v1/responses/other").wire.startswith(b"HTTP/1.1 404 ")
    assert server.seen.requests[0].faults == ()
    assert len(ask(server, "/v1/responses").wire) == 10
    server = fault_server("openai-chat", resume="llamacpp")
    assert ask(server, "/v1/stream/unheard-of?from=0").wire.startswith(b"HTTP/1.1 404 ")


def test_drawn_faults_of_every_kind_end_with_the_truth(
    fault_server: Servers, uncut: Callable[[str], list[Any]]
) -> None:
    whole = uncut("openai-responses")
    kinds = (Cut, Reset, Refuse, Busy, Repeat, Skip, Ignore, NoEnd)
    for seed in range(25):
        server = fault_server(**options_of("openai-responses"), faults=draw(seed, 5, kinds))
        run = drive(server.request())
        text = "".join(event.text for event in run.of(TextDelta))
        if not any(isinstance(f, Repeat | Skip) for f in itertools.chain(*server.plan.turns)):
            assert whole[0].startswith(text), server.plan
            assert run.end.outcome == "interrupted" or said(run) == whole, server.plan
