"""Reading an asynchronous response: its body to its end, and what comes of it to the consumer.

``reading_sync`` is this text without ``async`` and ``await``; a test holds the two together.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self, Unpack

from .answer import Answer

if TYPE_CHECKING:
    from sans_io_stream import Event
    from sans_io_stream.http import Head

    from .answer import AnswerOptions
    from .bodies import AsyncBody

__all__ = ["AsyncEvents"]


class AsyncEvents(Answer):
    """The events of a response: iterate it, in ``async with`` where it may be left early.

    Iteration hands out every event, ``StreamEnd`` included, and then raises
    ``StreamInterrupted``, ``StreamFailed`` or one of their kinds if the answer did not end well.
    The response is closed at the end of its body, and when the block is left.
    """

    def __init__(self, head: Head, body: AsyncBody, **options: Unpack[AnswerOptions]) -> None:
        super().__init__(head, **options)
        self._body = body

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._pending or self._left:
            if self._over or self._left:
                await self._finish()
                self._raise_at_end()
                raise StopAsyncIteration
            await self._advance()
        return self._hand_out()

    async def aclose(self) -> None:
        """Close the response. Nothing is handed out afterwards; ``transcript.end`` is
        ``cancelled``, unless another end was handed out."""
        self._leave()
        await self._finish()

    async def _finish(self) -> None:
        if not self._closed:
            self._closed = True
            try:
                self._put_away(time.monotonic())
            finally:
                await self._let_go()

    async def _let_go(self) -> None:
        """Close the response, whatever that comes to: the end of the answer is known."""
        with suppress(Exception):
            await self._body.aclose()

    async def _advance(self) -> None:
        """Read once, and keep what came of it."""
        if self._busy:
            raise RuntimeError("this response is being read by another task or thread")
        self._busy = True
        try:
            if self._unread():
                await self._read()
            if self._over:
                await self._finish()
        finally:
            self._busy = False

    async def _read(self) -> None:
        try:
            data = await self._body.read()
        except Exception as error:  # noqa: BLE001 - whatever a client raises is told
            self._fail(error)
        except BaseException:
            # What was under way when it was interrupted cannot be taken up again.
            self._broken_off = True
            await self._let_go()
            raise
        else:
            self._take(data)
