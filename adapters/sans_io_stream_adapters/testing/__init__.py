"""FaultServer: real HTTP on the loopback that streams answers as badly as it is told to.

``server`` is what a test holds; ``playing`` (with ``writers``) what it plays; ``resuming`` how
each mechanism goes on; ``faults`` and ``plan`` what goes wrong; ``answering``, ``http``,
``delivery`` and ``connection`` the way of a response from values to the socket; ``seen`` what
it counts; ``process`` where it runs.
"""

from __future__ import annotations

from .faults import (
    Break,
    Busy,
    Cut,
    Fault,
    Forget,
    Heartbeats,
    Ignore,
    Jump,
    Lie,
    NoEnd,
    Refuse,
    Repeat,
    Reset,
    Skip,
    Stall,
    Well,
)
from .plan import BREAKS, EVERYTHING, Plan, draw
from .seen import Asked, Seen
from .server import FaultServer

__all__ = [
    "BREAKS",
    "EVERYTHING",
    "Asked",
    "Break",
    "Busy",
    "Cut",
    "Fault",
    "FaultServer",
    "Forget",
    "Heartbeats",
    "Ignore",
    "Jump",
    "Lie",
    "NoEnd",
    "Plan",
    "Refuse",
    "Repeat",
    "Reset",
    "Seen",
    "Skip",
    "Stall",
    "Well",
    "draw",
]
