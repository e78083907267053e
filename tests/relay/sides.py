"""Client ⇄ relay ⇄ provider without a socket, on the machines that the relay itself is made of.

The provider is a story's server, read by a ``StreamSession`` whose connections break. What that
says goes into a ``StreamLog``, read by read, as the relay keeps it. Towards the client stands a
server as a function: ``StreamLog.asked`` reads cursors, ``LogReader`` and ``Encoder`` write the
body, and the log grows while they do. A relay that crashes reads its log from what was written,
and asks the provider from its last token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from sans_io_stream import Event, StreamEnd, StreamRequest
from sans_io_stream.encoding import Encoder, error_document
from sans_io_stream.errors import ErrorInfo
from sans_io_stream.providers import relay
from sans_io_stream.relay import (
    CursorGone,
    LogReader,
    StreamLog,
    decode_entry,
    encode_entry,
    entries_of,
    place_of,
)
from sans_io_stream.session import StreamSession
from tests.session.answers import policy_of
from tests.session.peer import Asked, Reply, Run, Server, cut, drive, response

if TYPE_CHECKING:
    from tests.session.stories import Story

__all__ = ["FORMATS", "ID", "ONE_READ", "PureRelay", "ask", "breaking", "kept", "told_by"]

FORMATS: tuple[relay.Format, ...] = ("native", "openai-chat", "anthropic", "holysheep")
ID = "0123456789abcdefABCDEF"
NAMED = {"x-stream-id": ID}
ONE_READ = 1 << 20
PATHS = {"/v1/chat/completions": "openai-chat", "/v1/messages": "anthropic"}
READ = re.compile(r"/v1/streams/([A-Za-z0-9_-]{22,86})")


def ask(format: relay.Format, key: str | None = "once") -> StreamRequest:
    """The client's request."""
    return relay.chat(
        model="m",
        messages=[{"role": "user", "content": "Hi"}],
        format=format,
        api_key="relay-key",
        base_url="http://relay.test",
        idempotency_key=key,
    )


def breaking(server: Server, random: Random, cuts: int) -> Server:
    """A server of which so many responses break off, at any byte, in order or not."""
    left = cuts

    def serve(asked: Asked) -> Reply:
        nonlocal left
        reply = server(asked)
        if left <= 0:
            return reply
        left -= 1
        at = random.randrange(len(reply.wire) + 1)
        return cut(reply.wire, at, lost=random.random() < 0.7)

    return serve


def told_by(
    story: Story, random: Random, cuts: int, *, token: str | None = None
) -> list[list[Event]]:
    """What the provider's session says, read by read, until its end."""
    session = StreamSession(
        story.request, resume_from=token, policy=policy_of(story), random=lambda: 0.5
    )
    borders = [0]

    def look(run: Run) -> bool:
        borders.append(len(run.events))
        return False

    size = random.choice((ONE_READ, ONE_READ, 200, 37, 1))
    run = drive(session, breaking(story.serve, random, cuts), size=size, stop=look)
    pairs = zip(borders, [*borders[1:], len(run.events)], strict=True)
    return [run.events[a:b] for a, b in pairs if a < b]


def kept(log: StreamLog, batch: list[Event]) -> list[bytes]:
    """Append what one read said, as the relay does. Returns what is written of it."""
    written: list[bytes] = []
    for events, token in entries_of(batch):
        last = events[-1]
        if isinstance(last, StreamEnd):
            one = log.seal(last, 0.0, events[:-1])
        else:
            one = log.append(events, 0.0, token)
        if one is not None:
            log.written(one.number)
            written.append(encode_entry(one))
    return written


@dataclass
class PureRelay:
    """One stream of a relay, and who asks for it. ``batches`` are still to come from the
    provider; between two pieces of a body some of them come, or the client is gone."""

    story: Story
    batches: list[list[Event]]
    random: Random
    crashes: int = 0
    cuts: int = 0
    log: StreamLog | None = None
    rows: list[bytes] = field(default_factory=list[bytes])
    """What the store has."""
    begun: int = 0
    """How many requests began a generation."""

    def advance(self, count: int) -> None:
        """So many reads of the provider's, and perhaps a crash behind one of them."""
        log = self.log
        assert log is not None
        for _ in range(count):
            if not self.batches:
                return
            self.rows += kept(log, self.batches.pop(0))
            if self.crashes and not log.sealed and self.random.random() < 0.1:
                self.crashes -= 1
                log = self.log = self.revived()

    def revived(self) -> StreamLog:
        """The log in another process, which goes on behind the provider's last token."""
        log = StreamLog.of(ID, map(decode_entry, self.rows), 0.0)
        if log.token is None:
            self.batches = [[StreamEnd("interrupted", ErrorInfo("truncated", "crashed"))]]
        else:
            self.batches = told_by(self.story, self.random, self.cuts, token=log.token)
        return log

    def __call__(self, asked: Asked) -> Reply:
        """One request. A generation is begun by the first one that asks for it."""
        found = READ.fullmatch(asked.path)
        header = asked.headers.get("last-event-id")
        if found is None and header is None:
            if self.log is None:
                self.log = StreamLog(ID, 0.0)
                self.begun += 1
            elif asked.headers.get("idempotency-key") is None:
                raise AssertionError("a second generation is begun blindly")
        log = self.log
        try:
            if log is None or (found is not None and found[1] != ID):
                raise CursorGone
            if header is not None and place_of(header)[0] != ID:
                raise CursorGone
            place = log.asked(header or asked.query.get("after"), quiet=header is not None)
        except CursorGone as gone:
            status, body = error_document("native", ErrorInfo("cursor", str(gone), status=410))
            assert status == 410
            return Reply(response(body, status=410, content_type="application/json"))
        if place is None:
            return Reply(response(b"", status=204))
        return self.body(LogReader(log, Encoder(self.format_of(asked)), place))

    def format_of(self, asked: Asked) -> str:
        """The format of the answer, as the relay finds it."""
        if b'"include_model":' in asked.body:
            return "holysheep"
        return asked.query.get("format") or PATHS.get(asked.path, "native")

    def body(self, reader: LogReader) -> Reply:
        """All that the log has and gets meanwhile, or the beginning of that."""
        pieces: list[bytes] = []
        stays = self.random.random() < 0.6
        while not reader.over:
            if data := reader.read():
                pieces.append(data)
            elif reader.over:
                break
            elif reader.log is not self.log or (not stays and self.random.random() < 0.2):
                # The relay crashed, or the client is gone for a while.
                return Reply(unfinished(pieces), lost=True)
            else:
                if self.random.random() < 0.1:
                    pieces.append(reader.heartbeat())
                self.advance(self.random.choice((1, 1, 2, 5)))
        if reader.encoder.must_abort:
            return Reply(unfinished(pieces), lost=True)
        return Reply(response(b"", pieces=pieces, headers=NAMED))


def unfinished(pieces: list[bytes]) -> bytes:
    """A response of which there is no end."""
    return response(b"", pieces=pieces, headers=NAMED).removesuffix(b"0\r\n\r\n")
