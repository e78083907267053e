"""The examples for operators: units that systemd takes, a container file that says what is true,
alerts on metrics that there are."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sans_io_stream_adapters import cli
from sans_io_stream_adapters.relay.config import RelayLimits
from sans_io_stream_adapters.relay.operations.exposition import FAMILIES
from tests.servers import needs
from tests.sources import REPO

from .program import Program

EXAMPLES = REPO / "docs" / "examples"
UNITS = ["sans-io-stream-relay.service", "sans-io-stream-relay@.service"]
HOME = '[upstreams.home]\nprovider = "ollama"\n'
SECRET = re.compile(r"key|token|secret|password", re.IGNORECASE)


def unit(name: str) -> dict[str, list[str]]:
    """The settings of a unit, each with its values."""
    found: dict[str, list[str]] = {}
    for line in (EXAMPLES / name).read_text("utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_stops_later_than_its_streams_and_keeps_to_itself(name: str) -> None:
    told = unit(name)
    assert int(told["TimeoutStopSec"][0]) > RelayLimits().drain_seconds + 10
    assert told["DynamicUser"] == ["yes"]
    assert told["RestartPreventExitStatus"] == ["2"]
    assert not [line for line in told.get("Environment", []) if SECRET.search(line)]


@pytest.mark.parametrize("name", UNITS)
def test_the_command_of_a_unit_is_one(name: str, tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    path.write_text(HOME, "utf-8")
    line = unit(name)["ExecStart"][0].replace("%d/relay.toml", str(path)).replace("%i", "8701")
    assert cli.main([*shlex.split(line)[1:], "--check"]) == 0


@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_units(name: str, tmp_path: Path) -> None:
    text = (EXAMPLES / name).read_text("utf-8")
    # It looks whether the program is there.
    text = text.replace("/opt/sans-io-stream/bin/sans-io-stream", sys.executable)
    path = tmp_path / name.replace("@", "@8701")
    path.write_text(text, "utf-8")
    verify = [needs("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", str(path)]
    told = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


def instructions() -> list[tuple[str, str]]:
    text = (EXAMPLES / "Containerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def test_a_container_is_nobodys_root_and_holds_no_secret() -> None:
    told = instructions()
    stages = [at for at, (name, _) in enumerate(told) if name == "FROM"]
    assert len(stages) == 2
    last = told[stages[1] :]
    users = [value for name, value in last if name == "USER"]
    assert [value.partition(":")[0] for value in users] == ["10001"]
    names = [name for name, _ in last]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert not {"ENV", "ARG", "ADD"} & {name for name, _ in told}


def test_what_is_copied_into_a_container_is_there() -> None:
    for name, value in instructions():
        if name == "COPY" and not value.startswith("--from"):
            for source in value.split()[:-1]:
                assert (REPO / source).exists(), source


def test_what_a_container_runs(tmp_path: Path) -> None:
    told = dict(instructions())
    path = tmp_path / "relay.toml"
    path.write_text(f'{HOME}[keys.ann]\nkey = "k"\n', "utf-8")
    command = [*json.loads(told["ENTRYPOINT"]), *json.loads(told["CMD"])]
    assert command[0] == "/relay/bin/sans-io-stream"
    arguments = [str(path) if one == "/etc/relay.toml" else one for one in command[1:]]
    assert cli.main([*arguments, "--check"]) == 0


def test_what_a_container_is_asked_for_its_health() -> None:
    check = json.loads(dict(instructions())["HEALTHCHECK"].partition("CMD ")[2])
    with Program("--demo") as program:
        port = urlsplit(program.url).port
        command = [sys.executable, *(one.replace("8700", str(port)) for one in check[1:])]
        assert subprocess.run(command, check=False, timeout=30).returncode == 0
    failed = subprocess.run(command, check=False, timeout=30, capture_output=True)
    assert failed.returncode != 0


def test_alerts_are_on_metrics_that_there_are() -> None:
    known = {family.name for family in FAMILIES}
    known |= {f"{family.name}_bucket" for family in FAMILIES if family.kind == "histogram"}
    text = (EXAMPLES / "relay-alerts.yml").read_text("utf-8")
    named = set(re.findall(r"sans_io_stream_\w+", text))
    assert named
    assert named <= known
    labels = {label for family in FAMILIES for label in family.labels} | {"instance", "le"}
    for group in re.findall(r"by \(([^)]+)\)", text):
        assert {one.strip() for one in group.split(",")} <= labels
