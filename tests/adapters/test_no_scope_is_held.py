"""No cancel scope, task group or task is held while an event is with the consumer.

Whoever holds one across a ``yield`` breaks the nesting of the consumer's own scopes, and binds
the stream to one task. Here scopes overlap reads in every way, and the tasks change.
"""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio

from sans_io_stream import Event, StreamEnd
from tests.session.answers import events_of, policy_of, whole
from tests.session.stories import STORIES
from tests.session.test_law4 import breaking

from .colours import ASYNC, aopen, run
from .loopback import Loopback, at
from .test_sockets import QUICK

STORY = STORIES["openai-responses"]


def opened(colour: str, port: int) -> Any:
    policy = policy_of(STORY, **QUICK)
    return aopen(colour, at(STORY.request, port), policy=policy, proxy=False)


def server() -> Loopback:
    return Loopback(answers=breaking(STORY, 900, 700))


@pytest.mark.parametrize("colour", ASYNC)
def test_a_scope_may_end_between_any_two_events(colour: str) -> None:
    """Each scope is entered behind one event, and left behind the next."""
    events: list[Event] = []

    async def main() -> None:
        stream = opened(colour, place.port)
        events.append(await anext(stream))
        while not isinstance(events[-1], StreamEnd):
            with anyio.CancelScope():
                async with anyio.create_task_group():
                    events.append(await anext(stream))
        with anyio.CancelScope():
            await stream.aclose()

    with server() as place:
        run(colour, main)
    assert events_of(events) == events_of(whole(STORY.name).events)


@pytest.mark.parametrize("colour", ASYNC)
def test_every_event_may_go_to_another_task(colour: str) -> None:
    """One opens the stream, others take an event each, and another one closes it."""
    events: list[Event] = []

    async def main() -> None:
        stream = opened(colour, place.port)

        async def take() -> None:
            events.append(await anext(stream))

        while not events or not isinstance(events[-1], StreamEnd):
            async with anyio.create_task_group() as group:
                group.start_soon(take)
        async with anyio.create_task_group() as group:
            group.start_soon(stream.aclose)

    with server() as place:
        run(colour, main)
    assert events_of(events) == events_of(whole(STORY.name).events)


@pytest.mark.parametrize("colour", ASYNC)
def test_the_scope_of_one_read_cancels_no_other(colour: str) -> None:
    """What bounded a step that is over must not reach the consumer's own waiting."""

    async def main() -> None:
        async with opened(colour, place.port) as stream:
            async for _ in stream:
                assert anyio.current_effective_deadline() == float("inf")
                stream._network.interrupt()
                await anyio.lowlevel.checkpoint()
                await anyio.lowlevel.checkpoint()

    with server() as place:
        run(colour, main)


@pytest.mark.parametrize("colour", ASYNC)
def test_no_task_is_there_between_two_events(colour: str) -> None:
    def living() -> int:
        if colour.endswith("trio"):
            return trio.lowlevel.current_statistics().tasks_living
        return len(asyncio.all_tasks())

    async def main() -> None:
        before = living()
        async with opened(colour, place.port) as stream:
            async for _ in stream:
                assert living() == before
                if colour.endswith("trio"):
                    assert trio.lowlevel.current_task().child_nurseries == nurseries

    nurseries: list[trio.Nursery] = []
    with server() as place:
        run(colour, main)
