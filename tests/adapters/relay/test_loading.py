"""The relay's configuration out of a file: what is read, and what is said of what cannot be."""

from __future__ import annotations

import traceback
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sans_io_stream import Usage
from sans_io_stream_adapters.relay import loading
from sans_io_stream_adapters.relay.config import (
    ClientKey,
    RedisOptions,
    RelayConfig,
    RelayLimits,
    Route,
)
from sans_io_stream_adapters.relay.loading import TABLES, ConfigError, load_config
from sans_io_stream_adapters.relay.operations.allowance import Allowance
from tests.sources import REPO

if TYPE_CHECKING:
    from pathlib import Path

PAGE = REPO / "docs" / "relay-configuration.md"
ENVIRON = {
    "OPENAI_API_KEY": "sk-openai", "ANTHROPIC_API_KEY": "sk-claude", "GOOGLE_TOKEN": "ya29",
    "GATEWAY_KEY": "gw", "RELAY_KEY_ALICE": "key-of-alice", "RELAY_KEY_PROMETHEUS": "key-of-p",
    "TICKET_KEY": "a-key-of-thirty-two-letters-or-more",
}  # fmt: skip
HOME = '[upstreams.home]\nprovider = "ollama"\n'


def load(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> RelayConfig:
    file = tmp_path / "relay.toml"
    file.write_text(text, "utf-8")
    return load_config(file, ENVIRON if environ is None else environ)


def example() -> str:
    """The example on the page."""
    page = PAGE.read_text("utf-8")
    return page.partition("```toml\n")[2].partition("```")[0]


def test_the_example_of_the_page_loads(tmp_path: Path) -> None:
    told = load(tmp_path, example())
    assert [one.name for one in told.upstreams] == [
        "openai", "deep", "anthropic", "google", "home", "gateway",
    ]  # fmt: skip
    named = {one.name: one for one in told.upstreams}
    assert named["openai"].api_key == "sk-openai"
    assert (named["deep"].surface, named["deep"].background) == ("responses", True)
    assert named["google"].options["access_token"] == "ya29"
    assert named["gateway"].headers == (("x-gateway-key", "gw"),)
    assert told.owner_of("key-of-alice") == ClientKey.of(
        "alice",
        "key-of-alice",
        ("gpt-*", "fast"),
        streams=10,
        budget=Allowance(dollars=Decimal(5), tokens=1_000_000),
    )
    assert told.owner_of("key-of-p") == ClientKey.of("prometheus", "key-of-p", metrics=True)
    assert told.route("fast")[1] == "llama3.2:3b"
    assert told.route("claude-opus-5")[0].name == "anthropic"
    assert told.route("research/o9") == (named["deep"], "o9")
    assert told.ticket_key == ENVIRON["TICKET_KEY"]
    assert told.redis == RedisOptions()


def test_the_example_says_every_key_there_is() -> None:
    text = example()
    for name, keys in TABLES.items():
        for key in keys:
            if name or key not in TABLES:
                assert f"{key} = " in text or f"{key}_env = " in text or f".{key}]" in text, key


def test_the_example_says_the_defaults(tmp_path: Path) -> None:
    told, plain = load(tmp_path, example()), load(tmp_path, HOME)
    assert told.limits == plain.limits == RelayLimits()
    for name in ("port", "retention", "heartbeat", "ticket_seconds"):
        assert getattr(told, name) == getattr(plain, name)


def test_a_file_of_a_few_lines(tmp_path: Path) -> None:
    told = load(
        tmp_path, HOME + '[models]\n"x" = "home"\n"y*" = {upstream = "home", model = "*"}\n'
    )
    assert told.routes == (Route("x", "home"), Route("y*", "home", "*"))
    assert told == RelayConfig(upstreams=told.upstreams, routes=told.routes)


def test_the_url_of_a_redis_may_stand_in_a_variable(tmp_path: Path) -> None:
    text = "store_env = 'REDIS'\n" + HOME + "[redis]\nlease = 3\nprefix = 'p:'\n"
    told = load(tmp_path, text, {"REDIS": "rediss://ann:secret@host:7000/2?x=secret"})
    assert told.store == "rediss://ann:secret@host:7000/2?x=secret"
    assert told.store_shown == "rediss://host:7000/2"
    assert "secret" not in repr(told)
    assert (told.in_redis, told.redis) == (True, RedisOptions(lease=3, prefix="p:"))
    assert not load(tmp_path, HOME).in_redis


def test_from_tables() -> None:
    told = RelayConfig.from_dict({"upstreams": {"home": {"provider": "ollama"}}, "port": 0}, {})
    assert (told.port, told.upstreams[0].name) == (0, "home")


WRONG: list[tuple[str, int | None, str]] = [
    ('hots = "x"\n' + HOME, 1, "hots: there is no such key; did you mean host?"),
    ('\nport = "x"\n' + HOME, 2, "port: it has to be a whole number, not str"),
    ("port = true\n" + HOME, 1, "port: it has to be a whole number, not bool"),
    ("xyz = 1\n" + HOME, 1, "xyz: there is no such key; there are: allowed_hosts, cors_origins,"),
    ('cors_origins = ["a", 1]\n' + HOME, 1, "cors_origins: it has to be an array of texts"),
    ("port = 99999\n" + HOME, 1, "port: port is between 0 and 65535"),
    ('host = "0.0.0.0"\n' + HOME, 1, "host: host '0.0.0.0' is open to others"),
    (
        HOME + "[limits]\nbody_byte = 1\n",
        4,
        "[limits] body_byte: there is no such key; did you mean body_bytes?",
    ),
    (HOME + "[limits]\nbody_bytes = 0\n", 4, "[limits] body_bytes: body_bytes is at least 1"),
    ("", None, "there is no upstream"),
    ("upstreams = 1\n", 1, "upstreams: it has to be a table, not int"),
    ("[upstreams]\na = 1\n", 2, "[upstreams] a: it has to be a table, as in [upstreams.a]"),
    ("[upstreams.a]\n", 1, "[upstreams.a] provider: it is missing"),
    (
        HOME + "api_kye = 's'\n",
        3,
        "[upstreams.home] api_kye: there is no such key; did you mean api_key?",
    ),
    (HOME + "api_key = 1\n", 3, "[upstreams.home] api_key: it has to be a text, not int"),
    (HOME + "api_key_env = 1\n", 3, "[upstreams.home] api_key_env: it has to be the name of"),
    (
        HOME + "api_key_env = 'NO'\n",
        3,
        "[upstreams.home] api_key_env: the environment variable NO is not set",
    ),
    (
        HOME + "api_key = 's'\napi_key_env = 'GATEWAY_KEY'\n",
        4,
        "[upstreams.home] api_key_env: api_key is there too",
    ),
    (
        HOME + "options.regoin = 's'\n",
        3,
        "[upstreams.home.options] regoin: ollama takes no such option",
    ),
    (
        HOME + "[upstreams.home.headers]\nx = 1\n",
        4,
        "[upstreams.home.headers] x: it has to be a text",
    ),
    (
        HOME + "[upstreams.home.fields]\nmodel = 'x'\n",
        4,
        "[upstreams.home.fields] model: it is not the body's",
    ),
    ("[upstreams.a]\nprovider = 'openai'\n", 1, "[upstreams.a]: no key: give api_key"),
    ("[upstreams.\"a b\"]\nprovider = 'ollama'\n", 1, '[upstreams."a b"]: an upstream is called'),
    (
        HOME + "[models]\nx = 'hom'\n",
        4,
        "[models.x] upstream: no upstream is called 'hom'; did you mean home?",
    ),
    (HOME + "[models]\nx = 1\n", 4, "[models] x: it has to be the name of an upstream, or a table"),
    (
        HOME + "[models]\n'x*' = {upstream = 'home', modell = 'y'}\n",
        4,
        '[models."x*"] modell: there is no such key; did you mean model?',
    ),
    (HOME + "[models.x]\nmodel = 'y'\n", 3, "[models.x] upstream: it is missing"),
    ("ticket_key = 'secret'\n" + HOME, 1, "ticket_key: ticket_key has fewer than 32 characters"),
    ("ticket_key_env = 'NO'\n" + HOME, 1, "ticket_key_env: the environment variable NO is not"),
    ("store_env = 'NO'\n" + HOME, 1, "store_env: the environment variable NO is not set"),
    ("store = 'http://secret'\n" + HOME, 1, "store: a URL begins with redis://, rediss://"),
    ("[redis]\nlease = 0\n" + HOME, 2, "[redis] lease: lease is at least 1, in seconds"),
    ("[redis]\nleese = 9\n" + HOME, 2, "[redis] leese: there is no such key; did you mean lease?"),
    ("host_env = 'NO'\n" + HOME, 1, "host_env: there is no such key; did you mean host?"),
    ("ticket_seconds = 0\n" + HOME, 1, "ticket_seconds: ticket_seconds is between 1 and"),
    (HOME + "[keys.a]\n", 3, "[keys.a]: give key, key_env or sha256: one of them"),
    (HOME + "[keys.a]\nkey = 'sk secret'\n", 4, "[keys.a] key: key a holds a line break, a blank"),
    (HOME + "[keys.a]\nsha256 = ''\n", 4, "[keys.a] sha256: sha256 of key a is 64"),
    ("x = = 1", None, "it is no TOML: "),
]


@pytest.mark.parametrize(("text", "line", "why"), WRONG, ids=lambda value: str(value)[-40:])
def test_what_is_wrong_is_told_by_line_table_and_key(
    tmp_path: Path, text: str, line: int | None, why: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text)
    assert raised.value.line == line
    place = "relay.toml: " if line is None else f"relay.toml, line {line}: "
    assert str(raised.value).startswith(place + why)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "relay.toml"
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="it is no TOML"):
        load_config(file)
    with pytest.raises(FileNotFoundError):
        load_config(tmp_path / "none.toml")


