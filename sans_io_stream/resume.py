"""Resume points: what a cursor is, and the token that carries one to another process.

A token is O(1) in the length of the stream, and holds no URL, host, header, credential or
delivered text. It is plain data (base64url of JSON), checked before use, never evaluated.
"""

from __future__ import annotations

import base64
import binascii
from functools import cache
from typing import Literal

import msgspec

from .errors import ResumeTokenError

__all__ = ["Cursor", "CursorKind", "ResumeOrigin", "ResumeToken", "decode_token", "encode_token"]

Cursor = int | str
CursorKind = Literal["sequence", "event_id", "sse_id", "byte_offset", "log_offset"]

TOKEN_VERSION = 1
TOKEN_MAX_BYTES = 8192


class ResumeOrigin(msgspec.Struct, frozen=True, gc=False):
    """What the resume points of one stretch of a stream have in common.

    While a tool call is open the points are ``held``: ``base`` is then the last cursor before
    it, None for the start. Else each point is its own base, and nothing is said here, so that
    all of them can share one origin.
    """

    dialect: str
    kind: CursorKind
    response_id: str | None = None
    held: bool = False
    base: Cursor | None = None
    stored: bool = False
    """The provider said that the answer goes on without its reader, and can be asked for."""
    contiguous: bool = True
    """The numbers went up by one so far."""
    first: int | None = None
    """The digest of the answer's first record."""
    state: str = ""
    """What the dialect knows of the answer at the base, as JSON: scalars, no delivered text."""


class ResumeToken(msgspec.Struct, frozen=True, gc=False):
    """A decoded token: ``seen`` is the cursor itself, ``position`` the events before it."""

    version: int
    origin: ResumeOrigin
    seen: Cursor
    position: int
    ended: bool = False

    @property
    def base(self) -> Cursor | None:
        """The last cursor at which no tool call was open, None for the start: a new process,
        which has no half-read calls, asks from there."""
        return self.origin.base if self.origin.held else self.seen


@cache
def _decoder() -> msgspec.json.Decoder[ResumeToken]:
    """Made when it is first needed: few programs read tokens."""
    return msgspec.json.Decoder(ResumeToken)


def encode_token(origin: ResumeOrigin, cursor: Cursor, position: int, ended: bool) -> str:
    """The token of one resume point, as URL-safe ASCII."""
    token = ResumeToken(TOKEN_VERSION, origin, cursor, position, ended)
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).rstrip(b"=").decode()


def decode_token(text: str, dialect: str | None = None) -> ResumeToken:
    """Read a token. Raises ``ResumeTokenError`` if it is damaged, too long, of another
    version, or (with ``dialect``) of another dialect."""
    if len(text) > TOKEN_MAX_BYTES:
        raise ResumeTokenError(f"resume token of {len(text)} characters is too long to be one")
    try:
        token = _decoder().decode(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", True))
    except (binascii.Error, ValueError) as error:
        raise ResumeTokenError(f"resume token is damaged: {error}") from None
    if token.version != TOKEN_VERSION:
        raise ResumeTokenError(
            f"resume token has version {token.version}, this library reads {TOKEN_VERSION}: "
            "start the stream anew"
        )
    if dialect is not None and token.origin.dialect != dialect:
        raise ResumeTokenError(
            f"resume token is for dialect {token.origin.dialect!r}, not {dialect!r}"
        )
    return token
