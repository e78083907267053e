"""The relay as a server of its own, on uvicorn: it listens, says so, and ends in order.

A server tells an application of its end only when all connections are gone; here they are gone
when the streams have ended. So the relay is stopped first, while its readers are still there,
and hear how their streams end.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.logging import DefaultFormatter

from ..cli_output import has_colours
from ..logs import LOG
from .app import Relay
from .operations.telling import LINES, JSONLines, in_one_line
from .wire import Protocol

if TYPE_CHECKING:
    from .config import RelayConfig

__all__ = ["collect_seldom", "listen", "serve"]

BACKLOG = 2048
POLL = 0.05
"""Seconds between two looks at whether a second Ctrl-C came."""
GRACE = 5
"""Seconds that the last readers have for the last bytes."""
COLLECTED = (10_000, 20, 100)
"""What the collector of cyclic garbage counts to. Streams that are open are what it walks, for
tens of milliseconds with some hundreds of them, and they are no garbage."""
BROKEN_OFF = "ASGI callable returned without completing response."
"""uvicorn's word for a response that is broken off. Here that is meant."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections. Raises ``OSError`` for an address that is none, or
    taken."""
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return socket.create_server(address[:2], family=family, backlog=BACKLOG)


def serve(
    config: RelayConfig,
    sock: socket.socket,
    *,
    ready: Callable[[], None],
    ending: Callable[[], None],
    quiet: bool = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C, then seal what runs, and return; Ctrl-C once more does so at
    once.

    ``ready`` is called as soon as requests are answered, ``ending`` when the end begins.
    Raises ``StoreError`` where the store cannot be opened, ``KeyboardInterrupt`` behind an end
    by Ctrl-C.
    """
    relay = Relay(config)
    settings = uvicorn.Config(
        relay,
        http=Protocol,
        lifespan="off",
        ws="none",
        log_config=logging_of(quiet=quiet, format=config.log_format),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        # What is too large is refused by the relay, in the words of the format in use.
        h11_max_incomplete_event_size=2 * config.limits.header_bytes + 65536,
        timeout_graceful_shutdown=graceful(config),
    )
    with terminated_in_order():
        Server(settings, relay, ready, ending).run([sock])


def graceful(config: RelayConfig) -> int | None:
    """Seconds until connections are cut: later than the streams have ended."""
    drain = config.limits.drain_seconds
    return None if math.isinf(drain) else math.ceil(drain) + GRACE


def collect_seldom() -> None:
    """Keep the collector from what is there already, and have it look at the rest less often."""
    gc.freeze()
    gc.set_threshold(*COLLECTED)


class Server(uvicorn.Server):
    """uvicorn, with an end that begins with the streams."""

    def __init__(
        self,
        config: uvicorn.Config,
        relay: Relay,
        ready: Callable[[], None],
        ending: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self.relay = relay
        self._ready = ready
        self._ending = ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the store before anybody can ask."""
        await self.relay.start()
        await super().startup(sockets)
        collect_seldom()
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Streams end, then the connections of their readers."""
        self._ending()
        stopping = asyncio.create_task(self.relay.stop())
        closing = asyncio.create_task(super().shutdown(sockets))
        while not (stopping.done() and closing.done()):
            await asyncio.wait([stopping, closing], timeout=POLL)
            if self.force_exit:
                self.relay.hurry()
        await stopping
        await closing


@contextlib.contextmanager
def terminated_in_order() -> Generator[None]:
    """SIGTERM is an order like any other: uvicorn, which has obeyed it, raises it again."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Shown(logging.Filter):
    """What a log may say: nothing of a response that was broken off on purpose, or cut off at the
    end."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is logged."""
        kind = record.exc_info[0] if record.exc_info else None
        return record.msg != BROKEN_OFF and kind is not asyncio.CancelledError


class PlainLines(DefaultFormatter):
    """A line for people, with its level first, coloured on a terminal alone."""

    def __init__(self) -> None:
        colours = sys.stderr is not None and has_colours(sys.stderr)  # pyright: ignore[reportUnnecessaryComparison]
        super().__init__("%(levelprefix)s %(message)s", use_colors=colours)

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        shown = logging.makeLogRecord({**record.__dict__, "msg": in_one_line(record), "args": ()})
        shown.exc_info = shown.exc_text = None
        vars(shown).pop("color_message", None)
        return super().format(shown)


FORMATTERS: dict[str, type[logging.Formatter]] = {"plain": PlainLines, "json": JSONLines}
"""By the word of the configuration."""


def logging_of(*, quiet: bool, format: str = "plain") -> dict[str, Any]:
    """Logs go to standard error, a line for each record. Requests are told by the relay, with
    their streams, and not by the server, whose line would hold a path. What a single stream of
    the adapters logs is left out: it is told in the line of the relay's stream."""

    def logger(level: str) -> dict[str, Any]:
        return {"handlers": ["lines"], "level": level, "propagate": False}

    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"shown": {"()": Shown}},
        "formatters": {"lines": {"()": FORMATTERS[format]}},
        "handlers": {
            "lines": {
                "class": "logging.StreamHandler",
                "formatter": "lines",
                "filters": ["shown"],
                "stream": "ext://sys.stderr",
            }
        },
        "loggers": {
            LOG.name: logger("ERROR"),
            LINES.name: logger("WARNING" if quiet else "INFO"),
            "uvicorn.error": logger("WARNING"),
        },
    }
