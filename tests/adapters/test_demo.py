"""The demo: every runtime and dialect, what it counts, and how the command ends."""

from __future__ import annotations

import io
import json

import pytest

from sans_io_stream_adapters import cli
from sans_io_stream_adapters.demo import DIALECTS, RUNTIMES, run
from sans_io_stream_adapters.demo.run import Report
from sans_io_stream_adapters.demo.show import shown_on, table


@pytest.fixture(autouse=True)
def at_full_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SPEED", None)
    monkeypatch.setattr(run, "DELAY", 0.0)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_arrives_whole(dialect: str) -> None:
    report = run.run("asyncio", dialect, cuts=3, seed=13, resume=True)
    assert report.equal
    assert report.outcome == "complete"
    assert (len(report.cuts), report.connections) == (3, 4)
    assert report.differences() == (0, 0)
    assert report.cuts[0] == "in the middle of a character"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_reads_on(runtime: str, seed: int) -> None:
    report = run.run(runtime, "openai-responses", cuts=6, seed=seed, resume=True)
    assert report.equal
    assert report.outcome == "complete"


def test_without_resuming_the_rest_is_lost_and_said_to_be() -> None:
    report = run.run("asyncio", "openai-responses", cuts=3, seed=13, resume=False)
    assert not report.equal
    assert report.outcome == "interrupted"
    assert report.sent.startswith(report.arrived)
    assert report.differences() == (len(report.sent) - len(report.arrived), 0)


def test_without_cuts_there_is_one_connection() -> None:
    report = run.run("asyncio", "openai-responses", cuts=0, seed=13, resume=True)
    assert (report.cuts, report.connections, report.equal) == ([], 1, True)


def test_what_is_doubled_is_counted() -> None:
    report = Report("sync", "openai-chat", "one two", "one one two")
    assert report.differences() == (0, 4)
    assert not report.row()["equal"]


def test_the_answer_is_shown_as_it_comes() -> None:
    out = io.StringIO()
    show = shown_on(out, colours=False)
    report = run.run("asyncio", "openai-responses", cuts=3, seed=13, resume=True, show=show)
    lines = out.getvalue().splitlines()
    said = " ".join(line.strip() for line in lines if not line.startswith("  ──"))
    assert said.split() == report.sent.split()
    assert sum(line.startswith("  ── cut ") for line in lines) == 3
    assert max(map(len, lines)) <= 80
    assert "✓ the same" in table(report, colours=False)
    assert "\x1b" not in table(report, colours=False)


def test_the_command_says_whether_all_arrived(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert cli.main(["demo", "--json", "--runtime", "sync"]) == 0
    told = json.loads(capsysbinary.readouterr().out)
    assert told["equal"]
    assert told["lost"] == told["duplicated"] == 0
    assert told["sent"] == told["arrived"]
    assert told["usage"]["total_tokens"] > 0
    assert cli.main(["demo", "--no-resume"]) == 1
    assert "✗ not the same" in capsysbinary.readouterr().out.decode()


def test_a_number_of_cuts_that_makes_no_sense_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["demo", "--cuts", "-1"]) == 2
    assert "--cuts is a number from 0 to 40" in capsys.readouterr().err
