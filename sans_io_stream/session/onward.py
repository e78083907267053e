"""Whether a response leads elsewhere, and whether that way may be taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorInfo
from ..redirect import redirect
from ..request import HTTPRequest
from ..url import parse_url
from .endings import used_up

if TYPE_CHECKING:
    from ..http import Head
    from ..policy import ReconnectPolicy
    from ..request import StreamRequest
    from .count import Count

__all__ = ["led_to"]


def led_to(
    request: StreamRequest, asked: HTTPRequest, head: Head, count: Count, policy: ReconnectPolicy
) -> HTTPRequest | ErrorInfo | None:
    """Where the answer is to be asked for instead; None if this is the answer."""
    found = redirect(
        asked.method,
        parse_url(asked.url),
        asked.headers,
        asked.body,
        head.status,
        head.get("location"),
    )
    if found is None or isinstance(found, ErrorInfo):
        return found
    why = ""
    if not request.follows_redirects:
        why = "the request does not allow it: StreamRequest(redirects=True)"
    elif count.redirects >= policy.max_redirects:
        why = f"there were {count.redirects} before it"
    elif count.connections >= policy.max_connections:
        why = used_up(policy.max_connections).message
    if why:
        message = f"not redirected to {found.url.origin}: {why}"
        return ErrorInfo("provider", message, status=head.status)
    return HTTPRequest(found.method, found.url.text, found.headers, found.body or b"")
