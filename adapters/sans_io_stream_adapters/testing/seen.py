"""What a server saw: its requests as values, and counts that threads may add to.

``Seen`` is a picture of one moment; ``Counts`` makes it. A request counts as being answered
from when it is whole until just before its last bytes go out: a client that asks again when
it has read them never finds itself counted twice.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from .faults import Fault

__all__ = ["Asked", "Counts", "Seen"]


@dataclass(frozen=True)
class Asked:
    """One request. Names of headers are in lower case; ``faults`` is what happened to it."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    faults: tuple[Fault, ...] = ()

    def header(self, name: str) -> str | None:
        """The first value of that header, None if it is not there."""
        name = name.lower()
        return next((value for known, value in self.headers if known == name), None)

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the target; of several with one name, the last."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def json(self) -> Any:
        """The body as JSON. Raises ``ValueError`` if it is none."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Seen:
    """What a server saw until now.

    ``connections`` were accepted, ``open`` of them are still there; ``requests`` came whole,
    of which ``most_at_once`` were being answered at the same time.
    """

    connections: int = 0
    open: int = 0
    requests: tuple[Asked, ...] = ()
    most_at_once: int = 0


class Counts:
    """The counts of one server. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._seen = Seen()
        self._answering = 0
        self._changed = threading.Condition()

    @property
    def seen(self) -> Seen:
        """The counts at this moment."""
        with self._changed:
            return self._seen

    def opened(self) -> None:
        """A connection was accepted."""
        with self._changed:
            self._note(connections=self._seen.connections + 1, open=self._seen.open + 1)

    def closed(self) -> None:
        """A connection is gone."""
        with self._changed:
            self._note(open=self._seen.open - 1)

    def begin(self, asked: Asked) -> None:
        """A request is whole, and being answered from now on."""
        with self._changed:
            self._answering += 1
            most = max(self._seen.most_at_once, self._answering)
            self._note(requests=(*self._seen.requests, asked), most_at_once=most)

    def end(self) -> None:
        """A request is answered, or never will be."""
        with self._changed:
            self._answering -= 1

    def wait_until(self, holds: Callable[[Seen], bool], timeout: float) -> Seen | None:
        """Wait until ``holds`` is true of the counts; None if it never was in that time."""
        with self._changed:
            return (
                self._seen if self._changed.wait_for(lambda: holds(self._seen), timeout) else None
            )

    def _note(self, **news: Any) -> None:
        with self._changed:
            self._seen = replace(self._seen, **news)
            self._changed.notify_all()
