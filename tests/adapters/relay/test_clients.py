"""Every adapter as a client of the relay, over sockets that are cut: all comes, and comes once."""

from __future__ import annotations

from collections.abc import Generator
from random import Random
from urllib.request import Request, urlopen

import pytest

from sans_io_stream import (
    Event,
    Resumed,
    ResumePoint,
    StreamEnd,
    StreamRequest,
    Transcript,
)
from sans_io_stream.providers import relay
from sans_io_stream_adapters.relay import beginning
from sans_io_stream_adapters.relay.config import RelayConfig, Upstream
from sans_io_stream_adapters.sync import open_stream
from sans_io_stream_adapters.testing import Cut, FaultServer, Reset
from tests.adapters.colours import COLOURS, collect
from tests.adapters.driving import AT_ONCE
from tests.session.answers import events_of

from .serving import Wire, relay_served

TEXT = "What is written down is not lost: wörter 🦜, 漢字."
FORMATS: tuple[relay.Format, ...] = ("native", "openai-chat", "anthropic", "holysheep")
ASKED = [{"role": "user", "content": "Hi"}]


def upstream(server: FaultServer) -> Upstream:
    """An upstream whose answers can be taken up again."""
    return Upstream(
        name="test",
        provider="openai",
        surface="responses",
        background=True,
        api_key="upstream-key",
        base_url=f"{server.url}/v1",
    )


def plain_upstream(server: FaultServer) -> Upstream:
    """An upstream whose answers cannot."""
    base = f"{server.url}/v1"
    return Upstream(name="test", provider="openai", api_key="upstream-key", base_url=base)


@pytest.fixture(scope="module")
def served() -> Generator[str]:
    """A relay in front of a provider that answers slowly enough to be cut."""
    with (
        FaultServer("openai-responses", text=TEXT, pieces=12, speed=20.0) as server,
        relay_served(RelayConfig(upstreams=(upstream(server),))) as url,
    ):
        yield url


def asked(url: str, format: relay.Format, key: str | None) -> StreamRequest:
    return relay.chat(
        model="test/m",
        messages=ASKED,
        format=format,
        base_url=url,
        idempotency_key=key,
    )


def plain(events: list[Event]) -> list[object]:
    """The answer's events, with cursors as places: the stream's id is another one each time."""
    return [
        (str(event.cursor).partition(".")[2], event.position)
        if isinstance(event, ResumePoint)
        else event
        for event in events_of(events)
    ]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("colour", COLOURS)
def test_a_client_that_is_cut_off_gets_all_of_it_once(
    served: str, colour: str, format: relay.Format
) -> None:
    key = f"{colour}-{format}"
    random = Random(key)
    # The first one behind a cursor; the others anywhere, in the head of a response, too.
    cuts = [random.randrange(900, 1200), *(random.randrange(40, 700) for _ in range(3))]
    with Wire(served, cuts, lost=random.random() < 0.5) as wire:
        told = collect(colour, asked(wire.url, format, key), policy=AT_ONCE)
        assert wire.connections > 1
    assert told.raised is None
    assert told.end == StreamEnd("complete")
    assert Transcript.of(told.events).text == TEXT
    assert {event.mode for event in told.events if isinstance(event, Resumed)} == {"continue"}
    # The same stream, read by one who is not cut off.
    once = collect(colour, asked(served, format, key))
    assert plain(told.events) == plain(once.events)


