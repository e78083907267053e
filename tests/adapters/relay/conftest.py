"""What the tests of the relay share: both loops, and workers at one Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .kinds import BACKENDS
from .redis_server import shared_server
from .redis_workers import Workers


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[Workers]:
    workers = Workers(shared_server(), tmp_path)
    yield workers
    await workers.close()
