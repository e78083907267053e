"""DeepSeek: chat completions.

Usage comes where ``stream_options`` asks for it; a break may be gone on from behind the text so
far ("Chat Prefix Completion", below ``/beta``). Source: DeepSeek's API documentation.
"""

from __future__ import annotations

from .building import Provider
from .family import chat_at

__all__ = ["BASE_URL", "PROVIDER", "chat"]

BASE_URL = "https://api.deepseek.com"

chat = chat_at(
    "deepseek",
    BASE_URL,
    options={"include_usage": True},
    continuation="deepseek",
    knows_developers=False,
)

PROVIDER = Provider(
    "deepseek",
    chat,
    ("DEEPSEEK_API_KEY",),
    calls={"max_completion_tokens": "max_tokens"},
)
