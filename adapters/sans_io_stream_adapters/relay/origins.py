"""Who may ask from where: ``Host`` and ``Origin``, and what a browser is told (CORS).

A web page that somebody else made reaches this machine from its visitor's browser. By a name of
its own it is refused by ``Host`` (DNS rebinding), by ours by ``Origin``. No page is allowed
anything unless its origin is configured; cookies are never asked for. Sources: RFC 9110, 7.2;
RFC 6454; WHATWG Fetch, 3.2 ("CORS protocol").
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from sans_io_stream import ErrorInfo

from .http import Refused, bad, header_bytes, send_whole

if TYPE_CHECKING:
    from .config import RelayConfig
    from .http import Request, Scope, Send

__all__ = ["answer_preflight", "by_ticket", "check_origin", "page_of", "telling_browsers"]

EXPOSED = "x-stream-id, x-stream-outcome, retry-after, x-should-retry"
"""What a page may read beside the body."""
LASTS = "600"
"""Seconds for which a browser need not ask again."""
OPENING = header_bytes(
    [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ]
)
"""What an answer says whose address opens it: nobody keeps it, or tells the address on."""
RETRY = b"retry: 1000\n\n"
"""Milliseconds after which an ``EventSource`` comes back; browsers' own are three to five seconds.
A block without data is no event (WHATWG HTML, 9.2.6)."""
TOKENS = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z, \t]+")


def page_of(config: RelayConfig, scope: Scope) -> str | None:
    """The origin of a page that may read what it is told, a head that is refused included."""
    pairs = scope["headers"]
    told = {value.decode("latin-1") for name, value in pairs if name.lower() == b"origin"}
    origin = told.pop() if len(told) == 1 else None
    return origin if origin is not None and allows(config, origin) else None


def allows(config: RelayConfig, origin: str) -> bool:
    """Whether pages of that origin may ask."""
    return origin in config.cors_origins or "*" in config.cors_origins


def check_origin(config: RelayConfig, request: Request) -> None:
    """Raises ``Refused``: 421 for a host that is not served, 403 for an origin that is not
    allowed."""
    if not config.answers_host(request.header("host") or ""):
        why = "this host is not served here: the relay's allowed_hosts say which are"
        raise bad(why, status=421)
    origin = request.header("origin")
    if origin is not None and not allows(config, origin):
        error = ErrorInfo("permission", "requests of that origin are not allowed", status=403)
        raise Refused(403, error)


def telling_browsers(send: Send, origin: str | None) -> Send:
    """``send`` that tells a browser which page may read the response, if any may. Who keeps it
    learns in any case that it depends on the page (WHATWG Fetch, "CORS protocol and HTTP caches").
    """
    more = [("vary", "origin")]
    if origin is not None:
        more += [
            ("access-control-allow-origin", origin),
            ("access-control-expose-headers", EXPOSED),
        ]
    told = header_bytes(more)

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *told]}
        await send(message)

    return sending


def by_ticket(send: Send) -> Send:
    """``send`` for a request that has a ticket in its address."""

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] != "http.response.start":
            await send(message)
            return
        kept = [pair for pair in message["headers"] if pair[0] != b"cache-control"]
        await send({**message, "headers": [*kept, *OPENING]})
        if (b"content-type", b"text/event-stream") in kept:
            await send({"type": "http.response.body", "body": RETRY, "more_body": True})

    return sending


async def answer_preflight(request: Request, methods: list[str], send: Send) -> None:
    """What may be asked at a path. Every header may be sent: keys stand in headers that no
    browser adds by itself."""
    headers = [("allow", ", ".join([*methods, "OPTIONS"]))]
    if request.header("origin") is not None:
        wanted = request.header("access-control-request-headers") or ""
        headers += [
            ("access-control-allow-methods", ", ".join(methods)),
            ("access-control-max-age", LASTS),
        ]
        if TOKENS.fullmatch(wanted):
            headers.append(("access-control-allow-headers", wanted))
    await send_whole(send, 204, headers=headers)
