"""The same calls twice: as this library is called, and as the vendor's own SDK is.

A *case* is one call. ``send`` makes it with the SDK, whose modules are imported where they are
used: they are there only in the environment that ``make goldens`` makes. What is said to the
SDK is what is said to the builder, apart from how each is told the key and the base URL.
"""

from __future__ import annotations

from .anthropic import ANTHROPIC_CASES
from .bedrock import BEDROCK_CASES
from .case import Case
from .google import GOOGLE_CASES
from .openai import AZURE_CASES, OPENAI_CASES
from .others import OTHER_CASES

__all__ = ["CASES", "Case"]

CASES = {
    case.name: case
    for case in (
        *OPENAI_CASES,
        *AZURE_CASES,
        *ANTHROPIC_CASES,
        *GOOGLE_CASES,
        *OTHER_CASES,
        *BEDROCK_CASES,
    )
}
"""Every call, by its name."""