def test_a_traceback_holds_no_key(tmp_path: Path) -> None:
    text = HOME + "api_key = 'sk-secret'\n[keys.a]\nkey = 'sk-secret-too'\n[limits]\nx = 1\n"
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text)
    told = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    frames = [one for one in told.stack if one.filename == loading.__file__]
    assert frames
    assert "secret" not in str([one.locals for one in frames])
    assert raised.value.__context__ is None


def test_the_process_environment_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_TEST_KEY", "k")
    file = tmp_path / "relay.toml"
    file.write_text("[upstreams.a]\nprovider = 'groq'\napi_key_env = 'RELAY_TEST_KEY'\n", "utf-8")
    assert load_config(str(file)).upstreams[0].api_key == "k"


@pytest.mark.parametrize("value", [1, "x", True, 1.5, [], ["x"], {}, None])
@pytest.mark.parametrize("table", TABLES)
def test_nothing_in_any_place_breaks_the_reader(table: str, value: Any) -> None:
    for key in (*TABLES[table], "other"):
        inner: Any = {key: value}
        data = inner if not table else {table: inner if table == "limits" else {"n": inner}}
        whole = {"upstreams": {"home": {"provider": "ollama"}}} | data
        try:
            told = RelayConfig.from_dict(whole, {})
        except ConfigError:
            continue
        assert told.upstreams


# ---- prices


PRICES = '[prices.models]\nm = {prompt = "0.1", completion = 2}\n'
USAGE = Usage(prompt_tokens=1_000_000, completion_tokens=1_000_000)


def test_prices_in_a_table_or_in_a_file(tmp_path: Path) -> None:
    assert load(tmp_path, HOME).prices is None
    told = load(tmp_path, HOME + PRICES).prices
    assert told is not None
    assert told.cost(USAGE, "m") == Decimal("2.1")
    file = tmp_path / "prices.toml"
    file.write_text(PRICES.replace("prices.", ""), "utf-8")
    assert load(tmp_path, f'prices = "{file}"\n{HOME}').prices == told


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("prices = 1\n" + HOME, "prices: it has to be a table, or the path of a file, not int"),
        ('prices = "/no/such/file"\n' + HOME, "prices: they cannot be read: No such file"),
        (HOME + "[prices.models]\nm = {prompt = 1}\n", "missing required field `completion`"),
        (HOME + PRICES.replace("completion", "complete"), "unknown field `complete`"),
        (HOME + PRICES.replace("2}", "-2}"), "0 or more"),
    ],
)
def test_prices_that_are_none(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError, match="prices") as refused:
        load(tmp_path, text)
    assert why in str(refused.value)
