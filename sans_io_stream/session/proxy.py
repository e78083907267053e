"""A proxy, as the session speaks to it: ``CONNECT``, over plain TCP or over TLS."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ..url import parse_url

__all__ = ["Proxy"]


@dataclass(frozen=True, slots=True, repr=False)
class Proxy:
    """Where to dial instead. ``headers`` may hold credentials, which ``repr`` leaves out."""

    host: str
    port: int
    tls: bool
    headers: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"<Proxy {'https' if self.tls else 'http'}://{self.host}:{self.port}>"

    @classmethod
    def from_url(cls, url: str) -> Proxy:
        """The proxy at ``http://`` or ``https://[user[:password]@]host[:port]``.

        Raises ``ValueError`` for any other URL; its message shows no password.
        """
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
        except ValueError:
            raise ValueError("a proxy's URL cannot be read") from None
        userinfo, _, where = parts.netloc.rpartition("@")
        if parts.scheme not in ("http", "https"):
            raise ValueError(f"a proxy speaks http or https, not {parts.scheme!r}")
        place = parse_url(f"{parts.scheme}://{where}/")
        headers: tuple[tuple[str, str], ...] = ()
        if userinfo:
            user, _, password = userinfo.partition(":")
            secret = f"{unquote(user)}:{unquote(password)}".encode()
            headers = (("proxy-authorization", f"Basic {base64.b64encode(secret).decode()}"),)
        return cls(place.host, place.port, parts.scheme == "https", headers)
