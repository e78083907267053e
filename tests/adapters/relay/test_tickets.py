"""Tickets: what they open, for whom, until when, and that nothing else is taken for one."""

from __future__ import annotations

import base64
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream import ErrorInfo, Event, StreamEnd, TextDelta, Transcript
from sans_io_stream_adapters.relay.config import ClientKey
from sans_io_stream_adapters.relay.http import Request
from sans_io_stream_adapters.relay.tickets import Tickets
from sans_io_stream_adapters.testing import FaultServer

from .asgi import Answer, ask, relay_of, talk
from .program import Program, fetch
from .scripted import BACKENDS, DONE, Scripted, config, now, said, saying, virtually
from .test_answering import relayed
from .test_servers import BODY, CONFIG

if TYPE_CHECKING:
    from sans_io_stream_adapters.relay.app import Relay

KEY = b"k" * 32
ID = "A" * 22
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,128}", fullmatch=True)
OWNERS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
TIMES = st.integers(0, 2**48 - 1)
KEYS = (ClientKey.of("ann", "key-of-ann"), ClientKey.of("bob", "key-of-bob"))
ANN = {"authorization": "Bearer key-of-ann"}
BOB = {"x-api-key": "key-of-bob"}
PAGE = "https://app.example"


# ---- as values


@given(IDS, OWNERS, TIMES)
def test_a_ticket_opens_until_it_expires(id: str, owner: str, expires: int) -> None:
    ticket = Tickets(KEY).made(id, owner, expires)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", ticket)
    assert Tickets(KEY).opens(ticket, id, owner, expires - 1)
    assert not Tickets(KEY).opens(ticket, id, owner, expires)
    assert not Tickets(b"K" * 32).opens(ticket, id, owner, expires - 1)


@given(IDS, OWNERS, IDS, OWNERS)
def test_it_opens_nothing_else(id: str, owner: str, other: str, another: str) -> None:
    ticket = Tickets(KEY).made(id, owner, 100)
    assert Tickets(KEY).opens(ticket, other, another, 0) == ((id, owner) == (other, another))


def test_no_part_of_a_name_is_taken_for_the_other_name() -> None:
    ticket = Tickets(KEY).made("stream", "ann", 100)
    for id, owner in [("strea", "mann"), ("streama", "nn"), ("streamann", ""), ("", "streamann")]:
        assert not Tickets(KEY).opens(ticket, id, owner, 0)


TICKET = Tickets(KEY).made(ID, "ann", 2**40)


@given(st.integers(0, len(TICKET) - 1), st.characters())
def test_no_changed_letter_is_accepted(at: int, letter: str) -> None:
    changed = TICKET[:at] + letter + TICKET[at + 1 :]
    assert Tickets(KEY).opens(changed, ID, "ann", 0) == (changed == TICKET)


@pytest.mark.parametrize("at", range(39))
def test_no_changed_byte_is_accepted(at: int) -> None:
    told = bytearray(base64.urlsafe_b64decode(TICKET))
    for change in range(1, 256):
        changed = bytes([*told[:at], told[at] ^ change, *told[at + 1 :]])
        assert not Tickets(KEY).opens(base64.urlsafe_b64encode(changed).decode(), ID, "ann", 0)


@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z0-9_-]{52}", fullmatch=True)))
def test_whatever_is_no_ticket_opens_nothing(ticket: str) -> None:
    assert not Tickets(KEY).opens(ticket, ID, "ann", 0)


def test_its_form_is_pinned() -> None:
    # Workers of two releases that serve side by side take each other's.
    assert str(TICKET) == "AQEAAAAAAJ7eaQ_a-w4d24eolhBWjdEfJ3xSh-8fPnP57mbYa8xP"


def test_nothing_that_opens_is_shown() -> None:
    assert TICKET not in repr(TICKET)
    request = Request("GET", "/", {"authorization": "Bearer sesame"}, {"ticket": "sesame"})
    assert "sesame" not in repr(request)
    assert "kkk" not in repr(Tickets(KEY))
    assert "drawn" not in repr(config(ticket_key="drawn" * 9))


