"""A body with an error status: collected up to a limit, and told as one error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .dialects.detection import tells_error
from .dialects.failure import error_document
from .framing import FRAMINGS
from .framing.items import Stray, Unfinished, WireRecord
from .framing.sniff import Sniffer

if TYPE_CHECKING:
    from .errors import ErrorInfo
    from .policy import Limits

__all__ = ["noted", "read_error_document", "told_in_part"]


def read_error_document(
    body: bytes, status: int, content_type: str | None, limits: Limits
) -> ErrorInfo:
    """The error that ``body`` tells: a JSON document, an event stream with one, or text."""
    sniffer = Sniffer(content_type=content_type)
    sniffer.feed(body)
    name = sniffer.end()
    if name in ("sse", "jsonl", "json-seq"):
        framing = FRAMINGS[name](limits=limits, shortcuts=False)
        for item in framing.feed(body) + framing.end():
            record = item.record if isinstance(item, Unfinished) else item
            if type(record) is bytes:
                record = framing.form.whole(record)
            if isinstance(record, WireRecord | Stray) and tells_error(record.data, limits.depth):
                return error_document(record.data, status)
    return error_document(body, status)


def told_in_part(error: ErrorInfo, limit: int) -> ErrorInfo:
    """``error``, read from the first ``limit`` bytes of its document alone, and saying so.

    It stays the provider's error, with its status: the limit is no reason of the failure.
    """
    why = f"the error document exceeds Limits.error_body_bytes ({limit} bytes) and was cut there"
    return noted(error, why)


def noted(error: ErrorInfo, why: str) -> ErrorInfo:
    """``error`` with a word of ours behind the peer's."""
    message = f"{error.message} [{why}]" if error.message else why
    return msgspec.structs.replace(error, message=message)
