"""The keyword options of ``StreamSession``, for those who hand them on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from ..http import Item
    from ..policy import Limits, ReconnectPolicy, Timeouts
    from ..request import HTTPRequest
    from .proxy import Proxy

__all__ = ["SessionOptions"]


class SessionOptions(TypedDict, total=False):
    """What ``StreamSession`` takes beside its request and a token."""

    policy: ReconnectPolicy | None
    timeouts: Timeouts | None
    limits: Limits | None
    proxy: str | Proxy | None
    random: Callable[[], float] | None
    tap: Callable[[HTTPRequest, Item], None] | None
