"""Whether the relay lives, and whether it can be given requests: for whoever restarts it, and for
whoever balances load.

Both are answered to anybody, at any ``Host``: they are asked by address, hold no secret, and say
nothing of streams. ``/healthz`` says that the process answers. ``/readyz`` is 200 only where the
store can be written to and the relay is not shutting down; else 503 with a reason, in no more than
``WITHIN`` seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import msgspec

from sans_io_stream import ErrorInfo
from sans_io_stream_adapters.logs import LOG

from ..http import Refused, send_whole
from ..stores.protocol import Spent, StoreError

if TYPE_CHECKING:
    from ..app import Relay
    from ..http import Request, Send

__all__ = ["PROBES", "answer_probe"]

PROBES = ("/healthz", "/readyz")
METHODS = ("GET", "HEAD")
WITHIN = 2.0
"""Seconds that the store has to answer: less than a probe waits as a rule."""
NOBODY = ""
"""The name of no key. That it has spent nothing is written down: a store that can be read, and not
written to, is of no use for a new stream."""


async def answer_probe(relay: Relay, request: Request, send: Send) -> None:
    """Answer it. Raises ``Refused`` for another method."""
    if request.method not in METHODS:
        error = ErrorInfo("invalid_request", f"{request.path} takes GET", status=405)
        raise Refused(405, error, [("allow", ", ".join(METHODS))])
    reason = None if request.path == "/healthz" else await unready(relay)
    told = {"status": "ok"} if reason is None else {"status": "unready", "reason": reason}
    status = 200 if reason is None else 503
    await send_whole(send, status, msgspec.json.encode(told), [("cache-control", "no-store")])


async def unready(relay: Relay) -> str | None:
    """Why no request should come here now; None if any may."""
    if relay.hub.closing:
        return "shutting down"
    if not relay.started:
        relay.start_soon()
        return "starting"
    reason: str | None = "the store does not answer"
    with anyio.move_on_after(WITHIN):
        try:
            await relay.hub.store.spend(NOBODY, "", Spent())
            reason = None
        except StoreError as error:
            relay.metrics.store_errors["probe"] += 1
            LOG.error("the relay is not ready: the store fails: %s", error)
            reason = "the store fails"
    return reason
