"""In front of other clients: events from the responses that they made, or over their connections.

``shapes`` knows whose response it is, ``bodies`` how such a body is read, ``answer`` and
``reading`` make events of it. ``clients`` sends requests through a client, ``driving`` drives a
session over it. No client is imported here: what is handed in is known by its attributes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, Unpack, overload

from . import clients
from .driving import AsyncResumed
from .driving_sync import Resumed
from .reading import AsyncEvents
from .reading_sync import Events
from .shapes import asynchronous, blocking

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest

    from .answer import AnswerOptions
    from .clients import ClientOptions

__all__ = ["AsyncEvents", "AsyncResumed", "Events", "Resumed"]
__all__ += ["aevents_from", "events_from", "resumable"]


def events_from(response: object, **options: Unpack[AnswerOptions]) -> Events:
    """The events of a response of httpx, httpx2, requests, niquests, urllib3 or ``http.client``,
    or of an SDK over them, whose body has not been read, or is kept by the response.

    The options are those of ``AnswerOptions``. The response is closed at the end of its body and
    by ``close``. A body that breaks off is ``Disconnected`` and ``StreamEnd("interrupted")``.

    Raises ``TypeError`` for what is no such response, or one that is asynchronous, and
    ``ValueError`` for a body that somebody has read and nobody kept, or that nobody can decode.
    """
    return Events(*blocking(response), **options)


def aevents_from(response: object, **options: Unpack[AnswerOptions]) -> AsyncEvents:
    """``events_from`` for the asynchronous responses of httpx, httpx2, aiohttp and niquests, and
    of the SDKs over them."""
    return AsyncEvents(*asynchronous(response), **options)


class HttpxAsyncClient(Protocol):
    """The AsyncClient of httpx or httpx2, by what is used of it."""

    @property
    def build_request(self) -> Callable[..., Any]: ...
    @property
    def send(self) -> Callable[..., Any]: ...
    @property
    def aclose(self) -> Callable[[], Any]: ...


class HttpxClient(Protocol):
    """The Client of httpx or httpx2, by what is used of it."""

    @property
    def build_request(self) -> Callable[..., Any]: ...
    @property
    def send(self) -> Callable[..., Any]: ...
    @property
    def close(self) -> Callable[[], None]: ...


class AiohttpSession(Protocol):
    """The ClientSession of aiohttp, by what is used of it."""

    @property
    def request(self) -> Callable[..., Any]: ...
    @property
    def ws_connect(self) -> Callable[..., Any]: ...


@overload
def resumable(
    client: HttpxAsyncClient | AiohttpSession,
    request: StreamRequest,
    **options: Unpack[ClientOptions],
) -> AsyncResumed: ...
@overload
def resumable(
    client: HttpxClient, request: StreamRequest, **options: Unpack[ClientOptions]
) -> Resumed: ...
def resumable(
    client: object, request: StreamRequest, **options: Unpack[ClientOptions]
) -> AsyncResumed | Resumed:
    """The answer to ``request`` over the connections of ``client``, with retries and exact
    resume: ``async with resumable(client, request) as stream``, or ``with`` for a blocking one.

    ``client`` is a ``Client`` or an ``AsyncClient`` of httpx or httpx2, or a ``ClientSession`` of
    aiohttp. Its proxies, pools, cookies, headers and authentication are used, its timeouts and
    redirects are not. It stays open. Nothing is sent before the first event is asked for. The
    options are those of ``ClientOptions``.

    Raises ``TypeError`` for any other client, ``ResumeTokenError`` as ``StreamSession``.
    """
    if hasattr(client, "build_request") and hasattr(client, "send"):
        if hasattr(client, "aclose"):
            return AsyncResumed(request, clients.OverAsyncHttpx(client), **options)
        return Resumed(request, clients.OverHttpx(client), **options)
    if hasattr(client, "ws_connect") and hasattr(client, "request"):
        return AsyncResumed(request, clients.OverAiohttp(client), **options)
    raise TypeError(
        "resumable() takes a Client or AsyncClient of httpx or httpx2, or a ClientSession of "
        f"aiohttp, not {type(client).__module__}.{type(client).__qualname__}"
    )
