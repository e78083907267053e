"""Events → bytes: the way back. See ``encoder`` for its rules."""

from __future__ import annotations

from .encoder import Encoder

__all__ = ["Encoder"]
