"""What the relay imports is installed with it: an environment of developers has more."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.sources import ADAPTERS, REPO, imports, label

OURS = {"sans_io_stream", "sans_io_stream_adapters"}
ELSEWHERE = {"_typeshed", "trio"}
"""For type checkers alone; imported only where it runs."""
NAME = re.compile(r"[A-Za-z0-9_.-]+")


def declared(*extras: str) -> set[str]:
    """The packages of these extras, and of none, by the names that they are imported by."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))["project"]
    told = list(project["dependencies"])
    for extra in extras:
        told += project["optional-dependencies"][extra]
    names = [found[0] for one in told if (found := NAME.match(one)) is not None]
    return {name.lower().replace("-", "_") for name in names}


@pytest.mark.parametrize("path", sorted((ADAPTERS / "relay").glob("*.py")), ids=label)
def test_what_is_imported_is_declared(path: Path) -> None:
    roots = {one.module.partition(".")[0] for one in imports(path)}
    known = declared("relay", "redis") if path.stem.startswith("redis") else declared("relay")
    assert roots - OURS - ELSEWHERE - set(sys.stdlib_module_names) <= known
