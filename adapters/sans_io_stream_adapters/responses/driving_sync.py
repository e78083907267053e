"""Blocking: ``driving`` without ``async`` and ``await``.

Written by ``python -m tests.adapters.unasync``; a test holds the two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from sans_io_stream.session import Connect, Receive, Step

from ..loop_sync import Driven
from .clients import Client, ConnectionLost

if TYPE_CHECKING:
    from sans_io_stream import Event, StreamRequest

    from .clients import ClientOptions

__all__ = ["Resumed"]


class Resumed(Driven[Client]):
    """An open stream over the connections of a client."""

    def __init__(
        self, request: StreamRequest, client: Client, **options: Unpack[ClientOptions]
    ) -> None:
        super().__init__(request, proxy=False, **options)
        self._network = client
        self._calm = client.calm

    def _perform(self, step: Step) -> list[Event]:
        session, client = self._session, self._network
        try:
            match step:
                case Connect():
                    status, headers = client.ask(
                        step.request, step.deadline, step.response_deadline
                    )
                    return session.response_started(status, headers, client.now())
                case Receive():
                    data = client.receive(step.deadline)
                    now = client.now()
                    return session.receive_body(data, now) if data else session.body_ended(now)
                case _:
                    return super()._perform(step)
        except ConnectionLost as lost:
            return session.connection_lost(lost.error, client.now())

    def _out_of_time(self, step: Step, now: float) -> list[Event]:
        """The client was stopped: at a deadline, which may ring early, or by the consumer."""
        if self._left:
            return []
        if self._asked is not None:
            if isinstance(step, Connect):
                # Nobody knows how much of the request is out.
                self._session.request_sent(now)
            return super()._out_of_time(step, now)
        until = step.response_deadline if isinstance(step, Connect) else None
        until = step.deadline if isinstance(step, Receive) else until
        return self._session.handle_timeout(now if until is None else max(now, until))
