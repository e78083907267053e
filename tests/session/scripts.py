"""Servers that answer by a list, for tests of what a session asks for and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sans_io_stream.policy import Allowance, ReconnectPolicy
from sans_io_stream.session import StreamSession
from tests.session.answers import only_end
from tests.session.peer import Asked, Reply, Run, Server, cut, drive, response

if TYPE_CHECKING:
    from sans_io_stream import Event, StreamRequest

__all__ = ["BUSY", "LOST", "broken", "calls", "of_type", "run_of", "script", "whole"]

LOST = Reply(b"", lost=True)
"""The connection is lost behind the request, before any head."""
BUSY = Reply(response(b"{}", status=503, content_type="application/json"))


def whole(*records: bytes) -> Reply:
    return Reply(response(b"", pieces=list(records)))


def broken(*records: bytes) -> Reply:
    """These records, and then the connection is lost."""
    return cut(response(b"", pieces=list(records)), -5)


def script(*replies: Reply) -> Server:
    left = list(replies)

    def serve(asked: Asked) -> Reply:
        assert left, f"nobody expects {asked.method} {asked.target}"
        return left.pop(0)

    return serve


def run_of(request: StreamRequest, *replies: Reply, allow: set[Allowance] | None = None) -> Run:
    policy = ReconnectPolicy(allow=frozenset(allow or set()))
    run = drive(StreamSession(request, policy=policy), script(*replies))
    only_end(run)
    return run


def of_type(run: Run, *types: type) -> list[Event]:
    return [event for event in run.events if type(event) in types]


def calls(run: Run) -> list[tuple[str, str]]:
    return [(asked.method, asked.target) for asked in run.asked]
