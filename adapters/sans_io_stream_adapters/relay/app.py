"""The relay as an ASGI 3 application: routes, who may do what, and which stream is meant.

It is framework-free, runs on asyncio and trio, and needs no lifespan, but uses one to end in
order. What each route does stands in ``ROUTES``; how an answer is written in ``answering``, what
runs behind it in ``hub``.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from sans_io_stream import ErrorInfo, StreamEnd
from sans_io_stream.relay import START, CursorGone, Place, Retention, place_of, stream_id
from sans_io_stream.translation import Untranslatable
from sans_io_stream_adapters.anyio import open_stream

from .answering import BrokenOff, framing_of, send_collected, send_refusal, send_stream
from .config import UnknownModel
from .http import Receive, Refused, Request, Scope, Send, bad, read, send_whole
from .hub import Hub, Running
from .store import Meta, Store, Taken
from .upstreams import request_for

if TYPE_CHECKING:
    from .config import ClientKey, RelayConfig
    from .hub import Open

__all__ = ["Relay"]

ENTROPY = 16
CANCELLED = StreamEnd("cancelled", ErrorInfo("cancelled", "the client ended it"))
OURS = ("include_model", "include_finish_reason", "resume_from_event_id")
"""Stream options by which HolySheep's clients are known."""


class Asked(msgspec.Struct, frozen=True):
    """What is kept of a request, so that the provider can be asked again."""

    format: str
    body: dict[str, Any]


