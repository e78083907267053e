"""Cohere: chat, version 2.

Usage comes unasked in ``message-end``. Source: cohere ``v2/raw_client.py``.
"""

from __future__ import annotations

from .building import Provider
from .family import chat_at

__all__ = ["BASE_URL", "PROVIDER", "chat"]

BASE_URL = "https://api.cohere.com"

chat = chat_at("cohere", BASE_URL, path="v2/chat", dialect="cohere", knows_developers=False)

PROVIDER = Provider(
    "cohere",
    chat,
    ("CO_API_KEY", "COHERE_API_KEY"),
    {"base_url": ("CO_API_URL",)},
)
