"""An error as an HTTP answer, in the form of the protocol that the client speaks.

One table: for each kind of error the status, and the words of each protocol. The provider's own
status and code stay where they say the same as the table; its message always does. Read by a
decoder, a document gives the same kind again. Whether another attempt may help says the head,
which clients go by before the status: where no provider tells a kind, the status says it wrong.
Sources: OpenAI's "Error codes"; Anthropic's "Errors"; RFC 9110, 15.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..dialects.failure import RETRYABLE_KINDS, RETRYABLE_STATUS, kind_of
from ..errors import UnknownDialectError
from .frames import as_json
from .registry import find

if TYPE_CHECKING:
    from ..errors import ErrorInfo, ErrorKind

__all__ = ["KINDS", "error_document", "error_headers"]


class Words(NamedTuple):
    """How one kind of error is told."""

    status: int
    openai_type: str
    openai_code: str | None
    anthropic_type: str
    message: str
    """What is said where the provider said nothing."""


KINDS: dict[ErrorKind, Words] = {
    "authentication": Words(
        401, "invalid_request_error", "invalid_api_key", "authentication_error",
        "the key was not accepted",
    ),
    "permission": Words(
        403, "permission_error", None, "permission_error", "this is not permitted",
    ),
    "not_found": Words(
        404, "not_found_error", None, "not_found_error", "there is no such thing",
    ),
    "invalid_request": Words(
        400, "invalid_request_error", None, "invalid_request_error", "the request is not valid",
    ),
    "rate_limit": Words(
        429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error", "too many requests",
    ),
    "quota": Words(
        402, "insufficient_quota", "insufficient_quota", "billing_error", "the quota is used up",
    ),
    "overloaded": Words(
        503, "server_error", "service_unavailable", "overloaded_error",
        "the provider is overloaded",
    ),
    "timeout": Words(
        504, "server_error", "timeout", "timeout_error", "the provider took too long",
    ),
    "content_filter": Words(
        400, "invalid_request_error", "content_filter", "content_filter_error",
        "the content was filtered",
    ),
    "server": Words(
        500, "server_error", None, "api_error", "the provider failed",
    ),
}  # fmt: skip
"""The kinds that providers tell."""

BROKEN = "server_error", "api_error"
REFUSED = "invalid_request_error", "invalid_request_error"
OURS: dict[ErrorKind, tuple[int, tuple[str, str], str]] = {
    "provider": (502, BROKEN, "the provider told an error"),
    "limit": (502, BROKEN, "the provider's answer exceeds a limit"),
    "framing": (502, BROKEN, "the provider's answer could not be read"),
    "truncated": (502, BROKEN, "the provider's answer broke off"),
    "connection": (502, BROKEN, "the provider could not be reached"),
    "exhausted": (502, BROKEN, "the provider's answer could not be taken up again"),
    "cursor": (410, REFUSED, "the stream cannot be taken up again from there"),
    "cancelled": (499, REFUSED, "the answer was cancelled"),
}
"""The other kinds: they are read as ``server``, the last two as ``invalid_request``."""


def words_for(kind: ErrorKind) -> Words:
    """How a kind of error is told."""
    words = KINDS.get(kind)
    if words is not None:
        return words
    status, (openai, anthropic), message = OURS[kind]
    return Words(status, openai, kind, anthropic, message)


def agrees(error: ErrorInfo, code: str | int | None, type: str | None, status: int) -> bool:
    """Whether these words are read as that kind of error, and as much worth another attempt."""
    retryable = error.kind in RETRYABLE_KINDS or status in RETRYABLE_STATUS
    return kind_of(code, type, status) == error.kind and retryable == error.retryable


def status_for(error: ErrorInfo, words: Words, code: str | int | None, type: str | None) -> int:
    """The status: the provider's own, if it is one of an error and is read the same."""
    own = error.status
    if own is not None and 400 <= own <= 599 and agrees(error, code, type, own):
        return own
    return words.status


Document = Callable[["ErrorInfo", Words], tuple[int, dict[str, Any]]]


def openai_document(error: ErrorInfo, words: Words) -> tuple[int, dict[str, Any]]:
    """``{"error": {…}}``. A code of the provider's stays, as clients look at it: it tells a
    context that is too long from other invalid requests."""
    type_, code = words.openai_type, words.openai_code
    if isinstance(error.code, str) and error.code and error.kind in KINDS:
        status = status_for(error, words, error.code, type_)
        if kind_of(error.code, type_, status) == error.kind:
            code = error.code
    status = status_for(error, words, code, type_)
    message = error.message or words.message
    return status, {"error": {"message": message, "type": type_, "param": None, "code": code}}


def anthropic_document(error: ErrorInfo, words: Words) -> tuple[int, dict[str, Any]]:
    """``{"type": "error", …}``, with the provider's request id."""
    type_ = words.anthropic_type
    told = {"type": type_, "message": error.message or words.message}
    status = status_for(error, words, None, type_)
    return status, {"type": "error", "error": told, "request_id": error.request_id}


def native_document(error: ErrorInfo, words: Words) -> tuple[int, dict[str, Any]]:
    """``{"error": {…}}`` with all that is known, its ``kind`` among it."""
    type_, code = error.type, error.code
    status = status_for(error, words, code, type_)
    if error.kind not in KINDS or kind_of(code, type_, status) != error.kind:
        type_, code = words.anthropic_type, None
        status = status_for(error, words, code, type_)
    told = msgspec.to_builtins(error) | {
        "message": error.message or words.message,
        "type": type_,
        "code": code,
        "status": status,
    }
    return status, {"error": {name: value for name, value in told.items() if value is not None}}


DOCUMENTS: dict[str, Document] = {
    "native": native_document,
    "openai-chat": openai_document,
    "holysheep": openai_document,
    "anthropic": anthropic_document,
}
"""What writes an error, by the name of the format."""


def error_document(format: str, error: ErrorInfo) -> tuple[int, bytes]:
    """The status and the body of the answer that tells ``error`` in the format of that name.

    The body is JSON; what else stands in the head says ``error_headers``. Raises
    ``UnknownDialectError`` for a format without documents.
    """
    name = find(format, None)[0].name
    write = DOCUMENTS.get(name)
    if write is None:
        known = ", ".join(DOCUMENTS)
        raise UnknownDialectError(f"{name} is written as a stream alone; as documents: {known}")
    status, document = write(error, words_for(error.kind))
    return status, as_json(document)


def error_headers(error: ErrorInfo) -> tuple[tuple[str, str], ...]:
    """The headers beside the body of an ``error_document``, names in lower case.

    ``retry-after`` is in whole seconds (RFC 9110, 10.2.3), where the provider said when;
    ``x-should-retry`` is what the clients of OpenAI and Anthropic go by before the status.
    """
    headers = (
        ("content-type", "application/json"),
        ("x-should-retry", "true" if error.retryable else "false"),
    )
    if error.retry_after is None or not 0 <= error.retry_after < math.inf:
        return headers
    return (*headers, ("retry-after", str(math.ceil(error.retry_after))))
