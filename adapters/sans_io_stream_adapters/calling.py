"""One call: from a provider's name to its request, with what the usual variables hold.

Here, and nowhere else, the environment is asked for keys: the builders of
``sans_io_stream.providers`` read none. What is passed is never overruled by a variable, and a
variable that is empty is none.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from sans_io_stream import StreamRequest
from sans_io_stream.headers import header_items
from sans_io_stream.secret import Secret

from .stream import StreamOptions

if TYPE_CHECKING:
    from sans_io_stream.providers import Provider
    from sans_io_stream.request import Authorizer

__all__ = ["asked"]

OPTIONS = frozenset(StreamOptions.__annotations__)
CREDENTIALS = ("api_key", "access_token", "authorize")
CREDENTIAL_HEADERS = frozenset({"authorization", "api-key", "x-api-key", "x-goog-api-key"})
"""Any one of these says who is asking. A gateway's own header beside them does not."""
HIDDEN = frozenset({"api_key", "access_token", "headers"})


def by_aws(fields: dict[str, Any]) -> Authorizer | None:
    """A signer with the usual credentials of AWS, if they are there."""
    from .signing import REQUIRED, sigv4

    there = all(os.environ.get(name) for name in REQUIRED)
    return sigv4(fields.get("region")) if there else None


SIGNERS = {"bedrock": by_aws}
"""Whom a signature tells who is asking, where there is no key."""


def asked(
    provider: str | StreamRequest, fields: dict[str, Any]
) -> tuple[StreamRequest, StreamOptions]:
    """The request that ``fields`` make, and the options of its stream.

    ``fields`` are arguments of the provider's builder, fields of its API, and the options of
    ``StreamOptions``. Its secrets are wrapped in place, so that no traceback shows them. Raises
    ``ValueError`` for a provider that nobody knows and for a key that is none, or nowhere to be
    found, ``TypeError`` for fields beside a request that is made already.
    """
    if not HIDDEN.isdisjoint(fields):
        from sans_io_stream.providers.building import hide

        hide(fields)
    options = cast("StreamOptions", {name: fields.pop(name) for name in OPTIONS & fields.keys()})
    if isinstance(provider, StreamRequest):
        if fields:
            raise TypeError(f"the request is made already: {', '.join(fields)} cannot be added")
        return provider, options
    # Whoever builds requests himself does not pay for the builders.
    from sans_io_stream.providers import provider_named

    known = provider_named(provider)
    complete(known, fields)
    return known.chat(**fields), options


def complete(provider: Provider, fields: dict[str, Any]) -> None:
    """Add what is not among the fields, and stands in the provider's usual variables."""
    for name, variables in provider.other_variables.items():
        if name not in fields and (value := from_environment(variables)):
            fields[name] = value
    headers = {name.lower() for name, _ in header_items(fields.get("headers", ()))}
    if any(fields.get(name) for name in CREDENTIALS) or CREDENTIAL_HEADERS & headers:
        return
    key = from_environment(provider.key_variables)
    signer = SIGNERS.get(provider.name)
    if key is not None:
        fields["api_key"] = Secret(key)
    elif signer is not None and (authorize := signer(fields)) is not None:
        fields["authorize"] = authorize
    elif provider.needs_key:
        wanted = "api_key=..." if provider.key_variables else "access_token=... or authorize=..."
        places = " or ".join(provider.key_variables)
        instead = f", or set {places} in the environment" if places else ""
        raise ValueError(f"no key for {provider.name}: pass {wanted}{instead}")


def from_environment(names: tuple[str, ...]) -> str | None:
    """The first of these variables that holds anything."""
    return next((value for name in names if (value := os.environ.get(name))), None)
