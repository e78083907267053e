"""How often, and for how long, Redis is asked again where connections are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import anyio
import pytest

from sans_io_stream_adapters.relay.stores.redis.link import Link, Lost, Unanswered, Where, Wire

from .scripted import BACKENDS, now, virtually

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

PATIENCE = 10.0
both = pytest.mark.parametrize("backend", BACKENDS)


class Losing(Link):
    """A link whose wires are lost so many times, each after so many seconds."""

    def __init__(self, times: float, after: float = 0.0) -> None:
        super().__init__(Where("redis://localhost"), cast("TaskGroup", None), PATIENCE)
        self.times = times
        self.after = after
        self.tries = 0

    async def wire(self) -> Wire:
        self.tries += 1
        if self.tries <= self.times:
            await anyio.sleep(self.after)
            raise Lost("it is gone")
        return cast("Wire", None)


async def answered(wire: Wire) -> str:
    return "answered"


@both
def test_what_was_lost_is_asked_again(backend: str) -> None:
    async def main() -> None:
        began = now()
        assert await Losing(3).do(answered) == "answered"
        assert now() - began < PATIENCE / 10

    virtually(backend, main)


@both
def test_it_is_given_up_when_the_patience_is_over(backend: str) -> None:
    async def main() -> None:
        began = now()
        with pytest.raises(Unanswered, match="10 seconds: it is gone"):
            await Losing(10**6).do(answered)
        # It does not begin another second of waiting which it has not.
        assert PATIENCE - 1.0 <= now() - began <= PATIENCE

    virtually(backend, main)


@both
def test_a_process_that_was_stopped_asks_once_more(backend: str) -> None:
    """Its time is over when it goes on, and Redis has been there all the while."""

    async def main() -> None:
        assert await Losing(1, after=6 * PATIENCE).do(answered) == "answered"
        link = Losing(2, after=6 * PATIENCE)
        with pytest.raises(Unanswered):
            await link.do(answered)
        assert link.tries == 2

    virtually(backend, main)
