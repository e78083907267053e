"""What each attempt needs of its own, asked for in every runtime."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from sans_io_stream import ReconnectPolicy
from sans_io_stream_adapters.testing import Cut, FaultServer

from .colours import ASYNC, COLOURS, collect

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
