"""Each provider's request equals, field by field, what the vendor's own SDK sends.

``golden/`` holds what the SDKs sent; ``test_sdks`` shows that they still do. Method, origin,
path, query and body have to be equal, and each header, but for those of one table.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from sans_io_stream.request import HTTPRequest, StreamRequest
from sans_io_stream.url import parse_url

from .differences import DIFFERENCES
from .goldens import GOLDEN, load, without_moment
from .sdks import CASES, Case

ALL = pytest.mark.parametrize("name", CASES)


def asked(case: Case) -> HTTPRequest:
    """The request of the builder as it would go out, authorized."""
    module, _, function = case.builder.partition(".")
    build: Callable[..., StreamRequest] = getattr(
        importlib.import_module(f"sans_io_stream.providers.{module}"), function
    )
    request = build(**case.fields, **case.ours)
    out = request.http()
    if request.authorize is None:
        return out
    signed = request.authorize(out)
    assert isinstance(signed, HTTPRequest)
    return signed


@ALL
def test_goes_where_the_sdk_goes(name: str) -> None:
    ours, golden = asked(CASES[name]), load(name)
    target = urlsplit(parse_url(ours.url).target)
    assert ours.method == golden["method"]
    assert parse_url(ours.url).origin == golden["origin"]
    assert (target.path, target.query) == (golden["path"], golden["query"])


@ALL
def test_says_what_the_sdk_says(name: str) -> None:
    assert json.loads(asked(CASES[name]).body) == load(name)["body"]


@ALL
def test_each_header_is_the_sdks_or_explained(name: str) -> None:
    case, golden = CASES[name], load(name)
    headers = asked(case).headers
    ours = {key: without_moment(value) for key, value in headers}
    assert len(ours) == len(headers)
    theirs = golden["headers"]
    unequal = {key for key in ours | theirs if ours.get(key) != theirs.get(key)}
    assert not {
        key: (ours.get(key), theirs.get(key))
        for key in unequal.union(golden["varies"]) - DIFFERENCES.keys()
    }


# ---- nothing in a table or a directory is there for nothing


def test_every_difference_is_one() -> None:
    seen: set[str] = set()
    for name, case in CASES.items():
        golden, ours = load(name), dict(asked(case).headers)
        seen.update(golden["varies"])
        seen.update(
            key
            for key in ours | golden["headers"]
            if ours.get(key) != golden["headers"].get(key) and key in DIFFERENCES
        )
    assert DIFFERENCES.keys() == seen


def test_every_golden_file_has_its_call() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)


def test_every_provider_has_a_call() -> None:
    from sans_io_stream.providers import PROVIDERS

    assert {case.builder.partition(".")[0] for case in CASES.values()} == set(PROVIDERS)


@ALL
def test_a_golden_file_tells_nothing_of_a_machine(name: str) -> None:
    golden = load(name)
    told = json.dumps(golden)
    # The ports at which Ollama and the relay listen anywhere.
    assert not re.search(r"127\.0\.0\.1(?!:11434|:8700)", told)
    assert "/home/" not in told
    assert "/tmp/" not in told
