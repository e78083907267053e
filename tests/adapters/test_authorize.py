"""What each attempt needs of its own, asked for in every runtime."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from sans_io_stream import ReconnectPolicy, StreamInterrupted, Timeouts
from sans_io_stream_adapters.testing import Cut, FaultServer

from .colours import ASYNC, COLOURS, aopen, collect, run

if TYPE_CHECKING:
    from sans_io_stream.request import HTTPRequest

QUICK = ReconnectPolicy(initial_delay=0.001, jitter=0.0)


def stamps(server: FaultServer) -> list[str | None]:
    return [asked.header("x-stamp") for asked in server.seen.requests]


@pytest.mark.parametrize("colour", COLOURS)
def test_each_attempt_is_authorized_anew(colour: str) -> None:
    seen: list[HTTPRequest] = []

    def stamp(request: HTTPRequest) -> HTTPRequest:
        seen.append(request)
        return request.with_headers(x_stamp=str(len(seen)))

    faults = [Cut(at=0.3), Cut(at=0.6)]
    with FaultServer("openai-responses", pieces=9, faults=faults) as server:
        request = replace(server.request(), authorize=stamp)
        told = collect(colour, request, policy=QUICK, proxy=False)
        assert told.end.outcome == "complete"
        assert stamps(server) == ["1", "2", "3"]
    assert all("x-stamp" not in dict(request.headers) for request in seen)


@pytest.mark.parametrize("colour", ASYNC)
def test_it_may_take_its_time(colour: str) -> None:
    async def stamp(request: HTTPRequest) -> HTTPRequest:
        await anyio.lowlevel.checkpoint()
        return request.with_headers(x_stamp="late")

    with FaultServer("openai-chat") as server:
        collect(colour, replace(server.request(), authorize=stamp), proxy=False)
        assert stamps(server) == ["late"]


def test_a_blocking_stream_refuses_one_that_waits() -> None:
    async def stamp(request: HTTPRequest) -> HTTPRequest:
        raise AssertionError

    with (
        FaultServer("openai-chat") as server,
        pytest.raises(TypeError, match="authorize is asynchronous"),
    ):
        collect("sync", replace(server.request(), authorize=stamp), proxy=False)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_lost_connection_of_its_own_is_tried_again(colour: str) -> None:
    tries: list[int] = []

    def stamp(request: HTTPRequest) -> HTTPRequest:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionResetError("the place where the tokens are")
        return request

    with FaultServer("openai-chat") as server:
        request = replace(server.request(), authorize=stamp)
        told = collect(colour, request, policy=QUICK, proxy=False)
    assert told.end.outcome == "complete"
    assert told.names[:2] == ["Disconnected", "Reconnecting"]


@pytest.mark.parametrize("colour", COLOURS)
def test_what_else_it_raises_is_the_users(colour: str) -> None:
    def stamp(request: HTTPRequest) -> HTTPRequest:
        raise LookupError("no such profile")

    with FaultServer("openai-chat") as server:
        with pytest.raises(LookupError, match="no such profile"):
            collect(colour, replace(server.request(), authorize=stamp), proxy=False)
        assert server.seen.connections == 0


async def never(request: HTTPRequest) -> HTTPRequest:
    """The place where the tokens are does not answer."""
    await anyio.sleep_forever()
    raise AssertionError


@pytest.mark.parametrize("colour", ASYNC)
def test_it_has_no_more_time_than_the_answer(colour: str) -> None:
    with FaultServer("openai-chat") as server:
        request = replace(server.request(), authorize=never)
        told = collect(colour, request, timeouts=Timeouts(total=0.01), proxy=False)
        assert server.seen.connections == 0
    assert isinstance(told.raised, StreamInterrupted)
    assert told.end.error is not None
    assert "Timeouts.total" in told.end.error.message


@pytest.mark.parametrize("how", ["cancel", "aclose", "reconnect"])
@pytest.mark.parametrize("colour", ASYNC)
def test_it_can_be_broken_off(colour: str, how: str) -> None:
    asked: list[int] = []
    names: list[str] = []

    async def main() -> None:
        async def stamp(request: HTTPRequest) -> HTTPRequest:
            asked.append(1)
            if len(asked) == 1:
                done = getattr(stream, how)()
                if how == "aclose":
                    await done
                await anyio.sleep_forever()
            return request

        request = replace(server.request(), authorize=stamp)
        stream = aopen(colour, request, policy=QUICK, proxy=False)
        with anyio.fail_after(9):
            async with stream:
                names.extend([type(event).__name__ async for event in stream])
        end = stream.transcript.end
        assert end is not None
        assert end.outcome == ("complete" if how == "reconnect" else "cancelled")

    with FaultServer("openai-chat") as server:
        run(colour, main)
    assert len(asked) == (2 if how == "reconnect" else 1)
    assert names[-1:] == ([] if how == "aclose" else ["StreamEnd"])


@pytest.mark.parametrize("colour", COLOURS)
def test_what_is_no_request_is_refused(colour: str) -> None:
    def nothing(_: object) -> Any:
        return None

    with FaultServer("openai-chat") as server:
        request = replace(server.request(), authorize=nothing)
        with pytest.raises(TypeError, match="authorize returns the HTTPRequest that goes out"):
            collect(colour, request, proxy=False)
