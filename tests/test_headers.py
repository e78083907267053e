"""Headers: what can be sent, and what is a credential."""

from __future__ import annotations

import pytest

from sans_io_stream.capture.privacy import allowed_headers
from sans_io_stream.headers import (
    CREDENTIAL_HEADERS,
    check_header,
    has_credentials,
    header_pairs,
    is_credential,
)

OTHERS = (
    "CF-AIG-Authorization", "X-Amz-Security-Token", "Ocp-Apim-Subscription-Key", "Helicone-Auth",
    "xi-api-key", "X-Auth-Token", "X-Client-Secret", "Set-Cookie", "X-LiteLLM-Api-Key",
    "x-functions-key", "private-token",
)  # fmt: skip
HARMLESS = (
    "Accept", "Content-Type", "Idempotency-Key", "User-Agent", "Last-Event-ID", "OpenAI-Beta",
    "anthropic-version", "X-Stainless-Lang", "OpenAI-Organization", "X-Conversation-Id",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [("X", ""), ("X-A!", "a\tb c"), ("x", "caf\xe9"), ("Authorization", "Bearer a=")],
)
def test_sendable(name: str, value: str) -> None:
    check_header(name, value)
    assert header_pairs({name: value}) == ((name, value),)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("", "v", "token"), ("Authorization: Bearer sk-secret", "", "'Authorization' …"),
        ("X ", "v", "token"), ("X\r\nY", "v", "token"), ("\xfc", "v", "token"),
        ("X", "sk-secret\r\nY: z", "control"), ("X", "sk-secret\n", "control"),
        ("X", "sk-secret\x00", "control"), ("X", "sk-secret\x7f", "control"),
        ("X", "sk-secret\x01", "control"), ("X", " sk-secret", "blank"),
        ("X", "sk-secret\t", "blank"),
        ("X", "sk-secret…", "Latin-1"),
    ],
)  # fmt: skip
def test_not_sendable(name: str, value: str, what: str) -> None:
    with pytest.raises(ValueError, match=what) as caught:
        header_pairs([("A", "b"), (name, value)])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", [*sorted(CREDENTIAL_HEADERS), *OTHERS])
def test_credentials(name: str) -> None:
    assert is_credential(name)
    assert is_credential(name.upper())
    assert has_credentials([("A", "b"), (name, "v")])
    assert has_credentials({name: "v"})


@pytest.mark.parametrize("name", HARMLESS)
def test_no_credentials(name: str) -> None:
    assert not is_credential(name)
    assert not has_credentials({name: "v"})
    assert has_credentials({name: "v"}, also=[name.upper()])


def test_captures_keep_no_credential() -> None:
    names = [*sorted(CREDENTIAL_HEADERS), *OTHERS]
    assert allowed_headers(dict.fromkeys(names, "v")) == {}
