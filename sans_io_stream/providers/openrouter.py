"""OpenRouter: chat completions of many providers' models.

Usage always comes in the last chunk; ``stream_options.include_usage`` has no effect. Source:
OpenRouter's API reference, "Usage Accounting"; openrouter ``components/chatstreamoptions.py``.
"""

from __future__ import annotations

from .building import Provider
from .family import chat_at

__all__ = ["BASE_URL", "PROVIDER", "chat"]

BASE_URL = "https://openrouter.ai/api/v1"

chat = chat_at("openrouter", BASE_URL)

PROVIDER = Provider(
    "openrouter",
    chat,
    ("OPENROUTER_API_KEY",),
)
