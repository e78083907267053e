"""``sans-io-stream demo``: see an answer survive the cuts of its connections.

``run`` lets it happen, ``show`` says what is seen of it. What the command line has to know
before either is imported stands here.
"""

from __future__ import annotations

__all__ = ["DIALECTS", "RESUMABLE", "RUNTIMES"]

RUNTIMES = ("asyncio", "trio", "anyio", "sync")
RESUMABLE = ("openai-responses", "holysheep", "gemini-interactions")
"""Dialects of answers that can be taken up again."""
DIALECTS = (*RESUMABLE, "openai-chat", "anthropic", "gemini", "ollama")
"""Of the others the request is sent again, and what comes is compared with what was there."""
