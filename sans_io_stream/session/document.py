"""A response that is no stream, read up to a limit: an error's, or what a check was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..document import noted, read_error_document, told_in_part
from .backoff import with_head

if TYPE_CHECKING:
    from ..errors import ErrorInfo
    from ..http import Head
    from ..policy import Limits

__all__ = ["SECONDS", "Document"]

SECONDS = 10.0
"""For the whole of it."""


class Document:
    """The body under ``head``. ``full``: there was more of it than may be read."""

    def __init__(self, head: Head, limits: Limits) -> None:
        self.head = head
        self.body = bytearray()
        self.full = False
        self._limits = limits

    def receive(self, data: bytes) -> None:
        """Take what fits."""
        room = self._limits.error_body_bytes - len(self.body)
        self.body += data[:room]
        self.full = len(data) > room

    def error(self, missing: ErrorInfo | None) -> ErrorInfo:
        """What it tells, together with its head; ``missing`` says why its end did not come."""
        status, content_type = self.head.status, self.head.get("content-type")
        told = read_error_document(bytes(self.body), status, content_type, self._limits)
        if self.full:
            told = told_in_part(told, self._limits.error_body_bytes)
        elif missing is not None:
            what = "the error document could not be read to its end"
            told = noted(told, f"{what}: {missing.message or missing.kind}")
        return with_head(told, status, self.head.headers)
