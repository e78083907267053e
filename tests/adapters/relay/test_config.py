"""The relay's configuration as values: who is asked, who may ask, and what cannot be."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import pytest

from sans_io_stream_adapters.relay.config import (
    LOCAL,
    ClientKey,
    RelayConfig,
    RelayLimits,
    Route,
    UnknownModel,
    Upstream,
)

OLLAMA = Upstream(name="home", provider="ollama")
OPENAI = Upstream(name="openai", provider="OpenAI", api_key="sk-secret")
ALICE = ClientKey.of("alice", "key-of-alice", ("gpt-*", "fast"))
BOB = ClientKey("bob", hashlib.sha256(b"key-of-bob").hexdigest().upper())
ROUTES = (
    Route("gpt-*", "openai"),
    Route("gpt-oss", "home", "gpt-oss:20b"),
    Route("ollama/*", "home", "*:latest"),
    Route("fast", "home", "llama"),
)


def config(**given: Any) -> RelayConfig:
    told: dict[str, Any] = {"upstreams": (OPENAI, OLLAMA), "routes": ROUTES, **given}
    return RelayConfig(**told)


@pytest.mark.parametrize(
    ("model", "upstream", "there"),
    [
        ("gpt-5", OPENAI, "gpt-5"),
        ("gpt-oss", OLLAMA, "gpt-oss:20b"),
        ("ollama/qwen", OLLAMA, "qwen:latest"),
        ("fast", OLLAMA, "llama"),
        ("openai/o9/mini", OPENAI, "o9/mini"),
        ("home/x", OLLAMA, "x"),
    ],
)
def test_models_are_routed(model: str, upstream: Upstream, there: str) -> None:
    assert config().route(model) == (upstream, there)


@pytest.mark.parametrize("model", ["", "gpt-", "o9", "openai/", "/x", "nobody/x", "FAST"])
def test_what_nobody_serves(model: str) -> None:
    with pytest.raises(UnknownModel, match="is not served here") as unknown:
        config().route(model)
    assert unknown.value.model == model


def test_a_star_may_stand_anywhere() -> None:
    route = Route("a*z", "u", "x-*-y")
    assert [route.takes(one) for one in ("az", "abz", "abzy", "a//z")] == [
        None,
        "x-b-y",
        None,
        "x-//-y",
    ]


def test_models_are_listed_as_far_as_a_key_goes() -> None:
    told = config(keys=(ALICE, BOB))
    assert told.models() == ["gpt-oss", "fast"]
    assert told.models(ClientKey.of("x", "k", ("fast",))) == ["fast"]
    assert ALICE.allows("gpt-5")
    assert not ALICE.allows("openai/gpt-5")
    assert BOB.allows("anything")


def test_whose_key_it_is() -> None:
    told = config(keys=(ALICE, BOB))
    assert told.owner_of("key-of-alice") == ALICE
    assert told.owner_of("key-of-bob") == BOB
    for wrong in (None, "", "key-of-", "key-of-alice ", str(ALICE.sha256), "\ud800"):
        assert told.owner_of(wrong) is None
    assert config().owner_of(None) == config().owner_of("any") == LOCAL


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_on_this_machine_no_keys_are_needed(host: str) -> None:
    assert config(host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "relay.test", "", "localhost.test"])
def test_nobody_is_open_to_others_without_keys(host: str) -> None:
    with pytest.raises(ValueError, match="no keys are configured"):
        config(host=host)
    assert config(host=host, keys=(BOB,)).host == host


def test_hosts_that_are_answered() -> None:
    local, keyed, named = config(), config(keys=(BOB,)), config(allowed_hosts=("Relay.test",))
    for host in ("localhost:8700", "127.0.0.1", "[::1]:8700", "[::1]"):
        assert local.answers_host(host)
    assert not local.answers_host("evil.test:8700")
    assert keyed.answers_host("evil.test")
    assert named.answers_host("relay.TEST:443")
    assert named.answers_host("relay.test.")
    for host in ("localhost.", "localhost.:8700", "LOCALHOST", "[::1]", "127.0.0.2:1"):
        assert local.answers_host(host)
    for host in ("", "localhost.evil.test", "127.0.0.1.evil.test", "localhost:80@evil.test"):
        assert not local.answers_host(host)
    assert not named.answers_host("localhost")
    assert config(allowed_hosts=("*",)).answers_host("evil.test")


def test_nothing_shows_a_key() -> None:
    hidden = Upstream(
        name="u",
        provider="vertex",
        options={"project": "p", "access_token": "sk-secret-1"},
        headers=(("x-api-key", "sk-secret-2"),),
        base_url="https://gw.test?key=sk-secret-3",
    )
    told = config(upstreams=(OPENAI, hidden), routes=(), keys=(ALICE,), ticket_key="secret" * 6)
    shown = repr([told, hidden.options])
    shown += repr((OPENAI, hidden.headers, OPENAI.api_key))
    assert "secret" not in shown
    assert "key-of" not in shown
    assert ALICE.sha256 not in shown


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"upstreams": ()}, "there is no upstream"),
        ({"upstreams": (OPENAI, OPENAI)}, "two upstreams are the same: 'openai'"),
        ({"routes": (Route("x", "y"),)}, "no upstream is called 'y'; there are: openai, home"),
        ({"routes": (Route("x", "home"), Route("x", "home"))}, "two models are the same"),
        ({"keys": (ALICE, ClientKey("alice", BOB.sha256))}, "two keys are the same: 'alice'"),
        ({"keys": (ALICE, ClientKey("carl", ALICE.sha256))}, "two keys are the same$"),
        ({"keys": (LOCAL,)}, "a key without a digest opens nothing"),
        ({"port": 65536}, "port is between"),
        ({"retention": -1}, "retention is at least 0"),
        ({"heartbeat": 0}, "heartbeat is more than 0"),
        ({"heartbeat": math.nan}, "heartbeat is more than 0"),
        ({"store": ""}, "store is"),
        ({"store": "postgres://host"}, "store: a URL begins with redis://"),
        ({"ticket_key": "k" * 31}, "ticket_key has fewer than 32 characters"),
        ({"ticket_key": "k " * 32}, "ticket_key holds a line break, a blank"),
        ({"ticket_key": ""}, "ticket_key is empty"),
        ({"ticket_seconds": 0}, "ticket_seconds is between 1 and 31622400"),
        ({"ticket_seconds": 31622401}, "ticket_seconds is between"),
    ],
)
def test_what_cannot_be(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        config(**given)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"provider": "klingon"}, "no provider is called 'klingon'"),
        ({"name": "a/b"}, "an upstream is called 'a/b': a name is letters"),
        ({"provider": "openai"}, 'no key: give api_key, or api_key_env = "OPENAI_API_KEY"'),
        ({"provider": "openai", "api_key": "k ey"}, "api_key holds a line break, a blank"),
        (
            {"options": {"region": "x"}},
            "options.region: ollama takes no such option",
        ),
        ({"options": {"base_url": "x"}}, "options.base_url: "),
        ({"fields": {"model": "x"}}, "fields.model: it is not the body's to say"),
        ({"fields": {"stream": False}}, "leave stream out"),
        ({"surface": "responses"}, 'surface "responses" is asked of openai, azure alone'),
        ({"surface": "telepathy"}, 'surface is "chat" or "responses"'),
        ({"background": True}, "background needs"),
        ({"headers": (("x y", "z"),)}, "a header's name is a token"),
        ({"provider": "bedrock", "api_key": "k"}, "region is missing"),
        ({"base_url": "nowhere://x"}, "base_url"),
    ],
)
def test_upstreams_that_cannot_be(given: dict[str, Any], why: str) -> None:
    told: dict[str, Any] = {"name": "u", "provider": "ollama", **given}
    with pytest.raises(ValueError, match=why) as raised:
        Upstream(**told)
    assert "k ey" not in str(raised.value)


@pytest.mark.parametrize(
    ("model", "there"), [("", None), ("a*b*", None), ("a", "*"), ("a*", "**"), ("a", "")]
)
def test_routes_that_cannot_be(model: str, there: str | None) -> None:
    with pytest.raises(ValueError, match="the model"):
        Route(model, "u", there)


@pytest.mark.parametrize("limit", RelayLimits.__struct_fields__)
def test_limits_that_cannot_be(limit: str) -> None:
    with pytest.raises(ValueError, match=limit):
        RelayLimits(**{limit: -1})


def test_keys_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="sha256 of key x is 64"):
        ClientKey("x", "abc")
    with pytest.raises(ValueError, match="key x is empty"):
        ClientKey.of("x", "")
    with pytest.raises(ValueError, match="with one"):
        ClientKey.of("x", "k", ("a*b*",))


@pytest.mark.parametrize("host", ["relay.test:8443", "relay.test.", "[2001:db8::1]:80"])
def test_hosts_that_never_match(host: str) -> None:
    with pytest.raises(ValueError, match="without a port"):
        config(allowed_hosts=(host,))
    assert config(allowed_hosts=("[2001:db8::1]",)).answers_host("[2001:DB8::1]:80")


ORIGINS = ["https://app.test/", "app.test", "null", "https://App.test", "https://app.test:443"]


@pytest.mark.parametrize("origin", [*ORIGINS, "http://app.test:80", "https://a@app.test", ""])
def test_origins_that_are_never_sent(origin: str) -> None:
    with pytest.raises(ValueError, match="is never sent"):
        config(cors_origins=(origin,))
    for told in ("https://app.test", "http://localhost:3000", "http://[::1]:8080", "*"):
        assert config(cors_origins=(told,)).cors_origins == (told,)
