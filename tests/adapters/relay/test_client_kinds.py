"""Clients of the relay beside the adapters: other framings, pools, other HTTP clients. What is cut
off is gone on with all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import TYPE_CHECKING

import httpx
import pytest

from sans_io_stream import Resumed, StreamEnd, StreamRequest, Transcript
from sans_io_stream.providers import relay
from sans_io_stream_adapters.asyncio import StreamPool
from sans_io_stream_adapters.relay.config import RelayConfig
from sans_io_stream_adapters.responses import events_from, resumable
from sans_io_stream_adapters.sync import open_stream
from sans_io_stream_adapters.testing import FaultServer
from tests.adapters.driving import AT_ONCE

from .serving import Wire, relay_served
from .test_clients import ASKED, FORMATS, TEXT, upstream

if TYPE_CHECKING:
    from sans_io_stream import Event

each_format = pytest.mark.parametrize("format", FORMATS)
CUTS = [1100, 300, 700]
"""Behind a cursor, in a head, and anywhere."""


@pytest.fixture(scope="module")
def served() -> Generator[str]:
    with (
        FaultServer("openai-responses", text=TEXT, pieces=12, speed=20.0) as server,
        relay_served(RelayConfig(upstreams=(upstream(server),))) as url,
    ):
        yield url


def asked(url: str, format: relay.Format, key: str, **headers: str) -> StreamRequest:
    return relay.chat(
        model="test/m",
        messages=ASKED,
        format=format,
        base_url=url,
        idempotency_key=key,
        headers=headers,
    )


def modes(events: list[Event]) -> set[str]:
    return {event.mode for event in events if isinstance(event, Resumed)}


@each_format
def test_json_lines_are_read_again_where_they_have_no_cursor(
    served: str, format: relay.Format
) -> None:
    with Wire(served, CUTS) as wire:
        request = asked(wire.url, format, f"lines-{format}", accept="application/x-ndjson")
        with open_stream(request, policy=AT_ONCE) as stream:
            events = list(stream)
        assert wire.connections > 1
    assert events[-1] == StreamEnd("complete")
    assert Transcript.of(events).text == TEXT
    assert modes(events) == {"continue" if format == "holysheep" else "replay"}


@each_format
def test_a_pool_of_streams_that_are_cut(served: str, format: relay.Format) -> None:
    async def main(url: str) -> list[str]:
        requests = [asked(url, format, f"pool-{format}-{number}") for number in range(3)]
        async with StreamPool(max_concurrent=3, policy=AT_ONCE) as pool:
            return [stream.value.text async for stream in pool.as_completed(requests)]

    with Wire(served, [*CUTS, *CUTS], lost=True) as wire:
        assert asyncio.run(main(wire.url)) == [TEXT] * 3
        assert wire.connections > 3


@each_format
def test_another_client_goes_on(served: str, format: relay.Format) -> None:
    with Wire(served, CUTS) as wire, httpx.Client(trust_env=False) as client:
        request = asked(wire.url, format, f"httpx-{format}")
        with resumable(client, request, policy=AT_ONCE) as stream:
            events = list(stream)
        assert wire.connections > 1
    assert events[-1] == StreamEnd("complete")
    assert Transcript.of(events).text == TEXT
    assert modes(events) == {"continue"}


@each_format
def test_a_response_of_another_client_is_read(served: str, format: relay.Format) -> None:
    request = asked(served, format, f"response-{format}").http()
    with (
        httpx.Client(trust_env=False) as client,
        client.stream(
            request.method, request.url, headers=list(request.headers), content=request.body
        ) as response,
        events_from(response, dialect=format) as events,
    ):
        assert Transcript.of(list(events)).text == TEXT
