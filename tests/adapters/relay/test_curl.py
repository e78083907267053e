"""What the README says of the relay: its two lines for curl, run as they stand there."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from sans_io_stream_adapters.relay.config import RelayConfig
from tests.sources import REPO

from .program import ENVIRONMENT, WITHIN, Program

URL = "http://127.0.0.1:8700"
ID = re.compile(r"^id: (\S+)$", re.MULTILINE)


def section() -> str:
    readme = (REPO / "README.md").read_text("utf-8")
    return readme.partition("\n### A relay\n")[2].partition("\n### ")[0]


def shown() -> list[tuple[str, str]]:
    """Each line for curl, and what it prints."""
    console = section().partition("```console\n")[2].partition("```")[0]
    parts = [part.partition("\n") for part in console.split("$ curl ") if part]
    return [(f"curl {line}", output) for line, _, output in parts]


@pytest.mark.skipif(
    shutil.which("curl") is None or shutil.which("sh") is None, reason="there is no curl here"
)
def test_a_stream_and_its_resumption_are_as_the_readme_shows(tmp_path: Path) -> None:
    lines = shown()
    assert len(lines) == 2
    cursors: list[str] = []
    with Program("--demo") as program:
        assert program.told["try"] == [line.replace(URL, program.url) for line, _ in lines]
        for line, output in lines:
            command = ["sh", "-c", line.replace(URL, program.url)]
            environment = {**ENVIRONMENT, "no_proxy": "*"}
            done = subprocess.run(
                command,
                check=False,
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                timeout=WITHIN,
            )
            assert done.stderr == b""
            printed = done.stdout.decode()
            # Ids are drawn, and how many events one read of the provider holds is the network's.
            assert ID.sub("id:", printed).strip() == ID.sub("id:", output).strip()
            cursors += ID.findall(printed)
    assert cursors == sorted(set(cursors))
    assert len({cursor.partition(".")[0] for cursor in cursors}) == 1


def test_the_configuration_of_the_readme_is_one() -> None:
    text = section().partition("```toml\n")[2].partition("```")[0]
    config = RelayConfig.from_dict(tomllib.loads(text), {"ANTHROPIC_API_KEY": "key"})
    assert config.route("claude-sonnet-4.5")[0].provider == "anthropic"
    assert config.store == "streams.db"
