"""Golden files: each is one request of a vendor's SDK, as a person reads it."""

from __future__ import annotations

import importlib.metadata
import json
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict
from urllib.parse import urlsplit

from .differences import DIFFERENCES
from .recording import Caught, Recorder, quiet_environment

if TYPE_CHECKING:
    from .sdks import Case

__all__ = ["GOLDEN", "Golden", "installed", "load", "record", "text", "without_moment"]

GOLDEN = Path(__file__).parent / "golden"


class Golden(TypedDict):
    """What a file holds."""

    sdk: str
    """Its name and release."""
    method: str
    origin: str
    path: str
    query: str
    headers: dict[str, str]
    """Those whose values are the same everywhere; names in lower case."""
    varies: list[str]
    """The names of the others."""
    body: Any


class Moment(NamedTuple):
    """What of a signature is of its moment, and what stands for it in a file."""

    pattern: re.Pattern[str]
    stands: str


MOMENTS = (
    Moment(re.compile(r"(?<=Credential=test-key/)\d{8}"), "DATE"),
    Moment(re.compile(r"(?<=SignedHeaders=)[a-z0-9;-]+"), "HEADERS"),
    Moment(re.compile(r"(?<=Signature=)[0-9a-f]{64}"), "SIGNATURE"),
)


def without_moment(value: str) -> str:
    """A header's value with what is of its moment taken out of an AWS signature."""
    if value.startswith("AWS4-"):
        for moment in MOMENTS:
            value = moment.pattern.sub(moment.stands, value)
    return value


def installed(case: Case) -> str | None:
    """The release of the case's SDK; None if it is not installed."""
    try:
        return importlib.metadata.version(case.sdk)
    except importlib.metadata.PackageNotFoundError:
        return None


def record(case: Case) -> Golden:
    """Make the call with the SDK that is installed.

    Raises ``AssertionError`` if it sent anything but one request, or has another base URL by
    itself than the case says.
    """
    base = urlsplit(case.base)
    # What an SDK warns of is its own affair.
    with (
        warnings.catch_warnings(),
        quiet_environment(),
        Recorder(case.answer, secure=case.secure) as recorder,
    ):
        warnings.simplefilter("ignore")
        case.send(f"{recorder.origin}{base.path}", {**case.fields, **case.theirs})
        default = None if case.default is None else case.default().rstrip("/")
    assert default in (None, case.base), f"{case.name}: the SDK's base URL is {default}"
    [caught] = recorder.caught
    return golden(case, caught, f"{base.scheme}://{base.netloc}")


def golden(case: Case, caught: Caught, origin: str) -> Golden:
    """What was caught, as it is written."""
    target = urlsplit(caught.target)
    headers = dict(caught.headers)
    assert len(headers) == len(caught.headers), f"{case.name}: a header comes twice"
    varies = {name for name in headers if name in DIFFERENCES and DIFFERENCES[name].varies}
    return Golden(
        sdk=f"{case.sdk} {installed(case)}",
        method=caught.method,
        origin=origin,
        path=target.path,
        query=target.query,
        headers={
            name: without_moment(headers[name]) for name in sorted(headers) if name not in varies
        },
        varies=sorted(varies),
        body=json.loads(caught.body),
    )


def text(found: Golden) -> str:
    """The text of a golden file."""
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def load(name: str) -> Golden:
    """The golden file of a case. Raises ``OSError`` if it is not there."""
    found: Golden = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))
    return found
