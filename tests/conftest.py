"""What every test may lean on: where the recorded streams are, and how hard to search.

The recordings lie beside the repository, not in it; a test that needs them asks for
``shared`` and is skipped where they are missing.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

SHARED = Path(__file__).parents[1].parent / "shared"

# No deadlines: a shared machine stalls at any time, and a stall is not a bug.
settings.register_profile("default", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.register_profile(
    "exhaustive",
    deadline=None,
    max_examples=5_000,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests without collecting garbage, and leave what they are out of it from then on:
    it stays to the end, and a test that asks for a collection would go through all of it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The directory of recorded streams and conformance cases; skips where there is none."""
    if not SHARED.is_dir():
        pytest.skip("no recordings beside the repository")
    return SHARED
