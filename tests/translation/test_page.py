"""The page about the relay says of each field what the rows say that are tested."""

from __future__ import annotations

import re

from tests.sources import REPO

from .rows import ALL, ROWS, Row

PAGE = REPO / "docs" / "relay.md"
INDEX = re.compile(r"\.\d+")


def cell(row: Row, target: str) -> str:
    """Where a format says it, element by element without numbers."""
    told = row.told[target]
    if isinstance(told, str):
        return told
    paths = [INDEX.sub("[]", path) for path, value in told.items() if value is not None]
    return ", ".join(f"`{path}`" for path in dict.fromkeys(paths)) or "left out"


def table() -> str:
    """The table of the page."""
    lines = [f"| in the request | {' | '.join(f'`{name}`' for name in ALL)} |"]
    lines.append("|---" * (len(ALL) + 1) + "|")
    for row in ROWS:
        # A row whose name is a field's is one of the client's format.
        name = row.name if " " in row.name else f"`{row.name}`"
        lines.append(f"| {name} | {' | '.join(cell(row, target) for target in ALL)} |")
    return "\n".join(lines)


def test_the_table_of_fields_is_the_one_that_is_tested() -> None:
    assert f"\n{table()}\n" in PAGE.read_text("utf-8")
