"""Signatures of AWS with this machine's clock, and the credentials of its environment.

The signing itself is ``sans_io_stream.providers.signing``, which has neither.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sans_io_stream.providers.signing import AWSCredentials, SigV4

if TYPE_CHECKING:
    from sans_io_stream.providers.signing import AWSKeys

__all__ = ["from_environment", "sigv4"]


def sigv4(
    region: str | None = None, *, credentials: AWSKeys | None = None, service: str = "bedrock"
) -> SigV4:
    """An ``authorize`` that signs each attempt at the time it is made.

    ``region`` is that of the variable ``AWS_REGION`` or ``AWS_DEFAULT_REGION`` if it is None.
    ``credentials`` are as of ``SigV4``; if they are None, they are those of the environment,
    read anew for each attempt.

    Raises ``ValueError`` for what neither the arguments nor the environment say, and what
    ``SigV4`` raises.
    """
    place = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not place:
        raise ValueError("no region: give region=, or set AWS_REGION")
    if credentials is None:
        from_environment()
        credentials = from_environment
    return SigV4(credentials, place, service, clock=lambda: datetime.now(UTC))


def from_environment() -> AWSCredentials:
    """The credentials of ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY`` and, if it is set,
    ``AWS_SESSION_TOKEN``.

    Raises ``ValueError`` if one of the first two is not set, or cannot be a credential.
    """
    missing = [name for name in REQUIRED if not os.environ.get(name)]
    if missing:
        raise ValueError(f"no credentials: set {' and '.join(missing)}, or give credentials=")
    return AWSCredentials(
        os.environ[REQUIRED[0]],
        os.environ[REQUIRED[1]],
        os.environ.get("AWS_SESSION_TOKEN") or None,
    )


REQUIRED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