# ---- of the relay


async def ticket_of(relay: Relay, id: str, body: object = None) -> Answer:
    return await ask(relay, "POST", f"/v1/streams/{id}/ticket", body, ANN)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_ticket_reads_its_stream_and_nothing_else(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, *(said(text) for text in ("mine", "other", "bobs")))

    async def main(relay: Relay) -> None:
        mine, other = [await ask(relay, "POST", "/v1/streams", talk(), ANN) for _ in range(2)]
        bobs = await ask(relay, "POST", "/v1/streams", talk(), BOB)
        told = await ticket_of(relay, mine.id)
        assert (told.status, told.id) == (200, mine.id)
        assert told.headers["cache-control"] == "no-store"
        ticket, url = told.json["ticket"], told.json["url"]
        assert url == f"/v1/streams/{mine.id}?ticket={ticket}"
        assert told.json.keys() == {"ticket", "expires", "url"}
        # Nothing says whose it is.
        assert b"ann" not in base64.urlsafe_b64decode(ticket)

        for more in ("", "&format=openai-chat", "&format=native"):
            read = await ask(relay, "GET", url + more)
            dialect = "openai-chat" if "openai" in more else "native"
            assert Transcript.of(read.events(dialect)).text == "mine"
        # From where its reader is; behind the end there is nothing more.
        rest = await ask(relay, "GET", url, None, {"last-event-id": mine.cursors[1]})
        assert rest.cursors == mine.cursors[2:]
        done = await ask(relay, "GET", url, None, {"last-event-id": mine.cursors[-1]})
        assert (done.status, done.body) == (204, b"")

        async def refused(method: str, target: str, body: object = None) -> None:
            answer = await ask(relay, method, target, body)
            assert answer.status == 401, (method, target)
            assert answer.headers["www-authenticate"] == "Bearer"

        for id in (other.id, bobs.id, "A" * 22):
            await refused("GET", f"/v1/streams/{id}?ticket={ticket}")
        await refused("DELETE", url)
        await refused("POST", f"/v1/streams/{mine.id}/ticket?ticket={ticket}", {})
        await refused("POST", f"/v1/streams?ticket={ticket}", talk())
        await refused("POST", f"/v1/chat/completions?ticket={ticket}", talk())
        await refused("GET", f"/v1/models?ticket={ticket}")
        # A cursor of another stream goes nowhere, and a ticket is no key.
        for word in (other.cursors[0], bobs.cursors[0]):
            for target, headers in [(f"{url}&after={word}", {}), (url, {"last-event-id": word})]:
                assert (await ask(relay, "GET", target, None, headers)).status == 410
        for name, value in [("authorization", f"Bearer {ticket}"), ("x-api-key", ticket)]:
            answer = await ask(relay, "GET", f"/v1/streams/{mine.id}", None, {name: value})
            assert answer.status == 401
        # Whoever carries a key is asked for no ticket, and is not let in by one.
        assert (await ask(relay, "GET", f"/v1/streams/{mine.id}?ticket=x", None, ANN)).status == 200
        assert (await ask(relay, "GET", url, None, {"x-api-key": "none"})).status == 401
        assert (await ask(relay, "GET", url, None, BOB)).status == 410

    relayed(backend, main, keys=KEYS)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nobody_gets_one_for_a_stream_that_is_not_his(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said("mine"))

    async def main(relay: Relay) -> None:
        mine = await ask(relay, "POST", "/v1/streams", talk(), ANN)
        gone = await ask(relay, "POST", f"/v1/streams/{'A' * 22}/ticket", None, BOB)
        bobs = await ask(relay, "POST", f"/v1/streams/{mine.id}/ticket", None, BOB)
        assert (gone.status, bobs.status) == (410, 410)
        assert gone.body == bobs.body
        none = await ask(relay, "POST", f"/v1/streams/{mine.id}/ticket")
        assert none.status == 401

    relayed(backend, main, keys=KEYS)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("keys", [KEYS, ()], ids=["keys", "none"])
