"""The relay as an ASGI 3 application: routes, who may do what, and which stream is meant.

It is framework-free, runs on asyncio and trio, and needs no lifespan, but uses one to end in
order. What each route does stands in ``ROUTES``; how an answer is written in ``answering``, what
runs behind it in ``hub``.
"""

from __future__ import annotations

import re
import secrets
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from sans_io_stream import ErrorInfo
from sans_io_stream.relay import START, CursorGone, Place, Retention, place_of
from sans_io_stream_adapters.logs import LOG

from .admission import Admission
from .answering import BrokenOff, Shape, framing_of, send_collected, send_refusal, send_stream
from .asking import (
    Cursor,
    counts_in,
    cursor_in,
    cursor_of,
    first_asked,
    format_in,
    json_or_nothing,
    streams_in,
    told_in,
)
from .beginning import Beginning
from .http import Receive, Refused, Request, Scope, Send, head_of, send_whole, with_body, within
from .hub import Hub, Running
from .operations.access import Access
from .operations.accounts import Accounts
from .operations.metrics import Metrics
from .operations.probing import PROBES, answer_probe
from .origins import answer_preflight, by_ticket, check_origin, page_of, telling_browsers
from .stores.configured import store_of
from .stores.protocol import Store, StoreError

if TYPE_CHECKING:
    from .config import ClientKey, RelayConfig
    from .operations.exposition import Exposition

