"""TLS without I/O, for runtimes whose own cannot be stacked or do not tell a cut from an end.

``Layers`` are the TLS sessions of one connection, the outermost first: one, or two where TLS
goes through a proxy's TLS. Bytes of the network go in by ``feed``, and come out of ``taken``;
what is to be sent is what ``pending`` gives. An end without close_notify raises
``ssl.SSLEOFError``: somebody cut the connection, and may have meant to.
"""

from __future__ import annotations

import ssl

__all__ = ["Layers"]

PIECE = 64 * 1024


class Layer:
    """One TLS session, as client, over two buffers."""

    def __init__(self, context: ssl.SSLContext, server_hostname: str) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=server_hostname)


class Layers:
    """The TLS of one connection. Without a layer, bytes pass as they are."""

    def __init__(self) -> None:
        self._layers: list[Layer] = []
        self._closed = False

    def __bool__(self) -> bool:
        return bool(self._layers)

    def add(self, context: ssl.SSLContext, server_hostname: str) -> None:
        """Another session, within those that are there; ``shake`` begins it."""
        self._layers.append(Layer(context, server_hostname))

    def shake(self) -> bool:
        """Go on with the handshake of the innermost session; True when it is done. Send what
        is ``pending`` either way. Raises ``ssl.SSLError``."""
        try:
            self._layers[-1].tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def put(self, data: bytes) -> None:
        """Encrypt ``data``; what is to be sent is ``pending`` then."""
        self._layers[-1].tls.write(data)

    def pending(self) -> bytes:
        """What is to be sent now."""
        for outer, inner in reversed(list(zip(self._layers, self._layers[1:], strict=False))):
            if inner.outgoing.pending:
                outer.tls.write(inner.outgoing.read())
        return self._layers[0].outgoing.read()

    def feed(self, data: bytes) -> None:
        """What the network gave; empty for its end. Raises ``ssl.SSLError``."""
        into = self._layers[0].incoming
        if data:
            into.write(data)
        else:
            into.write_eof()
        for outer, inner in zip(self._layers, self._layers[1:], strict=False):
            plain, closed = read_all(outer)
            inner.incoming.write(plain)
            if closed:
                inner.incoming.write_eof()

    def taken(self) -> bytes | None:
        """What came for the application: None while nothing did, empty at an orderly end.
        Raises ``ssl.SSLError``, at an end without close_notify ``ssl.SSLEOFError``."""
        if self._closed:
            return b""
        data, self._closed = read_all(self._layers[-1])
        return data if data or self._closed else None


def read_all(layer: Layer) -> tuple[bytes, bool]:
    """All that can be decrypted now, and whether the other side has ended it in order."""
    pieces: list[bytes] = []
    try:
        while piece := layer.tls.read(PIECE):
            pieces.append(piece)
    except ssl.SSLWantReadError:
        return b"".join(pieces), False
    except ssl.SSLZeroReturnError:
        pass
    except ssl.SSLError:
        if not pieces:
            raise
        # What came before it counts; the next read raises it again.
        return b"".join(pieces), False
    return b"".join(pieces), True
