"""Finish reasons and errors in a protocol's own words.

What a word means stands in the dialects (``reasons``, ``failure.WORDS``); here those tables
are read backwards. A word that came with the event is kept if the protocol reads the same in
it; else the first word of the table that means it is taken, or one that the encoder names
beside it; and where the protocol has none, our own word, which it reads as ``other``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..dialects.failure import WORDS, kind_of

if TYPE_CHECKING:
    from ..errors import ErrorInfo, ErrorKind
    from ..events import Finish, FinishReason

__all__ = ["ERROR_TYPES", "error_fields", "finish_word"]

ERROR_TYPES: dict[ErrorKind, str] = {
    kind: words.split()[0].removesuffix("_error") + "_error" for kind, words in WORDS.items()
}
"""A word for each kind of error that a provider tells."""

OURS: frozenset[ErrorKind] = frozenset(
    {"limit", "framing", "truncated", "connection", "exhausted", "cursor"}
)
"""Kinds that no provider tells: their words say what happened, and are read as ``provider``."""


def finish_word(
    finish: Finish,
    reasons: Mapping[str, FinishReason],
    beside: Mapping[FinishReason, str],
    *,
    infers_calls: bool = False,
) -> str:
    """The protocol's word for a finish reason.

    ``infers_calls`` says that its word for ``stop`` means ``tool_calls`` where calls came.
    """
    raw, reason = finish.raw_reason, finish.reason
    if raw:
        means = reasons.get(raw, "other")
        if means == reason or (infers_calls and (means, reason) == ("stop", "tool_calls")):
            return raw
    if reason in beside:
        return beside[reason]
    return next((word for word, means in reasons.items() if means == reason), reason)


def error_fields(error: ErrorInfo, types: Mapping[ErrorKind, str] = ERROR_TYPES) -> dict[str, Any]:
    """``message``, and what else is known: ``type``, ``code``, ``status_code``,
    ``retry_after``, ``request_id``. A type or a code is made up where nothing else says the
    kind."""
    type_, code = error.type, error.code
    if kind_of(code, type_, error.status) != error.kind:
        word = types.get(error.kind) or (f"{error.kind}_error" if error.kind in OURS else None)
        if not type_:
            type_ = word
        elif code is None:
            code = word
    fields: dict[str, Any] = {"message": error.message, "type": type_, "code": code}
    if error.status is not None and error.status != code:
        fields["status_code"] = error.status
    fields |= {"retry_after": error.retry_after, "request_id": error.request_id}
    return {name: value for name, value in fields.items() if value is not None}
