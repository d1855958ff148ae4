"""What becomes of a push: which answer means what, and how long to wait."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.duty.retry_policy import (
    FIRST_WAIT,
    LONGEST_RETRY_AFTER,
    LONGEST_WAIT,
    Answer,
    Circuit,
    Dead,
    Delivered,
    Retry,
    backoff,
    outcome,
    retry_after_seconds,
)

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC).timestamp()
GONE = Answer(None, reason="connection refused")


@given(failures=st.integers(1, 10_000), seed=st.integers())
def test_backoff_grows_to_a_minute_and_half_of_it_is_jitter(failures: int, seed: int) -> None:
    ceiling = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures - 1, 60))
    assert ceiling / 2 <= backoff(failures, Random(seed)) <= ceiling


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_delivered(status: int) -> None:
    assert outcome(Answer(status), 1, NOW, Random(1)) == Delivered()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_too_many_and_server_errors_are_tried_again(status: int) -> None:
    what = outcome(Answer(status, reason="later"), 1, NOW, Random(1))
    assert isinstance(what, Retry) and NOW < what.at <= NOW + FIRST_WAIT
    assert what.reason == f"HTTP {status} later"


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 410, 422])
def test_any_other_answer_kills_the_push_and_says_why(status: int) -> None:
    assert outcome(Answer(status, reason="no"), 1, NOW, Random(1)) == Dead(f"HTTP {status} no")


def test_retry_after_is_honoured_when_longer_than_the_backoff() -> None:
    what = outcome(Answer(503, retry_after="120"), 1, NOW, Random(1))
    assert isinstance(what, Retry) and what.at == NOW + 120
    short = outcome(Answer(503, retry_after="0"), 9, NOW, Random(1))
    assert isinstance(short, Retry) and short.at >= NOW + LONGEST_WAIT / 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("Sun, 01 Mar 2026 08:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 07:00:00 GMT", 0.0),
        ("999999999999", LONGEST_RETRY_AFTER),
        ("Sun, 01 Mar 2099 08:00:30 GMT", LONGEST_RETRY_AFTER),
        ("", 0.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("1.5", 0.0),
        ("٣", 0.0),
    ],
)
def test_retry_after_may_be_seconds_or_a_date(header: str, seconds: float) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@given(st.text())
def test_no_retry_after_header_breaks_anything(header: str) -> None:
    assert 0.0 <= retry_after_seconds(header, NOW) <= LONGEST_RETRY_AFTER


def test_nobody_there_keeps_the_push_due_and_the_line_closed_for_all() -> None:
    assert outcome(GONE, 1, NOW, Random(1)) == Retry(NOW, "connection refused")
    circuit = Circuit().after(GONE, NOW, Random(1))
    assert circuit.broken and circuit.slots(NOW, 32) == 0
    assert circuit.slots(circuit.blocked_until, 32) == 1


def test_many_failures_at_once_count_once() -> None:
    circuit = Circuit().after(GONE, NOW, Random(1))
    assert circuit.after(GONE, NOW, Random(2)) == circuit
    assert circuit.after(GONE, circuit.blocked_until, Random(2)).failures == 2


def test_any_answer_opens_the_line_again() -> None:
    circuit = Circuit().after(GONE, NOW, Random(1)).after(Answer(500), NOW + 5, Random(1))
    assert not circuit.broken and circuit.slots(NOW + 5, 32) == 32


def test_too_many_closes_the_line_for_everybody_as_long_as_asked() -> None:
    circuit = Circuit().after(Answer(429, retry_after="9"), NOW, Random(1))
    assert not circuit.broken
    assert circuit.slots(NOW + 8.9, 32) == 0 and circuit.slots(NOW + 9, 32) == 32
    assert circuit.after(Answer(200), NOW + 1, Random(1)).slots(NOW + 2, 32) == 0


def test_a_services_own_code_is_told_and_no_status_it_never_sent() -> None:
    refused = outcome(Answer(400, "", "SMTP 535 credentials invalid", True), 1, NOW, Random(1))
    assert refused == Dead("SMTP 535 credentials invalid")
    assert outcome(Answer(403, "", "no"), 1, NOW, Random(1)) == Dead("HTTP 403 no")
