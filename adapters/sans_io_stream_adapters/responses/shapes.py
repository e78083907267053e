"""Whose response it is: a table of shapes, each known by attributes that no other has.

Nothing is imported for it. An SDK's response, its stream or its error holds a client's, which
is taken out of it. A shape says where the status stands, and gives the body in either colour,
or None where the response is not of that colour.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any, NamedTuple

from sans_io_stream.http import Head

from .bodies import (
    CODINGS,
    AsyncBody,
    AsyncChunks,
    AsyncReads,
    AsyncWhole,
    BlockingWhole,
    Body,
    Chunks,
    Counted,
    Reads,
)

__all__ = ["asynchronous", "blocking"]

KINDS = "httpx, httpx2, aiohttp, requests, niquests, urllib3 or http.client, or of an SDK over them"
WITHIN = ("http_response", "response")
"""Where SDKs keep the response of their client: in their responses, streams and errors."""


class Shape(NamedTuple):
    """One kind of response."""

    name: str
    marks: tuple[str, ...]
    status: str
    kept: Callable[[Any], bytes | None]
    """The body, if it has been read and is kept. Raises ``ValueError`` if it is not kept."""
    body: Callable[[Any], Body | None]
    abody: Callable[[Any], AsyncBody | None]


def nothing(response: Any) -> None:
    """There is no such body of that kind."""


def gone(name: str) -> ValueError:
    return ValueError(
        f"the body of this {name} response has been read, and is not kept: hand it over unread"
    )


# ---- httpx, httpx2: what is read is kept, and ``content`` raises where nothing is


def httpx_kept(response: Any) -> bytes | None:
    try:
        data: bytes = response.content
    except RuntimeError:
        if response.is_stream_consumed or response.is_closed:
            raise gone("httpx") from None
        return None
    return data


def httpx_body(response: Any) -> Body | None:
    if not hasattr(response.stream, "__iter__"):
        return None
    return Chunks(response.iter_bytes(), response.close)


def httpx_abody(response: Any) -> AsyncBody | None:
    if not hasattr(response.stream, "__aiter__"):
        return None
    return AsyncChunks(response.aiter_bytes(), response.aclose)


# ---- aiohttp


def aiohttp_kept(response: Any) -> bytes | None:
    data: bytes | None = getattr(response, "_body", None)
    if data is None and response.content.at_eof() and response.content.total_bytes:
        raise gone("aiohttp")
    return data


def aiohttp_abody(response: Any) -> AsyncBody:
    return AsyncReads(response.content.readany, response.close)


# ---- requests, niquests


def requests_kept(response: Any) -> bytes | None:
    # Nothing public tells whether it has been read without reading it.
    if not response._content_consumed:
        raw = response.raw
        return urllib3_kept(raw, "requests") if hasattr(raw, "release_conn") else None
    data: bytes | bool | None = response._content
    if isinstance(data, bool):
        raise gone("requests")
    return data or b""


def requests_body(response: Any) -> Body | None:
    if iscoroutinefunction(response.iter_content):
        return None
    if hasattr(response.raw, "release_conn"):
        return Reads(response.raw, response.close)
    return Chunks(response.iter_content(1), response.close)


def requests_abody(response: Any) -> AsyncBody | None:
    if not iscoroutinefunction(response.iter_content):
        return None
    return AsyncChunks(aiter(response.raw.stream(-1, decode_content=True)), response.close)


# ---- urllib3


def urllib3_kept(response: Any, name: str = "urllib3") -> bytes | None:
    if not response.closed:
        return None
    data: bytes = b"" if iscoroutinefunction(response.read1) else response.data
    if not data and response.tell():
        raise gone(name)
    return data


def urllib3_body(response: Any) -> Body | None:
    if iscoroutinefunction(response.read1):
        return None
    return Reads(response, response.close, response.release_conn)


def urllib3_abody(response: Any) -> AsyncBody | None:
    if not iscoroutinefunction(response.read1):
        return None
    return AsyncChunks(aiter(response.stream(-1, decode_content=True)), response.close)


# ---- http.client, and what wraps its responses: urllib.request, urllib.error


def http_client_kept(response: Any) -> bytes | None:
    coding = (response.headers.get("content-encoding") or "identity").strip().lower()
    if coding not in CODINGS and coding != "identity":
        raise ValueError(
            f"http.client decodes no content, and this response has the content coding {coding!r}: "
            "ask for Accept-Encoding: identity"
        )
    if not response.isclosed():
        return None
    empty = response.status in (204, 304) or response.headers.get("content-length") == "0"
    if not empty:
        raise gone("http.client")
    return b""


def http_client_body(response: Any) -> Body:
    return Counted(response, (response.headers.get("content-encoding") or "").strip().lower())


SHAPES = (
    Shape("httpx", ("iter_bytes", "aiter_bytes", "stream", "is_stream_consumed"), "status_code",
          httpx_kept, httpx_body, httpx_abody),
    Shape("aiohttp", ("request_info", "release"), "status",
          aiohttp_kept, nothing, aiohttp_abody),
    Shape("requests", ("iter_content", "_content_consumed"), "status_code",
          requests_kept, requests_body, requests_abody),
    Shape("urllib3", ("release_conn", "read1"), "status",
          urllib3_kept, urllib3_body, urllib3_abody),
    Shape("http.client", ("read1", "isclosed", "getheaders"), "status",
          http_client_kept, http_client_body, nothing),
)  # fmt: skip


def blocking(response: object) -> tuple[Head, Body]:
    """Head and body of a response. Raises ``TypeError`` and ``ValueError`` as ``events_from``."""
    shape, known = taken_out("events_from", response)
    kept = shape.kept(known)
    body = shape.body(known) if kept is None else BlockingWhole(kept)
    if body is None:
        raise TypeError(
            f"this {shape.name} response is asynchronous: use aevents_from() and async for"
        )
    return head(shape, known), body


def asynchronous(response: object) -> tuple[Head, AsyncBody]:
    """The same of an asynchronous one, for ``aevents_from``."""
    shape, known = taken_out("aevents_from", response)
    kept = shape.kept(known)
    body = shape.abody(known) if kept is None else AsyncWhole(kept)
    if body is None:
        raise TypeError(f"this {shape.name} response is not asynchronous: use events_from()")
    return head(shape, known), body


def taken_out(function: str, response: object) -> tuple[Shape, Any]:
    """The response of a client, out of whatever it came in."""
    for within in (None, *WITHIN):
        inner = response if within is None else getattr(response, within, None)
        for shape in SHAPES:
            if all(hasattr(inner, mark) for mark in shape.marks):
                return shape, inner
    what = f"{type(response).__module__}.{type(response).__qualname__}"
    raise TypeError(f"{function}() takes a response of {KINDS}, not {what}{advice(response)}")


def advice(response: object) -> str:
    """What may have been meant."""
    if hasattr(response, "__await__"):
        return ": await it first"
    if hasattr(response, "__enter__") or hasattr(response, "__aenter__"):
        return ": hand over what its with block gives"
    if hasattr(response, "__iter__") or hasattr(response, "__aiter__"):
        return ": for the chunks of a body there are decode() and adecode()"
    return ""


def head(shape: Shape, response: Any) -> Head:
    """Status and headers."""
    pairs = tuple((str(name).lower(), str(value)) for name, value in response.headers.items())
    return Head(getattr(response, shape.status), "", pairs)
