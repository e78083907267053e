"""What a driver met on the network, as an ``ErrorInfo``: what it was, and no secret of it.

Clients quote URLs and headers in their exceptions. What the request and the proxy hold of
credentials is taken out of every message before it becomes an event.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import msgspec

from ..capture.privacy import without_secrets
from ..errors import ErrorInfo
from ..headers import is_credential
from ..url import is_key

if TYPE_CHECKING:
    from ..request import HTTPRequest
    from .proxy import Proxy

__all__ = ["as_error", "only_dialled"]

LASTING = frozenset({"SSLCertVerificationError", "CertificateError"})
"""Names of exceptions that no other attempt makes good."""
DIALLING = frozenset(
    {
        "ConnectionRefusedError", "gaierror", *LASTING,
        # httpx and httpcore, urllib3, aiohttp
        "ConnectError", "ConnectTimeout", "NewConnectionError", "ConnectTimeoutError",
        "ClientConnectorError", "ConnectionTimeoutError", "PoolTimeout",
    }
)  # fmt: skip
"""Names of exceptions that only dialling raises."""
DEPTH = 8

URL = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
LEAST = 4
"""Characters of what is taken for a secret; of shorter ones messages are full."""
LONG = 16
"""A parameter of so many characters may be one, whatever its name."""


def as_error(
    error: BaseException | ErrorInfo, asked: tuple[HTTPRequest, ...], proxy: Proxy | None
) -> ErrorInfo:
    """What a driver met, without the secrets of the requests and of the proxy."""
    if isinstance(error, ErrorInfo):
        told = error
    else:
        name = type(error).__name__
        text = f"{name}: {error}" if str(error) else name
        told = ErrorInfo("connection", text, retryable=name not in LASTING)
    message = URL.sub(_clean, told.message)
    secrets = {secret for request in asked for secret in _secrets(request)}
    if proxy is not None:
        secrets.update(word for _, value in proxy.headers for word in _words(value))
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= LEAST:
            message = message.replace(secret, "***")
    return told if message == told.message else msgspec.structs.replace(told, message=message)


def only_dialled(error: BaseException | ErrorInfo) -> bool:
    """Whether the error says that there was no connection, so that nothing was sent.

    Of an ``ErrorInfo`` its ``type`` says so: "connect".
    """
    if isinstance(error, ErrorInfo):
        return error.type == "connect"
    return _dialled(error, DEPTH)


def _dialled(error: BaseException, depth: int) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    if not DIALLING.isdisjoint(names):
        return True
    if depth and isinstance(error, BaseExceptionGroup):
        # One for each address that was tried.
        group: BaseExceptionGroup[BaseException] = error  # pyright: ignore[reportUnknownVariableType]
        return all(_dialled(one, depth - 1) for one in group.exceptions)
    if depth and error.__cause__ is not None:
        return _dialled(error.__cause__, depth - 1)
    # A bare one says that there is no way to a host, or that all its addresses have failed; what
    # happens to a connection (reset, pipe, timeout) has types of its own, and clients subclass.
    return type(error) is OSError


def _clean(found: re.Match[str]) -> str:
    return without_secrets(found[0]) or ""


def _secrets(request: HTTPRequest) -> Iterator[str]:
    """What stands in a request and must not stand anywhere else."""
    query = request.url.partition("?")[2].partition("#")[0]
    for parameter in query.split("&"):
        name, _, value = parameter.partition("=")
        if is_key(name) or len(value) >= LONG:
            yield value
            yield unquote(value)
    for name, value in request.headers:
        if is_credential(name):
            yield from _words(value)


def _words(value: str) -> Iterator[str]:
    """A credential as it stands in a header, and what it is made of."""
    yield value
    scheme, _, rest = value.partition(" ")
    yield rest
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(rest).decode()
        except (binascii.Error, ValueError):
            return
        yield pair
        yield pair.partition(":")[2]
        yield quote(pair.partition(":")[2], safe="")
    for cookie in value.split(";"):
        yield cookie.partition("=")[2]
