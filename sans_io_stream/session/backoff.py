"""Whether a failed attempt is worth another one, and when.

Read from the response's head by the rules that the vendors' own SDKs follow: the header
``x-should-retry`` wins; else the status decides. ``retry-after-ms`` outranks ``Retry-After``,
which is a number of seconds or an HTTP date (RFC 9110, 10.2.3), measured against the
response's own ``Date``, since no clock of ours is known to be right.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from ..errors import ErrorInfo

__all__ = ["http_date", "retry_after", "with_head", "worth_retrying"]

Headers = tuple[tuple[str, str], ...]

RETRIED = frozenset({408, 409, 425, 429})
"""Besides all of 5xx. Never 400, 401, 403, 404, 422."""

REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "cf-ray")

A = re.ASCII
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
IMF = re.compile(r"[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT", A)
RFC850 = re.compile(r"[A-Z][a-z]+, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT", A)
ASCTIME = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})", A)
NUMBER = re.compile(r"\d+(\.\d+)?", A)
LONGEST = 1e12
"""Seconds: what more digits mean. Nobody waits so long, and no number is infinite."""


def worth_retrying(status: int, headers: Headers) -> bool:
    """Whether the same request may succeed later."""
    said = header(headers, "x-should-retry")
    if said in ("true", "false"):
        return said == "true"
    return status in RETRIED or 500 <= status < 600


def retry_after(headers: Headers) -> float | None:
    """The seconds that the server asks for, None if it does not."""
    milliseconds = header(headers, "retry-after-ms")
    if milliseconds is not None and NUMBER.fullmatch(milliseconds):
        return min(float(milliseconds) / 1000, LONGEST)
    value = header(headers, "retry-after")
    if value is None:
        return None
    if NUMBER.fullmatch(value):
        return min(float(value), LONGEST)
    until, now = http_date(value), http_date(header(headers, "date") or "")
    if until is None or now is None:
        return None
    return max(0.0, (until - now).total_seconds())


def with_head(error: ErrorInfo, status: int, headers: Headers) -> ErrorInfo:
    """What an error body told, together with what its head says."""
    request_id = next((v for name in REQUEST_IDS if (v := header(headers, name))), None)
    asked = retry_after(headers)
    return msgspec.structs.replace(
        error,
        status=error.status if error.status is not None else status,
        retryable=worth_retrying(status, headers),
        retry_after=asked if asked is not None else error.retry_after,
        request_id=error.request_id or request_id,
    )


def header(headers: Headers, name: str) -> str | None:
    """The first value of a header."""
    return next((value.strip() for known, value in headers if known == name), None)


def http_date(text: str) -> datetime | None:
    """An HTTP date in any of its three forms (RFC 9110, 5.6.7); None if it is none."""
    if found := IMF.fullmatch(text):
        day, month, year, *time = found.groups()
    elif found := RFC850.fullmatch(text):
        day, month, short, *time = found.groups()
        # A year of two digits that is more than fifty years ahead is one of the past; there is
        # no clock here, and nothing was sent before 1970.
        year = f"{'19' if int(short) >= 70 else '20'}{short}"
    elif found := ASCTIME.fullmatch(text):
        month, day, *time, year = found.groups()
    else:
        return None
    if month not in MONTHS:
        return None
    hour, minute, second = map(int, time)
    try:
        # A leap second has no place in datetime.
        return datetime(
            int(year), MONTHS.index(month) + 1, int(day), hour, minute, min(second, 59), tzinfo=UTC
        )
    except ValueError:
        return None
