"""The recorder itself, by a client that is no SDK: what it catches, and what it finds changed."""

from __future__ import annotations

import http.client
import os
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from . import goldens, record
from .goldens import Golden, without_moment
from .recording import ANSWERS, quiet_environment
from .sdks import Case

SIGNATURE = "ab" * 32
HEADERS = {
    "Authorization": "AWS4-HMAC-SHA256 "
    "Credential=test-key/20261126/us-east-1/bedrock/aws4_request, "
    f"SignedHeaders=host;x-amz-date, Signature={SIGNATURE}",
    "X-Amz-Date": "20261126T000000Z",
    "X-New": "1",
}


def plain(base: str, fields: dict[str, Any]) -> None:
    """Ask as an SDK would, and read the answer."""
    url = urlsplit(base)
    host, port = url.hostname or "", url.port
    if url.scheme == "https":
        trust = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
        client: http.client.HTTPConnection = http.client.HTTPSConnection(host, port, context=trust)
    else:
        client = http.client.HTTPConnection(host, port)
    client.request("POST", f"{url.path}/chat?a=1", b'{"model": "m"}', HEADERS | fields)
    response = client.getresponse()
    assert response.read() == ANSWERS["chat"][1]
    client.close()


CASE = Case(
    "plain", "openai.chat", "pytest", "https://api.test/v1", "chat", plain, {}, theirs={"b": "2"}
)


@pytest.mark.parametrize("secure", [False, True])
def test_a_request_is_written_as_if_it_had_gone_to_the_vendor(secure: bool) -> None:
    assert goldens.record(replace(CASE, secure=secure)) == Golden(
        sdk=f"pytest {pytest.__version__}",
        method="POST",
        origin="https://api.test",
        path="/v1/chat",
        query="a=1",
        headers={
            "authorization": "AWS4-HMAC-SHA256 "
            "Credential=test-key/DATE/us-east-1/bedrock/aws4_request, "
            "SignedHeaders=HEADERS, Signature=SIGNATURE",
            "b": "2",
            "x-new": "1",
        },
        varies=["accept-encoding", "content-length", "host", "x-amz-date"],
        body={"model": "m"},
    )


def test_an_sdk_that_asks_twice_or_elsewhere_is_refused() -> None:
    def twice(base: str, fields: dict[str, Any]) -> None:
        plain(base, fields)
        plain(base, fields)

    with pytest.raises(ValueError, match="too many values"):
        goldens.record(replace(CASE, send=twice))
    with pytest.raises(AssertionError, match=r"the SDK's base URL is https://api\.test/v2"):
        goldens.record(replace(CASE, default=lambda: "https://api.test/v2/"))


def test_the_environment_is_empty_meanwhile_and_then_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.test")
    before = dict(os.environ)
    with quiet_environment():
        assert os.environ.keys() == {"PATH", "HOME", "AWS_EC2_METADATA_DISABLED"}
        assert not list(Path(os.environ["HOME"]).iterdir())
        os.environ["AWS_BEARER_TOKEN_BEDROCK"] = "k"
    assert dict(os.environ) == before


@pytest.fixture
def one_case(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``plain`` is the only case, and nothing is recorded yet."""
    monkeypatch.setattr(record, "CASES", {"plain": CASE})
    monkeypatch.setattr(record, "GOLDEN", tmp_path)
    monkeypatch.setattr(goldens, "GOLDEN", tmp_path)


@pytest.mark.usefixtures("one_case")
def test_what_was_recorded_is_what_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert record.main(["plain"]) == 0
    assert record.main(["plain", "--check"]) == 0
    file = tmp_path / "plain.json"
    recorded = file.read_text("utf-8")
    file.write_text(recorded.replace(pytest.__version__, "0.1"), "utf-8")
    assert record.main(["plain", "--check"]) == 0, "another release that sends the same"
    file.write_text(recorded.replace('"x-new": "1"', '"x-old": "1"'), "utf-8")
    capsys.readouterr()
    assert record.main(["plain", "--check"]) == 1
    said = capsys.readouterr().out
    assert '-    "x-old": "1"\n+    "x-new": "1"' in said
    assert record.main(["plain"]) == 0
    assert file.read_text("utf-8") == recorded


@pytest.mark.usefixtures("one_case")
def test_an_sdk_that_is_not_installed_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(record, "CASES", {"plain": replace(CASE, sdk="no-such-sdk")})
    assert record.main(["plain", "--check"]) == 1
    assert "pip install 'sans-io-stream[sdks]'" in capsys.readouterr().out


def test_only_signatures_are_of_their_moment() -> None:
    assert without_moment(f"Signature={SIGNATURE}") == f"Signature={SIGNATURE}"
    assert SIGNATURE not in without_moment(HEADERS["Authorization"])
