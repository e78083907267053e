"""Where genai-prices reads a usage object otherwise than we do, and why.

(provider of the capture, dialect) → field → reason. The field ``refused`` stands for objects
that its extractor does not take at all. The test fails for a disagreement that is not here, and
for one that is here and no longer occurs.
"""

from __future__ import annotations

__all__ = ["DISAGREEMENTS"]

BESIDE = (
    "the part is more than its whole, so it was counted beside it: xAI's models do so for what "
    "a cache held, and a bill made of the whole alone would charge less than was read"
)
MORE_THAN_ALL = (
    "more reasoning than completion, while the total says that none stands beside it: no more of "
    "a completion can be reasoning than there is of it"
)
AT_THE_TOP = "the count stands at the top of the object, where the extractor does not look"
NUMBERS = "modalities are numbers here, and the extractor's comparison of texts breaks on them"

DISAGREEMENTS: dict[tuple[str, str], dict[str, str]] = {
    ("azure", "openai-chat"): {
        "prompt_tokens": BESIDE,
        "reasoning_tokens": AT_THE_TOP,
    },
    ("copilot", "openai-chat"): {"reasoning_tokens": AT_THE_TOP},
    ("databricks", "openai-chat"): {
        "refused": "a snapshot before the first word has a prompt and no completion; the "
        "extractor wants both",
    },
    ("google", "gemini"): {"refused": NUMBERS},
    ("hf-together", "openai-chat"): {"cached_tokens": AT_THE_TOP},
    ("mistral", "mistral"): {
        "prompt_tokens": "audio stands beside the prompt's text: 11 + 375 + 15 is the total",
    },
    ("openrouter", "openai-chat"): {"reasoning_tokens": MORE_THAN_ALL},
    ("vercel-gateway", "openai-chat"): {
        "cache_write_tokens": AT_THE_TOP,
        "reasoning_tokens": MORE_THAN_ALL,
    },
    ("vertex", "gemini"): {"refused": NUMBERS},
}
