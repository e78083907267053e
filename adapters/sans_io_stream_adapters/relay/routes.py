"""Whom the relay asks: its upstreams, and which of them serves a model.

Immutable values, checked when they are made: ``ValueError`` says what cannot be, and what to do.
Keys are ``Secret``: no value here shows one.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from sans_io_stream.headers import HeaderPairs, header_pairs, is_credential
from sans_io_stream.providers import provider_named
from sans_io_stream.request import Authorizer
from sans_io_stream.secret import Secret

from .upstreams import builder_of, template

__all__ = ["Route", "UnknownModel", "Upstream", "check_name"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
OWN = frozenset({"model", "messages", "contents", "input", "api_key", "base_url", "headers"}) | {
    "authorize", "idempotency_key", "background",
}  # fmt: skip
"""Arguments of builders that an upstream's own settings say, or the client."""


def options_of(upstream: Upstream) -> list[str]:
    """The arguments of an upstream's builder that are options, in alphabetical order."""
    parameters = inspect.signature(builder_of(upstream)).parameters.values()
    names = {one.name for one in parameters if one.kind is one.KEYWORD_ONLY}
    return sorted(names - OWN - {"resume_from_event_id"})


class UnknownModel(LookupError):
    """No upstream serves a model of that name."""

    def __init__(self, model: str) -> None:
        super().__init__(f"the model {model!r} is not served here: GET /v1/models lists what is")
        self.model = model


def check_name(what: str, name: str) -> None:
    """Raise ``ValueError`` for a name that could be taken for something else in a path."""
    if NAME.fullmatch(name) is None:
        raise ValueError(f"{what} {name!r}: a name is letters, digits, '.', '_' and '-'")


class Upstream(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """Whom to ask: a provider, with what its builder needs.

    ``options`` are further arguments of the builder (``region``, ``project``, ``endpoint`` …),
    ``fields`` fields of the body where the client does not say them. ``surface`` "responses"
    asks OpenAI and Azure there, ``background`` has the answer go on at the provider, so that
    it can be taken up again. ``authorize`` signs, and stands in no file.
    """

    name: str
    provider: str
    api_key: str | None = None
    base_url: str | None = None
    surface: Literal["chat", "responses"] = "chat"
    background: bool = False
    options: Mapping[str, Any] = {}
    fields: Mapping[str, Any] = {}
    headers: HeaderPairs = ()
    authorize: Authorizer | None = None

    def __post_init__(self) -> None:
        check_name("an upstream is called", self.name)
        provider = provider_named(self.provider)
        put = msgspec.structs.force_setattr
        put(self, "provider", provider.name)
        if self.api_key is not None:
            put(self, "api_key", Secret(self.api_key))
        hidden = {k: Secret(v) if k == "access_token" else v for k, v in self.options.items()}
        put(self, "options", hidden)
        pairs = header_pairs(self.headers)
        put(self, "headers", tuple((k, Secret(v) if is_credential(k) else v) for k, v in pairs))
        if self.surface not in ("chat", "responses"):
            raise ValueError('surface is "chat" or "responses"')
        if self.background and self.surface != "responses":
            raise ValueError('background needs surface = "responses"')
        known = options_of(self)
        for option in self.options:
            if option not in known:
                raise ValueError(
                    f"options.{option}: {self.provider} takes no such option; it takes: "
                    f"{', '.join(known) or 'none'} (fields of the body stand in fields)"
                )
        for name in self.fields:
            if name in OWN or name in known:
                raise ValueError(f"fields.{name}: it is not the body's to say")
        shows = self.api_key or self.authorize or "access_token" in self.options
        if provider.needs_key and not shows and not any(is_credential(k) for k, _ in pairs):
            variable = provider.key_variables[0] if provider.key_variables else "NAME"
            raise ValueError(f'no key: give api_key, or api_key_env = "{variable}"')
        template(self, "model")

    def __repr__(self) -> str:
        return f"<Upstream {self.name}: {self.provider}>"


class Route(msgspec.Struct, frozen=True):
    """Which upstream serves a model. ``model`` may hold one ``*`` for any text.

    ``there`` is the model's name at the upstream, a ``*`` in it what the ``*`` stands for; None
    for the name as the client says it.
    """

    model: str
    upstream: str
    there: str | None = None

    def __post_init__(self) -> None:
        if not self.model or self.model.count("*") > 1 or (self.there or "").count("*") > 1:
            raise ValueError(f"the model {self.model!r}: a name, with one * at the most")
        if self.there == "" or ("*" in (self.there or "") and "*" not in self.model):
            raise ValueError(f"the model {self.model!r} is called {self.there!r} there: not a name")

    def takes(self, model: str) -> str | None:
        """The model's name at the upstream; None if this route is not its."""
        before, star, after = self.model.partition("*")
        if not star:
            return (self.there or model) if model == self.model else None
        fits = model.startswith(before) and model.endswith(after)
        if not fits or len(model) <= len(before) + len(after):
            return None
        part = model[len(before) : len(model) - len(after)]
        return model if self.there is None else self.there.replace("*", part)
