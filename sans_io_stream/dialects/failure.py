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
from .tolerant import REFUSED

__all__ = ["error_document", "error_in", "error_info"]

KINDS: dict[str, ErrorKind] = {
    "authentication_error": "authentication",
    "invalid_api_key": "authentication",
    "unauthenticated": "authentication",
    "unauthorized": "authentication",
    "unrecognizedclientexception": "authentication",
    "permission_error": "permission",
    "permission_denied": "permission",
    "forbidden": "permission",
    "accessdeniedexception": "permission",
    "not_found_error": "not_found",
    "not_found": "not_found",
    "model_not_found": "not_found",
    "resourcenotfoundexception": "not_found",
    "rate_limit_error": "rate_limit",
    "rate_limit_exceeded": "rate_limit",
    "rate_limited": "rate_limit",
    "resource_exhausted": "rate_limit",
    "too_many_requests": "rate_limit",
    "throttlingexception": "rate_limit",
    "insufficient_quota": "quota",
    "billing_error": "quota",
    "quota_exceeded": "quota",
    "servicequotaexceededexception": "quota",
    "overloaded_error": "overloaded",
    "overloaded": "overloaded",
    "unavailable": "overloaded",
    "serviceunavailableexception": "overloaded",
    "service_unavailable": "overloaded",
    "timeout_error": "timeout",
    "timeout": "timeout",
    "deadline_exceeded": "timeout",
    "modeltimeoutexception": "timeout",
    "api_error": "server",
    "server_error": "server",
    "internal_error": "server",
    "internal_server_error": "server",
    "internal": "server",
    "internalserverexception": "server",
    "modelstreamerrorexception": "server",
    "invalid_request_error": "invalid_request",
    "invalid_request": "invalid_request",
    "bad_request": "invalid_request",
    "invalid_argument": "invalid_request",
    "failed_precondition": "invalid_request",
    "validationexception": "invalid_request",
    "invalid_prompt": "invalid_request",
    "context_length_exceeded": "invalid_request",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
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
MESSAGE_KEYS = ("message", "Message", "detail", "error_message", "errorMessage", "title")
SHOWN_TEXT = 2000


def error_in(data: Any) -> ErrorInfo | None:
    """The error that a record tells, or None if it tells none.

    A record tells one if it has a truthy ``error``, or is marked as one by its ``type``,
    ``object`` or ``event_type``.
    """
    if isinstance(data, list):
        return error_in(data[0]) if len(data) == 1 else None
    if not isinstance(data, dict):
        return None
    inner = data.get("error")
    get = data.get
    marked = get("type") == "error" or get("object") == "error" or get("event_type") == "error"
    if not inner and not marked:
        return None
    request_id = text_or_none(data.get("request_id"))
    if isinstance(inner, dict):
        return error_info(inner, request_id=request_id)
    if isinstance(inner, str) and inner:
        kind = text_or_none(data.get("error_type"))
        fields = {"message": inner, "type": kind, "code": data.get("code")}
        fields.update({"status": data.get("status_code")})
        return error_info(fields, request_id=request_id)
    if marked:
        flat = {key: value for key, value in data.items() if key not in ("type", "object")}
        own_type = data.get("type")
        if own_type != "error":
            flat["type"] = own_type
        return error_info(flat, request_id=request_id)
    return error_info({"message": str(inner)}, request_id=request_id)


def error_info(
    fields: dict[str, Any], *, status: int | None = None, request_id: str | None = None
) -> ErrorInfo:
    """An ``ErrorInfo`` from an error object's own fields."""
    code = fields.get("code")
    if not isinstance(code, str | int) or isinstance(code, bool):
        code = None
    type_ = text_or_none(fields.get("type"))
    own_status = fields.get("status")
    if type_ is None:
        type_ = text_or_none(own_status)
    for named in (own_status, fields.get("status_code"), fields.get("http_status"), code):
        if status is None and type(named) is int and 400 <= named <= 599:
            status = named
    message = next((m for k in MESSAGE_KEYS if (m := text_or_none(fields.get(k)))), "")
    kind = kind_of(code, type_, status)
    return ErrorInfo(
        kind,
        message,
        type_,
        code,
        status,
        retryable=kind in RETRYABLE_KINDS or status in RETRYABLE_STATUS,
        retry_after=retry_delay(fields),
        request_id=text_or_none(fields.get("request_id")) or request_id,
    )


def error_document(body: bytes, status: int) -> ErrorInfo:
    """The error of a whole HTTP error document, whatever its form."""
    try:
        data: Any = msgspec.json.decode(body)
    except REFUSED:
        data = None
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    if not isinstance(data, dict):
        text = body.decode("utf-8", "replace").strip()[:SHOWN_TEXT]
        return error_info({"message": text}, status=status)
    told = error_in(data)
    if told is None:
        return error_info(data, status=status, request_id=text_or_none(data.get("request_id")))
    if told.status is not None and told.kind != "provider":
        return msgspec.structs.replace(told, status=status)
    kind = told.kind if told.kind != "provider" else kind_of(None, None, status)
    retryable = kind in RETRYABLE_KINDS or status in RETRYABLE_STATUS
    return msgspec.structs.replace(told, kind=kind, status=status, retryable=retryable)


def kind_of(code: str | int | None, type_: str | None, status: int | None) -> ErrorKind:
    """The kind of an error from its code, its type and its status, in this order."""
    for word in (code, type_):
        kind = KINDS.get(word.lower()) if isinstance(word, str) else None
        # An invalid request is what many providers call what they have no better word for.
        if kind is not None and not (kind == "invalid_request" and status in BY_STATUS):
            return kind
    if status is None:
        return "provider"
    if status in BY_STATUS:
        return BY_STATUS[status]
    return "server" if status >= 500 else "invalid_request" if status >= 400 else "provider"


def retry_delay(fields: dict[str, Any]) -> float | None:
    """Seconds to wait, from ``retry_after`` or a ``google.rpc.RetryInfo`` among the details."""
    own = fields.get("retry_after")
    if isinstance(own, int | float) and not isinstance(own, bool) and own >= 0:
        return float(own)
    details = fields.get("details")
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str) and delay.endswith("s"):
            try:
                return max(0.0, float(delay[:-1]))
            except ValueError:
                continue
    return None


def text_or_none(value: Any) -> str | None:
    """``value`` if it is a non-empty string."""
    return value if isinstance(value, str) and value else None
