"""What the documentation shows, works: every Python block of it runs, and prints what it says.

Each block of README.md and docs/*.md that opens with ```python runs in a namespace of its
own. A block marked with ``<!-- output -->`` on a line before it is what the Python block
above it prints.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.sources import REPO, label

MARK = "<!-- output -->"
# A fence closes with its own indentation and as many backticks or more.
FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>```+)(?P<language>[^\n`]*)\n"
    r"(?P<body>.*?)^(?P=indent)(?P=ticks)`* *$",
    re.MULTILINE | re.DOTALL,
)


class Example(NamedTuple):
    """One Python block, and what it prints if the page says so."""

    path: Path
    line: int
    code: str
    output: str | None

    def __str__(self) -> str:
        return f"{label(self.path)}:{self.line}"


def dedented(block: re.Match[str]) -> str:
    indent = len(block["indent"])
    return "".join(line[indent:] or "\n" for line in block["body"].splitlines(keepends=True))


def examples(path: Path) -> list[Example]:
    text = path.read_text("utf-8")
    found: list[Example] = []
    end = 0
    for block in FENCE.finditer(text):
        marked = text[end : block.start()].rstrip().endswith(MARK)
        end = block.end()
        if marked:
            assert found, f"{path.name}: an output before any code"
            assert found[-1].output is None, f"{path.name}: two outputs of one block"
            found[-1] = found[-1]._replace(output=dedented(block))
        elif (block["language"].split() or [""])[0] == "python":
            line = text.count("\n", 0, block.start("body")) + 1
            found.append(Example(path, line, dedented(block), None))
    return found


PAGES = [REPO / "README.md", *sorted((REPO / "docs").glob("*.md"))]


@pytest.mark.parametrize("example", [one for page in PAGES for one in examples(page)], ids=str)
def test_runs_and_prints_what_the_page_says(example: Example) -> None:
    # Blank lines above the code make a traceback show the page's own line numbers.
    source = "\n" * (example.line - 1) + example.code
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, str(example.path), "exec"), {"__name__": "__main__"})
    if example.output is not None:
        assert printed.getvalue().rstrip() == example.output.rstrip()


def test_the_readme_shows_code_and_its_output() -> None:
    assert any(example.output for example in examples(REPO / "README.md"))


def test_blocks_are_found_with_their_lines_and_outputs(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "text\n```python\nprint(1)\n```\n\n<!-- output -->\n```text\n1\n```\n"
        "- item\n\n  ```python\n  if True:\n\n      print(2)\n  ```\n```sh\nls\n```\n"
    )
    assert examples(page) == [
        Example(page, 3, "print(1)\n", "1\n"),
        Example(page, 13, "if True:\n\n    print(2)\n", None),
    ]
