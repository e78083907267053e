"""Groq: chat completions.

Usage comes unasked, in ``x_groq`` of the last chunk. Source: groq
``resources/chat/completions.py``, ``types/chat/chat_completion_chunk.py``.
"""

from __future__ import annotations

from .building import Provider
from .family import chat_at

__all__ = ["BASE_URL", "PROVIDER", "chat"]

BASE_URL = "https://api.groq.com"

chat = chat_at("groq", BASE_URL, path="openai/v1/chat/completions")

PROVIDER = Provider(
    "groq",
    chat,
    ("GROQ_API_KEY",),
    {"base_url": ("GROQ_BASE_URL",)},
)