def test_it_expires_and_what_is_wrong_is_told_in_the_same_words(
    backend: str, keys: tuple[ClientKey, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said("mine"))

    async def main(relay: Relay) -> None:
        mine = await ask(relay, "POST", "/v1/streams", talk(), ANN)
        told = (await ticket_of(relay, mine.id, {"seconds": 60})).json
        assert told["expires"] == pytest.approx(now() + 60, abs=1)
        assert told["expires"] >= now() + 60
        longest = (await ticket_of(relay, mine.id)).json
        assert longest["expires"] == pytest.approx(now() + 900, abs=1)
        assert (await ask(relay, "GET", told["url"])).status == 200
        await anyio.sleep(61)
        ticket: str = longest["ticket"]
        assert (await ask(relay, "GET", longest["url"])).status == 200
        wrong = ["", "x", ticket[:-1], f"{ticket}A", ticket.swapcase(), "A" * len(ticket)]
        targets = [f"/v1/streams/{mine.id}?ticket={one}" for one in wrong]
        refused = [await ask(relay, "GET", one) for one in (told["url"], *targets)]
        assert {answer.status for answer in refused} == {401}
        assert len({answer.body for answer in refused}) == 1

    relayed(backend, main, keys=keys)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_answer_that_has_begun_goes_on_when_its_ticket_expires(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said("slowly", every=10.0))

    async def main(relay: Relay) -> None:
        begun = await ask(
            relay, "POST", "/v1/streams", talk(), ANN, leave=lambda got: bool(got.status)
        )
        url = (await ticket_of(relay, begun.id, {"seconds": 5})).json["url"]
        read = await ask(relay, "GET", url)
        assert now() >= 50
        assert Transcript.of(read.events("native")).text == "slowly"
        assert (await ask(relay, "GET", url)).status == 401

    relayed(backend, main, keys=KEYS)


ENDS: list[list[Event]] = [
    DONE,
    [StreamEnd("failed", ErrorInfo("server", "It broke.", status=500, retryable=True))],
    [StreamEnd("interrupted", ErrorInfo("truncated", "It was cut.", retryable=True))],
    [StreamEnd("cancelled", ErrorInfo("cancelled", "Enough."))],
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end[-1].outcome)
@pytest.mark.parametrize("words", ["ab", ""])
def test_whatever_the_end_an_event_source_hears_it_and_stops(
    backend: str, words: str, end: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes back with its address and ``Last-Event-ID`` until it gets no 200."""
    pieces: list[tuple[float, list[Event]]] = [(1.0, [TextDelta(word)]) for word in words]
    saying(monkeypatch, Scripted(*pieces, (1.0, end)))

    async def main(relay: Relay) -> None:
        begun = await ask(
            relay, "POST", "/v1/streams", talk(), ANN, leave=lambda got: bool(got.status)
        )
        url = (await ticket_of(relay, begun.id)).json["url"]
        first = await ask(relay, "GET", url)
        assert (first.status, first.whole) == (200, True)
        assert first.events("native")[-1] == end[-1]
        last = {"last-event-id": first.cursors[-1]}
        assert (await ask(relay, "GET", url, None, last)).status == 204
        # One that has lost the last event gets it, and stops then.
        before = {"last-event-id": first.cursors[-2]} if len(first.cursors) > 1 else {}
        assert (await ask(relay, "GET", url, None, before)).cursors == first.cursors[-1:]
        await relay.hub.forget(begun.id)
        assert (await ask(relay, "GET", url, None, last)).status == 410
        await anyio.sleep(1000.0)
        assert (await ask(relay, "GET", url, None, last)).status == 401

    relayed(backend, main, keys=KEYS)


@pytest.mark.parametrize("backend", BACKENDS)
def test_for_how_long_can_be_asked(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, said("mine"))

    async def main(relay: Relay) -> None:
        mine = await ask(relay, "POST", "/v1/streams", talk(), ANN)
        for body in ({}, {"seconds": None}, {"seconds": 30}, {"seconds": 1}):
            assert (await ticket_of(relay, mine.id, body)).status == 200
        wrong: list[object] = [0, -1, 31, 1.5, "9", True, [], 10**30]
        for seconds in wrong:
            refused = await ticket_of(relay, mine.id, {"seconds": seconds})
            assert refused.status == 400
            assert "seconds is a whole number between 1 and 30" in refused.json["error"]["message"]
        assert (await ticket_of(relay, mine.id, b"[]")).status == 400

    relayed(backend, main, keys=KEYS, ticket_seconds=30)


@pytest.mark.parametrize("backend", BACKENDS)
def test_workers_with_one_key_take_each_others_tickets(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said("mine"))

    async def main() -> None:
        async with relay_of(config(keys=KEYS, ticket_key="s" * 32), clock=now) as first:
            mine = await ask(first, "POST", "/v1/streams", talk(), ANN)
            url = (await ticket_of(first, mine.id)).json["url"]
            # Nothing is to be read at the others, but they know whether they would look for it.
            for keys, key, status in [
                (KEYS, "s" * 32, 410),
                (KEYS, "t" * 32, 401),
                (KEYS, None, 401),
                (KEYS[1:], "s" * 32, 401),
            ]:
                told = config(keys=keys, ticket_key=key)
                async with relay_of(told, clock=now) as other:
                    assert (await ask(other, "GET", url)).status == status

    virtually(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_where_the_relay_is_mounted_the_address_says_so(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said("mine"))

    async def main(relay: Relay) -> None:
        mine = await ask(relay, "POST", "/v1/streams", talk(), root="/ai")
        told = await ask(relay, "POST", f"/v1/streams/{mine.id}/ticket", root="/ai")
        assert told.json["url"].startswith(f"/ai/v1/streams/{mine.id}?ticket=")

    relayed(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_browser_is_told_beside(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, said("mine"))

    async def main(relay: Relay) -> None:
        mine = await ask(relay, "POST", "/v1/streams", talk(), ANN)
        url = (await ticket_of(relay, mine.id)).json["url"]
        page = {"origin": PAGE}
        end = {**page, "last-event-id": mine.cursors[-1]}
        gone = {**page, "last-event-id": f"{mine.cursors[-1][:-1]}9"}
        for target, headers, status in [
            (url, page, 200), (url, end, 204), (f"{url}x", page, 401), (url, gone, 410),
            (f"{url}&format=x", page, 400),
        ]:  # fmt: skip
            answer = await ask(relay, "GET", target, None, headers)
            assert answer.status == status
            # Nobody keeps what the address opens, or tells the address on; the page can read it.
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["access-control-allow-origin"] == PAGE
            assert answer.body.startswith(b"retry: 1000\n\n") == (status == 200)
        # A framing that knows no retry has none, and with a key all is as it was.
        lines = await ask(relay, "GET", url, None, {"accept": "application/x-ndjson"})
        assert lines.body.startswith(b"{")
        keyed = await ask(relay, "GET", f"/v1/streams/{mine.id}", None, ANN)
        assert (keyed.body, keyed.headers["cache-control"]) == (mine.body, "no-cache")

    relayed(backend, main, keys=KEYS, cors_origins=(PAGE,))


def test_no_log_shows_a_ticket(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    with FaultServer("openai-chat", text="Hi.") as upstream:
        path.write_text(CONFIG.format(url=upstream.url, drain=1), "utf-8")
        with Program("--config", str(path)) as program:
            id = fetch(program.url, "POST", "/v1/streams", BODY).id
            told = fetch(program.url, "POST", f"/v1/streams/{id}/ticket").json
            for target in (told["url"], f"{told['url']}x", f"{told['url']}&format=x"):
                fetch(program.url, "GET", target)
            program.send(signal.SIGTERM)
            assert program.wait() == 0
        assert "route=read format=native status=401" in program.log
        assert told["ticket"][:20] not in program.log
