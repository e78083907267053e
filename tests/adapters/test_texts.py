"""The text alone, and the whole answer: what most people want of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from sans_io_stream import (
    Event,
    ReconnectPolicy,
    StreamEnd,
    StreamFailed,
    StreamInterrupted,
    StreamRequest,
    TextDelta,
    Usage,
)
from sans_io_stream_adapters import loop, loop_sync
from sans_io_stream_adapters import sync as on_sync
from sans_io_stream_adapters.testing import Busy, Cut, FaultServer

from .colours import COLOURS, aopen, collect, run

QUICK = ReconnectPolicy(initial_delay=0.001, jitter=0.0)
ONCE = ReconnectPolicy.never()


def texts(colour: str, request: StreamRequest, choice: int = 0, **options: Any) -> list[str]:
    """What ``text()`` gives before it ends or raises."""
    options["proxy"] = False
    if colour == "sync":
        with on_sync.open_stream(request, **options) as stream:
            return list(stream.text(choice))

    async def main() -> list[str]:
        async with aopen(colour, request, **options) as stream:
            return [piece async for piece in stream.text(choice)]

    made: list[str] = run(colour, main)
    return made


def answer(colour: str, request: StreamRequest, **options: Any) -> Any:
    """What ``answered`` returns."""
    options["proxy"] = False
    if colour == "sync":
        return loop_sync.answered(on_sync.open_stream(request, **options))

    async def main() -> Any:
        return await loop.answered(aopen(colour, request, **options))

    return run(colour, main)


@pytest.mark.parametrize("colour", COLOURS)
def test_the_text_comes_piece_by_piece(colour: str) -> None:
    with FaultServer("openai-responses", pieces=9, faults=[Cut(at=0.4)]) as server:
        got = texts(colour, server.request(), policy=QUICK)
        assert len(got) == 9
        assert "".join(got) == answer(colour, server.request()).text


@pytest.mark.parametrize("colour", COLOURS)
def test_of_several_choices_it_is_one(colour: str) -> None:
    events: list[Event] = [TextDelta("a"), TextDelta("x", choice=1), TextDelta("b")]
    with FaultServer("openai-chat", events=events) as server:
        assert texts(colour, server.request()) == ["a", "b"]
        assert texts(colour, server.request(), choice=1) == ["x"]


@pytest.mark.parametrize("colour", COLOURS)
def test_a_cut_text_cannot_be_taken_for_a_whole_one(colour: str) -> None:
    with (
        FaultServer("openai-chat", pieces=9, faults=[Cut(at=0.6)]) as server,
        pytest.raises(StreamInterrupted),
    ):
        texts(colour, server.request(), policy=ONCE)


def test_text_that_was_handed_out_cannot_be_made_void() -> None:
    policy = ReconnectPolicy(allow=frozenset({"restart"}))
    with (
        FaultServer("openai-chat") as server,
        on_sync.open_stream(server.request(), policy=policy) as stream,
        pytest.raises(ValueError, match="restart"),
    ):
        stream.text()


@pytest.mark.parametrize("on_error", ["raise", "event"])
@pytest.mark.parametrize("colour", COLOURS)
def test_an_answer_is_whole_or_raises(colour: str, on_error: str) -> None:
    with FaultServer("openai-chat", text="Hello.") as server:
        assert answer(colour, server.request(), on_error=on_error).text == "Hello."
    for fault, kind in [(Cut(at=0.6), StreamInterrupted), (Busy(status=400), StreamFailed)]:
        with (
            FaultServer("openai-chat", pieces=9, faults=[fault]) as server,
            pytest.raises(kind),
        ):
            answer(colour, server.request(), policy=ONCE, on_error=on_error)


class Stopping:
    """An observer that ends each stream at its first text."""

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self.begun = self.closings = 0

    def begin(self, request: StreamRequest, now: float) -> Stopping:
        self.begun += 1
        return self

    def saw(self, events: Sequence[Event], now: float) -> str | None:
        self.seen += events
        return "enough" if any(isinstance(event, TextDelta) for event in events) else None

    def closed(self, now: float) -> None:
        self.closings += 1


@pytest.mark.parametrize("colour", COLOURS)
def test_an_observer_ends_a_stream_with_its_reason(colour: str) -> None:
    watching = Stopping()
    with FaultServer("openai-chat", pieces=50, speed=4.0) as server:
        with pytest.raises(StreamInterrupted, match="enough") as raised:
            answer(colour, server.request(), observers=[watching])
        assert raised.value.end.outcome == "cancelled"
        assert raised.value.transcript is not None
        assert raised.value.transcript.text
        # Nothing was read on for: most of it never came.
        assert sum(isinstance(event, TextDelta) for event in watching.seen) < 50
        assert watching.seen[-1] == raised.value.end
        assert (watching.begun, watching.closings) == (1, 1)


@pytest.mark.parametrize("colour", COLOURS)
def test_an_observer_sees_all_that_came_before_the_consumer(colour: str) -> None:
    watching = Watching()
    with FaultServer("openai-responses", pieces=9, faults=[Cut(at=0.4)]) as server:
        answered = answer(colour, server.request(), policy=QUICK, observers=[watching])
    assert [type(e).__name__ for e in watching.seen[-1:]] == ["StreamEnd"]
    assert "".join(e.text for e in watching.seen if isinstance(e, TextDelta)) == answered.text
    assert {type(e).__name__ for e in watching.seen} >= {"Connected", "Disconnected", "Resumed"}
    assert any(isinstance(event, Usage) for event in watching.seen) == bool(answered.usage)
    assert watching.times == sorted(watching.times)


class Watching(Stopping):
    """An observer that only looks."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def saw(self, events: Sequence[Event], now: float) -> None:
        self.seen += events
        self.times.append(now)


