"""The relay's configuration out of one TOML file: tables into values, by tables.

``TABLES`` says which keys there are and what each holds. Any secret, and any text in an upstream,
its options and headers, and in a key may stand in an environment variable instead: ``NAME_env``
names it.
What is wrong is told by file, line, table and key, never by a value that may be a secret.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sans_io_stream.dialects.shapes import is_array, is_object
from sans_io_stream.price_files import table_of
from sans_io_stream.secret import Secret
from sans_io_stream_adapters.prices import load_prices

from .config import ClientKey, RedisOptions, RelayConfig, RelayLimits, Route, Upstream
from .operations.allowance import Allowance

if TYPE_CHECKING:
    from sans_io_stream import PriceTable

__all__ = ["ConfigError", "load_config", "read_config"]

T = TypeVar("T")
Config = TypeVar("Config", bound=RelayConfig)


class ConfigError(ValueError):
    """A configuration that cannot be. ``table`` and ``key`` are where; ``line`` of the file, if
    there is one."""

    def __init__(
        self, table: tuple[str, ...], key: str, why: str, line: int | None = None, file: str = ""
    ) -> None:
        place = ", ".join(part for part in (file, f"line {line}" if line else "") if part)
        name = f"[{dotted(table)}] {key}".strip() if table else key
        super().__init__(": ".join(part for part in (place, name, why) if part))
        self.table, self.key, self.why, self.line = table, key, why, line


def dotted(table: tuple[str, ...]) -> str:
    """A table's name as TOML writes it."""
    return ".".join(part if BARE.fullmatch(part) else f'"{part}"' for part in table)


BARE = re.compile(r"[A-Za-z0-9_-]+")


class Kind:
    """What a key holds: ``check`` tells it, ``title`` names it."""

    def __init__(self, title: str, check: Callable[[Any], bool]) -> None:
        self.title = title
        self.check = check


