"""Driving a session over a client's connections: its second height, where responses are told.

``driving_sync`` is this text without ``async`` and ``await``; a test holds the two together.
Retries, resuming and waits are the session's; here requests are sent and bodies are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from sans_io_stream.session import Connect, Receive, Step

from ..loop import AsyncDriven
from .clients import AsyncClient, ConnectionLost

if TYPE_CHECKING:
    from sans_io_stream import Event, StreamRequest

    from .clients import ClientOptions

__all__ = ["AsyncResumed"]


class AsyncResumed(AsyncDriven[AsyncClient]):
    """An open stream over the connections of a client."""

    def __init__(
        self, request: StreamRequest, client: AsyncClient, **options: Unpack[ClientOptions]
    ) -> None:
        super().__init__(request, proxy=False, **options)
        self._network = client
        self._calm = client.calm

    async def _perform(self, step: Step) -> list[Event]:
        session, client = self._session, self._network
        try:
            match step:
                case Connect():
                    status, headers = await client.ask(
                        step.request, step.deadline, step.response_deadline
                    )
                    return session.response_started(status, headers, client.now())
                case Receive():
                    data = await client.receive(step.deadline)
                    now = client.now()
                    return session.receive_body(data, now) if data else session.body_ended(now)
                case _:
                    return await super()._perform(step)
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
