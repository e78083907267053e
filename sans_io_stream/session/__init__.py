"""StreamSession: one answer over as many connections as it takes, as a pure state machine.

``machine`` is what drivers call and ``steps`` what it asks of them; ``course`` judges, with
``ladder`` (what next), ``backoff`` (when), ``onward`` (redirects) and ``clocks``; ``wire`` is one
connection, ``lost`` how one failed, and ``document`` a response that is no stream; ``assembly``
puts the answer together, over ``standing`` (what is known of it), with ``joined`` (one decoder,
many bodies), ``seam`` (what continues) and ``replay`` (what comes again); ``checkpoint`` writes
all of it down.
"""

from __future__ import annotations

from .machine import StreamSession
from .proxy import Proxy
from .steps import Authorize, Close, Connect, Done, Receive, Send, StartTLS, Step, Wait

__all__ = [
    "Authorize",
    "Close",
    "Connect",
    "Done",
    "Proxy",
    "Receive",
    "Send",
    "StartTLS",
    "Step",
    "StreamSession",
    "Wait",
]