def is_number(value: Any) -> bool:
    """Whether it is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


TEXT = Kind("a text", lambda value: isinstance(value, str))
SECRET = Kind(TEXT.title, TEXT.check)
WHOLE = Kind("a whole number", lambda value: is_number(value) and isinstance(value, int))
NUMBER = Kind("a number", is_number)
SWITCH = Kind("true or false", lambda value: isinstance(value, bool))
TABLE = Kind("a table", is_object)
TEXTS = Kind(
    "an array of texts",
    lambda value: is_array(value) and all(isinstance(one, str) for one in value),
)
ROUTE = Kind("the name of an upstream, or a table", lambda v: isinstance(v, str) or is_object(v))
AMOUNT = Kind('an amount, as in "5.00"', lambda v: isinstance(v, str) or is_number(v))
PRICES = Kind("a table, or the path of a file", ROUTE.check)
ANY = Kind("anything", lambda value: True)

TABLES: dict[str, dict[str, Kind]] = {
    "": {
        "host": TEXT, "port": WHOLE, "store": SECRET, "retention": NUMBER, "heartbeat": NUMBER,
        "cors_origins": TEXTS, "allowed_hosts": TEXTS, "limits": TABLE, "upstreams": TABLE,
        "models": TABLE, "keys": TABLE, "prices": PRICES, "ticket_key": SECRET,
        "ticket_seconds": WHOLE, "log_format": TEXT, "redis": TABLE,
    },
    "redis": {"lease": NUMBER, "prefix": TEXT},
    "limits": {
        "body_bytes": WHOLE, "header_bytes": WHOLE, "away_seconds": NUMBER, "away_bytes": WHOLE,
        "drain_seconds": NUMBER,
    },
    "upstreams": {
        "provider": TEXT, "api_key": TEXT, "base_url": TEXT, "surface": TEXT,
        "background": SWITCH, "options": TABLE, "fields": TABLE, "headers": TABLE,
    },
    "models": {"upstream": TEXT, "model": TEXT},
    "keys": {
        "key": TEXT, "sha256": TEXT, "models": TEXTS, "streams": WHOLE, "budget": TABLE,
        "metrics": SWITCH,
    },
    "budget": {"dollars": AMOUNT, "tokens": WHOLE, "period": TEXT},
}  # fmt: skip
"""The keys of each table and what they hold; of a table of tables, those of each of them."""
FROM_VARIABLES = frozenset({"upstreams", "keys"})
"""Where ``NAME_env`` may stand for any text ``NAME``, and not for a secret alone."""


class Reader:
    """Reads tables. ``environ`` is where variables are looked up."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def table(self, name: str, data: Mapping[str, Any], at: tuple[str, ...]) -> dict[str, Any]:
        """A table's keys, checked; those that stand in variables read. Raises ``ConfigError``."""
        known = TABLES[name]
        found: dict[str, Any] = {}
        for key, value in data.items():
            source = key.removesuffix("_env")
            kinds = (SECRET, TEXT) if name in FROM_VARIABLES else (SECRET,)
            if key != source and known.get(source) in kinds:
                if source in data:
                    raise ConfigError(at, key, f"{source} is there too: give one of them")
                found[source] = self.variable(key, value, at)
                continue
            if key not in known:
                raise ConfigError(at, key, f"there is no such key; {nearest(key, known)}")
            if not known[key].check(value):
                kind = type(value).__name__
                raise ConfigError(at, key, f"it has to be {known[key].title}, not {kind}")
            found[key] = value
        return found

    def variable(self, key: str, name: Any, at: tuple[str, ...]) -> Secret:
        """What an environment variable holds. Raises ``ConfigError`` if it is not set."""
        if not isinstance(name, str):
            raise ConfigError(at, key, "it has to be the name of an environment variable")
        value = self.environ.get(name)
        if not value:
            raise ConfigError(at, key, f"the environment variable {name} is not set")
        return Secret(value)

    def texts(self, data: Mapping[str, Any], at: tuple[str, ...]) -> dict[str, Any]:
        """A table of whatever keys, those that stand in variables read."""
        found: dict[str, Any] = {}
        for key, value in data.items():
            source = key.removesuffix("_env")
            found[source] = value if source == key else self.variable(key, value, at)
        return found

    def upstream(self, name: str, data: Any) -> Upstream:
        """One upstream."""
        at = ("upstreams", name)
        told = self.table("upstreams", as_table(data, ("upstreams",), name), at)
        if "provider" not in told:
            raise ConfigError(at, "provider", 'it is missing: which one is it, as in "openai"?')
        options = self.texts(told.get("options", {}), (*at, "options"))
        headers = self.texts(told.get("headers", {}), (*at, "headers"))
        for key, value in headers.items():
            if not isinstance(value, str):
                raise ConfigError((*at, "headers"), key, "it has to be a text")
        given: dict[str, Any] = {**told, "options": options, "headers": tuple(headers.items())}
        return made(lambda: Upstream(name=name, **given), "upstreams", at)

    def key(self, name: str, data: Any) -> ClientKey:
        """One client's key."""
        at = ("keys", name)
        told = self.table("keys", as_table(data, ("keys",), name), at)
        if ("key" in told) == ("sha256" in told):
            raise ConfigError(at, "", "give key, key_env or sha256: one of them")
        models = tuple(told.get("models", ()))
        more: dict[str, Any] = {name: told[name] for name in ("streams", "metrics") if name in told}
        if "budget" in told:
            within = (*at, "budget")
            budget = self.table("budget", told["budget"], within)
            more["budget"] = made(lambda: Allowance(**budget), "budget", within)
        if "key" in told:
            return made(lambda: ClientKey.of(name, told["key"], models, **more), "keys", at)
        return made(lambda: ClientKey(name, told["sha256"] or "none", models, **more), "keys", at)

    def route(self, model: str, data: Any) -> Route:
        """One model."""
        if not ROUTE.check(data):
            raise ConfigError(("models",), model, f"it has to be {ROUTE.title}")
        if isinstance(data, str):
            data = {"upstream": data}
        at = ("models", model)
        told = self.table("models", data, at)
        if "upstream" not in told:
            raise ConfigError(at, "upstream", "it is missing: the name of one of [upstreams]")
        return made(lambda: Route(model, told["upstream"], told.get("model")), "models", at)


