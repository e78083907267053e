"""The command line, as a shell sees it: what comes when, where it goes, how it ends.

Nothing here sleeps: a piece is written, and the line that it completes is waited for.
"""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sans_io_stream.capture import Capture
from sans_io_stream.events import StreamEnd, TextDelta, decode_event
from sans_io_stream_adapters import cli
from tests.sources import ADAPTERS, REPO

pty = pytest.importorskip("pty", reason="terminals are tested where there are some")

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "TERM"}},
    "PYTHONPATH": os.pathsep.join([str(REPO), str(ADAPTERS.parent)]),
    "PYTHONUTF8": "1",
    "TERM": "xterm-256color",
}
COMMAND = [sys.executable, "-m", "sans_io_stream"]


def chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m"}
    return b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"


THOUGHT = chunk({"reasoning_content": "Hm."})
USAGE = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[],'
    b'"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n'
)
HELLO = chunk({"content": "Hello, "})
WORLD = chunk({"content": "wörld"}, "stop")
DONE = b"data: [DONE]\n\n"
BODY = THOUGHT + HELLO + WORLD + USAGE + DONE
FAILED = HELLO + b'data: {"error":{"message":"boom","type":"server_error"}}\n\n'
NASTY = "a\x1b]0;pwned\x07\x9b2J\r\x7f\u202egnp.exe\tz\n"


def run(
    *arguments: str, data: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments],
        input=data,
        capture_output=True,
        env={**ENVIRONMENT, **environment},
        timeout=60,
        check=False,
    )


def on_terminal(*arguments: str, data: bytes, **environment: str) -> str:
    """What a terminal is sent, where standard output is one."""
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**ENVIRONMENT, **environment},
    )
    os.close(theirs)
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.close()
    sent = b""
    try:
        while piece := os.read(mine, 4096):
            sent += piece
    except OSError:  # how Linux says that the other side has gone
        pass
    os.close(mine)
    process.wait(60)
    return sent.decode().replace("\r\n", "\n")


