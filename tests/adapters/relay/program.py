"""The relay as a program of its own, and a client that reads it: for tests with processes."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, Self
from urllib.parse import urlsplit

from tests.sources import ADAPTERS, REPO

from .asgi import Answer

__all__ = ["Program", "fetch"]

ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(REPO), str(ADAPTERS.parent)]),
    "PYTHONUTF8": "1",
}
WITHIN = 30.0
"""Seconds after which a process that does not end is a failure."""


class Program:
    """``sans-io-stream relay`` with these arguments, at a free port. It is there when it is made;
    ``url`` is where. What it wrote on standard error is in ``log`` when it has ended."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "sans_io_stream", "relay", "--json", "--port", "0"]
        self._process = subprocess.Popen(
            [*command, *arguments],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._ended()
        self.told: dict[str, Any] = json.loads(line)
        self.url: str = self.told["url"]
        self.log = ""

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """The exit code, when it has ended."""
        self._ended()
        return self._process.returncode

    def kill(self) -> None:
        """Let it end in the middle of whatever it does."""
        self._process.kill()
        self.wait()

    def _ended(self) -> str:
        _, self.log = self._process.communicate(timeout=WITHIN)
        return self.log

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._process.returncode is None:
            self.kill()


def fetch(
    url: str,
    method: str,
    target: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    *,
    leave: Callable[[Answer], bool] = lambda answer: False,
) -> Answer:
    """One request, and what came of its response until it ended, ``leave`` was true, or the
    connection broke. ``leave`` is asked after the head, and after each read."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=WITHIN)
    answer = Answer()
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, target, sent, dict(headers or {}))
        response = connection.getresponse()
        answer.status = response.status
        answer.headers = {name.lower(): value for name, value in response.getheaders()}
        while not leave(answer):
            data = response.read1(65536)
            answer.body += data
            if not data:
                # An end that is none, inside a chunked body, raises.
                answer.whole = True
                return answer
    except (http.client.HTTPException, ConnectionError):
        return answer
    finally:
        connection.close()
    return answer
