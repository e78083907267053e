"""Errors on the wire, in all their shapes, as one ``ErrorInfo``.

Providers nest them (``{"error": {…}}``), flatten them (``{"type": "error", …}``), send a
bare string, an array around them, a gRPC status with details, or an HTTP document with a
``message`` and nothing else. What kind of error it is follows from the most telling word:
code and type first, then the status.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import ErrorInfo, ErrorKind
from .shapes import elements, is_array, is_object, members, word
from .tolerant import REFUSED, scrub

__all__ = ["error_document", "error_in", "error_info"]

WORDS: dict[ErrorKind, str] = {
    "authentication": "authentication_error invalid_api_key unauthenticated unauthorized "
    "unrecognized_client",
    "permission": "permission_error permission_denied forbidden access_denied",
    "not_found": "not_found model_not_found resource_not_found",
    "rate_limit": "rate_limit_error rate_limit_exceeded rate_limited resource_exhausted "
    "too_many_requests throttling",
    "quota": "insufficient_quota billing_error quota_exceeded service_quota_exceeded",
    "overloaded": "overloaded unavailable service_unavailable",
    "timeout": "timeout deadline_exceeded model_timeout request_timeout gateway_timeout",
    "server": "api_error server_error internal internal_server model_stream bad_gateway",
    "invalid_request": "invalid_request bad_request invalid_argument failed_precondition "
    "validation invalid_prompt context_length_exceeded unprocessable_entity",
    "content_filter": "content_filter content_policy_violation responsible_ai_policy_violation",
}
"""The words that tell a kind, in whichever spelling: ``RateLimitError``, ``rate_limit_error``."""


def plain_word(word: str) -> str:
    """``word`` without what providers do not agree on: case, separators, the ending."""
    letters = "".join(filter(str.isalnum, word)).lower()
    return letters.removesuffix("exception").removesuffix("error")


KINDS: dict[str, ErrorKind] = {
    plain_word(word): kind for kind, words in WORDS.items() for word in words.split()
}

BY_STATUS: dict[int, ErrorKind] = {
    401: "authentication",
    402: "quota",
    403: "permission",
    404: "not_found",
    408: "timeout",
    424: "server",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}

RETRYABLE_KINDS = frozenset({"rate_limit", "overloaded", "timeout", "server"})
RETRYABLE_STATUS = frozenset({408, 409, 425, 429})
MESSAGE_KEYS = (
    "message", "Message", "detail", "error_message", "errorMessage", "error_description",
    "error_msg", "msg", "title",
)  # fmt: skip
STATUS_KEYS = (
    "status", "status_code", "statusCode", "http_status", "http_status_code", "raw_status_code",
)  # fmt: skip
SHOWN_TEXT = 2000
DOCUMENT = frozenset(
    {
        "code", "detail", "error_code", "error_msg", "message", "request_id", "status",
        "status_code", "statusCode",
    }
)  # fmt: skip
"""An object of these fields alone, with a detail in words, or with a message and more, is an
error document, whatever its HTTP status says."""


def error_in(data: Any) -> ErrorInfo | None:
    """The error that a record tells, or None if it tells none.

    A record tells one if it has a truthy ``error``, a list of ``errors``, or is marked as one
    by its ``type``, ``object`` or ``event_type``.
    """
    if is_array(data):
        return error_in(data[0]) if len(data) == 1 else None
    if not is_object(data):
        return None
    get = data.get
    inner = get("error")
    marked = get("type") == "error" or get("object") == "error" or get("event_type") == "error"
    if not inner and not marked:
        if len(data) <= len(DOCUMENT) and DOCUMENT.issuperset(data):
            beside = (word(get("message")) or word(get("error_msg"))) and len(data) > 1
            return error_info(data) if word(get("detail")) or beside else None
        return first_of(get("errors"), data) if "errors" in data else None
    request_id = word(get("request_id"))
    if is_object(inner):
        return error_info(inner, request_id=request_id)
    if isinstance(inner, str) and inner:
        # Beside a message of its own, the string is the word for the error.
        told = any(word(get(key)) for key in MESSAGE_KEYS)
        fields = {**data, "type": get("error_type") or (inner if told else None)}
        return error_info(fields if told else {**fields, "message": inner})
    if marked:
        flat = {key: value for key, value in data.items() if key not in ("type", "object")}
        own_type = get("type")
        if own_type != "error":
            flat["type"] = own_type
        return error_info(flat, request_id=request_id)
    return error_info({"message": str(inner)}, request_id=request_id)


def first_of(errors: Any, data: dict[str, Any]) -> ErrorInfo | None:
    """The first of a list of errors (watsonx, Cloudflare); what stands beside it counts for it."""
    first: Any = errors[0] if is_array(errors) and errors else None
    if isinstance(first, str) and first:
        first = {"message": first}
    if not is_object(first) or not any(first.get(key) for key in (*MESSAGE_KEYS, "code")):
        return None
    beside = {key: value for key in STATUS_KEYS if (value := data.get(key)) is not None}
    return error_info({**beside, **first}, request_id=word(data.get("trace")))


def error_info(
    fields: dict[str, Any], *, status: int | None = None, request_id: str | None = None
) -> ErrorInfo:
    """An ``ErrorInfo`` from an error object's own fields."""
    code = fields.get("code", fields.get("error_code"))
    if not isinstance(code, str | int) or isinstance(code, bool):
        code = None
    type_ = word(fields.get("type"))
    own_status = fields.get("status")
    if type_ is None:
        type_ = word(own_status)
    for named in (*map(fields.get, STATUS_KEYS), code):
        if isinstance(named, str) and len(named) == 3 and named.isdecimal():
            named = int(named)
        if status is None and type(named) is int and 400 <= named <= 599:
            status = named
    message = next((m for k in MESSAGE_KEYS if (m := message_text(fields.get(k)))), "")
    kind = kind_of(code, type_, status)
    return ErrorInfo(
        kind,
        message,
        type_,
        code,
        status,
        retryable=kind in RETRYABLE_KINDS or status in RETRYABLE_STATUS,
        retry_after=retry_delay(fields),
        request_id=word(fields.get("request_id")) or request_id,
    )


