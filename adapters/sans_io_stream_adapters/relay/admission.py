"""Who is let in: by a key to whatever is its own, by a ticket to the one stream that it opens."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from sans_io_stream import ErrorInfo

from .asking import key_in, seconds_in
from .config import LOCAL
from .http import Refused, send_whole
from .tickets import Tickets

if TYPE_CHECKING:
    from .config import ClientKey, RelayConfig
    from .http import Request, Send

__all__ = ["Admission"]

TICKET_KEY = 32
"""Bytes of a key that is this process's own."""


class Admission:
    """Lets in as ``config`` says. ``entropy`` gives so many random bytes."""

    def __init__(
        self,
        config: RelayConfig,
        clock: Callable[[], float],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._config = config
        self._clock = clock
        key = config.ticket_key
        self._tickets = Tickets(entropy(TICKET_KEY) if key is None else key.encode())

    def owner(self, request: Request, id: str | None = None) -> ClientKey:
        """Whose key a request carries; or, where it has none and reads stream ``id``, whose
        ticket. Raises ``Refused``."""
        key = key_in(request)
        ticket = request.query.get("ticket")
        if id is not None and key is None and ticket is not None:
            return self._opened(ticket, id)
        owner = self._config.owner_of(key)
        if owner is None:
            raise refused("no such key")
        return owner

    def _opened(self, ticket: str, id: str) -> ClientKey:
        """Whose stream a ticket opens. Nothing is looked up for a wrong one."""
        now = self._clock()
        keys = self._config.keys or (LOCAL,)
        owners = [one for one in keys if self._tickets.opens(ticket, id, one.name, now)]
        if not owners:
            raise refused("the ticket does not open this stream, or no longer: get another one")
        return owners[0]

    async def send_ticket(self, request: Request, owner: ClientKey, id: str, send: Send) -> None:
        """Give the owner of a stream a ticket for it. Raises ``Refused``."""
        seconds = seconds_in(request, self._config.ticket_seconds)
        expires = math.ceil(self._clock()) + seconds
        ticket = self._tickets.made(id, owner.name, expires)
        url = f"{request.root}/v1/streams/{id}?ticket={ticket}"
        body = msgspec.json.encode({"ticket": str(ticket), "expires": expires, "url": url})
        headers = [("x-stream-id", id), ("cache-control", "no-store")]
        await send_whole(send, 200, body, headers)


def refused(why: str) -> Refused:
    """What to raise for who is not let in."""
    error = ErrorInfo("authentication", why, status=401)
    return Refused(401, error, [("www-authenticate", "Bearer")])
