"""Trying again: pauses grow and stay in bounds, the log says it once, then seldom, and when it is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Misdeclared, Unavailable
from streams.retrying import (
    CHANGED,
    SELDOM,
    Backoff,
    Outage,
    duration,
    insist,
    insist_async,
    pause,
    until,
    within,
)

LOG = logging.getLogger("liaowang.test")
DEFAULT = Backoff()
BACKOFFS = st.builds(Backoff, st.floats(0.001, 100), st.floats(0.001, 1e6), st.floats(0.0, 1.0)).filter(
    lambda each: each.first <= each.longest
)


class Clock:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 1000.0, list[float]()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO, LOG.name):
        yield caplog


def outage(clock: Clock, backoff: Backoff = DEFAULT, held: list[str] | None = None) -> Outage:
    told = held if held is not None else []
    return Outage(
        LOG,
        waits="pushes wait",
        over="pushes go out",
        clock=clock,
        rng=Random(1),
        backoff=backoff,
        held=told.append,
    )


@given(BACKOFFS, st.integers(1, 10**9), st.randoms(use_true_random=False))
def test_a_pause_lies_between_its_share_without_jitter_and_the_ceiling(
    backoff: Backoff, failures: int, rng: Random
) -> None:
    ceiling = backoff.ceiling(failures)
    found = backoff.delay(failures, rng)
    assert ceiling * (1 - backoff.jitter) * (1 - 1e-9) <= found <= ceiling * (1 + 1e-9)
    assert 0 < ceiling <= backoff.longest


@given(BACKOFFS, st.integers(1, 200))
def test_pauses_double_until_they_are_the_longest(backoff: Backoff, failures: int) -> None:
    before, after = backoff.ceiling(failures), backoff.ceiling(failures + 1)
    assert after == pytest.approx(min(backoff.longest, 2 * before))
    assert backoff.ceiling(1) == backoff.first


def test_programs_that_fail_together_do_not_try_together() -> None:
    delays = {Backoff().delay(5, Random(seed)) for seed in range(50)}
    assert len(delays) == 50 and max(delays) - min(delays) > 3


def test_it_is_said_once_then_seldom_with_how_long_and_when_it_is_over(
    said: pytest.LogCaptureFixture,
) -> None:
    """A night of eight hours without the peer: a line each ten minutes, none of them a repetition of the first."""
    clock, held = Clock(), list[str]()
    case = outage(clock, Backoff(longest=10), held)
    begun = clock.now
    while clock.now - begun < 8 * 3600:
        clock.sleep(case.failed(Unavailable("the database is away")))
    case.ended()
    first, *again, last = [record.getMessage() for record in said.records]
    assert first == "the database is away; pushes wait"
    assert 40 <= len(again) <= 8 * 3600 / SELDOM
    assert again[0].startswith("the database is away; pushes wait, for 10 min already (")
    assert again[-1].startswith("the database is away; pushes wait, for 7 h ")
    assert last.startswith("pushes go out: it lasted 8 h 0 min (")
    assert held[0] == "the database is away" and held[-1] == ""


def test_another_reason_is_said_but_not_with_each_try(said: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    case = outage(clock)
    for n in range(100):
        case.failed(f"reason {n % 2}")
        clock.sleep(CHANGED / 10)
    assert 8 <= len(said.records) <= 11
    assert "reason 0" in said.text and "reason 1" in said.text


def test_without_an_outage_nothing_is_said_and_after_one_the_count_begins_anew(
    said: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    case = outage(clock, Backoff(jitter=0))
    case.ended()
    assert said.records == []
    assert [case.failed("x") for _ in range(3)] == [0.5, 1.0, 2.0]
    case.ended()
    case.ended()
    assert case.failed("x") == 0.5
    texts = [record.getMessage() for record in said.records]
    assert texts == ["x; pushes wait", "pushes go out: it lasted 0 s (3 tries)", "x; pushes wait"]


def test_an_error_without_words_goes_by_its_name(said: pytest.LogCaptureFixture) -> None:
    outage(Clock()).failed(TimeoutError())
    assert said.messages == ["TimeoutError; pushes wait"]


def test_insisting_tries_until_the_peer_is_back_and_raises_what_is_no_absence() -> None:
    clock = Clock()
    outcomes: list[Exception | int] = [Unavailable("away"), Unavailable("away"), 7]

    def attempt() -> int:
        found = outcomes.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    async def attempt_async() -> int:
        return attempt()

    assert insist(attempt, outage(clock, Backoff(jitter=0)), clock.sleep) == 7
    assert clock.slept == [0.5, 1.0]
    outcomes += [Unavailable("away"), 8]
    again = insist_async(attempt_async, outage(clock, Backoff(jitter=0)), clock.sleep_async)
    assert asyncio.run(again) == 8 and clock.slept == [0.5, 1.0, 0.5]
    outcomes += [Misdeclared("a", "b", "c")]
    with pytest.raises(Misdeclared):
        insist(attempt, outage(clock), clock.sleep)


def test_a_pause_beats_and_ends_at_once_when_stopped() -> None:
    async def stopped() -> tuple[float, int]:
        stop, beats = asyncio.Event(), list[int]()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        loop.call_later(1.5, stop.set)
        await asyncio.wait_for(pause(3600, stop, lambda: beats.append(1)), 60)
        return loop.time() - begun, len(beats)

    lasted, beats = asyncio.run(stopped())
    assert 1.4 <= lasted < 60 and beats == 2


@given(st.integers(0, 50), st.floats(0.1, 10), st.floats(0.01, 3))
def test_a_bounded_wait_looks_until_done_and_never_sleeps_beyond_its_end(
    needed: int, seconds: float, every: float
) -> None:
    clock, looks = Clock(), list[float]()

    def done() -> bool:
        looks.append(clock.now)
        return len(looks) > needed

    begun = clock.now
    found = until(done, seconds, every, clock=clock, sleep=clock.sleep)
    assert found is (len(looks) > needed)
    assert clock.now <= begun + seconds + 1e-6
    assert found or clock.now >= begun + seconds - 1e-6


def test_what_passes_is_tried_again_within_its_time_and_the_last_error_is_raised() -> None:
    clock, tries = Clock(), list[int]()

    def attempt() -> int:
        tries.append(1)
        if len(tries) < 4:
            raise BlockingIOError(len(tries))
        return 7

    def busy(error: Exception) -> bool:
        return isinstance(error, BlockingIOError)

    assert within(attempt, busy, 1.0, 0.25, clock=clock, sleep=clock.sleep) == 7
    assert clock.slept == [0.25] * 3
    tries.clear()
    with pytest.raises(BlockingIOError, match="3"):
        within(attempt, busy, 0.5, 0.25, clock=clock, sleep=clock.sleep)
    tries.clear()
    with pytest.raises(BlockingIOError, match="1"):
        within(attempt, lambda error: False, 9.0, clock=clock, sleep=clock.sleep)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.4, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h 0 min"),
        (9e4, "25 h 0 min"),
    ],
)
def test_how_long(seconds: float, text: str) -> None:
    assert duration(seconds) == text
