"""The installed SDKs still send what is recorded; those that are not installed are skipped."""

from __future__ import annotations

import pytest

from .goldens import installed, load, record
from .record import changes
from .sdks import CASES


@pytest.mark.parametrize("name", CASES)
def test_the_installed_sdk_sends_what_is_recorded(name: str) -> None:
    case = CASES[name]
    if installed(case) is None:
        pytest.skip(f"{case.sdk} is not installed: make goldens installs it")
    assert not changes(load(name), record(case))
