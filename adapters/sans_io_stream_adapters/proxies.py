"""Which proxy a request goes through: an argument's, else that of the usual variables.

``https_proxy``, ``http_proxy`` and ``all_proxy``, in either case, and ``no_proxy``, as the
standard library reads them: ``HTTP_PROXY`` in capitals counts for nothing in a CGI script.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit

from sans_io_stream.session import Proxy

__all__ = ["proxy_for"]


def proxy_for(url: str, proxy: str | Proxy | Literal[False] | None) -> Proxy | None:
    """``proxy`` if it is one; None asks the variables, False is none at all.

    Raises ``ValueError`` for a proxy that cannot be spoken to; its message shows no password.
    """
    if proxy is False:
        return None
    if proxy is None:
        named = urllib.request.getproxies_environment()
        parts = urlsplit(url)
        found = named.get(parts.scheme) or named.get("all")
        where = parts.netloc.rpartition("@")[2]
        # Of the standard library's two, this one reads the variables and nothing else.
        bypass: Callable[..., object] = vars(urllib.request)["proxy_bypass_environment"]
        if not found or bypass(where, named):
            return None
        proxy = found
    return Proxy.from_url(proxy) if isinstance(proxy, str) else proxy
