"""What all builders share: from a provider's own words to a ``StreamRequest``.

A provider's module says where to ask, which header holds the key and what its body must say;
the rules that are everybody's are here. A caller's header and a caller's field win over ours.
No key is ever in a variable that shows it: ``builder`` hides it before any other line runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, cast

import msgspec

from ..headers import HeaderPairs, Headers, header_items, is_credential
from ..request import Authorizer, StreamRequest
from ..secret import Secret
from ..strategies.urls import below, with_query
from ..url import parse_url

if TYPE_CHECKING:
    from ..strategies import Strategy

__all__ = [
    "Authorizer",
    "Body",
    "Headers",
    "Provider",
    "address",
    "bearer",
    "builder",
    "hide",
    "label",
    "named",
    "post",
    "streaming",
]

P = ParamSpec("P")
Body = dict[str, object]

VERSION = re.compile(r"v[0-9]+[a-z0-9]*")
"""A segment of a path that is the version of an API."""
SECRETS = ("api_key", "access_token")
"""The arguments that are credentials, in every builder."""

NOT_FIELDS = {
    "extra_body": "give its fields as keywords",
    "extra_headers": "give headers=",
    "extra_query": "put it into base_url, behind a question mark",
    "max_retries": "give policy=ReconnectPolicy(...) to open_stream",
    "timeout": "give timeouts=Timeouts(...) to open_stream",
}
"""What vendors' clients take beside an API's fields, and what to do here instead."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider as data: its builder, and where its users keep what the builder needs.

    ``key_variables`` are the usual names of the environment variable for ``api_key``, the
    first that is set wins; ``other_variables`` those for other arguments of ``chat``. Nothing
    here reads them.
    """

    name: str
    chat: Callable[..., StreamRequest]
    key_variables: tuple[str, ...] = ()
    other_variables: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]]
    )
    aliases: tuple[str, ...] = ()
    needs_key: bool = True
    """Whether nobody is answered without showing a credential."""
    calls: Mapping[str, str] = field(default_factory=dict[str, str])
    """What it calls fields of its protocol that are called otherwise elsewhere."""


def builder(build: Callable[P, StreamRequest]) -> Callable[P, StreamRequest]:
    """``build`` with its credentials hidden: a traceback through it shows none of them."""

    @wraps(build)
    def hiding(*args: P.args, **kwargs: P.kwargs) -> StreamRequest:
        hide(kwargs)
        return build(*args, **kwargs)

    return hiding


def hide(given: dict[str, object]) -> None:
    """Put a ``Secret`` in the place of every credential in ``given``, then check the keys.

    In place, and before anything can fail: from here on no frame holds the text itself.
    """
    keys = {name: hidden_key(name, given) for name in SECRETS if given.get(name) is not None}
    if "headers" in given:
        given["headers"] = hidden_pairs(given)
    for name, key in keys.items():
        if key is None:
            raise ValueError(f"{name} is a text; for what makes keys anew give authorize=")
        key.check(name)


def hidden_key(name: str, given: dict[str, object]) -> Secret | None:
    """The key of that name, hidden in ``given``; None if it is no text."""
    key = Secret(given[name]) if isinstance(given[name], str) else None
    given[name] = key
    return key


def hidden_pairs(given: dict[str, object]) -> HeaderPairs:
    """The headers in ``given`` as pairs, those that are credentials hidden."""
    try:
        return tuple(
            hidden_pair(name, value)
            for name, value in header_items(cast("Headers", given.pop("headers")))
        )
    except (AttributeError, TypeError, ValueError):
        # Raised below: an error's context keeps the frames that held the headers.
        pass
    raise ValueError("headers are a mapping of texts to texts, or pairs of them")


def hidden_pair(name: object, value: object) -> tuple[str, str]:
    """One header, its value hidden if it is a credential."""
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError
    return name, Secret(value) if is_credential(name) else value


def post(
    provider: str,
    url: str,
    body: Body,
    *,
    dialect: str,
    own: Mapping[str, str | None],
    headers: Headers,
    authorize: Authorizer | None,
    idempotency_key: str | None,
    model: str | None = None,
    resume: str | Strategy | None = None,
    continuation: str | None = None,
) -> StreamRequest:
    """``body`` as JSON to ``url``. ``own`` are the provider's headers; None leaves one out.

    Raises ``ValueError`` for a field that is no JSON, and what ``StreamRequest`` raises.
    """
    if idempotency_key is not None and not isinstance(idempotency_key, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError("idempotency_key is a text, such as str(uuid.uuid4())")
    if authorize is not None and not callable(authorize):
        raise ValueError("authorize is a callable: from an HTTPRequest to the one that goes out")
    pairs = tuple(header_items(headers))
    given = {name.lower() for name, _ in pairs}
    ours = {"content-type": "application/json", **own, "idempotency-key": idempotency_key}
    kept = tuple(
        (name, value) for name, value in ours.items() if value is not None and name not in given
    )
    return StreamRequest(
        "POST",
        url,
        kept + pairs,
        body=encoded(body),
        dialect=dialect,
        resume=resume,
        continuation=continuation,
        authorize=authorize,
        provider=provider,
        model=model,
    )


def encoded(body: Body) -> bytes:
    """``body`` as JSON; raises ``ValueError`` that names the field which is none."""
    try:
        return msgspec.json.encode(body)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        pass
    for name, value in body.items():
        try:
            msgspec.json.encode(value)
        except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise ValueError(f"the field {name!r} is no JSON: {error}") from None
    raise ValueError("the body is no JSON: its fields are named by text")


def streaming(fields: Mapping[str, object]) -> Body:
    """The caller's fields, without ``stream``, which the provider's module says.

    Raises ``ValueError`` for ``stream=False``, and for what is no field of any API.
    """
    for name, instead in NOT_FIELDS.items():
        if name in fields:
            raise ValueError(f"{name} is no field of the API: {instead}")
    if fields.get("stream", True) is not True:
        raise ValueError("these requests ask for a stream: leave stream out")
    return {name: value for name, value in fields.items() if name != "stream"}


def named(name: str, value: str | None) -> str:
    """``value``; raises ``ValueError`` if the argument of that name is missing or empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is missing: give {name}=, as the provider calls it")
    return value


def label(name: str, value: str | None) -> str:
    """``value`` as it may stand in a host's name, such as a region."""
    text = named(name, value)
    if not text.isascii() or not text.replace("-", "").isalnum():
        raise ValueError(f"{name}={text!r} is none: letters, digits and hyphens, as in us-east-1")
    return text.lower()


def address(base_url: str | None, path: str, *, name: str = "base_url", **query: str | None) -> str:
    """``base_url`` with ``path`` below it, its own query kept, and ``query`` added.

    Raises ``ValueError``, which calls it ``name``, for one that is no URL, and for one that
    has the version or the call's own path already.
    """
    base = named(name, base_url)
    try:
        place = parse_url(base).target.partition("?")[0].rstrip("/")
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    segments = path.split("/")
    for count, segment in enumerate(segments, 1):
        lead = "/" + "/".join(segments[:count])
        whole = count == len(segments)
        if place.endswith(lead) and (whole or VERSION.fullmatch(segment)):
            raise ValueError(f"{name} ends in {lead}, which is added to it: leave that off")
    return with_query(below(base, path), **query)


def bearer(api_key: str | None) -> str | None:
    """The value of ``Authorization`` for that key (RFC 6750, 2.1)."""
    return None if api_key is None else Secret(f"Bearer {api_key}")
