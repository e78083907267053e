"""The relay: it stands between clients and providers, and streams outlive their connections.

``Relay`` is the ASGI application, ``RelayConfig`` what it is made from, by hand or by
``load_config`` from a file. Each is imported when it is first asked for: ``Relay`` needs the
extra ``relay``, and a configuration can be checked without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .app import Relay
    from .config import ClientKey, RelayConfig, RelayLimits, Route, Upstream
    from .loading import ConfigError, load_config

__all__ = [
    "ClientKey", "ConfigError", "Relay", "RelayConfig", "RelayLimits", "Route", "Upstream",
    "load_config",
]  # fmt: skip

WHERE = {"Relay": ".app", "ConfigError": ".loading", "load_config": ".loading"}
"""Modules of the names that are not the configuration's."""


def __getattr__(name: str) -> object:
    """Import what is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(WHERE.get(name, ".config"), __name__)
    return vars(module)[name]
