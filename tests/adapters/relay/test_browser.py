"""The relay read by a real browser: the example page, over a wire that is cut, from an origin of
its own.

Needs Chromium. Nobody sleeps: the browser says when its page has changed.
"""

from __future__ import annotations

import functools
import http.server
import json
import re
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from sans_io_stream_adapters.relay.config import RelayConfig
from sans_io_stream_adapters.relay.tickets import Tickets
from sans_io_stream_adapters.testing import FaultServer, Stall
from tests.servers import needs
from tests.sources import REPO

from .asgi import Answer, talk
from .chromium import Chromium, Page
from .program import Program, fetch
from .serving import Wire, relay_served

TEXT = "".join(f"{number}: what is written down is not lost. 🦜\n" for number in range(40))
TICKET_KEY = "the-same-at-all-workers-and-no-other-one"
KEY = {"Authorization": "Bearer key-of-ann"}
CONFIG = """\
cors_origins = ["{page}"]
ticket_key = "{key}"

[upstreams.up]
provider = "openai"
base_url = "{url}/v1"
api_key = "key"

[limits]
drain_seconds = 0.3

[keys.ann]
key = "key-of-ann"
"""
CUTS = (2000, 2500, 1500, 1500)
DONE = "['complete', 'failed'].includes(document.getElementById('state').dataset.is)"


def begun(answer: Answer) -> bool:
    return bool(answer.status)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Generator[Chromium]:
    with Chromium(needs("chromium"), tmp_path_factory.mktemp("chromium")) as chromium:
        yield chromium
        assert chromium.errors == []


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files, as ``python -m http.server`` gives them, without a word."""

    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def static() -> Generator[str]:
    """The example page on an origin of its own; gives the origin."""
    directory = str(REPO / "docs" / "examples")
    handler = functools.partial(Quiet, directory=directory)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class Served(NamedTuple):
    """A relay, what its providers have been asked, and the origin of the page."""

    relay: Program
    page: str

    def begin(self) -> str:
        """What an application's server does: begin a stream, and leave it."""
        body = talk(model="up/m", stream=True)
        return fetch(self.relay.url, "POST", "/v1/streams", body, KEY, leave=begun).id

    def ticket(self, id: str, **body: int) -> str:
        """The address of a stream, with a ticket for the page."""
        told = fetch(self.relay.url, "POST", f"/v1/streams/{id}/ticket", body, KEY)
        url: str = told.json["url"]
        return url

    def opened(self, browser: Chromium, address: str, way: str) -> Page:
        """The page, handed an address as an application hands it over."""
        return browser.page(f"{self.page}/browser.html#way={way}&address={quote(address)}")

    def log(self) -> str:
        """The relay's log, when it has ended."""
        self.relay.send(signal.SIGTERM)
        assert self.relay.wait() == 0
        return self.relay.log


@pytest.fixture
def served(tmp_path: Path) -> Generator[Served]:
    path = tmp_path / "relay.toml"
    with (
        static() as page,
        FaultServer("openai-chat", text=TEXT, pieces=80, speed=2.0) as upstream,
    ):
        path.write_text(CONFIG.format(page=page, url=upstream.url, key=TICKET_KEY), "utf-8")
        with Program("--config", str(path)) as relay:
            yield Served(relay, page)


def shown(page: Page, id: str) -> str:
    text: str = page.run(f"document.getElementById({json.dumps(id)}).textContent")
    return text


def reads(log: str, id: str) -> list[str]:
    """The statuses of the requests that read a stream."""
    return re.findall(rf"route=read format=native status=(\d+) stream={id} ", log)