class Piped:
    """A process that is fed piece by piece, and asked for a line at a time."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=ENVIRONMENT,
        )
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        self.stdin, self.stdout, self.stderr = (
            self.process.stdin, self.process.stdout, self.process.stderr,
        )  # fmt: skip

    def feed(self, data: bytes) -> None:
        self.stdin.write(data)

    def end(self) -> tuple[int, bytes, bytes]:
        self.stdin.close()
        out = b"" if self.stdout.closed else self.stdout.read()
        return self.process.wait(60), out, self.stderr.read()


@pytest.fixture
def piped() -> Iterator[Any]:
    started: list[Piped] = []

    def start(*arguments: str) -> Piped:
        started.append(Piped(*arguments))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait(60)
        for stream in (one.stdin, one.stdout, one.stderr):
            stream.close()


@pytest.fixture
def body(tmp_path: Path) -> Path:
    path = tmp_path / "body.sse"
    path.write_bytes(BODY)
    return path


# ---- events


def test_a_body_becomes_a_line_of_json_for_each_event(body: Path) -> None:
    done = run("decode", str(body))
    events = [decode_event(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, b"")
    assert TextDelta("Hello, ") in events
    assert events[-1] == StreamEnd("complete")


def test_a_capture_is_known_by_its_first_line(tmp_path: Path) -> None:
    capture = Capture.of(BODY, dialect="openai-chat").resplit(1)
    path = tmp_path / "a"
    path.write_text("\n".join(capture.lines()), "utf-8")
    assert run("decode", str(path)).stdout == run("decode", "-", data=BODY).stdout
    assert run("decode", "-", data=path.read_bytes()).returncode == 0
    torn = run("decode", "-", data=path.read_bytes()[:-90])
    assert decode_event(torn.stdout.splitlines()[-1]) == capture.cut(len(BODY)).events()[-1]
    as_text = run("decode", "--dialect", "text", "--text", str(path))
    assert as_text.stdout == BODY


def test_an_option_outweighs_the_captures_head(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("\n".join(Capture.of(b'{"error":{"message":"no"}}').lines()), "utf-8")
    assert run("decode", "--status", "401", str(path)).returncode == 4


def test_events_come_while_the_bytes_come(piped: Any) -> None:
    process = piped("decode", "-")
    process.feed(HELLO)
    assert b"stream_start" in process.stdout.readline()
    assert decode_event(process.stdout.readline()) == TextDelta("Hello, ")
    process.feed(WORLD[:60])
    process.feed(WORLD[60:])
    assert decode_event(process.stdout.readline()) == TextDelta("wörld")
    process.feed(DONE)
    code, out, err = process.end()
    assert (code, err) == (0, b"")
    assert decode_event(out.splitlines()[-1]) == StreamEnd("complete")


def test_a_capture_is_followed_while_it_is_written(piped: Any) -> None:
    head, first, *_, last = Capture.of([HELLO, WORLD]).lines()
    process = piped("decode", "-")
    process.feed(head[:40].encode())
    process.feed(f"{head[40:]}\n{first}\n".encode())
    assert b"stream_start" in process.stdout.readline()
    assert decode_event(process.stdout.readline()) == TextDelta("Hello, ")
    process.feed(last.encode())
    assert process.end()[0] == 3


def test_raw_shows_the_records_too(body: Path) -> None:
    kinds = [
        json.loads(line)["event"] for line in run("decode", "--raw", str(body)).stdout.splitlines()
    ]
    assert kinds[:3] == ["record", "stream_start", "reasoning"]


# ---- text


def test_text_is_the_answer_and_nothing_else(body: Path) -> None:
    done = run("decode", "--text", str(body))
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello, wörld".encode(), b"")


def test_text_comes_while_the_bytes_come(piped: Any) -> None:
    process = piped("decode", "--text", "-")
    process.feed(HELLO)
    assert process.stdout.read(7) == b"Hello, "


def test_a_pipe_gets_the_text_as_it_is() -> None:
    done = run("decode", "--text", "-", data=chunk({"content": NASTY}, "stop"))
    assert done.stdout == NASTY.encode()


def test_a_terminal_gets_no_command() -> None:
    sent = on_terminal("decode", "--text", "-", data=chunk({"content": NASTY}, "stop"))
    assert sent == "a\\x1b]0;pwned\\x07\\x9b2J\\x0d\\x7f\\u202egnp.exe\tz\n"


def test_events_command_no_terminal_either() -> None:
    sent = on_terminal("decode", "-", data=chunk({"content": NASTY}, "stop"))
    assert not set(sent) & {"\x1b", "\x9b", "\x7f", "\u202e"}
    assert TextDelta(NASTY) in [decode_event(line) for line in sent.splitlines()]


def test_thinking_is_dimmed_on_a_terminal_with_colours() -> None:
    assert on_terminal("decode", "--text", "-", data=BODY) == (
        "\x1b[2mHm.\x1b[0m\n\nHello, wörld\n"
    )
    assert on_terminal("decode", "--text", "-", data=THOUGHT) == "\x1b[2mHm.\x1b[0m\n\n"


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_there_is_only_the_answer(environment: dict[str, str]) -> None:
    assert on_terminal("decode", "--text", "-", data=BODY, **environment) == "Hello, wörld\n"
    assert "\x1b" not in on_terminal("tour", data=b"", **environment)


def test_records_without_a_dialect_have_no_text() -> None:
    done = run("decode", "--text", "-", data=b"data: 1\n\n" * 9)
    assert b"name one with --dialect" in done.stderr


# ---- the end


@pytest.mark.parametrize(
    ("data", "options", "code", "said"),
    [
        (BODY, [], 0, b""),
        (HELLO, [], 3, b"interrupted: the body ended before"),
        (b"", ["--dialect", "anthropic"], 3, b"interrupted"),
        (FAILED, [], 4, b"failed: boom"),
        (b'{"error":{"message":"no \\u001b key"}}', ["--status", "401"], 4, b"failed: no"),
        (b"x", ["--dialect", "nothing"], 2, b"no dialect is called 'nothing'; there are: "),
        (b'{"format":"sans-io-stream capture","version":9}', [], 2, b"a newer release"),
        (b'{"format":"sans-io-stream capture"}\n{', [], 2, b"version"),
    ],
)
def test_each_end_has_its_code(data: bytes, options: list[str], code: int, said: bytes) -> None:
    done = run("decode", "--text", *options, "-", data=data)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert bool(done.stderr) == bool(code)
    assert b"Traceback" not in done.stderr
    assert b"\x1b" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: COMMAND"),
        (["encode"], "invalid choice"),
        (["decode"], "required: FILE"),
        (["decode", "none.sse"], "there is no file 'none.sse': give the path of"),
        (["decode", "."], "cannot read '.': Is a directory"),
        (["decode", "--text", "--raw", "-"], "not allowed with"),
        (["decode", "--json", "-"], "add --summary"),
        (["decode", "--status", "x", "-"], "invalid int"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    assert said in capsys.readouterr().err


def test_interrupting_is_quiet(piped: Any) -> None:
    process = piped("decode", "-")
    process.feed(HELLO)
    process.stdout.readline()
    process.process.send_signal(signal.SIGINT)
    assert process.process.wait(60) == 130
    assert process.stderr.read() == b""


@pytest.mark.parametrize("shape", [[], ["--text"]])
def test_a_reader_that_goes_away_is_no_error(piped: Any, shape: list[str]) -> None:
    process = piped("decode", *shape, "-")
    process.feed(HELLO)
    process.stdout.read(5)
    process.stdout.close()
    process.feed(WORLD)
    code, _, err = process.end()
    assert (code, err) == (141, b"")


SHAPES = [["decode"], ["decode", "--text"], ["tour"], ["tour", "--json"]]


def redirected(redirection: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """The command as a shell starts it with this redirection."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        # With a buffer, what fails may fail as late as at the exit.
        env={**ENVIRONMENT, "PYTHONUNBUFFERED": ""},
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a full disk is tested on Linux")
@pytest.mark.parametrize("shape", SHAPES, ids=" ".join)
def test_output_that_cannot_be_written_is_told(shape: list[str], body: Path) -> None:
    arguments = [*shape, *([str(body)] if shape[0] == "decode" else [])]
    for redirection, why in ((">/dev/full", "No space left on device"), (">&-", "is closed")):
        done = redirected(redirection, *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith(b"sans-io-stream: cannot write the output: ")
        assert done.stderr.endswith(f"{why}\n".encode())
        assert done.stderr.count(b"\n") == 1


def test_a_summary_that_nobody_gets_is_no_success(body: Path) -> None:
    for redirection in ("2>/dev/full", "2>&-"):
        done = redirected(redirection, "decode", "--summary", str(body))
        assert (done.returncode, done.stderr) == (1, b"")
        assert decode_event(done.stdout.splitlines()[-1]) == StreamEnd("complete")


def test_input_that_is_closed_is_told() -> None:
    done = redirected("<&-", "decode", "-")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"standard input is closed" in done.stderr


class Damaged(io.RawIOBase):
    def readinto(self, _: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    def readable(self) -> bool:
        return True


def test_input_that_fails_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Damaged())))
    assert cli.main(["decode", "-"]) == 2
    assert capsys.readouterr().err == (
        "sans-io-stream: cannot read standard input: Input/output error\n"
    )