__all__ = ["Relay"]


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
        self.metrics = Metrics(config.labels)
        self.hub = Hub(
            store_of(config) if store is None else store,
            retention=Retention(seconds=config.retention),
            heartbeat=config.heartbeat,
            away_seconds=config.limits.away_seconds,
            away_bytes=config.limits.away_bytes,
            clock=clock,
            metrics=self.metrics,
        )
        self._admission = Admission(config, clock, entropy)
        self.accounts = Accounts(config, self.hub.store, self.metrics, clock)
        self.hub.over = self.accounts.over
        self._beginning = Beginning(config, self.hub, self.accounts, entropy)
        self._exposition: Exposition | None = None
        self._started: anyio.Lock | None = None
        self._ready = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1003})

    async def start(self) -> None:
        """Make it ready; a second call does nothing. The first request does it, too.

        Raises ``StoreError`` where the store cannot be opened.
        """
        if self._ready:
            return
        self._started = self._started or anyio.Lock()
        async with self._started:
            if not self._ready:
                await self.hub.open()
                await self.accounts.open()
                await self.hub.recover(self._beginning.again)
                self._ready = True

    @property
    def started(self) -> bool:
        """Whether it is ready."""
        return self._ready

    def start_soon(self) -> None:
        """Have it started, and wait for nothing. Where the store cannot be opened the log says
        so, and the next call tries again."""
        if self._started is None or not self._started.locked():
            self.hub.background.start(self._start_quietly)

    async def _start_quietly(self) -> None:
        try:
            await self.start()
        except StoreError as error:
            LOG.error("the relay cannot start: %s", error)

    async def stop(self) -> None:
        """Let what runs end, within the configured time, and seal the rest as interrupted.

        Meanwhile streams are read, and none begins. A second call waits for the first one.
        """
        if not self._ready:
            return
        self._started = self._started or anyio.Lock()
        async with self._started:
            if self._ready:
                await self.hub.close(self.config.limits.drain_seconds)
                self._ready = False

    def hurry(self) -> None:
        """Have a ``stop`` that waits for streams wait no longer."""
        self.hub.hurry()

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
        """One request, counted and told when it is over."""
        access = Access(send, self.metrics)
        try:
            await self._answered(scope, receive, access, access)
        finally:
            access.over(scope["method"])

    async def _answered(self, scope: Scope, receive: Receive, send: Send, access: Access) -> None:
        """One request; whatever is wrong with it is told in its format."""
        format = format_at(within(scope["path"], scope.get("root_path", "")))
        if self.config.cors_origins:
            send = telling_browsers(send, page_of(self.config, scope))
        try:
            limits = self.config.limits
            request = head_of(scope, limits.header_bytes)
            format = told_in(request, format)
            if request.path in PROBES:
                access.route = request.path
                await answer_probe(self, request, send)
                return
            check_origin(self.config, request)
            if request.method == "OPTIONS":
                await answer_preflight(request, methods_of(request.path), send)
                return
            handler, own, id = route(request)
            access.route, access.format = handler.__name__, own
            if not self.hub.closing:
                await self.start()
            if "ticket" in request.query:
                send = by_ticket(send)
            owner = self._admission.owner(request, id if handler is Relay.read else None)
            access.key = owner.name
            # Nobody else has the relay keep a body for him.
            whole = [await with_body(request, receive, limits.body_bytes)]
            # An answer takes its time: only its handler has what was asked.
            del request
            await handler(self, whole.pop(), owner, id or own, receive, send)
        except Refused as refused:
            more = list(refused.headers)
            await send_refusal(send, format, refused.error, more, refused.status)
        except CursorGone as gone:
            error = ErrorInfo("cursor", str(gone), code="cursor_gone", status=410)
            await send_refusal(send, format, error, status=410)
        except StoreError as error:
            # Stores are asked before a response begins. What they say is not for clients.
            self.metrics.store_errors["request"] += 1
            LOG.error("a request is refused: the store fails: %s", error)
            why = "the store of streams fails"
            told = ErrorInfo("overloaded", why, status=503, retryable=True)
            await send_refusal(send, format, told)
        except (BrokenOff, ConnectionError):
            # A response that is not ended: the server closes the connection.
            return
        except Exception as error:  # noqa: BLE001
            # A defect of ours. What it says may be the client's content.
            LOG.error("a request fails: %s in %s", type(error).__name__, last_line(error))
            if not access.begun:
                told = ErrorInfo("server", "the relay failed", status=500)
                await send_refusal(send, format, told, status=500)

    # ---- streams that begin

    async def ask(
        self, request: Request, owner: ClientKey, format: str, receive: Receive, send: Send
    ) -> None:
        """Begin a stream, join one, or go on with one."""
        cursor = cursor_in(request)
        # Who comes back need not say again what was asked.
        body = request.json() if cursor is None else json_or_nothing(request)
        wanted = format_in(request, body, format)
        cursor = cursor or (cursor_of(body) if wanted == "holysheep" else None)
        if cursor is not None:
            await self._go_on(cursor, owner, request, format, body, receive, send)
            return
        shape = shape_of(request, body, format)
        streams = streams_in(body, format)
        running = await self._beginning.begin(request, owner, format, body)
        # They may be large, and an answer takes its time.
        del request, body
        if streams:
            # No longer than anybody waits for a sign of life. Whoever reads our own events knows
            # any end, and is told the stream's id before there is anything to lose.
            patience = 0.0 if wanted == "native" else self.config.heartbeat
            await send_stream(running, START, shape, receive, send, patience=patience)
        else:
            await send_collected(running, wanted, receive, send)

    async def _go_on(
        self,
        cursor: Cursor,
        owner: ClientKey,
        request: Request,
        format: str,
        body: dict[str, Any],
        receive: Receive,
        send: Send,
    ) -> None:
        """Read a stream from a cursor on. What ``body`` does not say the first request did."""
        running, _ = await self._found(cursor.word, owner)
        shape = shape_of(request, {**first_asked(running.meta.request), **body}, format)
        place = running.log.asked(cursor.word, quiet=cursor.quiet)
        if place is None:
            await send_whole(send, 204, headers=[("x-stream-id", running.meta.id)])
            return
        await send_stream(running, place, shape, receive, send)

    # ---- streams that are there

    async def _found(self, cursor: str, owner: ClientKey) -> tuple[Running, Place]:
        """The stream of a cursor, and the place in it. Raises ``CursorGone``."""
        id, place = place_of(cursor)
        running = await self._mine(id, owner, place.entry)
        if running is None:
            raise CursorGone
        return running, running.log.place(cursor)

    async def _mine(self, id: str, owner: ClientKey, entry: int = 0) -> Running | None:
        """A stream, if it belongs to that key; with that entry, if it is there."""
        running = await self.hub.find(id, entry)
        return None if running is None or running.meta.owner != owner.name else running

    async def read(
        self, request: Request, owner: ClientKey, id: str, receive: Receive, send: Send
    ) -> None:
        """Read a stream, from a cursor or from its start."""
        cursor = cursor_in(request)
        entry = 0 if cursor is None else place_of(cursor.word)[1].entry
        running = await self._mine(id, owner, entry)
        if running is None:
            raise CursorGone
        if cursor is not None:
            running.log.place(cursor.word)
            await self._go_on(cursor, owner, request, "native", {}, receive, send)
            return
        shape = shape_of(request, first_asked(running.meta.request), "native")
        del request
        await send_stream(running, running.log.place(None), shape, receive, send)

    async def end(
        self, request: Request, owner: ClientKey, id: str, receive: Receive, send: Send
    ) -> None:
        """End a generation."""
        running = await self._mine(id, owner)
        if running is None:
            raise CursorGone
        await self.hub.end(running)
        await send_whole(send, 204, headers=[("x-stream-id", id)])

    async def ticket(
        self, request: Request, owner: ClientKey, id: str, receive: Receive, send: Send
    ) -> None:
        """Make a ticket for a stream."""
        if await self._mine(id, owner) is None:
            raise CursorGone
        await self._admission.send_ticket(request, owner, id, send)

    async def check(
        self, request: Request, owner: ClientKey, format: str, receive: Receive, send: Send
    ) -> None:
        """Whether a cursor is still good: chat chunks can go on behind it, which takes all that
        came before."""
        try:
            running, _ = await self._found(request.header("x-event-id") or "", owner)
            valid = running.log.first == 1
        except CursorGone:
            valid = False
        await send_whole(send, 200, msgspec.json.encode({"valid": valid}))

    async def scrape(
        self, request: Request, owner: ClientKey, format: str, receive: Receive, send: Send
    ) -> None:
        """The relay's numbers, to a key that may have them; without any keys to this machine."""
        if self.config.keys and not owner.metrics:
            why = "this key may not read metrics: configure one with metrics = true"
            raise Refused(403, ErrorInfo("permission", why, status=403))
        if self._exposition is None:
            from .operations.exposition import Exposition

            self._exposition = Exposition(self.metrics, self.hub)
        body, kind = self._exposition.told(request.header("accept"))
        await send_whole(send, 200, body, [("cache-control", "no-store")], kind)

    async def models(
        self, request: Request, owner: ClientKey, format: str, receive: Receive, send: Send
    ) -> None:
        """The models that can be asked, in OpenAI's form."""
        data = [
            {"id": name, "object": "model", "owned_by": "relay"}
            for name in self.config.models(owner)
        ]
        await send_whole(send, 200, msgspec.json.encode({"object": "list", "data": data}))


