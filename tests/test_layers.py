"""Who may know of whom: the drawing at the top of the design, as a test.

Bytes go down the way once. A framing knows nothing of providers, a dialect nothing of
bytes, the core nothing of the adapters; and every file stays small and says why it exists.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.sources import REPO, adapter_files, core_files, imports, label, tree
from tests.test_purity import DOORS

CORE_FILES = core_files()
ALL_FILES = CORE_FILES + adapter_files()
MOST_LINES = 450

# layer: (what it must not import, the exceptions)
RULES: dict[str, tuple[set[str], set[str]]] = {
    "framing": (
        {"capture", "decoder", "dialects", "encoding", "http", "providers", "relay", "request",
         "session", "transcript"},
        set(),
    ),
    "dialects": (
        {"capture", "decoder", "encoding", "framing", "http", "providers", "relay", "request",
         "session"},
        {"framing.items"},
    ),
    "encoding": ({"decoder", "http", "providers", "relay", "session"}, set()),
    "decoder": ({"encoding", "http", "providers", "relay", "request", "session"}, set()),
    **dict.fromkeys(
        ("headers", "http", "http_body", "http_head", "http_request", "redirect", "url"),
        (
            {"capture", "decoder", "dialects", "encoding", "events", "framing", "providers",
             "relay", "request", "session", "snapshot", "transcript"},
            set[str](),
        ),
    ),
    "providers": (
        {"capture", "decoder", "dialects", "document", "encoding", "events", "framing", "http",
         "http_body", "http_head", "http_request", "iterate", "observing", "relay", "resume",
         "session", "snapshot", "transcript"},
        set(),
    ),
    "secret": (
        {"capture", "decoder", "dialects", "encoding", "events", "framing", "http", "providers",
         "relay", "request", "session", "snapshot", "transcript"},
        set(),
    ),
    "events": ({"decoder", "dialects", "encoding", "framing", "session", "transcript"}, set()),
    "translation": (
        {"capture", "decoder", "encoding", "events", "framing", "http", "providers", "relay",
         "request", "session", "strategies", "transcript"},
        set(),
    ),
    "transcript": ({"decoder", "dialects", "encoding", "framing", "session"}, set()),
}  # fmt: skip


def layer(path: Path) -> str:
    """The part of the core that a file belongs to: its directory there, or its own name."""
    return path.relative_to(REPO).with_suffix("").parts[1]


@pytest.mark.parametrize("path", [path for path in CORE_FILES if layer(path) in RULES], ids=label)
def test_knows_only_what_is_below(path: Path) -> None:
    forbidden, excepted = RULES[layer(path)]
    found = [
        f"line {item.line}: {item.target}"
        for item in imports(path)
        if any(item.within(f"sans_io_stream.{name}") for name in forbidden)
        and not any(item.within(f"sans_io_stream.{name}") for name in excepted)
    ]
    assert not found


@pytest.mark.parametrize("path", CORE_FILES, ids=label)
def test_core_knows_no_adapter(path: Path) -> None:
    doors = DOORS.get(label(path), set())
    found = [item for item in imports(path) if item.within("sans_io_stream_adapters")]
    assert not [item for item in found if item.target not in doors]


@pytest.mark.parametrize("path", ALL_FILES, ids=label)
def test_is_small_and_says_why_it_exists(path: Path) -> None:
    assert ast.get_docstring(tree(path)), "a module opens with why it exists"
    lines = path.read_text("utf-8").count("\n")
    assert lines <= MOST_LINES, "a file that long has two jobs"


def test_adapters_is_a_root_and_not_a_package() -> None:
    assert not (REPO / "adapters" / "__init__.py").exists()


def test_both_packages_are_typed() -> None:
    assert (REPO / "sans_io_stream" / "py.typed").exists()
    assert (REPO / "adapters" / "sans_io_stream_adapters" / "py.typed").exists()
