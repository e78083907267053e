"""The URLs of a provider's other calls, from the one of the first request.

Its query stays (it may hold an API version or a key); what comes from a server is escaped by
the caller.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit, urlunsplit

from ..url import query_value

__all__ = ["below", "sibling", "versioned", "with_query"]


def below(url: str, more: str) -> str:
    """``…/responses`` → ``…/responses/{more}``."""
    parts = urlsplit(url)
    return _with_path(parts, f"{parts.path.rstrip('/')}/{more}")


def sibling(url: str, more: str) -> str:
    """``…/v1/chat/completions`` → ``…/v1/{more}``; what stands before the call's own name."""
    parts = urlsplit(url)
    base = parts.path.rstrip("/").removesuffix("/chat/completions")
    if base == parts.path.rstrip("/"):
        base = base.rpartition("/")[0]
    return _with_path(parts, f"{base}/{more}")


def versioned(url: str, more: str) -> str:
    """``{prefix}/v1/chat/completions`` → ``{prefix}/v1/{more}``."""
    parts = urlsplit(url)
    prefix, found, _ = parts.path.rpartition("/v1/")
    return _with_path(parts, f"{prefix if found else ''}/v1/{more}")


def with_query(url: str, **values: str | None) -> str:
    """``url`` with these parameters set; None takes one out."""
    parts = urlsplit(url)
    kept = [pair for pair in parts.query.split("&") if pair and pair.split("=")[0] not in values]
    kept += [f"{name}={query_value(value)}" for name, value in values.items() if value is not None]
    return urlunsplit(parts._replace(query="&".join(kept), fragment=""))


def _with_path(parts: SplitResult, path: str) -> str:
    return urlunsplit(parts._replace(path=path, fragment=""))
