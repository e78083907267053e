"""Tickets: what opens one stream for reading until a time, in a URL, for those who can send no key.

A ticket is signed and not kept: its version, when it expires, and HMAC-SHA256 (RFC 2104) over
both, the stream's id and its owner's name. Neither of the names stands in it. All workers with
one key take each other's. The clock is the caller's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from sans_io_stream.secret import Secret

__all__ = ["Tickets"]

VERSION = b"\x01"
EXPIRES = 6
"""Bytes of the time, in whole seconds since 1970. With the others they are a multiple of three,
so that each ticket has one spelling."""
TICKET = re.compile(r"[A-Za-z0-9_-]{52}")


class Tickets:
    """Makes and checks the tickets of one key."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def made(self, id: str, owner: str, expires: int) -> str:
        """What opens ``owner``'s stream until ``expires``, in seconds since 1970."""
        head = VERSION + expires.to_bytes(EXPIRES)
        return Secret(base64.urlsafe_b64encode(head + self._signed(head, id, owner)).decode())

    def opens(self, ticket: str, id: str, owner: str, now: float) -> bool:
        """Whether it opens that stream of that owner's at that time. It takes as long for a
        signature that is nearly right as for one that is not at all."""
        if TICKET.fullmatch(ticket) is None:
            return False
        told = base64.urlsafe_b64decode(ticket)
        head, signature = told[: 1 + EXPIRES], told[1 + EXPIRES :]
        signed = hmac.compare_digest(signature, self._signed(head, id, owner))
        return signed and head[:1] == VERSION and now < int.from_bytes(head[1:])

    def _signed(self, head: bytes, id: str, owner: str) -> bytes:
        """The signature. Neither an id nor a name holds a NUL."""
        words = b"\0".join((b"ticket", id.encode(), owner.encode(), head))
        return hmac.digest(self._key, words, hashlib.sha256)
