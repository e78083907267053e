"""Where a redirect leads, and what of the request goes along.

RFC 9110, 15.4, as browsers do it (WHATWG Fetch, 4.4), with two rules of safety: never from
https to http, and no credential to another origin. How many redirects are followed, and
whether at all, is for the caller to say.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from .errors import ErrorInfo
from .headers import HeaderPairs, Headers, header_pairs, is_credential
from .url import Url

__all__ = ["Redirected", "redirect"]

FOLLOWED = frozenset({301, 302, 303, 307, 308})
# Fetch calls these "request-body-header names": they say what a body is.
OF_THE_BODY = frozenset(
    {"content-encoding", "content-language", "content-length", "content-location", "content-type"}
)


class Redirected(msgspec.Struct, frozen=True):
    """The request to send instead. Neither headers nor body are in its repr."""

    method: str
    url: Url
    headers: HeaderPairs
    body: bytes | None

    def __repr__(self) -> str:
        return f"Redirected({self.method} {self.url!r})"


def redirect(
    method: str,
    url: Url,
    headers: Headers,
    body: bytes | None,
    status: int,
    location: str | None,
    *,
    credentials: Collection[str] = (),
) -> Redirected | ErrorInfo | None:
    """What to ask after ``status`` with the header ``Location: location``.

    None if the status is no redirect that is followed. ``ErrorInfo`` if there is nowhere to go:
    no location, one that is no http URL, or one from https to http. ``location`` is as it came,
    Latin-1. ``credentials`` names headers, in any case, that are not to reach another origin
    beside those of ``headers.is_credential``.
    """
    if status not in FOLLOWED:
        return None
    if location is None:
        return _refused(status, "names no location")
    try:
        to = url.join(_escaped(location))
    except ValueError as error:
        return _refused(status, f"is refused: {error}")
    if url.secure and not to.secure:
        return _refused(status, f"is refused: it leads from https to http, to {to.authority}")
    pairs = header_pairs(headers)
    # RFC 9110, 15.4.2 and 15.4.3: "a user agent MAY change the request method from POST to GET";
    # 15.4.4: "perform a retrieval request targeting that URI (a GET or HEAD request …)".
    if (status in (301, 302) and method == "POST") or (
        status == 303 and method not in ("GET", "HEAD")
    ):
        method, body = "GET", None
        pairs = tuple(pair for pair in pairs if pair[0].lower() not in OF_THE_BODY)
    if to.origin != url.origin:
        marked = {name.lower() for name in credentials} | {"host"}
        pairs = tuple(
            (name, value)
            for name, value in pairs
            if not is_credential(name) and name.lower() not in marked
        )
    return Redirected(method, to, pairs, body)


def _refused(status: int, what: str) -> ErrorInfo:
    return ErrorInfo("provider", f"the redirect {what}", status=status)


def _escaped(location: str) -> str:
    """``location`` with the bytes that are not ASCII escaped: servers send them bare."""
    return "".join(
        character if character.isascii() else f"%{ord(character):02X}" for character in location
    )