@pytest.mark.parametrize("lost", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("way", ["EventSource", "fetch"])
def test_a_page_loses_its_connection_and_nothing_else(
    way: str, lost: bool, browser: Chromium, served: Served, tmp_path: Path
) -> None:
    id = served.begin()
    with Wire(served.relay.url, CUTS, lost=lost) as wire:
        page = served.opened(browser, wire.url + served.ticket(id), way)
        page.until(DONE)
    assert shown(page, "text") == TEXT
    assert shown(page, "state") == "complete"
    assert int(shown(page, "reconnects")) >= 2
    # Each event was shown once: as many as there are.
    whole = fetch(served.relay.url, "GET", f"/v1/streams/{id}", None, KEY)
    assert int(shown(page, "events")) == len(whole.cursors)
    pictures = [tmp_path / f"{scheme}.png" for scheme in ("light", "dark")]
    for path in pictures:
        page.picture(path, scheme=path.stem)
    assert pictures[0].read_bytes() != pictures[1].read_bytes()
    # The page knows the end when it sees it, and asks no more.
    again = reads(served.log(), id)
    assert again.count("204") == 0
    assert len(again) <= len(CUTS) + 2


def test_a_page_with_a_key_begins_and_reads(browser: Chromium, served: Served) -> None:
    page = browser.page(f"{served.page}/browser.html#way=fetch")
    with Wire(served.relay.url) as wire:
        page.run(
            f"""(() => {{ const fields = document.forms[0].elements;
                fields.address.value = "{wire.url}"; fields.key.value = "key-of-ann";
                fields.model.value = "up/m"; document.forms[0].requestSubmit(); }})()"""
        )
        page.until(DONE)
        assert (shown(page, "state"), shown(page, "text")) == ("complete", TEXT)
        assert shown(page, "reconnects") == "0"


PLAIN = """new Promise((go) => {
    const source = new EventSource(%s);
    const seen = { text: "", ids: [], opened: 0 };
    source.onopen = () => { seen.opened += 1; };
    source.onmessage = ({ data, lastEventId }) => {
        const event = JSON.parse(data);
        seen.ids.push(lastEventId);
        if (event.event === "text") seen.text += event.text;
    };
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) go(seen); };
})"""


def test_an_event_source_that_knows_no_end_is_stopped_by_204(
    browser: Chromium, served: Served
) -> None:
    id = served.begin()
    page = browser.page(f"{served.page}/browser.html")
    seen = page.run(PLAIN % json.dumps(served.relay.url + served.ticket(id)))
    assert seen["text"] == TEXT
    assert seen["opened"] == 1
    whole = fetch(served.relay.url, "GET", f"/v1/streams/{id}?format=native", None, KEY)
    assert seen["ids"] == whole.cursors
    # Closed is closed: the whole of it, 204, and this test's own look at it.
    assert reads(served.log(), id) == ["200", "204", "200"]


@pytest.mark.parametrize("way", ["EventSource", "fetch"])
def test_a_page_says_that_its_ticket_is_no_good(
    way: str, browser: Chromium, served: Served
) -> None:
    id = served.begin()
    expired = Tickets(TICKET_KEY.encode()).made(id, "ann", int(time.time()) - 1)
    page = served.opened(browser, f"{served.relay.url}/v1/streams/{id}?ticket={expired}", way)
    page.until(DONE)
    assert shown(page, "state").startswith("401: the ticket does not open this stream")
    assert (shown(page, "reconnects"), shown(page, "text")) == ("0", "")


@pytest.mark.parametrize("way", ["EventSource", "fetch"])
def test_a_ticket_that_expires_while_a_page_reads(way: str, browser: Chromium) -> None:
    ahead = 0.0

    def clock() -> float:
        return time.time() + ahead

    faults = [Stall(at=0.5)]
    with static() as page, FaultServer("openai-chat", text=TEXT, faults=faults) as upstream:
        tables = {"provider": "openai", "base_url": f"{upstream.url}/v1", "api_key": "key"}
        config = {"upstreams": {"up": tables}, "cors_origins": [page]}
        limits = {"drain_seconds": 0}
        told = RelayConfig.from_dict({**config, "limits": limits})
        with relay_served(told, clock=clock) as url, Wire(url) as wire:
            body = talk(model="up/m", stream=True)
            id = fetch(url, "POST", "/v1/streams", body, leave=begun).id
            ticket = fetch(url, "POST", f"/v1/streams/{id}/ticket").json["url"]
            tab = browser.page(f"{page}/browser.html#way={way}&address={quote(wire.url + ticket)}")
            # The provider has stopped in mid-word, and so has the page.
            tab.until("document.getElementById('text').textContent.length > 10")
            ahead = 1000.0
            wire.cut()
            tab.until(DONE)
            assert shown(tab, "state").startswith("401: ")
            assert shown(tab, "reconnects") == "1"
            seen = shown(tab, "text")
            assert TEXT.startswith(seen)
            assert 10 < len(seen) < len(TEXT)


def test_a_page_of_another_origin_gets_nothing(browser: Chromium, served: Served) -> None:
    id = served.begin()
    url = served.relay.url + served.ticket(id)
    with static() as stranger:
        page = browser.page(f"{stranger}/browser.html")
        seen = page.run(PLAIN % json.dumps(url))
        assert seen == {"text": "", "ids": [], "opened": 0}
        for options in ("{}", "{headers: {Authorization: 'Bearer key-of-ann'}}"):
            script = f"fetch({json.dumps(url)}, {options}).then(() => 'read', (e) => e.name)"
            assert page.run(script) == "TypeError"
    assert set(re.findall(r"method=GET route=\S+ format=\S+ status=(\d+)", served.log())) == {"403"}