def last_line(error: BaseException) -> str:
    """Where an error comes from."""
    frames = traceback.extract_tb(error.__traceback__, -1)
    return ", ".join(f"{frame.filename}:{frame.lineno}" for frame in frames)


def shape_of(request: Request, body: dict[str, Any], format: str) -> Shape:
    """How a stream is written to whoever asks so at a path of ``format``. Raises ``Refused``."""
    wanted = format_in(request, body, format)
    return Shape(wanted, framing_of(request), counts_in(request, body, wanted))


Handler = Callable[[Relay, Request, "ClientKey", str, Receive, Send], Awaitable[None]]
ID = r"(?P<id>[A-Za-z0-9_-]{1,128})"
ROUTES: tuple[tuple[str, re.Pattern[str], str, Handler], ...] = (
    ("POST", re.compile(r"(/v1)?/chat/completions|/chat"), "openai-chat", Relay.ask),
    ("POST", re.compile(r"(/v1)?/messages"), "anthropic", Relay.ask),
    ("POST", re.compile(r"/v1/streams"), "native", Relay.ask),
    ("GET", re.compile(rf"/v1/streams/{ID}"), "native", Relay.read),
    ("DELETE", re.compile(rf"/v1/streams/{ID}"), "native", Relay.end),
    ("POST", re.compile(rf"/v1/streams/{ID}/ticket"), "native", Relay.ticket),
    ("POST", re.compile(r"(/v1)?/stream/check"), "openai-chat", Relay.check),
    ("GET", re.compile(r"(/v1)?/models"), "openai-chat", Relay.models),
    ("GET", re.compile(r"/metrics"), "native", Relay.scrape),
)
"""Method, path, its format, and who answers."""


def format_at(path: str) -> str:
    """The format at a path, and at all below it: what is wrong there is told in it."""
    return next((format for _, at, format, _ in ROUTES if at.match(path)), "openai-chat")


def methods_of(path: str) -> list[str]:
    """What can be done at a path. Raises ``Refused`` where there is nothing."""
    methods = [method for method, pattern, _, _ in ROUTES if pattern.fullmatch(path)]
    if not methods:
        raise Refused(404, ErrorInfo("not_found", f"there is no {path} here", status=404))
    return methods


def route(request: Request) -> tuple[Handler, str, str | None]:
    """Who answers, in which format, and the id in the path. Raises ``Refused``."""
    methods = methods_of(request.path)
    for method, path, format, handler in ROUTES:
        found = path.fullmatch(request.path)
        if found is not None and method == request.method:
            return handler, format, found.groupdict().get("id")
    error = ErrorInfo("invalid_request", f"{request.path} takes {', '.join(methods)}", status=405)
    raise Refused(405, error, [("allow", ", ".join(methods))])