def test_the_tour_is_shown_in_any_encoding() -> None:
    done = run("tour", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


# ---- the summary


def test_the_summary_goes_to_standard_error(body: Path) -> None:
    done = run("decode", "--text", "--summary", str(body))
    assert done.stdout == "Hello, wörld".encode()
    assert done.stderr.decode().splitlines() == [
        "outcome   complete",
        "finish    stop",
        "dialect   openai-chat",
        "model     m",
        "response  chatcmpl-1",
        "tokens    1 prompt, 2 completion, 3 total",
    ]


def test_the_summary_as_json() -> None:
    done = run("decode", "--summary", "--json", "-", data=FAILED)
    summary = json.loads(done.stderr)
    assert summary["outcome"] == "failed"
    assert summary["error"]["message"] == "boom"
    assert (summary["usage"], summary["tool_calls"]) == (None, [])
    assert done.returncode == 4


# ---- the rest


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("sans-io-stream ")


@pytest.mark.parametrize("arguments", [["--help"], ["decode", "--help"]])
def test_help_lists_the_exit_codes(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 0
    listed = {
        int(line.split()[0])
        for line in capsys.readouterr().out.splitlines()
        if line[:3].strip().isdigit()
    }
    assert listed == {0, 1, 2, 3, 4, 130, 141}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("patience", [0.0, 3600.0])
def test_long_work_shows_its_progress_on_a_terminal(
    body: Path, patience: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(cli, "PATIENCE", patience)
    assert cli.main(["decode", str(body)]) == 0
    assert ("MB" in terminal.getvalue()) == (patience == 0)
    assert "complete" in capsys.readouterr().out