class Relay:
    """``Relay(config)`` is the application; ``store`` and ``clock`` are for tests."""

    def __init__(
        self,
        config: RelayConfig,
        *,
        store: Store | None = None,
        clock: Callable[[], float] = time.time,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.config = config
        self.hub = Hub(
            store_of(config) if store is None else store,
            retention=Retention(seconds=config.retention),
            heartbeat=config.heartbeat,
            away_seconds=config.limits.away_seconds,
            away_bytes=config.limits.away_bytes,
            clock=clock,
        )
        self._entropy = entropy
        self._started: anyio.Lock | None = None
        self._ready = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self.start()
            await self._answer(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1003})

    async def start(self) -> None:
        """Make it ready; a second call does nothing. The first request does it, too."""
        if self._ready:
            return
        self._started = self._started or anyio.Lock()
        async with self._started:
            if not self._ready:
                await self.hub.open()
                await self.hub.recover(self._again)
                self._ready = True

    async def stop(self) -> None:
        """Let what runs end, within the configured time, and seal the rest as interrupted."""
        if self._ready:
            self._ready = False
            await self.hub.close(self.config.limits.drain_seconds)

    async def _live(self, receive: Receive, send: Send) -> None:
        """The lifespan protocol."""
        while True:
            message = await receive()
            phase = message["type"].rpartition(".")[2]
            try:
                await (self.start() if phase == "startup" else self.stop())
            except Exception as error:  # noqa: BLE001
                # The protocol has a word for it, and the server stops.
                await send({"type": f"lifespan.{phase}.failed", "message": str(error)})
                return
            await send({"type": f"lifespan.{phase}.complete"})
            if phase == "shutdown":
                return

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; whatever is wrong with it is told in its format."""
        format = "openai-chat"
        try:
            limits = self.config.limits
            request = await read(
                scope, receive, head_bytes=limits.header_bytes, body_bytes=limits.body_bytes
            )
            self._check_origin(request)
            handler, format, id = route(request)
            owner = self._owner(request)
            await handler(self, request, owner, id or format, receive, send)
        except Refused as refused:
            more = list(refused.headers)
            await send_refusal(send, format, refused.error, more, refused.status)
        except CursorGone as gone:
            error = ErrorInfo("cursor", str(gone), code="cursor_gone", status=410)
            await send_refusal(send, format, error, status=410)
        except (BrokenOff, ConnectionError):
            # A response that is not ended: the server closes the connection.
            return

    # ---- who asks

    def _check_origin(self, request: Request) -> None:
        """Refuse what a browser would send for somebody else's page."""
        if not self.config.answers_host(request.header("host") or ""):
            raise bad("this host is not served here", status=421)
        origin = request.header("origin")
        if origin is not None and origin not in self.config.cors_origins:
            error = ErrorInfo("permission", "requests of that origin are not allowed", status=403)
            raise Refused(403, error)

    def _owner(self, request: Request) -> ClientKey:
        """Whose key a request carries."""
        scheme, _, token = (request.header("authorization") or "").partition(" ")
        key = token.strip() if scheme.lower() == "bearer" else None
        key = key or request.header("x-api-key") or request.header("api-key")
        owner = self.config.owner_of(key)
        if owner is None:
            error = ErrorInfo("authentication", "no such key", status=401)
            raise Refused(401, error, [("www-authenticate", "Bearer")])
        return owner

    # ---- streams that begin

    async def ask(
        self, request: Request, owner: ClientKey, format: str, receive: Receive, send: Send
    ) -> None:
        """Begin a stream, join one, or go on with one."""
        cursor = cursor_in(request)
        if cursor is not None:
            running, place = await self._found(cursor, owner)
            framing = framing_of(request)
            if running.end is not None and place == running.log.last:
                return await send_whole(send, 204)
            return await send_stream(running, place, format, framing, receive, send)
        body = request.json()
        options = body.get("stream_options")
        if format == "openai-chat" and isinstance(options, dict):
            format = "holysheep" if any(name in options for name in OURS) else format
            # So does a cursor in the body, where the protocol has it.
            after = options.get("resume_from_event_id")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            if isinstance(after, str):
                running, place = await self._found(after, owner)
                framing = framing_of(request)
                return await send_stream(running, place, format, framing, receive, send)
        running = await self._begin(request, owner, format, body)
        if body.get("stream", format == "native"):
            framing = framing_of(request)
            return await send_stream(running, START, format, framing, receive, send)
        return await send_collected(running, format, send)

    async def _begin(
        self, request: Request, owner: ClientKey, format: str, body: dict[str, Any]
    ) -> Running:
        if self.hub.closing:
            raise Refused(503, ErrorInfo("overloaded", "the relay is shutting down", status=503))
        model = body.get("model")
        if not isinstance(model, str):
            raise bad("model is missing: name one of GET /v1/models")
        source = "anthropic" if format == "anthropic" else "openai-chat"
        if not owner.allows(model):
            raise unknown(model)
        asked = Asked(source, body)
        opening, provider = self._opening(asked)
        meta = Meta(
            id=stream_id(self._entropy(ENTROPY)),
            owner=owner.name,
            provider=provider,
            model=model,
            created=self.hub.clock(),
            request=msgspec.json.encode(asked),
            digest=hashlib.sha256(request.path.encode() + b"\n" + request.body).hexdigest(),
            idempotency_key=request.header("idempotency-key"),
        )
        try:
            return await self.hub.begin(meta, opening)
        except Taken as taken:
            if taken.meta.digest != meta.digest:
                raise bad(
                    "this idempotency key was used with another request", status=422
                ) from None
            running = await self.hub.find(taken.meta.id)
            if running is None:
                raise CursorGone from None
            return running

    def _opening(self, asked: Asked, token: str | None = None) -> tuple[Open, str]:
        """What opens the provider's stream, and the upstream's name. Raises ``Refused`` for what
        cannot be asked."""
        model: str = asked.body["model"]
        try:
            upstream, there = self.config.route(model)
        except UnknownModel:
            raise unknown(model) from None
        try:
            asking = request_for(upstream, there, asked.body, asked.format)
        except Untranslatable as error:
            raise bad(f"{upstream.name} cannot be asked that: {error}") from None
        except ValueError as error:
            raise bad(str(error)) from None
        return partial(open_stream, asking, resume_from=token, on_error="event"), upstream.name

    def _again(self, meta: Meta, token: str | None) -> Open | None:
        """What goes on with a stream whose process died."""
        if token is None:
            return None
        try:
            asked = msgspec.json.decode(meta.request, type=Asked)
            return self._opening(asked, token)[0]
        except (msgspec.MsgspecError, Refused):
            return None

    # ---- streams that are there

    async def _found(self, cursor: str, owner: ClientKey) -> tuple[Running, Place]:
        """The stream of a cursor, and the place in it. Raises ``CursorGone``."""
        running = await self._mine(place_of(cursor)[0], owner)
        if running is None:
            raise CursorGone
        return running, running.log.place(cursor)

    async def _mine(self, id: str, owner: ClientKey) -> Running | None:
        """A stream, if it belongs to that key."""
        running = await self.hub.find(id)
        return None if running is None or running.meta.owner != owner.name else running

    async def read(
        self, request: Request, owner: ClientKey, id: str, receive: Receive, send: Send
    ) -> None:
        """Read a stream, from a cursor or from its start."""
        running = await self._mine(id, owner)
        if running is None:
            raise CursorGone
        header = request.header("last-event-id")
        cursor = header or request.query.get("after")
        place = running.log.place(cursor)
        if running.end is not None and place == running.log.last:
            if header:
                return await send_whole(send, 204)
            place = running.log.before_end
        format = request.query.get("format", "native")
        if format not in FORMATS:
            raise bad(f"format is one of {', '.join(FORMATS)}")
        return await send_stream(running, place, format, framing_of(request), receive, send)

    async def end(
        self, request: Request, owner: ClientKey, id: str, receive: Receive, send: Send
    ) -> None:
        """End a generation."""
        running = await self._mine(id, owner)
        if running is None:
            raise CursorGone
        running.stop(CANCELLED)
        await send_whole(send, 204)

    async def check(
        self, request: Request, owner: ClientKey, format: str, receive: Receive, send: Send
    ) -> None:
        """Whether a cursor is still good."""
        try:
            await self._found(request.header("x-event-id") or "", owner)
            valid = True
        except CursorGone:
            valid = False
        await send_whole(send, 200, msgspec.json.encode({"valid": valid}))

    async def models(
        self, request: Request, owner: ClientKey, format: str, receive: Receive, send: Send
    ) -> None:
        """The models that can be asked, in OpenAI's form."""
        data = [
            {"id": name, "object": "model", "owned_by": "relay"}
            for name in self.config.models(owner)
        ]
        await send_whole(send, 200, msgspec.json.encode({"object": "list", "data": data}))


