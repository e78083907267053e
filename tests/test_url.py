"""URLs are what RFC 3986 says, and nothing that two readers could take for two things."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream.url import Url, host_and_port, parse_url, path_segment, query_value


@pytest.mark.parametrize(
    ("text", "expected", "authority", "host_port"),
    [
        ("https://a.example", ("https", "a.example", 443, "/"), "a.example", "a.example:443"),
        ("HTTP://A.Example:80/x?y=1#f", ("http", "a.example", 80, "/x?y=1"), "a.example",
         "a.example:80"),
        ("http://a:8080?q", ("http", "a", 8080, "/?q"), "a:8080", "a:8080"),
        ("https://a:/", ("https", "a", 443, "/"), "a", "a:443"),
        ("https://a_b-c.d.:443/", ("https", "a_b-c.d.", 443, "/"), "a_b-c.d.", "a_b-c.d.:443"),
        ("https://[2001:DB8::1]/", ("https", "2001:db8::1", 443, "/"), "[2001:db8::1]",
         "[2001:db8::1]:443"),
        ("http://[::1]:11434/api", ("http", "::1", 11434, "/api"), "[::1]:11434", "[::1]:11434"),
        ("http://127.0.0.1/", ("http", "127.0.0.1", 80, "/"), "127.0.0.1", "127.0.0.1:80"),
        ("https://a/b%2Fc/ü?q=[é]&x=\\", ("https", "a", 443, "/b%2Fc/%C3%BC?q=%5B%C3%A9%5D&x=%5C"),
         "a", "a:443"),
        ("https://a//b/../c?d?e", ("https", "a", 443, "//b/../c?d?e"), "a", "a:443"),
    ],
)  # fmt: skip
def test_parts(
    text: str, expected: tuple[str, str, int, str], authority: str, host_port: str
) -> None:
    url = parse_url(text)
    assert (url.scheme, url.host, url.port, url.target) == expected
    assert url.authority == authority
    assert url.host_port == host_port
    assert url.origin == f"{expected[0]}://{authority}"
    assert url.secure is (expected[0] == "https")
    assert parse_url(url.text) == url


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no scheme"), ("api.example/v1", "no scheme"), ("//a/b", "no scheme"),
        ("ftp://a/", "'ftp' is another"), ("javascript:alert(1)", "'javascript' is another"),
        ("1x://a/", "this is none"), ("https:a", "names its host"),
        ("https:///x", "names its host"),
        ("https://:80/", "names its host"), ("https://u:secret@a/", "user or password"),
        ("https://@a/", "user or password"), ("https://a:0/", "1 to 65535"),
        ("https://a:65536/", "1 to 65535"), ("https://a:b/", "digits as port"),
        ("https://a:80:80/", "digits as port"), ("https://a:+80/", "digits as port"),
        ("https://[::1/", "digits as port"), ("https://[::g]/", "no IPv6"),
        ("https://[fe80::1%25eth0]/", "no IPv6"), ("https://::1/", "digits as port"),
        ("https://münchen.example/", "xn--"), ("https://a\\@b/", "user or password"),
        ("https://a\\b/", "letters, digits"), ("https://a..b/", "letters, digits"),
        ("https://a%2eb/", "letters, digits"), ("https://.a/", "letters, digits"),
        ("https://" + "a" * 64 + "/", "letters, digits"),
        ("https://" + "a." * 127 + "bc/", "letters, digits"),
        ("https://a/\r\nHost: b", r"'\r' at position 10"), ("https://a/ b", "' ' at position 10"),
        (" https://a/", "position 0"), ("https://a/\x00", r"'\x00'"), ("https://a\t/", r"'\t'"),
        ("https://a/\x7f", r"'\x7f'"), ("https://a/\x85", r"'\x85'"), ("https://a/\xa0", r"'\xa0'"),
        ("https://a/\ud800", "surrogate"),
    ],
)  # fmt: skip
def test_refused(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=re.escape(what)) as caught:
        parse_url(text)
    assert "secret" not in str(caught.value)


def test_shows_no_query() -> None:
    url = parse_url("https://a/v1/models:stream?key=AIzaSecret")
    assert "Secret" not in repr(url)
    assert "Secret" not in str(url)
    assert repr(url) == "Url(https://a/v1/models:stream?…)"


# RFC 3986, 5.4: base "http://a/b/c/d;p?q". "!" is a ValueError.
REFERENCES = (
    "g:h !", "g http://a/b/c/g", "./g http://a/b/c/g", "g/ http://a/b/c/g/", "/g http://a/g",
    "//g http://g/", "?y http://a/b/c/d;p?y", "g?y http://a/b/c/g?y", "#s http://a/b/c/d;p?q",
    "g#s http://a/b/c/g", "g?y#s http://a/b/c/g?y", ";x http://a/b/c/;x", "g;x http://a/b/c/g;x",
    "g;x?y#s http://a/b/c/g;x?y", ". http://a/b/c/", "./ http://a/b/c/", ".. http://a/b/",
    "../ http://a/b/", "../g http://a/b/g", "../.. http://a/", "../../ http://a/",
    "../../g http://a/g", "../../../g http://a/g", "../../../../g http://a/g", "/./g http://a/g",
    "/../g http://a/g", "g. http://a/b/c/g.", ".g http://a/b/c/.g", "g.. http://a/b/c/g..",
    "..g http://a/b/c/..g", "./../g http://a/b/g", "./g/. http://a/b/c/g/",
    "g/./h http://a/b/c/g/h", "g/../h http://a/b/c/h", "g;x=1/./y http://a/b/c/g;x=1/y",
    "g;x=1/../y http://a/b/c/y", "g?y/./x http://a/b/c/g?y/./x", "g?y/../x http://a/b/c/g?y/../x",
    "g#s/../x http://a/b/c/g", "http:g !", "? http://a/b/c/d;p?", "//h:80/.. http://h/",
    "https://h:443/x/../y https://h/y", "/.//h http://a//h",
)  # fmt: skip


@pytest.mark.parametrize("case", REFERENCES)
def test_references(case: str) -> None:
    reference, expected = case.split(" ")
    base = parse_url("http://a/b/c/d;p?q")
    if expected == "!":
        with pytest.raises(ValueError, match=r"scheme|host"):
            base.join(reference)
    else:
        assert base.join(reference).text == expected


def test_an_empty_reference_is_the_page_itself() -> None:
    base = parse_url("https://[::1]:8443/b?q")
    assert base.join("") == base
    assert base.join("c") == Url("https", "::1", 8443, "/c")


@pytest.mark.parametrize(
    ("text", "segment"),
    [
        ("resp_1", "resp_1"), ("a/b", "a%2Fb"), ("../x", "..%2Fx"), ("a?b#c", "a%3Fb%23c"),
        ("%2e%2e", "%252e%252e"), ("a\r\nb", "a%0D%0Ab"), ("ü", "%C3%BC"), ("...", "..."),
        ("a b+c;d:e", "a%20b%2Bc%3Bd%3Ae"),
    ],
)  # fmt: skip
def test_segments(text: str, segment: str) -> None:
    assert path_segment(text) == segment


@pytest.mark.parametrize("text", ["", ".", "..", "\ud800"])
def test_no_segments(text: str) -> None:
    with pytest.raises(ValueError, match=r"segment|surrogate"):
        path_segment(text)


def test_query_values() -> None:
    assert query_value("a&b=c d/+%") == "a%26b%3Dc%20d%2F%2B%25"
    assert query_value("") == ""


@given(st.text())
def test_a_segment_is_one_segment(text: str) -> None:
    try:
        segment = path_segment(text)
    except ValueError:
        return
    url = parse_url("https://h/v1/responses/x/cancel?a=b")
    found = parse_url(f"https://h/v1/responses/{segment}/cancel?a={query_value(text)}")
    assert found.origin == url.origin
    assert found.target.partition("?")[0].split("/") == ["", "v1", "responses", segment, "cancel"]
    assert found.join(found.text) == found


@given(st.text(max_size=30))
def test_raises_nothing_else(text: str) -> None:
    base = parse_url("https://h/a/b?c")

    def with_scheme(text: str) -> Url:
        return parse_url(f"https://{text}")

    readers: tuple[Callable[[str], Url], ...] = (parse_url, base.join, with_scheme)
    for read in readers:
        try:
            url = read(text)
        except ValueError:
            continue
        assert parse_url(url.text) == url
        assert re.fullmatch(r"/[!-~]*", url.target)


def test_host_and_port() -> None:
    assert host_and_port("A:1") == ("a", 1)
    assert host_and_port("[::1]") == ("::1", None)
    with pytest.raises(ValueError, match="position 1"):
        host_and_port("a b:1")