def error_document(body: bytes, status: int) -> ErrorInfo:
    """The error of a whole HTTP error document, whatever its form."""
    try:
        return told_by(msgspec.json.decode(body), body, status)
    except REFUSED:
        return told_by(None, body, status)


def told_by(data: Any, body: bytes, status: int) -> ErrorInfo:
    """The error that ``data``, read from ``body``, tells."""
    if is_array(data) and len(data) == 1:
        data = data[0]
    if not is_object(data):
        text = body.decode("utf-8", "replace").strip()[:SHOWN_TEXT]
        return error_info({"message": text}, status=status)
    told = error_in(data)
    if told is None:
        return error_info(data, status=status, request_id=word(data.get("request_id")))
    kind = kind_of(told.code, told.type, status if told.status is None else told.status)
    retryable = kind in RETRYABLE_KINDS or status in RETRYABLE_STATUS
    return msgspec.structs.replace(told, kind=kind, status=status, retryable=retryable)


def kind_of(code: str | int | None, type_: str | None, status: int | None) -> ErrorKind:
    """The kind of an error from its code, its type and its status, in this order."""
    for told in (code, type_):
        kind = KINDS.get(plain_word(told)) if isinstance(told, str) else None
        # An invalid request is what many providers call what they have no better word for.
        if kind is not None and not (kind == "invalid_request" and status in BY_STATUS):
            return kind
    if status is None:
        return "provider"
    if status in BY_STATUS:
        return BY_STATUS[status]
    return "server" if status >= 500 else "invalid_request" if status >= 400 else "provider"


def retry_delay(fields: dict[str, Any]) -> float | None:
    """Seconds to wait: from ``retry_after``, from the headers that some servers tell with an
    error, or from a ``google.rpc.RetryInfo`` among the details."""
    headers = members(fields.get("headers"))
    delays = [fields.get("retry_after"), headers.get("retry-after"), headers.get("Retry-After")]
    for detail in elements(fields.get("details")):
        delay = members(detail).get("retryDelay")
        if isinstance(delay, str) and delay.endswith("s"):
            delays.append(delay[:-1])
    return next((delay for told in delays if (delay := seconds(told)) is not None), None)


def seconds(value: Any) -> float | None:
    """``value`` if it is a number of seconds, or the text of one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < float("inf") else None


def message_text(value: Any) -> str:
    """A message: text, or the JSON of what stands in its place (a list of faults, mostly)."""
    if isinstance(value, str):
        return value
    if value and (is_object(value) or is_array(value)):
        return msgspec.json.encode(scrub(value)).decode()
    return ""
