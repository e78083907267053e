"""``FaultServer``: what a test holds in its hands. Everything else of the package serves it."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from sans_io_stream.dialects.registry import dialect_class
from sans_io_stream.headers import header_pairs
from sans_io_stream.request import StreamRequest
from sans_io_stream.strategies import Strategy, strategy_for

from .answering import Shape
from .asking import asking
from .connection import HOST
from .delivery import Settings
from .plan import Plan
from .playing import Answer, answer_of, captured, generated
from .process import InProcess, InThread
from .resuming import mechanism_named

if TYPE_CHECKING:
    from _typeshed import StrPath

    from sans_io_stream.capture import Capture
    from sans_io_stream.events import Event

    from .faults import Fault
    from .seen import Seen

__all__ = ["FaultServer"]


class FaultServer:
    """A real HTTP server on the loopback that streams one answer, as badly as it is told to.

    What it plays: ``events`` (of this library; without a ``StreamEnd`` they are complete),
    ``text``, ``pieces`` (some text of so many pieces, or ``text`` in so many), or a
    ``capture`` (a ``Capture`` or the path of one), which is replayed with its own reads. They
    are written in ``dialect`` and ``framing``, as the encoder of that dialect does; a capture
    names its own.

    ``resume`` is the strategy by which clients may go on behind a break, by its name or as an
    object (None: the dialect's own; "none": every request begins).

    ``faults`` happen to the requests for the answer, one to each in their order; a tuple of
    faults happens to one request. ``cuts`` more are drawn from ``seed``. When none is left,
    requests are answered well. ``plan`` shows them.

    ``speed`` is 1.0 for the speed of the recording (or 20 ms between the records of what is
    generated), 2.0 for twice that, None for full speed. ``chunks`` is True for a chunk for
    each record (of a capture: each read), a number of bytes, or False for a body that ends
    with its connection. ``headers`` stand beside the answer's own. ``tls`` is a context, or
    the paths of a certificate and its key; ``own_process`` runs the server in a process of its
    own, and takes only paths.

    It listens as soon as it is made, at ``port`` (0: a free one), until ``close``.

    Raises ``UnknownDialectError`` for a dialect that no encoder writes, a framing or a
    strategy that does not exist; ``CaptureError`` and ``OSError`` for a capture that cannot be
    read, ``OSError`` for a port that is taken; ``ValueError`` for any other option that makes
    no sense, and for a ``host`` that is not the loopback.
    """

    def __init__(
        self,
        dialect: str | None = None,
        *,
        events: Iterable[Event] | None = None,
        text: str | None = None,
        pieces: int | None = None,
        capture: Capture | StrPath | None = None,
        framing: str | None = None,
        resume: str | Strategy | None = None,
        faults: Iterable[Fault | Sequence[Fault]] = (),
        seed: int | None = None,
        cuts: int = 0,
        speed: float | None = None,
        chunks: bool | int = True,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | tuple[str, str] | None = None,
        host: str = HOST,
        port: int = 0,
        own_process: bool = False,
    ) -> None:
        if host != HOST:
            raise ValueError(
                f"a FaultServer listens at {HOST} alone, not at {host!r}: it asks for no "
                "credentials and answers wrongly on purpose, which is nothing for a network"
            )
        if own_process and isinstance(tls, ssl.SSLContext):
            raise ValueError(
                "a context cannot go to another process: give tls=(certificate, key), two paths"
            )
        if speed is not None and not speed > 0:
            raise ValueError(f"speed is above 0, or None for full speed; not {speed!r}")
        if type(chunks) is int and chunks < 1:
            raise ValueError(f"a chunk has at least one byte, not {chunks!r}")
        if cuts < 0 or (pieces is not None and pieces < 1):
            raise ValueError(f"cuts={cuts!r} or pieces={pieces!r} is too few")
        self._resume = resume
        self.plan = Plan.of(faults, seed=seed, cuts=cuts)
        """What happens to which request; printed, one on each line."""
        answer = self._answer(dialect, events, text, pieces, capture, framing)
        self.dialect = answer.dialect
        """The name of the dialect; None for that of a capture which nothing tells."""
        self._framing = answer.framing
        self._mechanism = self._named(answer.dialect)
        mechanism_named(self._mechanism)
        pairs = header_pairs(headers or {})
        settings = Settings(
            answer, self._mechanism, self.plan.turns, Shape(chunks, pairs), speed, port
        )
        self._tls = tls is not None
        self._server: InThread | InProcess = (
            InProcess(settings, tls) if own_process else InThread(settings, tls)
        )
        self.host = HOST
        """The address that it listens at."""
        self.port = self._server.port
        """The port that it listens at."""

    def _answer(
        self,
        dialect: str | None,
        events: Iterable[Event] | None,
        text: str | None,
        pieces: int | None,
        capture: Capture | StrPath | None,
        framing: str | None,
    ) -> Answer:
        generates = text is not None or pieces is not None
        if generates + (events is not None) + (capture is not None) > 1:
            raise ValueError("a FaultServer plays events, a text or a capture: one of them")
        if capture is not None:
            if framing is not None:
                raise ValueError("a capture has its own framing")
            return captured(capture, dialect, self._named)
        if dialect is None:
            raise ValueError("FaultServer needs a dialect, such as 'openai-chat', or a capture")
        told = list(events) if events is not None else generated(text, pieces)
        return answer_of(told, dialect, framing, self._named(dialect_class(dialect).name))

    def _named(self, dialect: str | None) -> str:
        """The name of the strategy for an answer of that dialect."""
        if self._resume is None:
            return strategy_for(dialect).name
        return self._resume if isinstance(self._resume, str) else self._resume.name

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port``, or ``https://…``, without a path."""
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    @property
    def seen(self) -> Seen:
        """What it saw until now: connections, requests, how many at once. Also when closed."""
        return self._server.seen()

    def request(self, **overrides: Any) -> StreamRequest:
        """A request for the answer, as a client of its protocol and strategy would ask.

        ``overrides`` are arguments of ``StreamRequest``; ``path`` stands for the URL. Raises
        what ``StreamRequest`` raises.
        """
        asked = asking(self.dialect, self._framing, self._mechanism)
        if self._resume is not None:
            asked["resume"] = self._resume
        if "body" in overrides:
            asked.pop("json", None)
        asked |= overrides
        path = asked.pop("path")
        return StreamRequest(**({"url": self.url + path} | asked))

    def wait_until(self, holds: Callable[[Seen], bool], timeout: float = 10.0) -> Seen:
        """Wait until ``holds`` is true of what was seen, and return that: for what a client
        has done and the server is yet to notice, such as a connection that it closed.

        Raises ``TimeoutError`` if it is not true after ``timeout`` seconds.
        """
        seen = self._server.wait_until(holds, timeout)
        if seen is None:
            raise TimeoutError(f"not seen within {timeout} seconds; seen: {self.seen}")
        return seen

    @contextlib.contextmanager
    def refusing(self) -> Generator[None]:
        """While this lasts nobody listens at the port: the system refuses connections.

        Those that are open stay. Raises ``OSError`` at the end if another program has taken
        the port.
        """
        self._server.deafen()
        try:
            yield
        finally:
            self._server.listen()

    def close(self) -> None:
        """Stop: no thread, socket or process is left. A second call does nothing."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<FaultServer {self.dialect or 'unknown dialect'}, {self.url}>"
