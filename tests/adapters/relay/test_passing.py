"""What of a provider's stream is passed on: errors without secrets, counts with costs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from sans_io_stream import (
    ErrorInfo,
    Event,
    Price,
    PriceTable,
    StreamEnd,
    TextDelta,
    Usage,
)
from sans_io_stream.secret import Secret
from sans_io_stream_adapters.relay.config import RelayConfig, Upstream
from sans_io_stream_adapters.relay.passing import Passed, Teller, secrets_of
from sans_io_stream_adapters.testing import FaultServer

from .asgi import ask, relay_of, talk
from .scripted import BACKENDS, Scripted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sans_io_stream.errors import ErrorKind

UPSTREAM = Upstream(
    name="home",
    provider="openai",
    api_key="sk-the-key",
    headers=(
        ("x-gateway-key", Secret("gate-secret")),
        ("helicone-auth", "Bearer abc"),
        ("x-team", "redder"),
    ),
)


def teller(prices: PriceTable | None = None, at: str = "2026-06-15T12:00:00") -> Teller:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()
    return Teller(UPSTREAM, "m", prices, lambda: moment)


def error_of(error: ErrorInfo) -> ErrorInfo:
    told = teller().tell(StreamEnd("failed", error))
    assert isinstance(told, StreamEnd)
    assert told.outcome == "failed"
    assert told.error is not None
    return told.error


@pytest.mark.parametrize(
    "error",
    [
        ErrorInfo("authentication", "Incorrect API key provided: sk-the-***", status=401),
        ErrorInfo("permission", "Project p-1 has no access", status=403),
        ErrorInfo("authentication", "invalid x-api-key", type="authentication_error"),
        ErrorInfo("server", "proxy", status=407),
    ],
    ids=str,
)
def test_that_the_relays_own_key_is_refused_is_no_fault_of_a_clients(error: ErrorInfo) -> None:
    told = error_of(error)
    assert told.kind == "provider"
    assert (told.type, told.code, told.status) == (None, None, None)
    assert error.message not in told.message


def test_what_is_on_the_way_to_a_provider_is_not_told() -> None:
    kinds: list[ErrorKind] = ["connection", "exhausted"]
    for kind in kinds:
        told = error_of(ErrorInfo(kind, "connect to 10.0.0.7:443 failed", retryable=True))
        assert "10.0.0.7" not in told.message
        assert told.retryable
    moved = error_of(ErrorInfo("provider", "not redirected to https://internal.test", status=302))
    assert "internal" not in moved.message


def test_a_key_that_is_quoted_is_struck_out() -> None:
    told = error_of(
        ErrorInfo("invalid_request", "for sk-the-key, redder: no such model", code="x", status=400)
    )
    assert told.message == "for ***, redder: no such model"
    assert (told.kind, told.code, told.status) == ("invalid_request", "x", 400)
    assert set(secrets_of(UPSTREAM)) == {"sk-the-key", "gate-secret", "Bearer abc"}


PRICES = PriceTable(
    {"m": [Price(1, 1), Price(2, 10, valid_from="2026-06-01")]},
    providers={"away": {"m": Price(9, 9)}},
)


def costs(events: Sequence[Event], tell: Teller) -> list[float | None]:
    told = [tell.tell(event) for event in events]
    return [event.cost for event in told if isinstance(event, Usage)]


def test_counts_that_come_in_parts_cost_what_they_come_to() -> None:
    """As Anthropic tells them: the prompt at the beginning, the completion in the end."""
    events: list[Event] = [
        Usage(prompt_tokens=1000),
        TextDelta("a"),
        Usage(completion_tokens=500, final=True),
    ]
    assert costs(events, teller(PRICES)) == [None, 0.007]
    assert costs(events, teller(PRICES, "2026-05-31T23:59:59")) == [None, 0.0015]
    assert costs(events, teller()) == [None, None]


def test_the_parts_of_another_generation_are_not_mixed_in() -> None:
    events: list[Event] = [
        Usage(prompt_tokens=1000),
        Usage(completion_tokens=5, generation=1, final=True),
    ]
    assert costs(events, teller(PRICES)) == [None, None]


def test_everything_else_passes_as_it_is() -> None:
    for event in (TextDelta("sk-the-key"), StreamEnd("complete"), StreamEnd("interrupted")):
        assert teller(PRICES).tell(event) is event


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_generation_in_the_background_is_ended_at_the_provider(backend: str) -> None:
    async def main() -> None:
        upstream = Upstream(
            name="test",
            provider="openai",
            api_key="upstream-key",
            base_url=f"{server.url}/v1",
            surface="responses",
            background=True,
        )
        async with relay_of(RelayConfig(upstreams=(upstream,))) as relay:
            answer = await ask(
                relay, "POST", "/v1/streams", talk(), leave=lambda one: one.body.count(b"id: ") > 2
            )
            assert (await ask(relay, "DELETE", f"/v1/streams/{answer.id}")).status == 204
            rest = await ask(relay, "GET", f"/v1/streams/{answer.id}")
            end = rest.events("native")[-1]
            assert isinstance(end, StreamEnd)
            assert end.outcome == "cancelled"
            assert end.error is not None
        first, *others = server.seen.requests
        assert first.path.endswith("/v1/responses")
        assert [one.path.rpartition("/")[2] for one in others] == ["cancel"]
        assert others[0].method == "POST"
        assert others[0].header("authorization") == "Bearer upstream-key"

    with FaultServer("openai-responses", text="x" * 100, pieces=50, speed=5.0) as server:
        anyio.run(main, backend=backend)


class Endable(Scripted):
    """A stream whose provider goes on without a reader, until it is told to end."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def stop_request(self) -> None:
        self.asked += 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_another_worker_goes_on_with_is_not_ended(backend: str) -> None:
    async def main() -> None:
        stream, nobody = Endable(), None
        async with Passed(cast("Any", stream), teller(), cast("Any", nobody)):
            pass
        assert stream.closed
        assert stream.asked == 1
        stream = Endable()
        async with Passed(cast("Any", stream), teller(), cast("Any", nobody)) as left:
            left.hand_over()
        assert stream.closed
        assert stream.asked == 0

    anyio.run(main, backend=backend)
