"""A real Redis for tests: on a free port of the loopback, in a directory of its own."""

from __future__ import annotations

import atexit
import contextlib
import signal
import socket
import subprocess
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import IO

from tests.servers import needs

__all__ = ["RedisServer", "shared_server"]

WITHIN = 30.0
"""Seconds after which a server that does nothing is a failure."""


class RedisServer:
    """``redis-server`` with these options. It takes connections when it is made."""

    def __init__(self, directory: Path, *options: str, port: int | None = None) -> None:
        self._directory = directory
        self._options = options
        self.port = free_port() if port is None else port
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Start it, also again after ``kill``: at the same port, with what is on its disk."""
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._directory)]
        self._process = subprocess.Popen(
            [needs("redis-server"), *place, "--save", "", *self._options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        said: list[str] = []
        for line in self._process.stdout:
            said.append(line)
            if "Ready to accept connections" in line:
                break
        else:
            raise AssertionError("".join(said))
        # What it says further is of no interest, but a full pipe would stop it.
        self._draining = threading.Thread(target=drain, args=(self._process.stdout,), daemon=True)
        self._draining.start()

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._process.kill()
        self._process.wait(WITHIN)
        self._draining.join(WITHIN)

    def stop(self) -> None:
        """Have it answer nothing until ``resume``."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have it go on."""
        self._process.send_signal(signal.SIGCONT)

    def do(self, *command: str) -> str:
        """What it answers, as ``redis-cli`` writes it."""
        call = [needs("redis-cli"), "-p", str(self.port), "--raw", *command]
        done = subprocess.run(call, capture_output=True, text=True, timeout=WITHIN, check=True)
        return done.stdout.rstrip("\n")

    def names(self, pattern: str = "*") -> list[str]:
        """The names of its keys, in order."""
        return sorted(self.do("KEYS", pattern).split())


def drain(file: IO[str]) -> None:
    """Read it to its end, and close it."""
    with file:
        file.read()


def free_port() -> int:
    """A port that nobody has just now."""
    with contextlib.closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@cache
def shared_server() -> RedisServer:
    """One for all tests of a process that keep to a prefix of their own. It ends with it."""
    directory = tempfile.TemporaryDirectory()
    server = RedisServer(Path(directory.name))
    atexit.register(directory.cleanup)
    atexit.register(server.kill)
    return server
