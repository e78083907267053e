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
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from urllib.parse import quote, unquote_to_bytes

from ..secret import Secret
from ..url import parse_url

if TYPE_CHECKING:
    from ..headers import HeaderPairs
    from ..request import HTTPRequest

__all__ = ["AWSCredentials", "AWSKeys", "Bearer", "SigV4", "Token"]

T = TypeVar("T")
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


@dataclass(frozen=True, slots=True, init=False, repr=False)
class AWSCredentials:
    """A key of AWS and its secret; ``session_token`` too if they are temporary.

    Raises ``ValueError`` for what cannot be a credential: what is no text, the empty text,
    blanks and control characters, anything that is not ASCII.
    """

    access_key: str
    secret_key: str
    session_token: str | None

    def __init__(self, access_key: str, secret_key: str, session_token: str | None = None) -> None:
        given = {
            "access_key": hidden(access_key),
            "secret_key": hidden(secret_key),
            "session_token": None if session_token is None else hidden(session_token),
        }
        # A traceback may show the variables of this frame.
        del access_key, secret_key, session_token
        for name, value in given.items():
            if value is not None:
                value.check(name)
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return "<AWSCredentials>"


AWSKeys = AWSCredentials | Callable[[], AWSCredentials | Awaitable[AWSCredentials]]


class Later(Awaitable["HTTPRequest"], Generic[T]):
    """``then`` of what ``found`` gives once that is waited for, with ``keep`` done to it first.

    No coroutine: where nothing can wait, ``close`` puts away that which was never begun.
    """

    def __init__(
        self,
        found: Awaitable[object],
        keep: Callable[[object], T],
        then: Callable[[T], HTTPRequest],
    ) -> None:
        self._found = found
        self._keep = keep
        self._then = then

    def __await__(self) -> Generator[Any, Any, HTTPRequest]:
        return self._then(self._keep((yield from self._found.__await__())))

    def close(self) -> None:
        """Close what was to be waited for, if it is a coroutine."""
        if isinstance(self._found, Coroutine):
            cast("Coroutine[Any, Any, object]", self._found).close()


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
        if not isinstance(credentials, AWSCredentials) and not callable(credentials):
            # A key and its secret may be here, one in the place of the other.
            del credentials, region, service
            raise TypeError("credentials are AWSCredentials, or a callable that returns them")
        for what, name in (("region", region), ("service", service)):
            if not NAME.fullmatch(name):
                raise ValueError(f"a {what} is lower-case letters, digits and hyphens: {name!r}")
        self._credentials = credentials
        self._region = region
        self._service = service
        self._clock = clock

    def __call__(self, request: HTTPRequest) -> HTTPRequest | Awaitable[HTTPRequest]:
        given = self._credentials
        found = given if isinstance(given, AWSCredentials) else given()
        if isinstance(found, Awaitable):
            return Later(found, known, lambda keys: self._signed(request, keys))
        keys = known(found)
        del found
        return self._signed(request, keys)

    def __repr__(self) -> str:
        return "<SigV4>"

    def _signed(self, request: HTTPRequest, keys: AWSCredentials | type) -> HTTPRequest:
        if isinstance(keys, type):
            raise TypeError(f"credentials() returned a {keys.__name__}, not AWSCredentials")
        # All that may raise comes first, while no variable shows a secret.
        time = self._clock()
        if time.tzinfo is None:
            raise ValueError("the clock of SigV4 returns an aware time: datetime.now(UTC)")
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
        return replace(request, headers=(*kept, ("authorization", Secret(says))))


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
            return Later(token, hidden, lambda text: bearing(request, text))
        token = hidden(token)
        return bearing(request, token)

    def __repr__(self) -> str:
        return "<Bearer>"


def bearing(request: HTTPRequest, token: Secret) -> HTTPRequest:
    """``request`` with that token."""
    token.check("the token")
    kept = [pair for pair in request.headers if pair[0] != "authorization"]
    return replace(request, headers=(*kept, ("authorization", Secret(f"Bearer {token}"))))


def known(found: object) -> AWSCredentials | type:
    """Credentials as they are; of anything else its type, since its text may be a secret."""
    return found if isinstance(found, AWSCredentials) else type(found)


def hidden(text: object) -> Secret:
    """``text`` as a secret; what is no text as the empty one, which no credential is."""
    return Secret(text) if isinstance(text, str) else Secret()


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
