"""How a stream begins: what a client asked becomes what a provider is asked, once.

A repeated idempotency key joins the stream that it began. What was asked is kept with the stream
where the provider can be asked again, behind its own token, when a process has died; elsewhere how
it is to be answered, and nothing of what it says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from sans_io_stream import ErrorInfo, ReconnectPolicy
from sans_io_stream.dialects.shapes import is_array
from sans_io_stream.relay import stream_id
from sans_io_stream.translation import Untranslatable

from .config import UnknownModel
from .http import ELSEWHERE, Refused, bad
from .operations.guessing import asked_in
from .passing import Passed, Teller
from .runtimes import open_stream
from .stores.protocol import Meta, Taken, TooMany
from .upstreams import STREAMING, request_for

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest

    from .config import ClientKey, RelayConfig, Upstream
    from .http import Request
    from .hub import Hub, Open, Running
    from .operations.accounts import Accounts

__all__ = ["Beginning"]

ENTROPY = 16
POLICY = ReconnectPolicy(max_retry_after=5.0, max_delay=4.0)
"""What is done before a client is told that a provider fails. A longer wait is the client's."""


ANSWERED = STREAMING | {"model"}
"""The fields of a request that say whom it asks, and how it is to be answered."""


class Asked(msgspec.Struct, frozen=True):
    """What is kept of a request, where the provider can be asked again."""

    format: str
    body: dict[str, Any]


class Beginning:
    """Begins the streams of one relay. ``entropy`` gives so many random bytes."""

    def __init__(
        self, config: RelayConfig, hub: Hub, accounts: Accounts, entropy: Callable[[int], bytes]
    ) -> None:
        self._config = config
        self._hub = hub
        self._accounts = accounts
        self._entropy = entropy

    async def begin(
        self, request: Request, owner: ClientKey, format: str, body: dict[str, Any]
    ) -> Running:
        """The stream that a request begins, or joins by its idempotency key. Raises ``Refused``,
        and what ``Store.create`` raises."""
        if self._hub.closing:
            raise Refused(503, ELSEWHERE)
        model = body.get("model")
        if not isinstance(model, str):
            raise bad("model is missing: name one of GET /v1/models")
        source = "anthropic" if format == "anthropic" else "openai-chat"
        if not owner.allows(model):
            raise unknown(model)
        asked = Asked(source, body)
        upstream, there, asking = self._asking(asked)
        messages = body.get("messages")
        if not is_array(messages) or not messages:
            raise bad("messages is missing: an array of what was said")
        meta = Meta(
            id=stream_id(self._entropy(ENTROPY)),
            owner=owner.name,
            provider=upstream.name,
            model=model,
            created=self._hub.clock(),
            request=kept(asked, asking),
            digest=hashlib.sha256(format.encode() + b"\n" + request.body).hexdigest(),
            idempotency_key=request.header("idempotency-key") or None,
        )
        key = meta.idempotency_key
        opening = self._opening(meta, upstream, there, asking, asked_in(body))
        while True:
            # Who repeats himself begins nothing: no limit is in his way.
            before = await self._hub.store.find_key(owner.name, key) if key else None
            if before is None:
                await self._accounts.admit(owner, upstream, there, asking)
                try:
                    return await self._hub.begin(meta, opening, owner.streams)
                except Taken as taken:
                    before = taken.meta
                except TooMany:
                    raise self._accounts.too_many(owner) from None
            if before.digest != meta.digest:
                raise bad("this idempotency key was used with another request", status=422)
            running = await self._hub.find(before.id)
            if running is not None and not running.in_vain:
                return running
            # Of what has expired, or failed before there was any answer, nothing is repeated.
            await self._hub.forget(before.id)

    def _asking(self, asked: Asked) -> tuple[Upstream, str, StreamRequest]:
        """Who is asked, what the model is called there, and the request. Raises ``Refused`` for
        what cannot be asked."""
        model: str = asked.body["model"]
        try:
            upstream, there = self._config.route(model)
        except UnknownModel:
            raise unknown(model) from None
        try:
            asking = request_for(upstream, there, asked.body, asked.format)
        except Untranslatable as error:
            raise bad(f"{upstream.name} cannot be asked that: {error}") from None
        except ValueError as error:
            raise bad(str(error)) from None
        return upstream, there, asking

    def _opening(
        self,
        meta: Meta,
        upstream: Upstream,
        there: str,
        asking: StreamRequest,
        asked: int,
        token: str | None = None,
    ) -> Open:
        """What opens the provider's stream."""

        def opening() -> Passed:
            stream = open_stream(
                asking,
                resume_from=token,
                on_error="event",
                policy=POLICY,
                observers=self._accounts.observers(meta, upstream, there, asking, asked),
            )
            teller = Teller(upstream, there, self._config.prices, self._hub.clock)
            return Passed(stream, teller, open_stream)

        return opening

    def again(self, meta: Meta, token: str) -> Open | None:
        """What goes on with a stream whose process died; None where nothing can."""
        try:
            asked = msgspec.json.decode(meta.request, type=Asked)
            upstream, there, asking = self._asking(asked)
        except (msgspec.MsgspecError, Refused):
            return None
        # A token is the business of who gave it: the model may be another's by now.
        if upstream.name != meta.provider:
            return None
        return self._opening(meta, upstream, there, asking, asked_in(asked.body), token)


def kept(asked: Asked, asking: StreamRequest) -> bytes:
    """What a store is to have of a request: all of it where the provider can go on behind a
    token, else how it is to be answered."""
    if asking.strategy.kind is None:
        asked = Asked(asked.format, {n: v for n, v in asked.body.items() if n in ANSWERED})
    return msgspec.json.encode(asked)


def unknown(model: str) -> Refused:
    """What to raise for a model that is not served, or not to this key."""
    error = ErrorInfo("not_found", str(UnknownModel(model)), code="model_not_found", status=404)
    return Refused(404, error)
