"""Chromium without a window, told what to do through two pipes: no port, no driver, no package.

It speaks the DevTools protocol, JSON behind each of which stands a NUL, on descriptors 3 and 4.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

__all__ = ["Chromium", "Page"]

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--no-proxy-server",
]  # fmt: skip
LAUNCH = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
WITHIN = 60.0
"""Seconds after which a browser that says nothing is a failure."""


def above(number: int) -> int:
    """The same end of a pipe, at a number that is none of those that the browser expects."""
    moved = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(number)
    return moved


class Chromium:
    """The browser, with a directory of its own for what it keeps."""

    def __init__(self, program: str, directory: Path) -> None:
        commands, self._asking = map(above, os.pipe())
        self._told, answers = map(above, os.pipe())
        browser = [program, *FLAGS, f"--user-data-dir={directory}", "--remote-debugging-pipe"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(commands), str(answers), *browser],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(commands, answers),
        )
        os.close(commands)
        os.close(answers)
        self._waiting = selectors.DefaultSelector()
        self._waiting.register(self._told, selectors.EVENT_READ)
        self._rest = b""
        self._number = 0
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.ask("Browser.close")
            self._process.wait(WITHIN)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._waiting.close()
            os.close(self._asking)
            os.close(self._told)

    def ask(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Have something done; returns what came of it. Meanwhile pages' errors are kept."""
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._asking, json.dumps(message).encode() + b"\0")
        while (told := self._message()).get("id") != number:
            if told.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(told["params"]))
        assert "error" not in told, (method, told)
        result: dict[str, Any] = told["result"]
        return result

    def _message(self) -> dict[str, Any]:
        deadline = time.monotonic() + WITHIN
        while b"\0" not in self._rest:
            assert self._waiting.select(deadline - time.monotonic()), "the browser says nothing"
            data = os.read(self._told, 1 << 20)
            assert data, "the browser has ended"
            self._rest += data
        one, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(one)
        return message

    def page(self, url: str) -> Page:
        """A page in a tab of its own, as soon as it is loaded."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        page.ask("Runtime.enable")
        page.ask("Page.enable")
        # A page that is going away takes what is evaluated in it along; this is asked of the next.
        page.ask("Page.navigate", url=url)
        page.run("new Promise((go) => document.readyState === 'complete' ? go() : (onload = go))")
        return page


class Page:
    """One tab."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Have something done to the page."""
        return self._browser.ask(method, self._session, **parameters)

    def run(self, script: str) -> Any:
        """What an expression is, waiting for it if it is a promise."""
        told = self.ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until a condition of the document's is true. Whenever it changes it is looked at."""
        self.run(
            f"""new Promise((go) => {{
                const look = () => {{ if ({condition}) {{ watch.disconnect(); go(); }} }};
                const watch = new MutationObserver(look);
                watch.observe(document, {{ subtree: true, childList: true, characterData: true,
                                           attributes: true }});
                look();
            }})"""
        )

    def picture(self, path: Path, *, scheme: str = "light", width: int = 800) -> None:
        """Write what it looks like, as PNG."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.ask("Emulation.setEmulatedMedia", features=[feature])
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=640, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))
