"""A server in a process of its own: the same ``Service``, and two pipes to ask it.

Not ``multiprocessing``: its children import the parent's main module, so that a script without
a guard around it cannot start one, and its resource tracker stays when all is closed. This
child is told everything through its standard input, and ends when that does: nothing is left
running behind a parent that was killed. What goes over the pipes is pickled, between two
processes of one user that trust each other.
"""

from __future__ import annotations

import os
import pickle
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any

from .connection import Listener
from .delivery import Service, Settings
from .seen import Counts, Seen

__all__ = ["InProcess", "InThread"]

POLL = 0.005
"""Seconds between two looks at the counts of another process."""
CODE = "import sys; sys.path[:] = {path!r}; from {module} import child; child()"
TLS = ssl.SSLContext | tuple[str, str] | None
"""A context, or the paths of a certificate and its key."""


def context(tls: TLS) -> ssl.SSLContext | None:
    """The context that was given, or one with the certificate at those paths."""
    if not isinstance(tls, tuple):
        return tls
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*tls)
    return made


class InThread:
    """A server in threads of this process."""

    def __init__(self, settings: Settings, tls: TLS = None) -> None:
        self._counts = Counts()
        self._listener = Listener(
            Service(settings, self._counts).serve,
            port=settings.port,
            tls=context(tls),
            opened=self._counts.opened,
            closed=self._counts.closed,
        )
        self.port = self._listener.port

    def seen(self) -> Seen:
        """The counts at this moment."""
        return self._counts.seen

    def wait_until(self, holds: Callable[[Seen], bool], timeout: float) -> Seen | None:
        """Wait until that is true of the counts; None if it never was."""
        return self._counts.wait_until(holds, timeout)

    def listen(self) -> None:
        """Take connections."""
        self._listener.listen()

    def deafen(self) -> None:
        """Have connections refused."""
        self._listener.deafen()

    def close(self) -> None:
        """End everything; a second call does nothing."""
        self._listener.close()


class InProcess:
    """The same in a process of its own."""

    def __init__(self, settings: Settings, tls: TLS = None) -> None:
        code = CODE.format(path=[os.path.abspath(p) for p in sys.path], module=__name__)
        self._lock = threading.Lock()
        self._last = Seen()
        self._child: subprocess.Popen[bytes] | None = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            self.port: int = self._ask((settings, tls))
        except BaseException:
            self._end(self._child)
            raise

    def seen(self) -> Seen:
        """The counts at this moment; the last ones, when it is closed."""
        if self._child is not None:
            self._last = self._ask("seen")
        return self._last

    def wait_until(self, holds: Callable[[Seen], bool], timeout: float) -> Seen | None:
        """Wait until that is true of the counts; None if it never was."""
        until = time.monotonic() + timeout
        while not holds(seen := self.seen()):
            if time.monotonic() >= until:
                return None
            time.sleep(POLL)
        return seen

    def listen(self) -> None:
        """Take connections."""
        self._ask("listen")

    def deafen(self) -> None:
        """Have connections refused."""
        self._ask("deafen")

    def close(self) -> None:
        """End everything; a second call does nothing."""
        child = self._child
        if child is not None:
            try:
                self._last = self._ask("close")
            finally:
                self._child = None
                self._end(child)

    def _ask(self, what: object) -> Any:
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            raise ValueError("the server is closed")
        with self._lock:
            try:
                pickle.dump(what, child.stdin)
                child.stdin.flush()
                answer = pickle.load(child.stdout)
            except (EOFError, OSError) as error:
                raise RuntimeError("the server's process has ended by itself") from error
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @staticmethod
    def _end(child: subprocess.Popen[bytes]) -> None:
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue
        child.wait()


def child() -> None:
    """The process: settings in, then one answer for each question, until the input ends."""
    told = sys.stdin.buffer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever is printed by accident must not get between the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    server: InThread | None = None
    try:
        server = InThread(*pickle.load(told))
        tell(answers, server.port)
        while True:
            what = pickle.load(told)
            if what == "close":
                server.close()
                tell(answers, server.seen())
                return
            if what == "listen":
                server.listen()
            elif what == "deafen":
                server.deafen()
            tell(answers, server.seen())
    except EOFError:
        return
    except (OSError, ValueError) as error:
        tell(answers, error)
    finally:
        if server is not None:
            server.close()


def tell(answers: IO[bytes], what: object) -> None:
    """Answer one question."""
    pickle.dump(what, answers)
    answers.flush()
