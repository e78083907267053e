"""Blocking: ``reading`` without ``async`` and ``await``.

Written by ``python -m tests.adapters.unasync``; a test holds the two together.
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
    from .bodies import Body

__all__ = ["Events"]


class Events(Answer):
    """The events of a response: iterate it, in ``with`` where it may be left early.

    Iteration hands out every event, ``StreamEnd`` included, and then raises
    ``StreamInterrupted``, ``StreamFailed`` or one of their kinds if the answer did not end well.
    The response is closed at the end of its body, and when the block is left.
    """

    def __init__(self, head: Head, body: Body, **options: Unpack[AnswerOptions]) -> None:
        super().__init__(head, **options)
        self._body = body

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        while not self._pending or self._left:
            if self._over or self._left:
                self._finish()
                self._raise_at_end()
                raise StopIteration
            self._advance()
        return self._hand_out()

    def close(self) -> None:
        """Close the response. Nothing is handed out afterwards; ``transcript.end`` is
        ``cancelled``, unless another end was handed out."""
        self._leave()
        self._finish()

    def _finish(self) -> None:
        if not self._closed:
            self._closed = True
            try:
                self._put_away(time.monotonic())
            finally:
                self._let_go()

    def _let_go(self) -> None:
        """Close the response, whatever that comes to: the end of the answer is known."""
        with suppress(Exception):
            self._body.close()

    def _advance(self) -> None:
        """Read once, and keep what came of it."""
        if self._busy:
            raise RuntimeError("this response is being read by another task or thread")
        self._busy = True
        try:
            if self._unread():
                self._read()
            if self._over:
                self._finish()
        finally:
            self._busy = False

    def _read(self) -> None:
        try:
            data = self._body.read()
        except Exception as error:  # noqa: BLE001 - whatever a client raises is told
            self._fail(error)
        except BaseException:
            # What was under way when it was interrupted cannot be taken up again.
            self._broken_off = True
            self._let_go()
            raise
        else:
            self._take(data)
