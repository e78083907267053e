"""Events → bytes: the way back. See ``encoder`` for its rules, ``whole`` and ``refusals`` for
documents instead of streams."""

from __future__ import annotations

from .encoder import Encoder
from .refusals import error_document, error_headers
from .whole import whole_answer

__all__ = ["Encoder", "error_document", "error_headers", "whole_answer"]
