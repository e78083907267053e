"""What is seen of a run: the answer as it comes, what befalls it, and the account at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from .run import Report, digest

__all__ = ["shown_on", "table"]

WIDTH = 76
"""Columns, the margin of two included."""
DIM, GREEN, RED, RESET = "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m"


def shown_on(out: TextIO, *, colours: bool) -> Callable[[str, bool], None]:
    """A ``show`` for ``run``: pieces of the answer are wrapped as they come, and what befalls
    it stands on lines of its own."""
    dim, reset = (DIM, RESET) if colours else ("", "")
    column = 0

    def show(text: str, aside: bool) -> None:
        nonlocal column
        if aside:
            out.write("\n" if column else "")
            out.write(f"  {dim}── {text}{reset}\n")
            column = 0
        else:
            if column and column + len(text) > WIDTH and text[:1].isspace():
                out.write("\n")
                column = 0
            if not column:
                text = f"  {text.lstrip()}"
            out.write(text)
            column += len(text)
        out.flush()

    return show


def table(report: Report, *, colours: bool) -> str:
    """The account, as people read it."""
    lost, more = report.differences()
    usage, tokens = report.usage, "none told"
    if usage is not None:
        tokens = f"{usage.prompt_tokens}+{usage.completion_tokens}={usage.total_tokens} tokens"
    good, bad, reset = (GREEN, RED, RESET) if colours else ("", "", "")
    verdict = f"{good}✓ the same{reset}" if report.equal else f"{bad}✗ not the same{reset}"
    rows = [
        ("answer", f"{len(report.sent.encode())} bytes of text by {report.dialect}"),
        ("cuts", f"{len(report.cuts)}, read on {report.runtime}, {report.connections} connections"),
        ("lost", f"{lost} characters"),
        ("duplicated", f"{more} characters"),
        ("sent", f"sha256 {digest(report.sent)}…"),
        ("arrived", f"sha256 {digest(report.arrived)}…  {verdict}"),
        ("usage", tokens),
        ("outcome", report.outcome),
    ]  # fmt: skip
    return "".join(f"  {name:11}{value}\n" for name, value in rows)
