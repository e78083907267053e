"""xAI: chat completions.

OpenAI's protocol; usage comes where ``stream_options`` asks for it. Source: xAI's REST API
reference.
"""

from __future__ import annotations

from .building import Provider
from .family import chat_at

__all__ = ["BASE_URL", "PROVIDER", "chat"]

BASE_URL = "https://api.x.ai/v1"

chat = chat_at("xai", BASE_URL, options={"include_usage": True})

PROVIDER = Provider(
    "xai",
    chat,
    ("XAI_API_KEY",),
    aliases=("x-ai", "grok"),
)