def read_config(
    cls: type[Config], data: Mapping[str, Any], environ: Mapping[str, str] | None
) -> Config:
    """The configuration that these tables are. Raises ``ConfigError``."""
    reader = Reader(os.environ if environ is None else environ)
    told = reader.table("", data, ())
    limits = reader.table("limits", told.pop("limits", {}), ("limits",))
    redis = reader.table("redis", told.pop("redis", {}), ("redis",))
    models = told.pop("models", {})
    names = list(told.get("upstreams", {}))
    for name in ("cors_origins", "allowed_hosts"):
        told[name] = tuple(told.get(name, ()))
    if "prices" in told:
        told["prices"] = prices_in(told["prices"])
    given: dict[str, Any] = {
        **told,
        "limits": made(lambda: RelayLimits(**limits), "limits", ("limits",)),
        "redis": made(lambda: RedisOptions(**redis), "redis", ("redis",)),
        "upstreams": tuple(reader.upstream(*one) for one in told.get("upstreams", {}).items()),
        "keys": tuple(reader.key(*one) for one in told.get("keys", {}).items()),
        "routes": tuple(reader.route(*one) for one in models.items()),
    }
    for route in given["routes"]:
        if route.upstream not in names:
            why = f"no upstream is called {route.upstream!r}; {nearest(route.upstream, names)}"
            raise ConfigError(("models", route.model), "upstream", why)
    return made(lambda: cls(**given), "", ())


def prices_in(data: Any) -> PriceTable:
    """The prices in a table, or in the file at a path. Raises ``ConfigError``."""
    try:
        return load_prices(data) if isinstance(data, str) else table_of(data)
    except OSError as error:
        why = f"they cannot be read: {error.strerror or type(error).__name__}"
        raise ConfigError((), "prices", why) from None
    except ValueError as error:
        raise ConfigError(("prices",), "", str(error)) from None


def load_config(path: str | Path, environ: Mapping[str, str] | None = None) -> RelayConfig:
    """The configuration in the TOML file at ``path``.

    ``environ`` is where variables are looked up (None: the process's). Raises ``ConfigError``
    for what is wrong in it, with its line, and ``OSError`` if it cannot be read.
    """
    read = attempt(Path(path), environ)
    if isinstance(read, ConfigError):
        # Raised here: a traceback has no frame that holds the file's text.
        raise read
    return read


def attempt(file: Path, environ: Mapping[str, str] | None) -> RelayConfig | ConfigError:
    """The configuration in that file, or what is wrong with it."""
    try:
        text = file.read_text("utf-8")
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return ConfigError((), "", f"it is no TOML: {error}", file=file.name)
    try:
        return read_config(RelayConfig, data, environ)
    except ConfigError as error:
        line = line_of(text, error.table, error.key)
        return ConfigError(error.table, error.key, error.why, line, file.name)


def made(make: Callable[[], T], name: str, at: tuple[str, ...]) -> T:
    """What ``make`` makes; its ``ValueError`` is told with the table, and with the key if its
    first word is one, as in ``options.region``."""
    try:
        return make()
    except (ValueError, TypeError) as error:
        why = str(error)
    word, _, rest = why.partition(" ")
    path = word.rstrip(":").split(".")
    if path[0] not in TABLES[name]:
        raise ConfigError(at, "", why)
    raise ConfigError((*at, *path[:-1]), path[-1], rest if word.endswith(":") else why)


def as_table(data: Any, at: tuple[str, ...], key: str) -> Mapping[str, Any]:
    """``data`` if it is a table. Raises ``ConfigError``."""
    if not is_object(data):
        raise ConfigError(at, key, f"it has to be a table, as in [{dotted((*at, key))}]")
    return cast("Mapping[str, Any]", data)


def nearest(key: str, known: Collection[str]) -> str:
    """The known key that looks like it, or all of them."""
    close = difflib.get_close_matches(key, known, 1)
    return f"did you mean {close[0]}?" if close else f"there are: {', '.join(sorted(known))}"


HEADER = re.compile(r"\s*\[+(?P<name>[^\]]+)\]+")
SEGMENT = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([^.\s"']+))\s*\.?""")


def segments(name: str) -> tuple[str, ...]:
    """A dotted name as its parts."""
    return tuple("".join(found.groups("")) for found in SEGMENT.finditer(name))


def line_of(text: str, table: tuple[str, ...], key: str) -> int | None:
    """The line where a key of a table stands, else the table, else the nearest around it: as far
    as a look at the lines can tell."""
    wanted = (*table, key) if key else table
    here: tuple[str, ...] = ()
    best: tuple[int, int | None] = (0, None)
    for number, line in enumerate(text.splitlines(), 1):
        if found := HEADER.match(line):
            here = segments(found["name"])
            full = here
        elif "=" in line and not line.lstrip().startswith("#"):
            full = (*here, *segments(line.partition("=")[0]))
        else:
            continue
        if full == wanted[: len(full)] and len(full) > best[0]:
            best = (len(full), number)
    return best[1]
