"""The bytes of requests, written by h11: what it takes for valid is valid.

One connection serves one exchange: each request says ``Connection: close``. Refused is what
would let two readers disagree on where the request ends or what is spoken after it. Whoever
calls wrongly gets a ``ValueError`` before anything is sent, without a header's value in it.
"""

from __future__ import annotations

import h11

from .headers import TOKEN, Headers, header_pairs
from .http_head import h11_reason
from .url import Url, host_and_port

__all__ = ["check_method", "connect_bytes", "request_bytes"]

OURS = {
    "connection": "each request says Connection: close",
    "expect": "nothing waits for 100 Continue",
    "http2-settings": "HTTP/1.1 is spoken",
    "keep-alive": "each request says Connection: close",
    "proxy-connection": "each request says Connection: close",
    "te": "trailers are not used",
    "trailer": "no trailers are sent",
    "transfer-encoding": "the body is sent whole, by its length",
    "upgrade": "HTTP/1.1 is spoken",
}
"""The headers that are decided here, and why none can be given."""
WITH_BODY = ("PATCH", "POST", "PUT")


def request_bytes(method: str, url: Url, headers: Headers = (), body: bytes | None = None) -> bytes:
    """A whole request, head and body.

    Added: ``Host`` (unless given), ``Accept-Encoding: identity``, ``Connection: close``, and
    ``Content-Length`` where there is a body or the method means one (RFC 9110, 8.6).

    Raises ``ValueError`` for a method or a header that cannot be sent, for headers that are
    decided here (``Transfer-Encoding``, ``Expect``, ``Upgrade`` and the like), and for a
    ``Content-Length`` that is not that of ``body``.
    """
    check_method(method)
    if method == "CONNECT":
        raise ValueError("CONNECT opens a tunnel: use connect_bytes()")
    content = body or b""
    given = header_pairs(headers)
    pairs = [pair for pair in given if not _is_ours(*pair, str(len(content)))]
    hosts = [value for name, value in pairs if name.lower() == "host"]
    if len(hosts) > 1:
        raise ValueError("a request has one header 'Host': leave out the others")
    if hosts:
        host_and_port(hosts[0])
    else:
        # RFC 9110, 7.2: "A user agent that sends Host SHOULD send it as the first field in the
        # header section of a request".
        pairs.insert(0, ("Host", url.authority))
    pairs.append(("Accept-Encoding", "identity"))
    if content or method in WITH_BODY:
        pairs.append(("Content-Length", str(len(content))))
    pairs.append(("Connection", "close"))
    return _written(method, url.target, pairs, content)


def check_method(method: str) -> None:
    """Raise ``ValueError`` if ``method`` is none (RFC 9110, 9.1: a token, case-sensitive)."""
    if TOKEN.fullmatch(method) is None or method != method.upper():
        raise ValueError(f"a method is a word in capitals, such as 'POST', not {method!r}")


def connect_bytes(authority: str, headers: Headers = ()) -> bytes:
    """The head that asks a proxy for a tunnel to ``authority``, which is ``host:port``.

    ``headers`` are for the proxy, such as ``Proxy-Authorization``. The answer is for an
    ``Exchange("CONNECT")``. Raises ``ValueError`` as ``request_bytes``, and without a port.
    """
    host, port = host_and_port(authority)
    if port is None:
        # RFC 9110, 9.3.6: there is no default port.
        raise ValueError(f"a tunnel needs a port: write {host}:443")
    pairs = [pair for pair in header_pairs(headers) if not _is_ours(*pair, "")]
    if any(name.lower() == "host" for name, _ in pairs):
        raise ValueError("leave out the header 'Host': in CONNECT it is the authority")
    return _written("CONNECT", authority, [("Host", authority), *pairs], b"")


def _is_ours(name: str, value: str, length: str) -> bool:
    """Whether the header says what is added anyway. Raises if it says something else."""
    field = name.lower()
    if field == "content-length":
        if value == length:
            return True
        raise ValueError(f"leave out the header {name!r}: the body's length is added, and differs")
    if field == "accept-encoding":
        if value.lower() == "identity":
            return True
        raise ValueError(f"leave out the header {name!r}: no coding but 'identity' is read")
    if field in OURS:
        if (field, value.lower()) == ("connection", "close"):
            return True
        raise ValueError(f"leave out the header {name!r}: {OURS[field]}")
    return False


def _written(method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    connection = h11.Connection(h11.CLIENT)
    pairs = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
    try:
        request = h11.Request(method=method, target=target, headers=pairs)
    except h11.LocalProtocolError as error:
        raise ValueError(f"this request cannot be sent: {h11_reason(error)}") from None
    head = connection.send(request)
    return head + connection.send(h11.Data(data=body)) if body else head
