"""URLs of requests: what they are made of, and references to them resolved.

RFC 3986, for ``http`` and ``https``, and strict where clients have been led astray: no user in
front of the host, no control character anywhere, no host that could be read in two ways. A
value of this module never shows what a query says, since keys are sent there.
"""

from __future__ import annotations

import ipaddress
import re
import urllib.parse

import msgspec

__all__ = ["Url", "host_and_port", "is_key", "parse_url", "path_segment", "query_value"]

PORTS = {"http": 80, "https": 443}
# RFC 3986, appendix B: any text whatever falls into these five parts.
PARTS = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.DOTALL)
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{0,5}))?")
LABELS = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
MOST_HOST = 253
# RFC 3986, 3.3 and 3.4: pchar / "/" / "?"; a "%" is taken for what it escapes.
MAY_STAND = "!$&'()*+,;=:@/?-._~%"

KEYS = ("key", "token", "sig", "signature", "secret", "password", "auth", "credential")
"""How parameters that hold a key end their names: ``key``, ``api_key``, ``X-Amz-Signature``."""


class Url(msgspec.Struct, frozen=True):
    """Where a request goes. ``target`` is path and query, as they stand in the request line."""

    scheme: str
    host: str
    """Lower-case, an IPv6 address without its brackets: what is dialled and verified."""
    port: int
    target: str

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken."""
        return self.scheme == "https"

    @property
    def host_port(self) -> str:
        """``host:port``, always both: the target of ``CONNECT``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def authority(self) -> str:
        """The value of ``Host``: the port only if it is not the scheme's own."""
        return self.host_port.removesuffix(f":{PORTS[self.scheme]}")

    @property
    def origin(self) -> str:
        """``scheme://authority``: equal exactly for what is one origin (RFC 6454)."""
        return f"{self.scheme}://{self.authority}"

    @property
    def holds_key(self) -> bool:
        """A parameter of the query is a credential, by its name."""
        query = self.target.partition("?")[2]
        return any(is_key(one.partition("=")[0]) for one in query.split("&"))

    @property
    def text(self) -> str:
        """The whole URL, which may hold a key."""
        return self.origin + self.target

    def __repr__(self) -> str:
        path, mark, _ = self.target.partition("?")
        return f"Url({self.origin}{path}{mark}{'…' if mark else ''})"

    def join(self, reference: str) -> Url:
        """The URL that ``reference`` means on the page of this one (RFC 3986, 5.2).

        Raises ``ValueError`` as ``parse_url`` does.
        """
        _check_text(reference)
        scheme, authority, path, query = _parts(reference)
        if scheme is not None:
            return _url(scheme, authority, _without_dots(path), query)
        if authority is not None:
            return _url(self.scheme, authority, _without_dots(path), query)
        base, _, base_query = self.target.partition("?")
        if not path:
            query = query if query is not None else base_query or None
            return _url(self.scheme, self.host_port, base, query)
        if not path.startswith("/"):
            path = base[: base.rfind("/") + 1] + path
        return _url(self.scheme, self.host_port, _without_dots(path), query)


def parse_url(text: str) -> Url:
    """``text`` as a URL. A fragment is dropped; what no URL may hold is percent-encoded.

    Raises ``ValueError`` for another scheme than http and https, no host or a doubtful one, a
    user, a bad port, and blanks and control characters anywhere.
    """
    _check_text(text)
    scheme, authority, path, query = _parts(text)
    if scheme is None:
        raise ValueError("a URL begins with https:// or http://; this one has no scheme")
    return _url(scheme, authority, path, query)


def host_and_port(authority: str) -> tuple[str, int | None]:
    """Host and port of ``host:port`` or ``host``; an IPv6 address loses its brackets.

    Raises ``ValueError`` for what ``parse_url`` refuses there.
    """
    _check_text(authority)
    if not authority.isascii():
        raise ValueError("a host that is not ASCII: write it in its IDNA form, xn--…")
    found = AUTHORITY.fullmatch(authority)
    if found is None:
        raise ValueError("what follows a URL's :// is not host or host:port, with digits as port")
    host, digits = found[1].lower(), found[2]
    port = int(digits) if digits else None
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"a port is from 1 to 65535, not {port}")
    if host.startswith("["):
        try:
            if "%" in host:
                raise ValueError("a zone means something on one machine only")
            return str(ipaddress.IPv6Address(host[1:-1])), port
        except ValueError as error:
            raise ValueError(f"{host} is no IPv6 address that a URL may hold") from error
    if not host:
        raise ValueError("a URL names its host; this one has none")
    if not LABELS.fullmatch(host) or len(host.rstrip(".")) > MOST_HOST:
        raise ValueError("a host is letters, digits, hyphens and dots; this one is not")
    return host, port


def is_key(parameter: str) -> bool:
    """Whether a parameter of this name, in any case, holds a credential."""
    return urllib.parse.unquote(parameter).lower().endswith(KEYS)


def path_segment(text: str) -> str:
    """``text``, such as an id that a server gave, as one segment of a path.

    Percent-encoded, so that no slash, question mark or escape in it acts. Raises
    ``ValueError`` for "", "." and "..", which act however they are written: RFC 3986, 6.2.2.2
    lets anyone on the way decode ``%2E``.
    """
    if text in ("", ".", ".."):
        raise ValueError(f"{text!r} cannot be a segment of a path: it would change the path")
    return query_value(text)


def query_value(text: str) -> str:
    """``text`` percent-encoded as the value of a query's parameter."""
    try:
        return urllib.parse.quote(text, safe="")
    except UnicodeEncodeError as error:
        raise ValueError("a surrogate without its other half cannot stand in a URL") from error


def _check_text(text: str) -> None:
    for place, character in enumerate(text):
        if character <= " " or "\x7f" <= character <= "\xa0":
            raise ValueError(
                f"a URL holds no blank and no control character; this one has "
                f"{character!a} at position {place}: percent-encode or strip it"
            )


def _parts(text: str) -> tuple[str | None, str | None, str, str | None]:
    found = PARTS.fullmatch(text)
    assert found is not None, "the expression of RFC 3986, appendix B, matches any text"
    scheme, authority, path, query = found.groups()
    return scheme, authority, path, query


def _url(scheme: str, authority: str | None, path: str, query: str | None) -> Url:
    scheme = scheme.lower()
    if scheme not in PORTS:
        what = f"{scheme!r} is another" if SCHEME.fullmatch(scheme) else "this is none"
        raise ValueError(f"a URL's scheme is https or http; {what}")
    if not authority:
        raise ValueError(f"a URL names its host: {scheme}://host/path; this one has none")
    if "@" in authority:
        raise ValueError("a user or password in a URL is refused: send an Authorization header")
    host, port = host_and_port(authority)
    target = (path or "/") + ("" if query is None else f"?{query}")
    try:
        # RFC 3987, 3.1: what is not ASCII is encoded as UTF-8, then byte by byte.
        target = urllib.parse.quote(target, safe=MAY_STAND)
    except UnicodeEncodeError as error:
        raise ValueError("a surrogate without its other half cannot stand in a URL") from error
    return Url(scheme, host, PORTS[scheme] if port is None else port, target)


def _without_dots(path: str) -> str:
    """RFC 3986, 5.2.4: the path without its ``.`` and ``..`` segments."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept) if kept != [""] else "/"
