"""The vendors' own SDKs in front: their raw responses, their streams and their errors as events."""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

import pytest

from sans_io_stream import (
    AuthenticationFailed,
    Event,
    RateLimited,
    StreamEnd,
    TextDelta,
    Transcript,
)
from sans_io_stream.errors import StreamInterrupted
from sans_io_stream_adapters.responses import aevents_from, events_from
from sans_io_stream_adapters.testing import Busy, Cut, FaultServer, Stall
from tests.adapters.colours import run

TEXT = "Zeilen\u2028trennen nicht: wörter 🦜, 漢字"
MESSAGES = [{"role": "user", "content": "Hi"}]


class SDK(NamedTuple):
    """One vendor's package: its client, where it asks, and what it asks for."""

    package: str
    kind: str
    path: str
    dialect: str
    resource: str
    asks: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.package}-{self.dialect}"

    def client(self, server: FaultServer, prefix: str = "") -> Any:
        make = getattr(pytest.importorskip(self.package), prefix + self.kind)
        return make(api_key="sk-none", base_url=server.url + self.path, max_retries=0)

    def at(self, client: Any) -> Any:
        return attrgetter(self.resource)(client)

    @property
    def ask(self) -> dict[str, Any]:
        return {"model": "m", "stream": True, **self.asks}


SDKS = [
    SDK("openai", "OpenAI", "/v1", "openai-chat", "chat.completions",
        {"messages": MESSAGES}),
    SDK("openai", "OpenAI", "/v1", "openai-responses", "responses",
        {"input": "Hi"}),
    SDK("anthropic", "Anthropic", "", "anthropic", "messages",
        {"messages": MESSAGES, "max_tokens": 9}),
    SDK("groq", "Groq", "", "openai-chat", "chat.completions",
        {"messages": MESSAGES}),
]  # fmt: skip

each_sdk = pytest.mark.parametrize("sdk", SDKS, ids=str)
each_loop = pytest.mark.parametrize("loop", ["asyncio", "trio"])


@each_sdk
def test_a_streaming_response(sdk: SDK) -> None:
    with FaultServer(sdk.dialect, text=TEXT, pieces=9) as server, sdk.client(server) as client:
        create = sdk.at(client).with_streaming_response.create
        with create(**sdk.ask) as response, events_from(response) as stream:
            events = list(stream)
    assert events[-1] == StreamEnd("complete")
    assert Transcript.of(events).text == TEXT


@each_sdk
def test_a_stream_of_the_sdk_that_was_not_read(sdk: SDK) -> None:
    with (
        FaultServer(sdk.dialect, text=TEXT, pieces=9) as server,
        sdk.client(server) as client,
        sdk.at(client).create(**sdk.ask) as theirs,
    ):
        events = list(events_from(theirs))
    assert events[-1] == StreamEnd("complete")
    assert Transcript.of(events).text == TEXT


@each_sdk
@each_loop
def test_an_asynchronous_streaming_response(sdk: SDK, loop: str) -> None:
    async def main(server: FaultServer) -> list[Event]:
        async with sdk.client(server, "Async") as client:
            create = sdk.at(client).with_streaming_response.create
            async with create(**sdk.ask) as response, aevents_from(response) as stream:
                return [event async for event in stream]

    with FaultServer(sdk.dialect, text=TEXT, pieces=9) as server:
        events = run(loop, main, server)
    assert events[-1] == StreamEnd("complete")
    assert Transcript.of(events).text == TEXT


@each_sdk
@each_loop
def test_an_asynchronous_stream_of_the_sdk_that_is_cut(sdk: SDK, loop: str) -> None:
    async def main(server: FaultServer) -> None:
        async with sdk.client(server, "Async") as client:
            theirs = await sdk.at(client).create(**sdk.ask)
            async for event in aevents_from(theirs):
                events.append(event)  # noqa: PERF401 - what comes before an exception is kept

    events: list[Event] = []
    with (
        FaultServer(sdk.dialect, text=TEXT, pieces=9, faults=[Cut(at=0.7)]) as server,
        pytest.raises(StreamInterrupted),
    ):
        run(loop, main, server)
    assert TEXT.startswith(Transcript.of(events).text)
    assert Transcript.of(events).text


@each_sdk
@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationFailed), (429, RateLimited)])
def test_an_error_of_the_sdk_is_told(sdk: SDK, status: int, kind: type[Any]) -> None:
    package = pytest.importorskip(sdk.package)
    faults = [Busy(status, retry_after=7)]
    with FaultServer(sdk.dialect, faults=faults) as server, sdk.client(server) as client:
        with pytest.raises(package.APIStatusError) as refused:
            sdk.at(client).create(**sdk.ask)
        read = partial(list[Event], events_from(refused.value))
        with pytest.raises(kind) as told:
            read()
    assert told.value.end.error.retry_after == 7.0
    assert f"status {status}, as asked for" in told.value.end.error.message


@each_sdk
def test_leaving_closes_it(sdk: SDK) -> None:
    faults = [Stall(at=0.7)]
    with FaultServer(sdk.dialect, pieces=9, faults=faults) as server, sdk.client(server) as client:
        create = sdk.at(client).with_streaming_response.create
        with create(**sdk.ask) as response, events_from(response) as stream:
            for event in stream:
                if isinstance(event, TextDelta):
                    break
        server.wait_until(lambda seen: seen.open == 0)


@each_sdk
def test_what_its_with_block_gives_is_asked_for(sdk: SDK) -> None:
    with FaultServer(sdk.dialect) as server, sdk.client(server) as client:
        waiting = sdk.at(client).with_streaming_response.create(**sdk.ask)
        with pytest.raises(TypeError, match="hand over what its with block gives"):
            events_from(waiting)
