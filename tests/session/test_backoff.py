"""Backoff: which responses are worth another attempt, and when the server wants it.

Statuses, ``x-should-retry``, ``retry-after-ms``, seconds, the three forms of an HTTP date
against the response's own ``Date``, and nonsense, which is as if nothing had been said.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sans_io_stream.errors import ErrorInfo
from sans_io_stream.session.backoff import http_date, retry_after, with_head, worth_retrying

IMF = "Sun, 06 Nov 1994 08:49:37 GMT"
RFC850 = "Sunday, 06-Nov-94 08:49:37 GMT"
ASCTIME = "Sun Nov  6 08:49:37 1994"
MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


@pytest.mark.parametrize(
    "status", [408, 409, 425, 429, 500, 501, 502, 503, 504, 505, 520, 529, 599]
)
def test_statuses_worth_another_attempt(status: int) -> None:
    assert worth_retrying(status, ())
    assert not worth_retrying(status, (("x-should-retry", "false"),))


@pytest.mark.parametrize("status", [301, 400, 401, 402, 403, 404, 410, 413, 422, 451, 600])
def test_statuses_that_stay_as_they_are(status: int) -> None:
    assert not worth_retrying(status, ())
    assert worth_retrying(status, (("x-should-retry", "true"),))


@pytest.mark.parametrize("said", ["", "yes", "1", "TRUE "])
def test_an_unknown_word_in_x_should_retry_leaves_it_to_the_status(said: str) -> None:
    assert worth_retrying(503, (("x-should-retry", said),))
    assert not worth_retrying(400, (("x-should-retry", said),))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((), None),
        ((("retry-after", "0"),), 0.0),
        ((("retry-after", "7"),), 7.0),
        ((("retry-after", " 7 "),), 7.0),
        ((("retry-after", "1.5"),), 1.5),
        ((("retry-after-ms", "250"),), 0.25),
        ((("retry-after-ms", "1250.5"),), 1.2505),
        ((("retry-after", "9"), ("retry-after-ms", "500")), 0.5),
        ((("retry-after-ms", "soon"), ("retry-after", "9")), 9.0),
        ((("retry-after", "3"), ("retry-after", "9")), 3.0),
        ((("retry-after", "0.1234567890123456"),), 0.1234567890123456),
        ((("retry-after", "9" * 12),), 999_999_999_999.0),
        ((("retry-after", "9" * 13),), 1e12),
        ((("retry-after", "9" * 5000),), 1e12),
        ((("retry-after-ms", "9" * 5000),), 1e12),
    ],
)
def test_milliseconds_outrank_seconds(
    headers: tuple[tuple[str, str], ...], seconds: float | None
) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize("date", [IMF, RFC850, ASCTIME])
@pytest.mark.parametrize(
    ("until", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:50:07 GMT", 30.0),
        ("Sunday, 06-Nov-94 09:49:37 GMT", 3600.0),
        ("Mon Nov  7 08:49:37 1994", 86400.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
    ],
)
def test_a_date_is_measured_against_the_responses_own(
    date: str, until: str, seconds: float
) -> None:
    assert retry_after((("retry-after", until), ("date", date))) == seconds


def test_a_date_without_a_date_to_measure_it_against_says_nothing() -> None:
    assert retry_after((("retry-after", IMF),)) is None
    assert retry_after((("retry-after", IMF), ("date", "today"))) is None


@pytest.mark.parametrize(
    "value",
    [
        "", "-1", "+1", "1e9", "inf", "nan", "0x10", "1.", ".5", "1 2", "1,2", "٣", "soon",
        IMF.lower(), IMF[:-4], f"{IMF} ", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +0000",
    ],
)  # fmt: skip
def test_nonsense_says_nothing(value: str) -> None:
    headers = (("retry-after", value), ("date", IMF))
    expected = 0.0 if value.strip() == IMF else None
    assert retry_after(headers) == expected
    assert retry_after((("retry-after-ms", value),)) is None


@pytest.mark.parametrize("text", [IMF, RFC850, ASCTIME])
def test_the_three_forms_of_a_date(text: str) -> None:
    assert http_date(text) == MOMENT


def test_years_of_two_digits() -> None:
    for short, year in (("70", 1970), ("99", 1999), ("00", 2000), ("69", 2069)):
        found = http_date(f"Sunday, 06-Nov-{short} 08:49:37 GMT")
        assert found is not None
        assert found.year == year


def test_a_leap_second_is_the_second_before_it() -> None:
    assert http_date("Sat, 31 Dec 2016 23:59:60 GMT") == datetime(
        2016, 12, 31, 23, 59, 59, tzinfo=UTC
    )


def test_the_head_completes_what_the_body_told() -> None:
    error = ErrorInfo("provider", "busy", retry_after=4.0)
    told = with_head(error, 429, (("request-id", "req_1"),))
    assert (told.status, told.retryable, told.retry_after, told.request_id) == (
        429,
        True,
        4.0,
        "req_1",
    )
    assert told.message == "busy"
    told = with_head(told, 400, (("retry-after", "9"), ("x-request-id", "other")))
    assert (told.status, told.retryable, told.retry_after, told.request_id) == (
        429,
        False,
        9.0,
        "req_1",
    )
