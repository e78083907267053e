"""The connections to Redis: how they are made, and made again.

A ``Wire`` is one connection, which carries the questions of all tasks one behind the other; a
``Link`` makes a new one where the last has broken. Whoever lost one does not know whether what
was sent arrived, and asks again, as long as ``patience`` lasts. What Redis refuses is told at
once, with what to do about it, and never with the password.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from sans_io_stream.secret import Secret

from ..protocol import StoreError

try:
    import anyio
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from coredis.exceptions import (
        AuthenticationError,
        AuthorizationError,
        ConnectionError,
        InvalidResponse,
        NoScriptError,
        ReadOnlyError,
        RedisError,
        UnblockedError,
        UnknownCommandError,
        WrongTypeError,
    )
    from coredis.pool import ConnectionPool
except ImportError as missing:
    raise ImportError("RedisStore needs coredis: pip install 'sans-io-stream[redis]'") from missing

if TYPE_CHECKING:
    from anyio.abc import TaskGroup
    from coredis.connection import BaseConnection

    from .scripts import Script

__all__ = ["Link", "Lost", "Unanswered", "Where", "Wire", "Word", "refused"]

T = TypeVar("T")
Word = bytes | str | int

SILENT = "it does not answer"
PAUSE = 0.02
"""Seconds before the second try; twice as many before each further one, up to a second."""


class Lost(Exception):
    """The connection broke: whether what was sent on it arrived is not known."""


class Where:
    """Which Redis, by a URL: ``redis://``, ``rediss://`` (TLS; certificate and name of the host
    are checked) or ``unix://``, as coredis reads it. Raises ``ValueError`` for any other."""

    def __init__(self, url: str) -> None:
        pool = parsed(url)
        if isinstance(pool, str):
            # Raised here: a traceback has no frame that holds the parts of the URL.
            raise ValueError(f"the URL of the Redis server: {pool}")
        self._class: Callable[..., BaseConnection] = pool.connection_class
        self._location = pool.location
        given = pool.connection_kwargs.items()
        self._arguments: dict[str, object] = {
            name: Secret(value) if isinstance(value, str) else value
            for name, value in given
            if name in ARGUMENTS
        }
        self.name = str(pool.location)

    def __repr__(self) -> str:
        return f"<Redis at {self.name}>"

    def connection(self) -> BaseConnection:
        """One that is not open yet."""
        return self._class(self._location, **self._arguments)


ARGUMENTS = frozenset(
    {"username", "password", "db", "ssl_context", "client_name", "connect_timeout"}
)
"""What a URL may say about connections. What else coredis has would change the answers."""


def parsed(url: str) -> ConnectionPool[Any] | str:
    """What coredis makes of a URL, or what is wrong with it, in words that quote nothing."""
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        somewhere = parts.path if parts.scheme == "unix" else parts.hostname
        if parts.scheme not in ("redis", "rediss", "unix") or not somewhere:
            return SHAPE
        pool = ConnectionPool.from_url(url, decode_components=True)
        context = pool.connection_kwargs.get("ssl_context")
        if context is not None and query.get("ssl_cert_reqs") != ["none"]:
            # Else it checks no name unless that is asked for.
            if "ssl_check_hostname" not in query:
                context.check_hostname = True
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        return error.strerror or SHAPE
    except (ValueError, TypeError):
        return SHAPE
    return pool


SHAPE = "it is redis://HOST:PORT/DB, rediss://HOST:PORT/DB or unix:///PATH"


