"""What a driver met on the network, as an ``ErrorInfo``: what it was, and no secret of it.

Clients quote URLs and headers in their exceptions, and servers the key that they refuse. What
the request and the proxy hold of credentials is taken out of every message before it becomes an
event.
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

__all__ = ["as_error", "keys", "only_dialled", "without_keys"]

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
KEY = 8
"""The same in what a peer says, which has many more words than a client."""
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
    message = _hidden(URL.sub(_clean, told.message), keys(asked, proxy, LEAST, LONG))
    return told if message == told.message else msgspec.structs.replace(told, message=message)


def without_keys(
    error: ErrorInfo, asked: tuple[HTTPRequest, ...], proxy: Proxy | None
) -> ErrorInfo:
    """What a peer told, without the keys that it was shown: it may quote what it refuses."""
    message = _hidden(error.message, keys(asked, proxy))
    return error if message == error.message else msgspec.structs.replace(error, message=message)


def keys(
    asked: tuple[HTTPRequest, ...], proxy: Proxy | None, least: int = KEY, long: int | None = None
) -> list[str]:
    """What the requests and the proxy hold of credentials, the longest first. A parameter of the
    URL as long as ``long`` is one, whatever its name."""
    secrets = {secret for request in asked for secret in _secrets(request, long)}
    if proxy is not None:
        secrets.update(word for _, value in proxy.headers for word in _words(value))
    return sorted((one for one in secrets if len(one) >= least), key=len, reverse=True)


def _hidden(message: str, secrets: list[str]) -> str:
    for secret in secrets:
        message = message.replace(secret, "***")
    return message


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


def _secrets(request: HTTPRequest, long: int | None) -> Iterator[str]:
    """What stands in a request and must not stand anywhere else."""
    query = request.url.partition("?")[2].partition("#")[0]
    for parameter in query.split("&"):
        name, _, value = parameter.partition("=")
        if is_key(name) or (long is not None and len(value) >= long):
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
