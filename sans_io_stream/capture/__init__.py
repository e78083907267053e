"""Captures: response bodies as they came, read by read, in a form to keep and to replay.

What recorders lose is kept: where the reads of the network began and ended, and when they
came. The rules of this package: lines of text in, lines of text out. Opening files is the
adapters' side, behind the one door of ``Capture.open`` and ``CaptureWriter``
(docs/decisions/0002-captures-open-files.md).
"""

from __future__ import annotations

from .lines import End, Read, is_capture
from .reader import CaptureReader
from .recorded import Capture
from .writer import CaptureWriter

__all__ = ["Capture", "CaptureReader", "CaptureWriter", "End", "Read", "is_capture"]