@pytest.mark.parametrize("format", FORMATS)
def test_a_stream_that_is_there_is_read(served: str, format: relay.Format) -> None:
    with open_stream(asked(served, format, None)) as stream:
        events = list(stream)
    points = [event for event in events if isinstance(event, ResumePoint)]
    cursor = points[3].cursor
    assert isinstance(cursor, str)
    id = cursor.partition(".")[0]
    with open_stream(relay.read(id=id, format=format, base_url=served)) as stream:
        assert plain(list(stream)) == plain(events)
    with Wire(served, [700]) as wire:
        behind = relay.read(id=id, after=cursor, format=format, base_url=wire.url)
        with open_stream(behind, policy=AT_ONCE) as stream:
            rest = list(stream)
    seen = events[: events.index(points[3]) + 1]
    assert Transcript.of(seen).text + Transcript.of(rest).text == TEXT
    # A committed place, in another process.
    with open_stream(asked(served, format, None), resume_from=points[3].token) as stream:
        assert Transcript.of(seen).text + Transcript.of(list(stream)).text == TEXT


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay asks providers again at once, as its clients do the relay."""
    monkeypatch.setattr(beginning, "POLICY", AT_ONCE)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("format", FORMATS)
def test_cuts_on_both_sides_lose_nothing(format: relay.Format) -> None:
    faults = [Cut(0.4), Reset.in_character(2)]
    with (
        FaultServer("openai-responses", text=TEXT, pieces=12, faults=faults) as server,
        relay_served(RelayConfig(upstreams=(upstream(server),))) as url,
        Wire(url, [500, 700, 300], lost=True) as wire,
    ):
        with open_stream(asked(wire.url, format, "once"), policy=AT_ONCE) as stream:
            events = list(stream)
        begun = [one.method for one in server.seen.requests]
    assert events[-1] == StreamEnd("complete")
    assert Transcript.of(events).text == TEXT
    assert begun == ["POST", "GET", "GET"]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("format", FORMATS)
def test_cuts_anywhere_on_both_sides_lose_nothing(format: relay.Format, seed: int) -> None:
    random = Random(f"{format}-{seed}")
    # The first one behind a cursor, as above: before that nobody knows what was begun.
    faults = [Cut(random.uniform(0.3, 0.95)), *(Cut(random.uniform(0.0, 0.95)) for _ in range(2))]
    cuts = [random.randrange(900, 1200), *(random.randrange(40, 700) for _ in range(3))]
    with (
        FaultServer("openai-responses", text=TEXT, pieces=12, faults=faults) as server,
        relay_served(RelayConfig(upstreams=(upstream(server),))) as url,
        Wire(url, cuts, lost=random.random() < 0.5) as wire,
    ):
        with open_stream(asked(wire.url, format, "once"), policy=AT_ONCE) as stream:
            events = list(stream)
        with open_stream(asked(url, format, "once")) as stream:
            once = list(stream)
        assert [one.method for one in server.seen.requests] == ["POST", "GET", "GET", "GET"]
        assert wire.connections > 1
    assert events[-1] == StreamEnd("complete")
    assert Transcript.of(events).text == TEXT
    assert plain(events) == plain(once)


def test_a_generation_is_ended(served: str) -> None:
    with open_stream(asked(served, "native", None)) as stream:
        for event in stream:
            if isinstance(event, ResumePoint):
                break
        stop = stream.stop_request()
    assert stop is not None
    with urlopen(Request(stop.url, method=stop.method)) as told:
        assert told.status == 204
    id = stop.url.rpartition("/")[2]
    with open_stream(relay.read(id=id, base_url=served), on_error="event") as stream:
        *_, end = stream
    assert isinstance(end, StreamEnd)
    assert end.outcome == "cancelled"


def test_what_is_gone_is_told(served: str) -> None:
    missing = relay.read(id="A" * 22, base_url=served)
    with open_stream(missing, on_error="event") as stream:
        *_, end = stream
    assert isinstance(end, StreamEnd)
    assert end.error is not None
    assert (end.outcome, end.error.status) == ("failed", 410)


@pytest.mark.parametrize("format", FORMATS)
def test_what_the_provider_broke_off_is_asked_for_once_more(format: relay.Format) -> None:
    """The relay has what there is: its clients know the end, and do not use up their attempts."""
    with (
        FaultServer("openai-chat", text=TEXT, pieces=12, faults=[Cut(0.6)]) as server,
        relay_served(RelayConfig(upstreams=(plain_upstream(server),))) as url,
        Wire(url) as wire,
    ):
        told = collect("sync", asked(wire.url, format, None), policy=AT_ONCE, on_error="event")
        assert wire.connections == (1 if format == "native" else 2)
        assert len(server.seen.requests) == 1
    assert told.end is not None
    assert told.end.outcome == "interrupted"
    assert told.end.error is not None
    assert told.end.error.kind in ("truncated", "connection", "exhausted")
    text = Transcript.of(told.events).text
    assert text
    assert TEXT.startswith(text)


@pytest.mark.parametrize("format", FORMATS)
def test_what_somebody_ended_is_asked_for_once_more(format: relay.Format) -> None:
    events: list[Event] = []
    with (
        # It would take a minute.
        FaultServer("openai-chat", text=TEXT * 20, pieces=600, speed=1.0) as server,
        relay_served(RelayConfig(upstreams=(plain_upstream(server),))) as url,
        Wire(url) as wire,
        open_stream(asked(wire.url, format, None), policy=AT_ONCE, on_error="event") as stream,
    ):
        for event in stream:
            if isinstance(event, ResumePoint) and not any(
                isinstance(e, ResumePoint) for e in events
            ):
                id = str(event.cursor).partition(".")[0]
                with urlopen(Request(f"{url}/v1/streams/{id}", method="DELETE")) as told:
                    assert told.status == 204
            events.append(event)
        assert wire.connections == (1 if format == "native" else 2)
    end = events[-1]
    assert isinstance(end, StreamEnd)
    assert end.outcome == ("cancelled" if format == "native" else "failed")
    assert end.error is not None
    assert end.error.kind == "cancelled"