class Refusing:
    """An observer that lets nothing begin."""

    def begin(self, request: StreamRequest, now: float) -> Stopping:
        raise PermissionError("not today")


@pytest.mark.parametrize("colour", COLOURS)
def test_an_observer_keeps_a_stream_from_connecting(colour: str) -> None:
    with FaultServer("openai-chat") as server:
        with pytest.raises(PermissionError, match="not today"):
            answer(colour, server.request(), observers=[Refusing()])
        assert server.seen.connections == 0


@pytest.mark.parametrize("colour", COLOURS)
def test_a_stream_that_is_left_is_closed_for_its_observers(colour: str) -> None:
    watching = Watching()
    with FaultServer("openai-chat", pieces=50, speed=4.0) as server:
        request = server.request()
        if colour == "sync":
            with on_sync.open_stream(request, proxy=False, observers=[watching]) as stream:
                next(stream)
        else:

            async def main() -> None:
                options: Any = {"proxy": False, "observers": [watching]}
                async with aopen(colour, request, **options) as stream:
                    await anext(stream)

            run(colour, main)
    assert watching.closings == 1
    assert not any(isinstance(event, StreamEnd) for event in watching.seen)


@pytest.mark.parametrize("colour", COLOURS)
def test_batches_are_the_events(colour: str) -> None:
    batches: list[list[Event]] = []
    order: list[object] = []

    def heard(attempt: int, delay: float) -> None:
        order.append((attempt, delay))

    options: Any = {"policy": QUICK, "proxy": False, "on_reconnect": heard}
    with FaultServer("openai-responses", pieces=40, faults=[Cut(at=0.5)]) as server:
        request = server.request()
        if colour == "sync":
            with on_sync.open_stream(request, **options) as stream:
                while batch := stream.batch():
                    batches.append(batch)
                assert stream.whole.text
                assert stream.batch() == []
        else:

            async def main() -> None:
                async with aopen(colour, request, **options) as stream:
                    while batch := await stream.batch():
                        batches.append(batch)
                    assert stream.whole.text
                    assert await stream.batch() == []

            run(colour, main)
        whole = collect(colour, request, proxy=False)
    events = [event for batch in batches for event in batch]
    assert [e for e in events if isinstance(e, TextDelta)] == [
        e for e in whole.events if isinstance(e, TextDelta)
    ]
    assert len(batches) < len(events)
    assert len(order) == 1


@pytest.mark.parametrize("colour", COLOURS)
def test_batches_raise_as_the_iteration_does(colour: str) -> None:
    with FaultServer("openai-chat", pieces=9, faults=[Cut(at=0.6)]) as server:
        request = server.request()

        async def main() -> None:
            async with aopen(colour, request, policy=ONCE, proxy=False) as stream:
                while await stream.batch():
                    pass

        def blocking() -> None:
            with on_sync.open_stream(request, policy=ONCE, proxy=False) as stream:
                while stream.batch():
                    pass

        with pytest.raises(StreamInterrupted):
            blocking() if colour == "sync" else run(colour, main)
