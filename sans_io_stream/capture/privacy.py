"""What of a request and of a response's head may be kept: never a credential.

Allowlists, not lists of known secrets: the next provider names its key as nobody foresees.
Headers are kept by name; of a URL's parameters all names are kept, and the values of those
that are known to be harmless; user, password and fragment go. A path has no names that could
be on a list: of it goes every segment that looks like a credential.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import cast

__all__ = ["Headers", "Request", "allowed_headers", "without_secrets"]

Pairs = Iterable[tuple[str | bytes, str | bytes]]
Headers = Mapping[str, str] | Pairs
Request = str | tuple[str, str]

HEADERS = re.compile(
    r"content-(type|length|encoding)|transfer-encoding|date|age|via|server|server-timing"
    r"|connection|cache-control|retry-after(-ms)?|x-should-retry|(x-)?request-id|x-amzn-requestid"
    r"|x-amzn-bedrock-[a-z-]+|apim-request-id|x-ms-(request-id|region)|cf-ray|x-generation-id"
    r"|(x-|anthropic-)?ratelimit[a-z0-9-]*|openai-(model|version|processing-ms)"
)
PARAMETERS = frozenset(
    {"after", "alt", "api-version", "beta", "limit", "model", "offset", "starting_after", "stream"}
)
HARMLESS_VALUE = re.compile(r"[A-Za-z0-9._:-]{0,64}")
CREDENTIAL = re.compile(
    r"=|%3[bdf]|^(sk|pk|rk|gsk|hf|xai|pplx|r8|gh[a-z])[-_]|(?=[a-z]{0,19}[0-9])[a-z0-9]{20}",
    re.IGNORECASE,
)
"""In a segment of a path or in a value: a parameter, the prefix of a key, or what is as long
and as mixed as no word is. Ids look so, too; a capture can do without them."""
METHOD = re.compile(r"[A-Za-z]{1,20}")


def allowed_headers(headers: Headers) -> dict[str, str]:
    """The headers that may be kept, by their lower-case names; repeated ones are joined."""
    kept: dict[str, str] = {}
    pairs = cast("Pairs", headers.items() if isinstance(headers, Mapping) else headers)
    for name, value in ((_text(name).lower(), _text(value)) for name, value in pairs):
        if HEADERS.fullmatch(name):
            kept[name] = f"{kept[name]}, {value}" if name in kept else value
    return kept


def _text(word: str | bytes) -> str:
    return word if isinstance(word, str) else word.decode("latin-1")


def without_secrets(request: Request | None) -> str | None:
    """``"METHOD URL"`` without what may be a credential, from such a text or from a pair."""
    if request is None:
        return None
    words = request.split(maxsplit=1) if isinstance(request, str) else list(request)
    method = words.pop(0) if len(words) == 2 and METHOD.fullmatch(words[0]) else ""
    return " ".join(word for word in (method.upper(), _clean_url("".join(words[:1]))) if word)


def _clean_url(url: str) -> str:
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return "(unreadable URL)"
    scheme, host, path = parts.scheme, parts.netloc.rpartition("@")[2], parts.path
    if not host and "@" in path.partition("/")[0]:
        # Without the slashes a user is taken for the scheme, and the password for a path.
        scheme, path = "", path.partition("@")[2]
    path = "/".join("***" if CREDENTIAL.search(one) else one for one in path.split("/"))
    query = "&".join(_clean_parameter(one) for one in parts.query.split("&") if one)
    return urllib.parse.urlunsplit((scheme, host, path, query, ""))


def _clean_parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    if not equals:
        return name if name in PARAMETERS else "***"
    harmless = name in PARAMETERS and HARMLESS_VALUE.fullmatch(value)
    return parameter if harmless and not CREDENTIAL.search(value) else f"{name}=***"
