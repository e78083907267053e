"""What streams do, in the standard ``logging``, under ``sans_io_stream_adapters``.

INFO: one line at the end of each stream. WARNING: a connection lost, another attempt, an end in
failure, each with the kind of error. DEBUG: connecting, and how a stream was taken up again.
Never content and never keys: of an error its kind, status, type, code and request id, but not
the message, in which providers quote what they were sent; of the request its provider, model
and host.

Every stream is watched for which a handler would hear at least the warnings; ``stream`` asks
``listening()``. Nothing is printed in a program that has set up no logging.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from sans_io_stream import Connected, Disconnected, Reconnecting, Resumed

from .facts import Facts

if TYPE_CHECKING:
    from sans_io_stream import Event, StreamRequest
    from sans_io_stream.errors import ErrorInfo

__all__ = ["LOG", "LogWatch", "listening"]

LOG = logging.getLogger("sans_io_stream_adapters")
# The logging HOWTO, "Configuring Logging for a Library".
LOG.addHandler(logging.NullHandler())
LONGEST = 100
"""Characters of a word that a peer chose."""


def listening() -> bool:
    """Whether anything hears what is logged here."""
    if not LOG.isEnabledFor(logging.WARNING):
        return False
    logger: logging.Logger | None = LOG
    while logger is not None:
        if any(type(handler) is not logging.NullHandler for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


class LogWatch:
    """The ``Watch`` that logs one stream."""

    def __init__(self, request: StreamRequest, now: float) -> None:
        self._facts = Facts(request, now)
        self._told = False
        if LOG.isEnabledFor(logging.DEBUG):
            LOG.debug("stream begins: %s", self._whose())

    def saw(self, events: Sequence[Event], now: float) -> None:
        """Log what is worth it."""
        self._facts.saw(events, now)
        handlers = self._handlers
        for event in events:
            kind = type(event)
            if kind in handlers:
                handlers[kind](self, event)
        if self._facts.ended is not None:
            self._finish()

    def closed(self, now: float) -> None:
        """Nothing more comes."""
        self._facts.close(now)
        self._finish()

    def _finish(self) -> None:
        facts = self._facts
        if self._told:
            return
        self._told = True
        if facts.outcome in ("failed", "interrupted"):
            LOG.warning("stream %s: %s, %s", facts.outcome, self._whose(), said(facts.error))
        if not LOG.isEnabledFor(logging.INFO):
            return
        usage = facts.usage
        LOG.info(
            "stream over: %s, outcome=%s attempts=%d seconds=%.3f first=%s prompt_tokens=%s "
            "completion_tokens=%s",
            self._whose(),
            facts.outcome,
            facts.connections,
            facts.seconds,
            none_or(facts.seconds_to_first_piece),
            None if usage is None else usage.prompt_tokens,
            None if usage is None else usage.completion_tokens,
        )

    def _whose(self) -> str:
        facts = self._facts
        return (
            f"provider={plain(facts.provider)} model={plain(facts.response_model or facts.model)} "
            f"host={facts.host}"
        )

    # ---- by type of event

    def _connected(self, event: Connected) -> None:
        LOG.debug("connected: %s, status=%d", self._whose(), event.status)

    def _disconnected(self, event: Disconnected) -> None:
        LOG.warning("connection lost: %s, %s", self._whose(), said(event.error))

    def _reconnecting(self, event: Reconnecting) -> None:
        LOG.warning(
            "reconnecting: %s, attempt=%d delay=%.3f", self._whose(), event.attempt, event.delay
        )

    def _resumed(self, event: Resumed) -> None:
        LOG.debug("resumed: %s, mode=%s", self._whose(), event.mode)

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        Connected: _connected,
        Disconnected: _disconnected,
        Reconnecting: _reconnecting,
        Resumed: _resumed,
    }


def said(error: ErrorInfo | None) -> str:
    """An error without its message."""
    if error is None:
        return "error=None"
    words = [f"error={error.kind}"]
    if error.status is not None:
        words.append(f"status={error.status}")
    for name, word in (
        ("type", error.type),
        ("code", error.code),
        ("request_id", error.request_id),
    ):
        if word is not None:
            words.append(f"{name}={plain(str(word))}")
    return " ".join(words)


def plain(word: str | None) -> str:
    """A word that a peer may have chosen, on one line of bounded length."""
    if word is None:
        return "None"
    word = word if len(word) <= LONGEST else word[:LONGEST] + "…"
    return word if word.isprintable() and " " not in word else ascii(word)


def none_or(seconds: float | None) -> str:
    return "None" if seconds is None else f"{seconds:.3f}"
