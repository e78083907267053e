"""The relay's configuration: immutable values, checked when they are made.

Whom to ask stands in ``routes``; here is who may ask (``ClientKey``), and for how long and how
much. Made by ``load_config`` from a file, or by hand. Keys are ``Secret``: no value here shows
one. Raises ``ValueError`` for what cannot be, and says what to do.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import re
from collections.abc import Mapping
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import msgspec

from sans_io_stream import PriceTable
from sans_io_stream.secret import Secret

from .operations.allowance import Allowance, check_prices
from .routes import Route, UnknownModel, Upstream, check_name

__all__ = [
    "LOCAL", "ClientKey", "RedisOptions", "RelayConfig", "RelayLimits", "Route", "UnknownModel",
    "Upstream",
]  # fmt: skip

KIB = 1024
MIB = 1024 * KIB
TICKET_KEY = 32
"""Characters of a key that cannot be guessed, if they are drawn."""
TICKET_SECONDS = 366 * 86400
SHA256 = re.compile(r"[0-9a-f]{64}")


class ClientKey(msgspec.Struct, frozen=True):
    """Who may ask. ``sha256`` is the digest of the key, in hex; ``models`` what may be asked for,
    each with one ``*`` at the most; empty for all.

    ``streams`` is how many may run at once, ``budget`` what they may use. ``metrics`` is for who
    scrapes: with it no ``models`` are none.
    """

    name: str
    sha256: str
    models: tuple[str, ...] = ()
    streams: int | None = None
    budget: Allowance | None = None
    metrics: bool = False

    def __post_init__(self) -> None:
        check_name("a key is called", self.name)
        if self.sha256 and SHA256.fullmatch(self.sha256.lower()) is None:
            raise ValueError(f"sha256 of key {self.name} is 64 hexadecimal digits")
        msgspec.structs.force_setattr(self, "sha256", Secret(self.sha256.lower()))
        for model in self.models:
            Route(model, self.name)
        if self.streams is not None and self.streams < 1:
            raise ValueError("streams is at least 1: without it any number may run")

    @classmethod
    def of(cls, name: str, key: str, models: tuple[str, ...] = (), **limits: Any) -> Self:
        """The client of that key. Raises ``ValueError`` for one that no header can hold."""
        secret = Secret(key)
        secret.check(f"key {name}")
        return cls(name, hashlib.sha256(secret.encode()).hexdigest(), models, **limits)

    def allows(self, model: str) -> bool:
        """Whether that model may be asked for."""
        if not self.models:
            return not self.metrics
        return any(Route(one, self.name).takes(model) is not None for one in self.models)


REDIS = ("redis://", "rediss://", "unix://")
"""How the URL of a Redis begins."""
LOCAL = ClientKey("local", "")
"""Whoever asks where no keys are configured: on this machine alone."""


class RelayLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much, and for how long. Infinity is for ever."""

    body_bytes: int = 32 * MIB
    """The body of one request."""
    header_bytes: int = 64 * KIB
    """The head of one request."""
    away_seconds: float = 900.0
    """For how long a stream goes on without any reader."""
    away_bytes: int = 16 * MIB
    """How much of a stream is kept that no reader has seen while none is there."""
    drain_seconds: float = 30.0
    """How long streams may take to end when the relay is stopped."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            least = 1 if name in ("body_bytes", "header_bytes") else 0
            if not getattr(self, name) >= least:
                raise ValueError(f"{name} is at least {least}")


class RedisOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How streams are kept where ``store`` is the URL of a Redis."""

    lease: float = 10.0
    """Seconds without a sign of life, and a worker is taken for dead."""
    prefix: str = "sans-io-stream:"
    """What the names of all keys begin with."""

    def __post_init__(self) -> None:
        if not 1 <= self.lease < math.inf:
            raise ValueError("lease is at least 1, in seconds")


class RelayConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All that a relay needs to know.

    ``retention`` is how long a stream is kept after its end, ``heartbeat`` how often a reader
    hears something, both in seconds. ``store`` is "memory", the path of a database, or the
    URL of a Redis (``redis://``, ``rediss://``, ``unix://``), which is hidden, as it may hold a
    password. ``prices`` are by the models' names at their upstreams; under ``providers`` those of
    one upstream. ``ticket_key`` signs tickets, the same at all workers (None: one of this
    process's own), which are good for ``ticket_seconds`` at the most.
    ``log_format`` is how the command logs: "plain", or "json".
    """

    upstreams: tuple[Upstream, ...]
    routes: tuple[Route, ...] = ()
    keys: tuple[ClientKey, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8700
    retention: float = 3600.0
    heartbeat: float = 15.0
    limits: RelayLimits = RelayLimits()
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    store: str = "memory"
    redis: RedisOptions = RedisOptions()
    prices: PriceTable | None = None
    ticket_key: str | None = None
    ticket_seconds: int = 900
    log_format: Literal["plain", "json"] = "plain"

    def __post_init__(self) -> None:
        if not self.upstreams:
            raise ValueError("there is no upstream: whom is the relay to ask?")
        names = [upstream.name for upstream in self.upstreams]
        only_once("upstream", names)
        only_once("model", [route.model for route in self.routes])
        only_once("key", [key.name for key in self.keys])
        only_once("key", [key.sha256 for key in self.keys], shown=False)
        for route in self.routes:
            if route.upstream not in names:
                known = ", ".join(names)
                raise ValueError(
                    f"the model {route.model!r}: no upstream is called {route.upstream!r}; "
                    f"there are: {known}"
                )
        if any(not key.sha256 for key in self.keys):
            raise ValueError("a key without a digest opens nothing: give the key, or its sha256")
        if not 0 <= self.port <= 65535:
            raise ValueError("port is between 0 and 65535")
        if not self.retention >= 0:
            raise ValueError("retention is at least 0, in seconds")
        if not 0 < self.heartbeat < math.inf:
            raise ValueError("heartbeat is more than 0, in seconds")
        if not self.store:
            raise ValueError('store is "memory", the path of a database, or the URL of a Redis')
        if "://" in self.store:
            if not self.store.startswith(REDIS):
                raise ValueError("store: a URL begins with redis://, rediss:// or unix://")
            msgspec.structs.force_setattr(self, "store", Secret(self.store))
        if self.ticket_key is not None:
            key = Secret(self.ticket_key)
            key.check("ticket_key")
            if len(key) < TICKET_KEY:
                raise ValueError(
                    f"ticket_key has fewer than {TICKET_KEY} characters: `python -c 'import "
                    "secrets; print(secrets.token_urlsafe())'` makes one"
                )
            msgspec.structs.force_setattr(self, "ticket_key", key)
        if not 1 <= self.ticket_seconds <= TICKET_SECONDS:
            raise ValueError(f"ticket_seconds is between 1 and {TICKET_SECONDS}")
        for host in self.allowed_hosts:
            if name_in(host) != host.lower():
                raise ValueError(
                    f"allowed_hosts: {host!r} never matches: give {name_in(host)!r}, without a "
                    "port, which may be any"
                )
        for origin in self.cors_origins:
            if origin != "*" and ORIGIN.fullmatch(origin) is None:
                raise ValueError(
                    f"cors_origins: {origin!r} is never sent: an origin is as in "
                    '"https://app.example", in lower case, without a path or a usual port'
                )
        if not self.keys and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host!r} is open to others, and no keys are configured: anybody "
                "could ask at your expense. Add keys, or bind to 127.0.0.1"
            )
        if self.log_format not in ("plain", "json"):
            raise ValueError('log_format is "plain" or "json"')
        check_prices(self)

    @property
    def in_redis(self) -> bool:
        """Whether streams are kept in a Redis."""
        return self.store.startswith(REDIS)

    @property
    def store_shown(self) -> str:
        """``store`` as it may be shown: of a URL neither user nor password, nor options."""
        if not self.in_redis:
            return self.store
        parts = urlsplit(self.store)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Self:
        """The configuration that a file's tables are; ``environ`` is where variables are looked
        up (None: the process's). Raises ``ConfigError``."""
        from .loading import read_config

        return read_config(cls, data, environ)

    def owner_of(self, key: str | None) -> ClientKey | None:
        """Whose key it is; None for nobody's. Without any keys everybody is ``LOCAL``.

        It takes as long for a key that is nearly right as for one that is not at all.
        """
        if not self.keys:
            return LOCAL
        sent = hashlib.sha256((key or "").encode("utf-8", "surrogatepass")).hexdigest()
        owner: ClientKey | None = None
        for one in self.keys:
            if hmac.compare_digest(one.sha256.encode(), sent.encode()):
                owner = one
        return None if key is None else owner

    def route(self, model: str) -> tuple[Upstream, str]:
        """Who serves a model, and what it is called there.

        A route of just that name comes first, then those with a ``*``, in their order, then
        ``NAME/model`` for the upstream of that name. Raises ``UnknownModel``.
        """
        upstream, there, _ = self._found(model)
        return upstream, there

    def _found(self, model: str) -> tuple[Upstream, str, str]:
        """Who serves a model, what it is called there, and the name that the configuration has
        for it: the route's own."""
        named = {upstream.name: upstream for upstream in self.upstreams}
        for route in sorted(self.routes, key=lambda route: "*" in route.model):
            there = route.takes(model)
            if there is not None:
                return named[route.upstream], there, route.model
        name, slash, rest = model.partition("/")
        if slash and rest and name in named:
            return named[name], rest, f"{name}/*"
        raise UnknownModel(model)

    def there(self, upstream: str, model: str) -> str | None:
        """What a model is called at an upstream; None if it is not served there, or no longer."""
        try:
            serves, there = self.route(model)
        except UnknownModel:
            return None
        return there if serves.name == upstream else None

    def labels(self, upstream: str, model: str) -> tuple[str, str]:
        """The names of an upstream and of a model as they stand here, none of a client's words:
        those of the route; "other" for what is not here, or no longer."""
        known = any(one.name == upstream for one in self.upstreams)
        try:
            serves, _, name = self._found(model)
        except UnknownModel:
            name = "other"
        else:
            name = name if serves.name == upstream else "other"
        return upstream if known else "other", name

    def models(self, key: ClientKey | None = None) -> list[str]:
        """The names of models that can be listed: those of the routes without a ``*``, as far
        as ``key`` may ask for them."""
        names = [route.model for route in self.routes if "*" not in route.model]
        return [name for name in names if key is None or key.allows(name)]

    def answers_host(self, host: str) -> bool:
        """Whether a request with that ``Host`` is answered: one of ``allowed_hosts``, whatever
        its port. Without any: all where there are keys, else those of this machine, so that no
        web page can reach the relay by a name of its own (DNS rebinding)."""
        name = name_in(host)
        if self.allowed_hosts:
            return "*" in self.allowed_hosts or name in map(str.lower, self.allowed_hosts)
        return bool(self.keys) or is_loopback(name)


PORT = re.compile(r":[0-9]*\Z")
"""The port behind a host."""
ORIGIN = re.compile(r"(?!http://[^/]*:80\Z|https://[^/]*:443\Z)[a-z][a-z0-9+.-]*://[^\sA-Z/?#@]+")
"""An origin as browsers write it (RFC 6454, 6.2); "null" is no particular page's."""


def name_in(host: str) -> str:
    """A host without its port, as it is compared: in lower case, without the root's dot."""
    return PORT.sub("", host).lower().removesuffix(".")


def only_once(what: str, names: list[str], *, shown: bool = True) -> None:
    """Raise ``ValueError`` for a name that stands there twice."""
    for number, name in enumerate(names):
        if name in names[:number]:
            raise ValueError(f"two {what}s are the same" + (f": {name!r}" if shown else ""))


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach that host."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
