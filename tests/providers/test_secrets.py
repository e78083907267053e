"""A key that a builder was given is shown by nothing: no message, no variable of a traceback."""

from __future__ import annotations

import copy
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from sans_io_stream.providers import PROVIDERS, azure, bedrock, openai, vertex
from sans_io_stream.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from sans_io_stream import StreamRequest

KEY = "sk-S3CRET-4711"
HELLO = [{"role": "user", "content": "Hello"}]
NEEDED: dict[str, dict[str, Any]] = {
    "azure": {"endpoint": "https://r.test"},
    "bedrock": {"region": "us-east-1"},
    "compatible": {"base_url": "https://c.test/v1"},
    "vertex": {"project": "p"},
}
BUILDERS: dict[str, tuple[Callable[..., StreamRequest], dict[str, Any]]] = {
    name: (one.chat, {"model": "m", "messages": HELLO} | NEEDED.get(name, {}))
    for name, one in PROVIDERS.items()
} | {
    "openai.responses": (openai.responses, {"model": "m", "input": "x"}),
    "openai.completions": (openai.completions, {"model": "m", "prompt": "x"}),
    "azure.responses": (azure.responses, {"model": "m", "input": "x"} | NEEDED["azure"]),
    "bedrock.invoke": (bedrock.invoke, {"model": "m", "x": 1} | NEEDED["bedrock"]),
}
every = pytest.mark.parametrize("name", BUILDERS)


def shown(error: BaseException) -> str:
    """Everything that a report of this error may show, but for the frames of the test."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    text = str(error)
    while told is not None:
        frames = [frame for frame in told.stack if "/tests/" not in frame.filename]
        text += "".join(f"{frame.name} {frame.locals}" for frame in frames)
        told = told.__cause__ or told.__context__  # type: ignore[assignment]
    assert "hiding" in text
    return text


@every
@pytest.mark.parametrize(
    "wrong",
    [
        {"some_field": ...},
        {"stream": False},
        {"model": ""},
        {"headers": {"bad name": "x"}},
        {"headers": {"x": "é\n", "authorization": f"Bearer {KEY}"}},
        {"headers": {"x-api-key": KEY, "x": None}},
        {"headers": [("cookie", KEY), "x"]},
        {"headers": {"proxy-authorization": KEY + "\r\n"}},
        {"idempotency_key": "\n"},
        {"timeout": 5},
        {"api_key": KEY + "\n"},
        {"api_key": " " + KEY},
        {"api_key": KEY + "é"},
        {"api_key": f"“{KEY}”"},
        {"api_key": KEY + "\n", "headers": {"authorization": KEY}},
        {"api_key": KEY.encode()},
        {"no_such": {1: {2j: 3}}},
    ],
    ids=str,
)
def test_a_builder_that_fails_shows_no_key(name: str, wrong: dict[str, Any]) -> None:
    build, given = BUILDERS[name]
    with pytest.raises(ValueError, match=r".") as told:
        build(**{"api_key": KEY} | given | wrong)
    assert "S3CRET" not in shown(told.value)


@every
def test_a_call_that_is_none_shows_no_key(name: str) -> None:
    build, given = BUILDERS[name]
    with pytest.raises(TypeError) as told:
        build(5, **given | {"api_key": KEY, "headers": {"authorization": KEY}})
    assert "S3CRET" not in shown(told.value)


def test_a_token_is_a_key_as_well() -> None:
    given: dict[str, Any] = {"model": "m", "project": "p", "messages": HELLO}
    with pytest.raises(ValueError, match="access_token") as told:
        vertex.chat(access_token=KEY + "\n", **given)
    assert "S3CRET" not in shown(told.value)
    with pytest.raises(ValueError, match="api_key") as told:
        vertex.chat(api_key="", access_token=KEY, **given)
    assert "S3CRET" not in shown(told.value)


@every
def test_the_key_is_sent_and_not_shown(name: str) -> None:
    build, given = BUILDERS[name]
    request = build(**given, api_key=KEY, headers={"X-Private-Token": KEY, "x-mine": "shown"})
    sent = request.http()
    values = [value for _, value in sent.headers if KEY in value]
    assert len(values) == 2
    assert f"{values}".count("***") == 2
    text = (
        f"{request} {request.headers!r} {request.pairs} {sent} {sent.headers} {dict(sent.headers)}"
    )
    assert "S3CRET" not in text
    assert "'x-mine': 'shown'" in text
    assert [str(value).rpartition(" ")[2] for value in values] == [KEY, KEY]


@every
def test_a_credential_is_not_carried_elsewhere(name: str) -> None:
    build, given = BUILDERS[name]
    assert not build(**given, api_key=KEY).follows_redirects


def test_a_secret_is_its_text() -> None:
    secret = Secret(KEY)
    assert secret == KEY
    assert {KEY: 1}[secret] == 1
    assert f"Bearer {secret}" == "Bearer " + KEY
    assert str(secret) == KEY
    assert secret.encode() == KEY.encode()
    for other in (copy.copy(secret), copy.deepcopy(secret), pickle.loads(pickle.dumps(secret))):
        assert type(other) is Secret
        assert other == KEY


def test_a_secret_hides_in_whatever_shows_it() -> None:
    secret = Secret(KEY)
    for text in (f"{secret!r}", f"{secret!a}", ascii(secret), f"{[secret]} {({'k': secret},)}"):
        assert "***" in text
        assert "S3CRET" not in text
    assert repr(Secret("")) == repr(secret)


def refused(text: str) -> ValueError:
    with pytest.raises(ValueError, match=r"^api_key ") as told:
        Secret(text).check("api_key")
    return told.value


@pytest.mark.parametrize(
    "text", ["", " ", "a b", "a\n", "\ta", "a\x00", "a\x7f", "ä", "a\xa0", "a\u2013"]
)
def test_what_no_key_is_made_of_is_refused(text: str) -> None:
    assert str(refused(text)) == str(refused(text * 2)), "the message does not show it"
    Secret("sk-proj_A.b~c+d/e=:1").check("api_key")
