"""What has to be made anew for each attempt: a signature, a fresh token.

Each is an ``authorize`` of a ``StreamRequest``: it takes the ``HTTPRequest`` that would go
out, and returns the one that does. ``SigV4`` is AWS Signature Version 4, as the IAM User
Guide describes it under "Create a signed AWS API request". Nothing here has a clock: it is
handed in. No secret is in a ``repr``, in a message, or in a local variable of a frame that
raises, since tracebacks may show those.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

from ..url import parse_url

if TYPE_CHECKING:
    from ..headers import HeaderPairs
    from ..request import HTTPRequest

__all__ = ["AWSCredentials", "Bearer", "SigV4", "Token"]

Token = Callable[[], str | Awaitable[str]]
"""Where a token comes from, asked before each attempt."""

ALGORITHM = "AWS4-HMAC-SHA256"
NEVER_SIGNED = frozenset(
    {
        "accept-encoding", "baggage", "cache-control", "connection", "expect", "from", "keep-alive",
        "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "referer", "te",
        "traceparent", "tracestate", "trailer", "transfer-encoding", "upgrade", "user-agent",
        "x-amzn-trace-id",
    }
)  # fmt: skip
"""What a proxy may change on the way, or whoever sends it adds: of AWS' own SDKs each leaves
out some of these (botocore ``SIGNED_HEADERS_BLACKLIST``, smithy ``ALWAYS_UNSIGNABLE_HEADERS``).
"""
OURS = frozenset({"authorization", "x-amz-date", "x-amz-security-token"})
"""What a signature brings, in place of what the request had."""
NAME = re.compile(r"[a-z0-9-]+")
# RFC 7235, 2.1 token68, with what tokens of OAuth 2.0 may hold (RFC 6750, 2.1: VSCHAR).
VISIBLE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True, init=False, repr=False)
class AWSCredentials:
    """A key of AWS and its secret; ``session_token`` too if they are temporary.

    Raises ``ValueError`` for what cannot be a credential: the empty text, blanks and control
    characters, anything that is not ASCII.
    """

    access_key: str
    secret_key: str
    session_token: str | None

    def __init__(self, access_key: str, secret_key: str, session_token: str | None = None) -> None:
        given = {"access_key": access_key, "secret_key": secret_key, "session_token": session_token}
        wrong = [
            name
            for name, value in given.items()
            if not is_visible(value) and (value is not None or name != "session_token")
        ]
        if wrong:
            # A traceback may show the variables of this frame.
            del given, access_key, secret_key, session_token
            raise ValueError(
                f"{wrong[0]} is no credential of AWS: it has to be text of visible ASCII "
                "characters, without blanks or line breaks"
            )
        for name, value in given.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"<AWSCredentials{', temporary' if self.session_token else ''}>"


AWSKeys = AWSCredentials | Callable[[], AWSCredentials | Awaitable[AWSCredentials]]


class SigV4:
    """Signs each attempt with AWS Signature Version 4: ``authorize=SigV4(...)``.

    ``credentials`` are ``AWSCredentials``, or a callable that returns them, asked before each
    attempt, for those that expire; where it is asynchronous, so is the signing. ``clock``
    returns the time as an aware ``datetime``; AWS takes what is at most five minutes off.
    ``service`` is the name that signatures have it by: ``"bedrock"``.

    Raises ``ValueError`` for a region or a service that is none, ``TypeError`` for other
    credentials. Called, it returns the request with ``x-amz-date``, ``authorization`` and,
    of temporary credentials, ``x-amz-security-token``, in place of those that it had; it
    raises what the two callables raise, ``TypeError`` if they return something else, and
    ``ValueError`` for a naive time.
    """

    def __init__(
        self,
        credentials: AWSKeys,
        region: str,
        service: str = "bedrock",
        *,
        clock: Callable[[], datetime],
    ) -> None:
        for what, name in (("region", region), ("service", service)):
            if not NAME.fullmatch(name):
                raise ValueError(f"a {what} is lower-case letters, digits and hyphens: {name!r}")
        if not isinstance(credentials, AWSCredentials) and not callable(credentials):
            del credentials
            raise TypeError("credentials are AWSCredentials, or a callable that returns them")
        self._credentials = credentials
        self._region = region
        self._service = service
        self._clock = clock

    def __call__(self, request: HTTPRequest) -> HTTPRequest | Awaitable[HTTPRequest]:
        given = self._credentials
        found = given if isinstance(given, AWSCredentials) else given()
        if isinstance(found, Awaitable):
            return self._later(request, found)
        return self._signed(request, found)

    def __repr__(self) -> str:
        return f"<SigV4 {self._service} in {self._region}>"

    async def _later(self, request: HTTPRequest, found: Awaitable[AWSCredentials]) -> HTTPRequest:
        return self._signed(request, await found)

    def _signed(self, request: HTTPRequest, keys: AWSCredentials) -> HTTPRequest:
        # All that may raise comes first, while no variable holds a secret.
        time = self._clock()
        if time.tzinfo is None:
            raise ValueError("the clock of SigV4 returns an aware time: datetime.now(UTC)")
        if not isinstance(keys, AWSCredentials):  # pyright: ignore[reportUnnecessaryIsInstance]
            kind = type(keys).__name__
            del keys
            raise TypeError(f"credentials() returned a {kind}, not AWSCredentials")
        url = parse_url(request.url)
        stamp = time.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        kept = [pair for pair in request.headers if pair[0] not in OURS]
        kept.append(("x-amz-date", stamp))
        if keys.session_token is not None:
            kept.append(("x-amz-security-token", keys.session_token))
        headers = to_sign(tuple(kept), url.authority)
        canonical = canonical_request(request.method, url.target, headers, request.body)
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        text = f"{ALGORITHM}\n{stamp}\n{scope}\n{sha256(canonical)}"
        key = f"AWS4{keys.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        says = (
            f"{ALGORITHM} Credential={keys.access_key}/{scope}, "
            f"SignedHeaders={';'.join(headers)}, Signature={signature}"
        )
        return replace(request, headers=(*kept, ("authorization", says)))


class Bearer:
    """Sends a token that is asked for before each attempt: ``authorize=Bearer(token)``.

    ``token`` is a callable that returns it, at once or awaited; for Google Cloud and Entra ID,
    whose tokens last for an hour. Called, it returns the request with the header
    ``authorization: Bearer …`` in place of what it had there; it raises what ``token`` raises,
    and ``ValueError`` for what no token can be.
    """

    def __init__(self, token: Token) -> None:
        if not callable(token):
            del token
            raise TypeError("Bearer takes a callable that returns the token, not the token")
        self._token = token

    def __call__(self, request: HTTPRequest) -> HTTPRequest | Awaitable[HTTPRequest]:
        token = self._token()
        if isinstance(token, Awaitable):
            return self._later(request, token)
        return bearing(request, token)

    def __repr__(self) -> str:
        return "<Bearer>"

    async def _later(self, request: HTTPRequest, token: Awaitable[str]) -> HTTPRequest:
        return bearing(request, await token)


def bearing(request: HTTPRequest, token: str) -> HTTPRequest:
    """``request`` with that token."""
    if not is_visible(token):
        del token
        raise ValueError(
            "token() has to return text of visible ASCII characters: strip a blank or a line "
            "break, and leave out the word 'Bearer'"
        )
    kept = [pair for pair in request.headers if pair[0] != "authorization"]
    return replace(request, headers=(*kept, ("authorization", f"Bearer {token}")))


def is_visible(value: object) -> bool:
    """Whether this is text that can be a credential."""
    return isinstance(value, str) and VISIBLE.fullmatch(value) is not None


def sha256(data: bytes) -> str:
    """The hash of ``data`` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def to_sign(headers: HeaderPairs, authority: str) -> dict[str, str]:
    """The headers that are signed, sorted by name; those of one name joined in their order."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        if name not in NEVER_SIGNED:
            found.setdefault(name, []).append(" ".join(value.split()))
    found.setdefault("host", [authority])
    return {name: ",".join(found[name]) for name in sorted(found)}


def canonical_request(method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
    """What is hashed and signed of a request. Step 1 of the guide."""
    path, _, query = target.partition("?")
    return "\n".join(
        [
            method,
            canonical_path(path),
            canonical_query(query),
            *(f"{name}:{value}" for name, value in headers.items()),
            "",
            ";".join(headers),
            headers.get("x-amz-content-sha256") or sha256(body),
        ]
    ).encode("utf-8", "surrogatepass")


def canonical_path(path: str) -> str:
    """A path without dots and doubled slashes, encoded once more than it is sent.

    "Each path segment must be URI-encoded twice (except for Amazon S3 which only gets
    URI-encoded once)": a colon that goes out as ``%3A`` is signed as ``%253A``.
    """
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    ends = "/" if path.endswith("/") and segments else ""
    return quote("/" + "/".join(segments) + ends, safe="/~")


def canonical_query(query: str) -> str:
    """The parameters of a query, each encoded strictly, sorted by name and then by value."""
    if not query:
        return ""
    pairs = [parameter.partition("=") for parameter in query.split("&")]
    return "&".join(
        f"{name}={value}"
        for name, value in sorted((encoded(name), encoded(value)) for name, _, value in pairs)
    )


def encoded(text: str) -> str:
    """Part of a query with nothing bare but what RFC 3986 leaves unreserved."""
    return quote(unquote_to_bytes(text), safe="~")
