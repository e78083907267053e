"""One loop, twice: the blocking one is the asynchronous one without ``async`` and ``await``."""

from __future__ import annotations

import ast

from .unasync import LOOP, SYNC, unasync


def test_the_blocking_loop_is_the_asynchronous_one() -> None:
    assert SYNC.read_text(encoding="utf-8") == unasync(LOOP.read_text(encoding="utf-8"))


def test_nothing_asynchronous_is_left_in_it() -> None:
    tree = ast.parse(SYNC.read_text(encoding="utf-8"))
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncWith, ast.AsyncFor)
    assert not [node for node in ast.walk(tree) if isinstance(node, kinds)]
    assert "async" not in SYNC.read_text(encoding="utf-8").split('"""', 2)[2]
