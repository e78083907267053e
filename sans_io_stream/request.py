"""StreamRequest: what is asked, and how to ask it again.

Immutable values. A ``StreamRequest`` is the user's; what goes out for one attempt is an
``HTTPRequest``, made from it by a resume strategy. Neither shows a header's value, a body or
a secret of its URL in ``repr``: they end up in logs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import InitVar, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import msgspec

from .capture.privacy import without_secrets
from .dialects.registry import dialect_class
from .dialects.shapes import is_object
from .headers import (
    HeaderPairs,
    Headers,
    check_header,
    has_credentials,
    header_pairs,
    is_credential,
)
from .secret import Secret
from .strategies.continuation import CONTINUATIONS
from .url import parse_url

if TYPE_CHECKING:
    from .strategies.base import Strategy

__all__ = ["Authorizer", "HTTPRequest", "StreamRequest"]

USER_AGENT = "sans-io-stream"


@dataclass(frozen=True, slots=True, repr=False)
class HTTPRequest:
    """One request as it goes out. Header names are in lower case."""

    method: str
    url: str
    headers: HeaderPairs = ()
    body: bytes = b""

    def __repr__(self) -> str:
        return f"<HTTPRequest {shown(self.method, self.url)}, {len(self.body)} bytes>"

    def header(self, name: str) -> str | None:
        """The first value of that header, None if it is not there."""
        name = name.lower()
        return next((value for known, value in self.headers if known == name), None)

    def with_headers(self, **headers: str | None) -> Self:
        """The same with these headers set, ``_`` in their names for ``-``; None takes one out.

        Raises ``ValueError`` for a value that would break out of its line.
        """
        for name, value in headers.items():
            if value is not None and is_credential(name.replace("_", "-")):
                # In place: a traceback shows the variables of this frame.
                headers[name] = Secret(value)
        new = {name.replace("_", "-"): value for name, value in headers.items()}
        kept = [pair for pair in self.headers if pair[0] not in new]
        for name, value in new.items():
            if value is not None:
                check_header(name, value)
                kept.append((name, value))
        return replace(self, headers=tuple(kept))

    def json(self) -> dict[str, Any] | None:
        """The body as a JSON object; None if it is none."""
        try:
            value = msgspec.json.decode(self.body)
        except (msgspec.MsgspecError, ValueError):
            return None
        return value if is_object(value) else None

    def with_json(self, value: dict[str, Any]) -> Self:
        """The same with ``value`` as its body."""
        return replace(self, body=msgspec.json.encode(value))


Authorizer = Callable[[HTTPRequest], HTTPRequest | Awaitable[HTTPRequest]]
"""What makes anew what each attempt needs: it may be asynchronous where the adapter is."""


class Named(msgspec.Struct):
    """What a body says of the model."""

    model: Any = None


@dataclass(frozen=True, slots=True, repr=False)
class StreamRequest:
    """One streamed answer to be asked for.

    ``headers`` is a mapping or an iterable of pairs; ``body`` is bytes, or ``json`` a value
    that becomes the body. ``dialect`` names the protocol of the answer (None: found from its
    bytes), ``resume`` a strategy by its name or as an object (None: the dialect's own; "none"
    for none). ``terminator`` is the data of the record that ends a plain event stream.
    ``redirects`` allows following redirects (None: only where neither a header nor a
    parameter of the URL is a credential).
    ``continuation`` names how the model is asked to go on from a partial answer (None: the
    dialect's own way, if it has one). ``authorize`` is called by the adapter before each
    connection to the host of ``url``, with the ``HTTPRequest`` as it would go out; what it
    returns goes out instead: a signature, a fresh token. ``provider`` and ``model`` are whom to
    account for it (None: the ``model`` of the body).

    Raises ``ValueError`` for a URL or a header that cannot be sent, ``UnknownDialectError``
    for a dialect or a strategy that does not exist.
    """

    method: str
    url: str
    headers: Headers = ()
    body: bytes = b""
    json: InitVar[Any] = None
    dialect: str | None = None
    resume: str | Strategy | None = None
    terminator: str | None = None
    redirects: bool | None = None
    continuation: str | None = None
    authorize: Authorizer | None = None
    provider: str | None = None
    model: str | None = None

    def __post_init__(self, json: Any) -> None:
        from .strategies import strategy_named

        parse_url(self.url)
        if not self.method.isascii() or not self.method.isalpha():
            raise ValueError(f"{self.method!r} is no HTTP method")
        headers = tuple((name.lower(), value) for name, value in header_pairs(self.headers))
        if json is not None:
            if self.body:
                raise ValueError("a StreamRequest takes a body or json, not both")
            object.__setattr__(self, "body", msgspec.json.encode(json))
            if not any(name == "content-type" for name, _ in headers):
                headers = (*headers, ("content-type", "application/json"))
        if self.dialect is not None:
            object.__setattr__(self, "dialect", dialect_class(self.dialect).name)
        if isinstance(self.resume, str):
            strategy_named(self.resume)
        if self.continuation is not None and self.continuation not in CONTINUATIONS:
            known = ", ".join(CONTINUATIONS)
            raise ValueError(f"no continuation is called {self.continuation!r}; there are: {known}")
        if self.model is None and self.body.startswith(b"{"):
            object.__setattr__(self, "model", model_of(self.body))
        object.__setattr__(self, "method", self.method.upper())
        object.__setattr__(self, "headers", headers)

    def __repr__(self) -> str:
        dialect = f", dialect={self.dialect!r}" if self.dialect else ""
        return f"<StreamRequest {shown(self.method, self.url)}{dialect}, {len(self.body)} bytes>"

    @property
    def strategy(self) -> Strategy:
        """How the answer is taken up again after a break."""
        from .strategies import strategy_for, strategy_named

        if self.resume is None:
            return strategy_for(self.dialect)
        return strategy_named(self.resume) if isinstance(self.resume, str) else self.resume

    @property
    def continues(self) -> str | None:
        """How the model is asked to go on from a partial answer."""
        if self.continuation is None and self.dialect in CONTINUATIONS:
            return self.dialect
        return self.continuation

    @property
    def follows_redirects(self) -> bool:
        """Whether a redirect may be followed."""
        if self.redirects is None:
            secret = self.authorize is not None or has_credentials(self.pairs)
            return not secret and not parse_url(self.url).holds_key
        return self.redirects

    def authorizes(self, asked: HTTPRequest) -> bool:
        """Whether ``asked`` has to be authorized: not elsewhere, where a redirect may have led."""
        if self.authorize is None:
            return False
        return parse_url(asked.url).origin == parse_url(self.url).origin

    @property
    def pairs(self) -> HeaderPairs:
        """The headers as pairs, names in lower case."""
        assert isinstance(self.headers, tuple)
        return self.headers

    def http(self) -> HTTPRequest:
        """The request as it goes out first: with what streaming needs, where nothing else was
        said."""
        accept = "text/event-stream" if self.dialect is None else dialect_class(self.dialect).accept
        wanted = {"accept": accept, "accept-encoding": "identity", "user-agent": USER_AGENT}
        if accept == "text/event-stream":
            # WHATWG HTML 9.2.2: an event source sets its cache mode to "no-store".
            wanted["cache-control"] = "no-cache"
        given = {name for name, _ in self.pairs}
        added = tuple((name, value) for name, value in wanted.items() if name not in given)
        return HTTPRequest(self.method, self.url, self.pairs + added, self.body)


def shown(method: str, url: str) -> str:
    """Method and URL without what may be a secret."""
    return without_secrets((method, url)) or ""


def model_of(body: bytes) -> str | None:
    """The model that a JSON body names."""
    try:
        model = msgspec.json.decode(body, type=Named).model
    except (msgspec.MsgspecError, ValueError):
        return None
    return model if isinstance(model, str) else None
