"""Mistral: chat completions.

Usage comes unasked in the last chunk, and unknown fields such as ``stream_options`` are refused;
a break may be gone on from by a ``prefix``. Source: mistralai ``client/chat.py``,
``models/assistantmessage.py``.
"""

from __future__ import annotations

from .building import Provider
from .family import chat_at

__all__ = ["BASE_URL", "PROVIDER", "chat"]

BASE_URL = "https://api.mistral.ai"

chat = chat_at(
    "mistral",
    BASE_URL,
    path="v1/chat/completions",
    dialect="mistral",
    continuation="mistral",
    knows_developers=False,
)

PROVIDER = Provider(
    "mistral",
    chat,
    ("MISTRAL_API_KEY",),
    aliases=("mistralai",),
)
