"""Programs that tests need and that not every machine has: servers, and a browser.

Without them their tests are skipped; where ``SANS_IO_STREAM_SERVERS`` is set they have to be there.
"""

from __future__ import annotations

import os
import shutil

import pytest

__all__ = ["needs"]


def needs(program: str) -> str:
    """The path of a program; skips the test where it is not installed."""
    path = shutil.which(program)
    if path is None:
        missing = f"{program} is not installed"
        if os.environ.get("SANS_IO_STREAM_SERVERS"):
            pytest.fail(f"{missing}, and SANS_IO_STREAM_SERVERS says that it is")
        pytest.skip(missing)
    return path
