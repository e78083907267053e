"""What of a provider's stream is passed on to clients, and in which words.

The relay stands for its providers. That one refused the relay's own key is no failure of a
client's, and its message, which may quote the key, is not told; where a provider is and how the
way there broke is not told either. What an answer cost is added to its last counts, where prices
are configured and the provider did not say it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import anyio
import msgspec

from sans_io_stream import (
    ErrorInfo,
    Event,
    ReconnectPolicy,
    StreamEnd,
    StreamRequest,
    Usage,
)
from sans_io_stream.secret import Secret
from sans_io_stream.usage import merge_usage

if TYPE_CHECKING:
    from sans_io_stream.pricing import Prices
    from sans_io_stream.request import HTTPRequest
    from sans_io_stream_adapters.loop import AsyncStream

    from .routes import Upstream

__all__ = ["Passed", "Source", "Teller", "secrets_of"]

REFUSES_US = frozenset({"authentication", "permission"})
KEY_STATUS = frozenset({401, 403, 407})
UNREACHED = frozenset({"connection", "exhausted"})
STOPS_WITHIN = 10.0
"""Seconds that a provider may take to hear that a generation is to end."""
ONCE = ReconnectPolicy(max_retries=0)
SHORTEST = 4
"""Characters below which a text is too common to be looked for."""


class Source(Protocol):
    """A provider's stream: ``batch`` gives events until there are none."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    async def batch(self) -> list[Event]: ...

    def hand_over(self) -> None:
        """Somebody else goes on with it: when it is left, the provider does not end it."""
        ...


def secrets_of(upstream: Upstream) -> tuple[str, ...]:
    """The credentials that an upstream is asked with."""
    told = [upstream.api_key, *upstream.options.values(), *(value for _, value in upstream.headers)]
    return tuple(str(one) for one in told if isinstance(one, Secret) and len(one) >= SHORTEST)


class Teller:
    """Tells one stream's events as clients are to have them.

    ``upstream`` is who answers, ``model`` its name there, ``prices`` what tokens cost (None:
    nobody knows), ``clock`` gives seconds since 1970.
    """

    def __init__(
        self, upstream: Upstream, model: str, prices: Prices | None, clock: Callable[[], float]
    ) -> None:
        self._upstream = upstream
        self._model = model
        self._prices = prices
        self._clock = clock
        self._usage: Usage | None = None

    def tell(self, event: Event) -> Event:
        """The event as clients have it."""
        if isinstance(event, Usage):
            return self._counted(event) if self._prices is not None else event
        if isinstance(event, StreamEnd) and event.error is not None:
            return StreamEnd(event.outcome, self._error(event.error))
        return event

    def _counted(self, event: Usage) -> Usage:
        """The counts, with what they cost if they are the last ones."""
        known = self._usage
        if known is not None and known.generation != event.generation:
            known = None
        self._usage = merge_usage(known, event)
        if not event.final or self._usage.cost is not None or self._prices is None:
            return event
        day = datetime.fromtimestamp(self._clock(), UTC).date()
        cost = self._prices.cost(self._usage, self._model, self._upstream.name, day)
        return event if cost is None else msgspec.structs.replace(event, cost=float(cost))

    def _error(self, error: ErrorInfo) -> ErrorInfo:
        """The error, without what is the relay's own business."""
        if error.kind in REFUSES_US or error.status in KEY_STATUS:
            why = "the provider did not accept the relay's own credentials"
            return ErrorInfo("provider", why, request_id=error.request_id)
        message = error.message
        if error.kind in UNREACHED:
            message = "the provider could not be reached"
        elif error.status is not None and 300 <= error.status < 400:
            message = "the provider answered with a redirect, and none is followed"
        for secret in secrets_of(self._upstream):
            message = message.replace(secret, "***")
        return msgspec.structs.replace(error, message=message)


class Passed:
    """``stream``, told by ``teller``. Left before its end, it has the provider end what would go
    on without a reader; ``open`` makes the stream of that call."""

    def __init__(
        self, stream: AsyncStream, teller: Teller, open: Callable[..., AsyncStream]
    ) -> None:
        self._stream = stream
        self._teller = teller
        self._open = open
        self._ends = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asked = self._stream.stop_request() if self._ends else None
        with anyio.move_on_after(STOPS_WITHIN, shield=True):
            await self._stream.aclose()
            if asked is not None:
                await self._ask_to_stop(asked)

    async def batch(self) -> list[Event]:
        """The next events; none behind the end."""
        return [self._teller.tell(event) for event in await self._stream.batch()]

    def hand_over(self) -> None:
        """As ``Source.hand_over``."""
        self._ends = False

    async def _ask_to_stop(self, asked: HTTPRequest) -> None:
        """Have the provider end a generation. What it answers makes no difference any more."""
        request = StreamRequest(
            asked.method,
            asked.url,
            headers=asked.headers,
            body=asked.body or b"",
            dialect="text",
            resume="none",
            redirects=False,
            authorize=self._stream.request.authorize,
        )
        async with self._open(request, on_error="event", policy=ONCE) as stream:
            await stream.batch()
