"""How our requests differ from those of the vendors' SDKs, and why: headers alone, by name.

Whatever is not in this table has to be equal. The body, the method, the path and the query
have no such table.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DIFFERENCES", "Difference"]


class Difference(NamedTuple):
    """A header that need not be equal."""

    reason: str
    varies: bool = False
    """Its value is another one on each machine, release or call: its name alone is recorded."""


STAINLESS = "the SDK's generator tells of the program and the machine; no API acts on it"
FERN = "the same of another generator"
DIFFERENCES = {
    "host": Difference("made from the URL when the bytes are written", varies=True),
    "content-length": Difference("made from the body when the bytes are written", varies=True),
    "connection": Difference(
        "`close` when the bytes are written: one connection is one attempt; SDKs keep theirs"
    ),
    "accept-encoding": Difference(
        "`identity`: a compressed stream comes late, and is not what a capture should hold; an "
        "SDK takes what its HTTP client can decode",
        varies=True,
    ),
    "user-agent": Difference("whoever sends it says so", varies=True),
    "accept": Difference(
        "`text/event-stream`, or what the protocol's stream is: most SDKs say JSON or anything "
        "for streams too"
    ),
    "cache-control": Difference(
        "WHATWG HTML 9.2.2 asks it of a reader of event streams; SDKs say nothing"
    ),
    "x-stainless-lang": Difference(STAINLESS, varies=True),
    "x-stainless-package-version": Difference(STAINLESS, varies=True),
    "x-stainless-os": Difference(STAINLESS, varies=True),
    "x-stainless-arch": Difference(STAINLESS, varies=True),
    "x-stainless-runtime": Difference(STAINLESS, varies=True),
    "x-stainless-runtime-version": Difference(STAINLESS, varies=True),
    "x-stainless-async": Difference(STAINLESS, varies=True),
    "x-stainless-retry-count": Difference(STAINLESS, varies=True),
    "x-stainless-timeout": Difference(STAINLESS, varies=True),
    "x-stainless-read-timeout": Difference(STAINLESS, varies=True),
    "x-fern-language": Difference(FERN, varies=True),
    "x-fern-runtime": Difference(FERN, varies=True),
    "x-fern-platform": Difference(FERN, varies=True),
    "x-fern-sdk-name": Difference(FERN, varies=True),
    "x-fern-sdk-version": Difference(FERN, varies=True),
    "x-goog-api-client": Difference("the user-agent again, as Google's SDKs say it", varies=True),
    "x-amz-date": Difference("the time of the signature", varies=True),
    "amz-sdk-invocation-id": Difference(
        "a random number of the call, for AWS' support alone", varies=True
    ),
    "amz-sdk-request": Difference("which attempt of how many: for statistics", varies=True),
}
"""By name in lower case."""
