"""One text, twice: the blocking one is the asynchronous one without ``async`` and ``await``."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.sources import label

from .unasync import TWINS, unasync


@pytest.mark.parametrize("path", TWINS, ids=label)
def test_the_blocking_text_is_the_asynchronous_one(path: Path) -> None:
    assert TWINS[path].read_text(encoding="utf-8") == unasync(path)


@pytest.mark.parametrize("path", TWINS.values(), ids=label)
def test_nothing_asynchronous_is_left_in_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncWith, ast.AsyncFor)
    assert not [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
    assert "async" not in text.split('"""', 2)[2]
