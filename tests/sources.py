"""The project's source files as the tests that read code see them: paths, trees, imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

REPO = Path(__file__).parents[1]
CORE = REPO / "sans_io_stream"
ADAPTERS = REPO / "adapters" / "sans_io_stream_adapters"


class Import(NamedTuple):
    """One imported name, made absolute: ``from ..framing import items`` is ``pkg.framing.items``.

    ``module`` is what must exist for the import to work; ``name`` is None for ``import a.b``.
    """

    module: str
    name: str | None
    line: int

    @property
    def target(self) -> str:
        """The most that may be a module: a name taken from a package may be a submodule."""
        return f"{self.module}.{self.name}" if self.name else self.module

    def within(self, prefix: str) -> bool:
        """Whether this imports the module ``prefix``, or anything below it."""
        return f"{self.target}.".startswith(f"{prefix}.")


def core_files() -> list[Path]:
    """Every module of the core but ``__main__``, which is exempt from its rules."""
    return [path for path in sorted(CORE.rglob("*.py")) if path != CORE / "__main__.py"]


def adapter_files() -> list[Path]:
    """Every module of the adapters."""
    return sorted(ADAPTERS.rglob("*.py"))


def label(path: Path) -> str:
    """A file's path from the top of the repository, as tests name it."""
    return path.relative_to(REPO).as_posix()


def module_name(path: Path) -> str:
    """The dotted name under which a file is imported."""
    root = ADAPTERS.parent if path.is_relative_to(ADAPTERS) else REPO
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[Import]:
    """Every import of a file, at any depth, also those for type checkers alone."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package.pop()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, None, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            module = [node.module] if node.module else []
            if node.level:
                above = package[: max(0, len(package) - node.level + 1)]
                module = above + module if above else ["(beyond the top)", *module]
            for alias in node.names:
                yield Import(".".join(module), alias.name, node.lineno)