def unknown(model: str) -> Refused:
    """What to raise for a model that is not served, or not to this key."""
    error = ErrorInfo("not_found", str(UnknownModel(model)), code="model_not_found", status=404)
    return Refused(404, error)


def store_of(config: RelayConfig) -> Store:
    """The store that is configured."""
    if config.store == "memory":
        from .memory import MemoryStore

        return MemoryStore()
    from .sqlite import SQLiteStore

    return SQLiteStore(config.store)


def cursor_in(request: Request) -> str | None:
    """The cursor with which a client comes back."""
    resumed = request.header("x-stream-resume") == "true"
    return request.header("last-event-id") or (
        request.header("x-stream-event-id") if resumed else None
    )


Handler = Callable[[Relay, Request, "ClientKey", str, Receive, Send], Awaitable[None]]
FORMATS = ("native", "openai-chat", "anthropic", "holysheep")
ID = r"(?P<id>[A-Za-z0-9_-]{1,128})"
ROUTES: tuple[tuple[str, re.Pattern[str], str, Handler], ...] = (
    ("POST", re.compile(r"(/v1)?/chat/completions|/chat"), "openai-chat", Relay.ask),
    ("POST", re.compile(r"(/v1)?/messages"), "anthropic", Relay.ask),
    ("POST", re.compile(r"/v1/streams"), "native", Relay.ask),
    ("GET", re.compile(rf"/v1/streams/{ID}"), "native", Relay.read),
    ("DELETE", re.compile(rf"/v1/streams/{ID}"), "native", Relay.end),
    ("POST", re.compile(r"(/v1)?/stream/check"), "openai-chat", Relay.check),
    ("GET", re.compile(r"(/v1)?/models"), "openai-chat", Relay.models),
)
"""Method, path, the format in which refusals are told, and who answers."""


def route(request: Request) -> tuple[Handler, str, str | None]:
    """Who answers, in which format, and the id in the path. Raises ``Refused``."""
    methods: list[str] = []
    for method, path, format, handler in ROUTES:
        found = path.fullmatch(request.path)
        if found is None:
            continue
        if method == request.method:
            return handler, format, found.groupdict().get("id")
        methods.append(method)
    if methods:
        error = ErrorInfo("invalid_request", f"{request.path} takes {', '.join(methods)}")
        raise Refused(405, error, [("allow", ", ".join(methods))])
    error = ErrorInfo("not_found", f"there is no {request.path} here", status=404)
    raise Refused(404, error)
