"""uvicorn's HTTP/1.1, with the relay's words for a head that it cannot read.

It is h11's, whatever else is installed: that one has a limit for a head, which the other parser
that uvicorn knows has not. Source: RFC 9112, 9.6: whoever closes while more is on its way loses
what he said last, so the connection lingers.
"""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from sans_io_stream import ErrorInfo
from sans_io_stream.encoding import error_document, error_headers

from .app import format_at
from .http import header_bytes

if TYPE_CHECKING:
    import asyncio

__all__ = ["Protocol"]

LINGERS = 2.0
"""Seconds for which a refused client may go on sending."""
WHY = {431: "the head is larger than what is read of one"}


class Protocol(H11Protocol):
    """One connection."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._refused: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """What comes behind a refusal is not looked at."""
        if self._refused is None:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        if self._refused is not None:
            self._refused.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Called where h11 has raised: an error document, in the format of the path if that is
        known, with the status that h11 names."""
        raised = sys.exception()
        status = getattr(raised, "error_status_hint", None) or 400
        why = WHY.get(status, "this is no HTTP/1.1 that can be read")
        error = ErrorInfo("invalid_request", why, status=status)
        _, body = error_document(format_at(path_in(self.conn.trailing_data[0])), error)
        headers = [("content-length", str(len(body))), ("connection", "close")]
        answer = h11.Response(
            status_code=status,
            headers=header_bytes([*headers, *error_headers(error)]),
            reason=HTTPStatus(status).phrase.encode(),
        )
        for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._refused = self.loop.call_later(LINGERS, self.transport.close)


def path_in(data: bytes) -> str:
    """The path in the first line of a head; empty where there is none."""
    words = data[:256].split(b" ", 2)
    return words[1].partition(b"?")[0].decode("latin-1") if len(words) > 1 else ""
