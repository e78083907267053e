"""What the documentation shows, works: every Python block of it runs, and prints what it says.

Each block of README.md and docs/*.md that opens with ```python runs in a namespace of its
own. A block marked with ``<!-- output -->`` on a line before it is what the Python block
above it prints. What the pages state in tables is compared with the code.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from sans_io_stream import Event, Finish, FinishReason, Limits, StreamEnd, TextDelta
from sans_io_stream.dialects.registry import ALIASES, DIALECTS
from sans_io_stream.encoding import Encoder
from sans_io_stream.encoding.registry import FORMATS
from sans_io_stream.errors import ErrorKind
from sans_io_stream_adapters import cli, tour
from sans_io_stream_adapters.demo import run
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


# ---- what the pages state in tables is what the code says


def page(name: str) -> str:
    return (REPO / "docs" / name).read_text("utf-8")


def rows(name: str) -> list[list[str]]:
    """The cells of all table rows of a page."""
    lines = [line for line in page(name).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_limits_are_those_of_the_code() -> None:
    told = {names(row[0])[0]: row[1] for row in rows("limits.md") if names(row[0])}
    limits = Limits()
    assert told == {name: f"{getattr(limits, name):,}" for name in limits.__struct_fields__}


def test_every_event_is_told_with_its_tag_and_fields() -> None:
    told = {
        names(row[0])[0]: (names(row[1]), names(row[2]))
        for row in rows("events.md")
        if len(row) == 4 and names(row[0])
    }
    assert told == {
        cls.__name__: ([cls.__struct_config__.tag], list(cls.__struct_fields__))
        for cls in get_args(Event)
    }


def test_every_dialect_and_alias_is_told() -> None:
    table = rows("dialects.md")
    assert {names(row[0])[0] for row in table if len(row) == 5 and names(row[0])} == set(DIALECTS)
    told = {
        alias: names(row[1])[0]
        for row in table[[row[0] for row in table].index("alias") :]
        for alias in names(row[0])
    }
    assert told == ALIASES


def test_every_format_is_told_with_its_framings_and_its_losses() -> None:
    table = [row for row in rows("encoding.md") if len(row) == 2]
    begin = next(n for n, row in enumerate(table) if row[0] == "format") + 1
    told = {names(row[0])[0]: tuple(names(row[1])) for row in table[begin : begin + len(FORMATS)]}
    assert told == {name: cls.framings for name, cls in FORMATS.items()}
    headings = re.findall(r"^### `(.+)`$", page("encoding.md"), re.MULTILINE)
    assert sorted(headings) == sorted(FORMATS)


def test_the_words_for_finish_reasons_are_those_that_are_written() -> None:
    table = [row for row in rows("encoding.md") if len(row) == 7]
    formats = [names(cell)[0] for cell in table[0][1:]]
    told = {names(row[0])[0]: [names(cell)[0] for cell in row[1:]] for row in table[1:]}
    assert told.keys() == set(get_args(FinishReason))
    for reason in get_args(FinishReason):
        for format, word in zip(formats, told[reason], strict=True):
            encoder = Encoder(format)
            events: list[Event] = [TextDelta("x"), Finish(reason), StreamEnd("complete")]
            body = b"".join(encoder.encode(event) for event in events).decode()
            status, _, why = word.partition(":")
            assert f'"{why or status}"' in body
            assert not why or f'"status":"{status}"' in body


def test_every_kind_of_error_is_told() -> None:
    kinds = {names(row[0])[0] for row in rows("errors.md") if len(row) == 2 and names(row[0])}
    assert kinds >= set(get_args(ErrorKind))


def test_every_page_is_in_its_index() -> None:
    for index in (REPO / "docs" / "README.md", REPO / "docs" / "decisions" / "README.md"):
        told = set(re.findall(r"\]\(([^)]+\.md)\)", index.read_text("utf-8")))
        assert told >= {path.name for path in index.parent.glob("*.md")} - {"README.md"}


@pytest.mark.parametrize("path", [*PAGES, *sorted((REPO / "docs").glob("*/*.md"))], ids=label)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}


def test_the_demo_prints_what_the_readme_shows(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The same, but nobody has to watch it.
    monkeypatch.setattr(run, "SPEED", None)
    text = (REPO / "README.md").read_text("utf-8")
    shown = text.partition("$ make demo\n")[2].partition("```")[0]
    assert cli.main(["demo"]) == 0
    assert capsysbinary.readouterr().out.decode() == shown


def test_the_tour_prints_what_its_page_shows() -> None:
    shown = page("cli.md").partition("$ sans-io-stream tour\n")[2].partition("```")[0]
    assert shown.strip("\n") == tour.table(tour.visit(), colours=False).strip("\n")


def test_the_first_example_of_the_readme_has_ten_lines() -> None:
    first = examples(REPO / "README.md")[0]
    assert "receive_data" in first.code
    assert first.code.count("\n") == 10
