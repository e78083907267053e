"""The run: an answer over real sockets that break, and what became of it.

A ``FaultServer`` on the loopback streams an answer and cuts it, the first time in the middle
of a character; ``open_stream`` of the chosen runtime reads on. What arrived is compared with
what was sent. No key, no network, no extra but the runtime's own.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sans_io_stream import (
    Disconnected,
    Event,
    Reconnecting,
    ReconnectPolicy,
    Resumed,
    StreamEnd,
    TextDelta,
    Timeouts,
    Transcript,
    Usage,
)

from ..cli_output import harmless
from ..testing import Break, Cut, FaultServer, draw
from . import RESUMABLE

if TYPE_CHECKING:
    from sans_io_stream.policy import Allowance

    from ..testing import Fault

__all__ = ["Report", "digest", "run"]

TEXT = (
    "An answer comes in pieces, and pieces get lost: a proxy restarts, a train enters a tunnel. "
    "This one is cut inside its 🦜, and then wherever the dice fall. Each time it goes on over "
    "a new connection, naïve words and 海 included, and nothing of it is missing or here twice."
)
SPEED = 2.0
"""Records go out at twice the pace of a generated answer, 10 ms each."""
DELAY = 0.05
"""Seconds before the next connection."""
PATIENCE = Timeouts(connect=5.0, response=5.0, idle=5.0, progress=5.0, total=20.0)
WHERE = {
    "byte": "between two bytes",
    "character": "in the middle of a character",
    "event": "in the middle of an event",
    "chunk-header": "in the header of a chunk",
}
HOW = {
    "continue": "went on behind what was there",
    "replay": "the answer came again, and was compared with what was there",
}


@dataclass
class Report:
    """What was sent, what arrived, and how."""

    runtime: str
    dialect: str
    sent: str
    arrived: str = ""
    outcome: str = ""
    cuts: list[str] = field(default_factory=list[str])
    connections: int = 0
    usage: Usage | None = None

    @property
    def equal(self) -> bool:
        """Nothing is missing, nothing is there twice."""
        return self.sent == self.arrived

    def differences(self) -> tuple[int, int]:
        """How many characters were lost, and how many are there that were not sent."""
        matcher = difflib.SequenceMatcher(None, self.sent, self.arrived, autojunk=False)
        lost = more = 0
        for kind, a, b, c, d in matcher.get_opcodes():
            if kind != "equal":
                lost, more = lost + b - a, more + d - c
        return lost, more

    def row(self) -> dict[str, Any]:
        """The report as plain data."""
        lost, more = self.differences()
        counts = ("prompt_tokens", "completion_tokens", "total_tokens")
        return {
            "runtime": self.runtime,
            "dialect": self.dialect,
            "outcome": self.outcome,
            "bytes": len(self.sent.encode()),
            "connections": self.connections,
            "cuts": len(self.cuts),
            "lost": lost,
            "duplicated": more,
            "sent": digest(self.sent),
            "arrived": digest(self.arrived),
            "usage": None
            if self.usage is None
            else {name: getattr(self.usage, name) for name in counts},
            "equal": self.equal,
        }


def digest(text: str) -> str:
    """The beginning of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run(
    runtime: str,
    dialect: str,
    *,
    cuts: int,
    seed: int,
    resume: bool,
    show: Callable[[str, bool], object] | None = None,
) -> Report:
    """Stream the answer over ``cuts`` breaks. ``show(text, aside)`` gets what is to be seen,
    as it comes: pieces of the answer, and, as an aside, what befell it.

    Raises ``ImportError`` where the runtime is not installed.
    """
    module = importlib.import_module(f"sans_io_stream_adapters.{runtime}")
    report = Report(runtime, dialect, TEXT)
    faults: list[Fault] = [Cut.in_character(1), *draw(seed, cuts - 1)] if cuts else []
    with FaultServer(dialect, text=TEXT, faults=faults, speed=SPEED) as server:
        stream = module.open_stream(
            server.request(),
            policy=policy_for(dialect, cuts, resume=resume),
            timeouts=PATIENCE,
            proxy=False,
            on_error="event",
        )
        look = Look(report, faults, show)
        if runtime == "sync":
            with stream:
                for event in stream:
                    look(event)
        else:
            drive(runtime, stream, look)
        transcript: Transcript = stream.transcript
        report.arrived, report.usage = transcript.text, transcript.usage
        report.connections = server.seen.connections
    return report


def policy_for(dialect: str, cuts: int, *, resume: bool) -> ReconnectPolicy:
    """Soon, and as often as it takes; not at all without ``resume``."""
    if not resume:
        return ReconnectPolicy.never()
    again: frozenset[Allowance] = frozenset({"replay"})
    return ReconnectPolicy(
        max_attempts=cuts + 5,
        max_retries=cuts + 5,
        initial_delay=DELAY,
        multiplier=1.0,
        jitter=0.0,
        allow=frozenset() if dialect in RESUMABLE else again,
    )


class Look:
    """Shows the events of a stream, and keeps what the report needs of them."""

    def __init__(
        self, report: Report, faults: list[Fault], show: Callable[[str, bool], object] | None
    ) -> None:
        self._report, self._faults, self._show = report, faults, show

    def _tell(self, text: str, aside: bool) -> None:
        if self._show is not None:
            self._show(text, aside)

    def __call__(self, event: Event) -> None:
        """Look at the next event."""
        match event:
            case TextDelta():
                self._tell(event.text, False)
            case Disconnected():
                what = event.error.message if event.error is not None else "the connection ended"
                fault = self._faults[len(self._report.cuts)]
                where = WHERE[fault.place] if isinstance(fault, Break) else "somewhere"
                self._report.cuts.append(where)
                # "..., at byte 5362 of the response"; what a reset met has no such place.
                self._tell(f"cut {where} ({harmless(what.rpartition(', ')[2])})", True)
            case Reconnecting():
                self._tell(f"connecting again in {event.delay * 1000:.0f} ms", True)
            case Resumed():
                self._tell(HOW.get(event.mode, event.mode), True)
            case StreamEnd():
                self._report.outcome = event.outcome
            case _:
                pass


def drive(runtime: str, stream: Any, look: Callable[[Event], None]) -> None:
    """Read ``stream`` to its end, in an event loop of its runtime."""

    async def read() -> None:
        async with stream:
            async for event in stream:
                look(event)

    if runtime == "trio":
        importlib.import_module("trio").run(read)
    elif runtime == "anyio":
        importlib.import_module("anyio").run(read)
    else:
        importlib.import_module("asyncio").run(read())