class Wire:
    """An open connection. Questions that wait at the same time are sent together."""

    def __init__(self, connection: BaseConnection, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._why: str | None = None
        """Why it was given up, if it was: whoever else waits on it only hears that it is lost."""

    @property
    def usable(self) -> bool:
        """Whether anything can be asked."""
        return self._connection.usable

    def send(self, *command: Word, timeout: float | None = None) -> Awaitable[object]:
        """Ask, and have the answer later. Raises ``Lost``."""
        try:
            return self._connection.create_request(
                str(command[0]).encode(), *command[1:], timeout=timeout or self._timeout
            )
        except ConnectionError as error:
            raise Lost(self._why or reason(error)) from None

    async def answer(self, asked: Awaitable[object]) -> object:
        """Wait for an answer. Raises ``Lost``, and ``RedisError`` for what is refused."""
        try:
            return await asked
        except (ConnectionError, InvalidResponse) as error:
            raise Lost(self._why or reason(error)) from None
        except TimeoutError:
            # What comes behind it would come as late.
            raise self._given_up(SILENT) from None
        except RedisError as error:
            if not moved(error):
                raise
            # A new connection may lead to the one that is the primary now.
            raise self._given_up(str(refused(error))) from None
        except Exception as error:  # noqa: BLE001
            # Whatever else ended the connection: TLS, or what was no answer of a Redis'.
            raise self._given_up(reason(error)) from None

    def _given_up(self, why: str) -> Lost:
        self._why = self._why or why
        self._connection.invalidate()
        return Lost(why)

    async def ask(self, *command: Word) -> object:
        """Ask, and wait for the answer. Raises as ``answer`` does."""
        return await self.answer(self.send(*command))

    async def run(self, script: Script, *arguments: Word) -> object:
        """Run a script. Raises as ``answer`` does."""
        try:
            return await self.ask("EVALSHA", script.digest, 0, *arguments)
        except NoScriptError:
            return await self.ask("EVAL", script.source, 0, *arguments)


class Link:
    """A wire to Redis, or the next one. Its connections run in ``group``. ``patience`` are the
    seconds for which a question is asked again."""

    def __init__(self, where: Where, group: TaskGroup, patience: float) -> None:
        self.where = where
        self.patience = patience
        self._group = group
        self._timeout = patience / 2
        self._wire: Wire | None = None
        self._connecting = anyio.Lock()

    async def wire(self) -> Wire:
        """One that is open. Raises ``Lost`` and ``RedisError``."""
        if self._wire is None or not self._wire.usable:
            async with self._connecting:
                # Whoever waited here has the one that was made meanwhile.
                if self._wire is None or not self._wire.usable:
                    self._wire = await self._connect()
        return self._wire

    async def _connect(self) -> Wire:
        connection = self.where.connection()
        scope = anyio.move_on_after(self._timeout)
        try:
            with scope:
                await self._group.start(connection.run)
        except ConnectionError as error:
            # Under trio a connection that is given up ends like this, too.
            raise Lost(SILENT if scope.cancel_called else reason(error)) from None
        finally:
            if not connection.usable:
                discard(connection)
        if scope.cancelled_caught:
            raise Lost(SILENT)
        return Wire(connection, self._timeout)

    async def do(self, work: Callable[[Wire], Awaitable[T]]) -> T:
        """Do some work, again with a new wire where one was lost. Raises ``StoreError``.

        However late it is by then, it is tried twice: it may be this process that was stopped.
        """
        until = anyio.current_time() + self.patience
        pause = PAUSE
        while True:
            try:
                return await work(await self.wire())
            except Lost as lost:
                if pause > PAUSE and anyio.current_time() + pause > until:
                    raise Unanswered(self.where.name, self.patience, str(lost)) from None
            except RedisError as error:
                raise refused(error) from None
            await anyio.sleep(pause)
            pause = min(2 * pause, 1.0)


class Unanswered(StoreError):
    """Redis was not to be had: whether what was asked is done is not known."""

    def __init__(self, name: str, seconds: float, why: str) -> None:
        super().__init__(f"Redis at {name} was not to be had for {seconds:g} seconds: {why}")


def discard(connection: BaseConnection) -> None:
    """Close what a connection that came to nothing has open: it leaves that to a warning."""
    for one in vars(connection).values():
        if isinstance(one, MemoryObjectSendStream | MemoryObjectReceiveStream):
            one.close()


def reason(error: BaseException) -> str:
    """Why a connection is lost: what the system says, if it is that."""
    said, cause = str(error) or type(error).__name__, error.__cause__
    while cause is not None:
        # A group has one for each address of the host.
        several: tuple[BaseException, ...] = getattr(cause, "exceptions", ())
        cause = several[-1] if several else cause
        if isinstance(cause, OSError):
            # The numbers of TLS are its own.
            number = None if isinstance(cause, ssl.SSLError) else cause.errno
            said = os.strerror(number) if number else str(cause) or said
        cause = cause.__cause__
    return said


def moved(error: RedisError) -> bool:
    """Whether it is a primary no longer that says so: a failover leaves connections open. Before
    Redis 7 it says so of a script in the script's own error."""
    told = str(error)
    return isinstance(error, ReadOnlyError | UnblockedError) or any(
        mark in told for mark in ("READONLY", "MASTERDOWN")
    )


def refused(error: RedisError) -> StoreError:
    """What Redis said, with what to do about it."""
    said = str(error)
    for kind, mark, advice in ADVICE:
        if isinstance(error, kind) and mark in said:
            return StoreError(f"Redis refuses it ({said[:200]}): {advice}")
    return StoreError(f"Redis refuses it: {said[:200]}")


ADVICE: tuple[tuple[type[RedisError], str, str], ...] = (
    (AuthenticationError, "", "give the right user and password in the URL, by store_env"),
    (AuthorizationError, "", "let this user do that to all keys under the prefix"),
    (RedisError, "user executing the script", "let this user do that to all keys under the prefix"),
    (ReadOnlyError, "", "give the URL of the primary, not of a replica"),
    (WrongTypeError, "", "another program uses these keys: give another prefix or database"),
    (UnknownCommandError, "", "Redis 6.2 or Valkey is the oldest that will do"),
    (RedisError, "OOM", "it is full: raise maxmemory, or keep streams for a shorter time"),
    (RedisError, "MISCONF", "it cannot write its disk: see to space there, and to its log"),
    (RedisError, "NOREPLICAS", "too few replicas are connected: see to them"),
    (RedisError, "MASTERDOWN", "give the URL of the primary, not of a replica"),
    (RedisError, "BUSY", "another script has been running for too long: SCRIPT KILL ends it"),
    (RedisError, "Invalid Database", "give a database that there is"),
)
