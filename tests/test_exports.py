"""The public names are a contract: none comes or goes without this list saying so."""

from __future__ import annotations

import subprocess
import sys

import sans_io_stream
from tests.sources import REPO

PUBLIC = [
    "Annotation",
    "AuthenticationFailed",
    "Budget",
    "BudgetSpent",
    "CaptureError",
    "Connected",
    "Delta",
    "Disconnected",
    "ErrorInfo",
    "Event",
    "Finish",
    "FinishReason",
    "Heartbeat",
    "LimitExceeded",
    "Limits",
    "MediaDelta",
    "OutOfStepError",
    "PartialJSON",
    "Price",
    "PriceTable",
    "RateLimited",
    "ReasoningDelta",
    "ReconnectPolicy",
    "Reconnecting",
    "ReconnectingExhausted",
    "Record",
    "RefusalDelta",
    "ResumePoint",
    "ResumeTokenError",
    "Resumed",
    "SnapshotError",
    "StreamClosedError",
    "StreamDecoder",
    "StreamEnd",
    "StreamError",
    "StreamFailed",
    "StreamInterrupted",
    "StreamRequest",
    "StreamSession",
    "StreamStart",
    "TextDelta",
    "Timeouts",
    "TokenTracker",
    "ToolCall",
    "ToolCallDelta",
    "Transcript",
    "UnknownDialectError",
    "UnknownPriceError",
    "Unrecognized",
    "Usage",
    "adecode",
    "decode",
    "decode_event",
    "encode_event",
]


def test_the_public_names_are_these() -> None:
    assert sorted(sans_io_stream.__all__) == PUBLIC


def test_the_list_is_sorted() -> None:
    assert list(sans_io_stream.__all__) == sorted(sans_io_stream.__all__)


def test_every_name_is_there() -> None:
    missing = [name for name in sans_io_stream.__all__ if not hasattr(sans_io_stream, name)]
    assert not missing


def test_a_star_import_brings_exactly_these() -> None:
    # In an interpreter of its own: a name that only a test's import made available is missing.
    code = (
        "from sans_io_stream import *; "
        "print(*sorted(name for name in dir() if not name.startswith('__')), sep=chr(10))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == PUBLIC, done.stderr


def test_the_encoders_are_named_apart_and_not_loaded_with_the_rest() -> None:
    code = (
        "import sys, sans_io_stream; "
        "assert not any('encoding' in name for name in sys.modules if 'sans_io' in name); "
        "from sans_io_stream.encoding import *; "
        "print(*sorted(name for name in dir() if not name.startswith('__')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    names = ["Encoder", "error_document", "error_headers", "sans_io_stream", "sys", "whole_answer"]
    assert done.stdout.split() == names, done.stderr


def test_a_decoder_does_not_load_what_only_sessions_need() -> None:
    code = (
        "import sys; from sans_io_stream import *; del StreamSession, StreamRequest; "
        "assert 'h11' in sys.modules"
    )
    lean = (
        "import sys, sans_io_stream; "
        "unneeded = {'h11', *map('sans_io_stream.'.__add__, "
        "('budget', 'normalize', 'pricing', 'tracking'))}; "
        "list(sans_io_stream.decode([b''], dialect='openai-chat')); "
        "assert not unneeded & set(sys.modules), unneeded & set(sys.modules)"
    )
    for line in (code, lean):
        done = subprocess.run([sys.executable, "-c", line], cwd=REPO, check=False, timeout=60)
        assert done.returncode == 0, line
