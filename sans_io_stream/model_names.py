"""One model under all its names: the rules by which two spellings are the same model.

Each rule takes away, or writes in one way, what says where a model runs and not which one it
is. None guesses: a name is the same model or it is another one, and ``gpt-4.1-mini`` has no
rule that leads to ``gpt-4.1``.
"""

from __future__ import annotations

import re

__all__ = ["bare_name", "model_keys"]

REGIONS = "apac|au|ca|eu|global|jp|us|us-gov"
VENDORS = (
    "ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|moonshotai|"
    "nvidia|openai|qwen|stability|twelvelabs|writer|zai"
)

BEDROCK = re.compile(rf"^(?:(?:{REGIONS})\.)?(?:{VENDORS})\.(.+)$")
"""``us.anthropic.claude-…``: a model of Bedrock's, by region and vendor."""
BEDROCK_VERSION = re.compile(r"(?<!claude)(?<!instant)(?:-v\d+(?::\d+(?::\d+k)?)?|-\d+:\d+)$")
"""``-v1:0``, ``-v2``, ``-1:0``, ``-v1:0:200k``: how Bedrock numbers what it runs. In
``claude-v2:1`` the number is the model's own."""
AT = re.compile(r"@(?:\d{8}|latest|default)$")
"""``@20250929``: a date, as Vertex writes it."""
DATE = re.compile(r"-(?:20\d{2}-\d{2}-\d{2}|20\d{6})$")
"""``-2025-04-14``, ``-20250929``: the day of a snapshot. Shorter numbers are versions."""
DOT = re.compile(r"(?<=\d)\.(?=\d)")
"""The dot of a version: ``4.5``, which others write ``4-5``."""


def bare_name(name: str) -> str:
    """The name without what says where the model runs: rules 1 to 3."""
    name = name.strip().lower().rpartition("/")[2]
    bedrock = BEDROCK.match(name)
    return name if bedrock is None else BEDROCK_VERSION.sub("", bedrock[1])


def model_keys(name: str) -> tuple[str, ...]:
    """Under which keys the model of that name is known, the closest first.

    1. Letters are small.
    2. What stands before the last ``/`` says where it runs: ``anthropic/``, ``models/``,
       ``publishers/google/models/``, an ARN.
    3. Bedrock's region and vendor go, and with them its version: ``us.anthropic.`` and
       ``-v1:0``.
    4. ``@20250929`` is ``-20250929``; ``@latest``, ``@default`` and ``-latest`` are nothing.
    5. The dot of a version is a dash: ``4.5`` is ``4-5``.
    6. The day of a snapshot in one spelling: ``-2025-09-29`` is ``-20250929``. The first key
       keeps it, so that a snapshot may have a price of its own; the second goes without it.
    """
    key = bare_name(name)
    at = AT.search(key)
    if at is not None:
        key = key[: at.start()] + (f"-{at[0][1:]}" if at[0][1:].isdigit() else "")
    key = DOT.sub("-", key.removesuffix("-latest"))
    date = DATE.search(key)
    if date is None:
        return (key,)
    bare = key[: date.start()]
    return (f"{bare}-{date[0].replace('-', '')}", bare)
