"""The process is killed in mid-stream: what a client saw is still there, and it can go on.

Where the provider goes on exactly, so does the stream, and its client gets the rest, once. Where
it cannot, the stream is sealed as interrupted. Nothing sleeps: the moment of a kill is counted in
bytes that the client got.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from sans_io_stream import (
    Event,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Transcript,
)
from sans_io_stream_adapters.testing import FaultServer

from .asgi import Answer, talk
from .program import Program, fetch

PIECES = 150
TEXT = " ".join(f"word {number}," for number in range(PIECES)) + " 🦜"
SPEED = 5.0
"""A record each 4 ms."""
BYTES = 4000
"""Of the body that a client may get before the process is killed: less than all of it."""
CONFIG = """\
store = {store!r}

[upstreams.up]
provider = "openai"
base_url = "{url}/v1"
api_key = "key"
{more}
"""
RESPONSES = 'surface = "responses"\nbackground = true'
ARGUMENTS = [f'"{number}",' for number in range(PIECES)]
CALL: list[Event] = [
    StreamStart("resp_1", "m"),
    TextDelta("I call."),
    ToolCallDelta(index=0, id="call_1", name="f", arguments="["),
    *(ToolCallDelta(index=0, arguments=piece) for piece in ARGUMENTS),
    ToolCallDelta(index=0, arguments="0]"),
    ToolCall(index=0, id="call_1", name="f", arguments=f"[{''.join(ARGUMENTS)}0]"),
]


def configured(directory: Path, server: FaultServer, more: str = "") -> str:
    path = directory / "relay.toml"
    store = str(directory / "streams.db")
    path.write_text(CONFIG.format(store=store, url=server.url, more=more), "utf-8")
    return str(path)


def came(size: int) -> Callable[[Answer], bool]:
    return lambda answer: len(answer.body) >= size


def whole_records(answer: Answer) -> Answer:
    """What a client has of a body that broke off: its whole records."""
    body = answer.body[: answer.body.rfind(b"\n\n") + 2] if b"\n\n" in answer.body else b""
    return Answer(answer.status, answer.headers, body, answer.whole)


def all_of(config: str, seed: int, kills: int) -> Answer:
    """What one client has of one stream whose relay was killed so many times."""
    dice = random.Random(seed)
    body = talk(model="up/m")
    with Program("--config", config) as program:
        url, leave = program.url, came(dice.randrange(1, BYTES))
        got = whole_records(fetch(url, "POST", "/v1/streams", body, leave=leave))
        program.kill()
    target = f"/v1/streams/{got.id}"
    for _ in range(kills - 1):
        # From the middle of starting to the middle of the stream.
        with Program("--config", config) as program:
            size = dice.randrange(0, BYTES)
            got.body += whole_records(rest_of(got, program.url, came(size))).body
            program.kill()
    with Program("--config", config) as program:
        more = rest_of(got, program.url)
        got.body, got.whole = got.body + more.body, more.whole
        # Whoever comes anew reads what the one who came back has.
        again = fetch(program.url, "GET", target)
        assert (again.body, again.whole) == (got.body, got.whole)
    return got


def rest_of(
    got: Answer, url: str, leave: Callable[[Answer], bool] = lambda answer: False
) -> Answer:
    """What comes behind what a client has; nothing behind the end."""
    after = f"?after={got.cursors[-1]}" if got.cursors else ""
    headers = {"Last-Event-ID": got.cursors[-1]} if got.cursors else {}
    target = f"/v1/streams/{got.id}"
    if b'"stream_end"' in got.body:
        assert fetch(url, "GET", target, None, headers).status == 204
        return Answer(200, got.headers, b"", whole=True)
    more = fetch(url, "GET", target + after, leave=leave)
    assert more.status == 200
    return more


def rounds(several: int, many: int) -> pytest.MarkDecorator:
    """Some seeds here, more where there is time."""
    more = [pytest.param(seed, marks=pytest.mark.exhaustive) for seed in range(several, many)]
    return pytest.mark.parametrize("seed", [*range(several), *more])


@rounds(3, 60)
def test_a_stream_is_taken_up_where_the_provider_goes_on(seed: int, tmp_path: Path) -> None:
    with FaultServer("openai-responses", text=TEXT, pieces=PIECES, speed=SPEED) as server:
        config = configured(tmp_path, server, RESPONSES)
        got = all_of(config, seed, kills=1 + seed % 3)
        assert got.whole
        transcript = Transcript.of(got.events("native"))
        assert transcript.text == TEXT
        assert transcript.end == StreamEnd("complete")
        assert transcript.usage is not None
        assert len(set(got.cursors)) == len(got.cursors)
        assert got.cursors == sorted(got.cursors)
        begun = [one for one in server.seen.requests if one.method == "POST"]
        assert len(begun) == 1


@rounds(1, 30)
def test_so_is_one_of_a_gateway_with_cursors(seed: int, tmp_path: Path) -> None:
    with FaultServer("holysheep", text=TEXT, pieces=PIECES, speed=SPEED) as server:
        config = configured(tmp_path, server)
        file = Path(config)
        file.write_text(file.read_text("utf-8").replace('"openai"', '"holysheep"'), "utf-8")
        got = all_of(config, seed, kills=1 + seed % 3)
        transcript = Transcript.of(got.events("native"))
        assert transcript.text == TEXT
        assert transcript.end == StreamEnd("complete")
        assert len(set(got.cursors)) == len(got.cursors)


@rounds(1, 30)
def test_a_tool_call_is_taken_up_in_its_middle(seed: int, tmp_path: Path) -> None:
    with FaultServer("openai-responses", events=CALL, speed=SPEED) as server:
        config = configured(tmp_path, server, RESPONSES)
        got = all_of(config, seed, kills=1 + seed % 2)
        events = got.events("native")
        pieces = [event.arguments for event in events if isinstance(event, ToolCallDelta)]
        assert "".join(pieces) == f"[{''.join(ARGUMENTS)}0]"
        calls = [event for event in events if isinstance(event, ToolCall)]
        assert [call.arguments for call in calls] == ["".join(pieces)]
        assert events[-1] == StreamEnd("complete")


@rounds(1, 30)
def test_a_stream_is_sealed_where_the_provider_cannot_go_on(seed: int, tmp_path: Path) -> None:
    with FaultServer("openai-chat", text=TEXT, pieces=PIECES, speed=SPEED) as server:
        got = all_of(configured(tmp_path, server), seed, kills=1 + seed % 2)
        end = got.events("native")[-1]
        assert isinstance(end, StreamEnd)
        assert (end.outcome, end.error and end.error.kind) == ("interrupted", "truncated")
        assert end.error is not None
        assert "the relay was stopped" in end.error.message
        assert len(server.seen.requests) == 1


def test_a_stream_is_sealed_where_the_provider_has_forgotten_it(tmp_path: Path) -> None:
    with FaultServer("openai-responses", text=TEXT, pieces=PIECES, speed=SPEED) as server:
        config = configured(tmp_path, server, RESPONSES)
        with Program("--config", config) as program:
            got = fetch(program.url, "POST", "/v1/streams", talk(model="up/m"), leave=came(2000))
            program.kill()
    got = whole_records(got)
    with FaultServer("openai-responses", events=[TextDelta("Another.")]) as other:
        config = configured(tmp_path, other, RESPONSES)
        with Program("--config", config) as program:
            rest = fetch(program.url, "GET", f"/v1/streams/{got.id}?after={got.cursors[-1]}")
        events = rest.events("native")
        end = events[-1]
        assert isinstance(end, StreamEnd)
        assert end.outcome == "interrupted"
        assert "Another." not in rest.body.decode()


def test_a_stream_goes_not_to_another_provider(tmp_path: Path) -> None:
    with FaultServer("openai-responses", text=TEXT, pieces=PIECES, speed=SPEED) as server:
        config = configured(tmp_path, server, RESPONSES + '\n[models]\nm = "up"')
        with Program("--config", config) as program:
            got = fetch(program.url, "POST", "/v1/streams", talk(model="m"), leave=came(2000))
            program.kill()
        asked = len(server.seen.requests)
        more = RESPONSES + '\n[upstreams.other]\nprovider = "openai"\napi_key = "other"\n'
        more += f'base_url = "{server.url}/v1"\n{RESPONSES}\n[models]\nm = "other"'
        config = configured(tmp_path, server, more)
        with Program("--config", config) as program:
            rest = fetch(program.url, "GET", f"/v1/streams/{got.id}")
        end = rest.events("native")[-1]
        assert isinstance(end, StreamEnd)
        assert end.outcome == "interrupted"
        assert len(server.seen.requests) == asked


def test_a_repeated_key_finds_its_stream_behind_a_kill(tmp_path: Path) -> None:
    key = {"Idempotency-Key": "k-1"}
    with FaultServer("openai-responses", text=TEXT, pieces=PIECES, speed=SPEED) as server:
        config = configured(tmp_path, server, RESPONSES)
        body = talk(model="up/m")
        with Program("--config", config) as program:
            got = fetch(program.url, "POST", "/v1/streams", body, key, leave=came(2000))
            program.kill()
        with Program("--config", config) as program:
            again = fetch(program.url, "POST", "/v1/streams", body, key)
        assert again.id == got.id
        assert again.body.startswith(whole_records(got).body)
        assert Transcript.of(again.events("native")).text == TEXT
