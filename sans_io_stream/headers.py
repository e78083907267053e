"""Header fields as a caller gives them, and which of them are credentials.

Rules of RFC 9110, 5.1 and 5.5, checked before anything is sent: a name is a token; a value
holds no control character, so that it cannot begin a line of its own. No message says what a
value is, since it may be a key.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import cast

__all__ = [
    "CREDENTIAL_ENDINGS",
    "CREDENTIAL_HEADERS",
    "HeaderPairs",
    "Headers",
    "check_header",
    "has_credentials",
    "header_items",
    "header_pairs",
    "is_credential",
]

HeaderPairs = tuple[tuple[str, str], ...]
Headers = Mapping[str, str] | Iterable[tuple[str, str]]

CREDENTIAL_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"}
)
"""What is known to carry a credential. The other side of ``capture.privacy``, which lists what
may be *kept*: there all else goes; here, where a request has to arrive whole, all else stays."""
CREDENTIAL_ENDINGS = (
    "authorization", "api-key", "apikey", "auth", "cookie", "secret", "password",
    "access-token", "auth-token", "security-token", "session-token", "private-token",
    "subscription-key", "functions-key",
)  # fmt: skip
"""How gateways and clouds end the names of their own: ``cf-aig-authorization``,
``x-amz-security-token``, ``ocp-apim-subscription-key``, ``helicone-auth``."""

# RFC 9110, 5.6.2: token = 1*tchar
TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
# RFC 9110, 5.5: "Field values containing CR, LF, or NUL characters are invalid and dangerous";
# "other CTL characters are also invalid". HTAB within a value is not.
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def check_header(name: str, value: str) -> None:
    """Return if ``name: value`` can be sent as it stands; raise ``ValueError`` if not."""
    token = TOKEN.match(name)
    if token is None or token.end() != len(name):
        # What follows the token may be a value, and so a key.
        begin = ascii(name[: token.end()]) if token is not None else "empty or starts wrong"
        raise ValueError(
            f"a header's name is a token (letters, digits, hyphens); this one is not: {begin} …"
        )
    if CONTROL.search(value):
        raise ValueError(
            f"the value of header {name!r} holds a control character, such as a line break: "
            "strip or encode it"
        )
    if value != value.strip(" \t"):
        raise ValueError(f"the value of header {name!r} begins or ends with a blank: strip it")
    if any(character > "\xff" for character in value):
        raise ValueError(f"the value of header {name!r} is not Latin-1: encode it")


def header_pairs(headers: Headers) -> HeaderPairs:
    """``headers`` as pairs in their order, each checked. Raises ``ValueError``."""
    pairs = tuple((name, value) for name, value in header_items(headers))
    for name, value in pairs:
        check_header(name, value)
    return pairs


def is_credential(name: str) -> bool:
    """Whether a header of this name, in any case, carries a credential."""
    name = name.lower()
    return name in CREDENTIAL_HEADERS or name.endswith(CREDENTIAL_ENDINGS)


def has_credentials(headers: Headers, also: Collection[str] = ()) -> bool:
    """Whether any of ``headers`` is a credential, or named in ``also`` (any case)."""
    marked = {name.lower() for name in also}
    return any(is_credential(name) or name.lower() in marked for name, _ in header_items(headers))


def header_items(headers: Headers) -> Iterable[tuple[str, str]]:
    """``headers`` as pairs, as they are."""
    return cast("Mapping[str, str]", headers).items() if isinstance(headers, Mapping) else headers
