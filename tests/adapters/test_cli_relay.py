"""``sans-io-stream relay``, but for what only real servers show: options, refusals, exit codes."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sans_io_stream_adapters import cli
from tests.adapters.relay.program import ENVIRONMENT, Program, fetch

COMMAND = [sys.executable, "-m", "sans_io_stream", "relay"]
CONFIG = """\
store = "{store}"

[upstreams.up]
provider = "openai"
api_key_env = "UP_KEY"
base_url = "http://127.0.0.1:1/v1"

[models]
fast = {{ upstream = "up", model = "m" }}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("UP_KEY", "the-key-of-up")
    path = tmp_path / "relay.toml"
    path.write_text(CONFIG.format(store="memory"), "utf-8")
    return str(path)


Captured = pytest.CaptureFixture[str]


def test_a_configuration_is_checked(config: str, capsys: Captured) -> None:
    assert cli.main(["relay", "--config", config, "--check"]) == 0
    told = capsys.readouterr()
    assert told.out == f"{config}: a relay at http://127.0.0.1:8700 for up\n"
    assert told.err == ""


def test_and_told_as_json(config: str, capsys: Captured) -> None:
    options = ["--check", "--json", "--port", "9", "--host", "::1"]
    assert cli.main(["relay", "--config", config, *options]) == 0
    out = capsys.readouterr().out
    assert json.loads(out) == {
        "url": "http://[::1]:9",
        "upstreams": ["up"],
        "models": ["fast"],
        "keys": [],
        "store": "memory",
    }
    assert "the-key-of-up" not in out


WRONG = [
    (["--config", "nowhere.toml"], "there is no file 'nowhere.toml'"),
    (["--config", "."], "cannot read '.'"),
    (["--demo", "--host", "0.0.0.0"], "open to others, and no keys are configured"),
    (["--demo", "--port", "65536"], "port is between 0 and 65535"),
]


@pytest.mark.parametrize(("options", "why"), WRONG)
def test_what_is_wrong_is_told(options: list[str], why: str, capsys: Captured) -> None:
    assert cli.main(["relay", *options]) == 2
    told = capsys.readouterr()
    assert (told.out, why in told.err) == ("", True)


def test_so_is_what_is_wrong_in_the_file(config: str, capsys: Captured) -> None:
    text = Path(config).read_text("utf-8")
    Path(config).write_text(text.replace("provider", "provder"), "utf-8")
    assert cli.main(["relay", "--config", config, "--check"]) == 2
    assert "relay.toml, line 4: [upstreams.up] provder" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--demo", "--config", "x"]], ids=["neither", "both"])
def test_one_of_file_and_demo(options: list[str], capsys: Captured) -> None:
    assert cli.main(["relay", *options]) == 2
    assert "--demo" in capsys.readouterr().err


def test_a_port_that_is_taken(config: str, capsys: Captured) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert cli.main(["relay", "--config", config, "--port", port]) == 2
    assert f"cannot listen at 127.0.0.1, port {port}" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["uvicorn", "anyio"])
def test_a_missing_extra(missing: str, config: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from sans_io_stream_adapters import cli; "
    code += f"sys.exit(cli.main(['relay', '--config', {config!r}]))"
    command = [sys.executable, "-c", code]
    environment = {**ENVIRONMENT, "UP_KEY": "key"}
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    told = f"{missing} is not installed: pip install 'sans-io-stream[relay]'\n"
    assert done.stderr == f"sans-io-stream: {told}"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["term", "int"]
)
def test_a_signal_ends_it_in_order(number: signal.Signals, code: int) -> None:
    with Program("--demo") as program:
        assert fetch(program.url, "GET", "/v1/models").json["data"][0]["id"] == "demo"
        program.send(number)
        assert program.wait() == code
        assert "Traceback" not in program.log
        assert "ending: streams may go on for 30 s" in program.log


def test_a_second_one_at_once() -> None:
    asked = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}
    with Program("--demo", "--quiet") as program:

        def leave(answer: object) -> bool:
            # Each read another one: the first ends the relay, the second at once.
            program.send(signal.SIGINT)
            return False

        got = fetch(program.url, "POST", "/v1/streams", asked, leave=leave)
        assert program.wait() == 130
        assert "POST" not in program.log
        assert "Traceback" not in program.log
    assert b'"complete"' not in got.body


@pytest.mark.parametrize("colours", [True, False])
def test_colours_on_a_terminal_alone(colours: bool) -> None:
    leader, follower = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm" if colours else "dumb"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [*COMMAND, "--demo", "--port", "0"],
        stdin=subprocess.DEVNULL, stdout=follower, stderr=subprocess.PIPE, env=environment,
    )  # fmt: skip
    os.close(follower)
    out = b""
    while out.count(b"curl") < 2 or not out.rstrip(b" ").endswith(b"\n\r\n"):
        out += os.read(leader, 65536)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    os.close(leader)
    assert process.returncode == 0
    assert (b"\x1b[" in out) is colours
    assert b"\x1b[" not in err
