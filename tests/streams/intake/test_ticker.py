"""The ticker: its pulse, its back-off, and one feed's trouble that is not the others'."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from schemas.event import decode_tick
from streams.intake.acknowledged import AcknowledgedProducer
from streams.intake.ticker import LONGEST_DELAY, STANDS_SECONDS, Pulse, Ticker
from tests.streams.intake.broker import read
from tests.streams.intake.feeds import AIR, NOON, on_topic

LATER = NOON + timedelta(seconds=5)


def test_the_pulse_remembers_since_when_rounds_fail_and_forgets_when_one_succeeds() -> None:
    failing = Pulse().succeeded(NOON).failed(NOON, "away").failed(LATER, "still away")
    assert failing == Pulse(last=NOON, failing_since=NOON, failures=2, error="still away")
    assert failing.succeeded(LATER) == Pulse(last=LATER)


def test_failing_rounds_come_slower_and_slower() -> None:
    pulses = [Pulse(failures=failures) for failures in (0, 1, 2, 3, 100)]
    assert [pulse.delay(5) for pulse in pulses] == [5, 10, 20, LONGEST_DELAY, LONGEST_DELAY]


def test_rounds_that_no_longer_come_are_told_from_slow_ones() -> None:
    pulse = Pulse().succeeded(NOON)
    assert not pulse.stands(NOON + timedelta(seconds=STANDS_SECONDS + 10), 5)
    assert pulse.stands(NOON + timedelta(seconds=STANDS_SECONDS + 11), 5)
    assert not Pulse().stands(LATER, 5), "it has not begun"


def test_a_round_that_breaks_is_a_failed_one_and_the_next_comes_all_the_same() -> None:
    told = iter([KeyError("what nobody thought of"), 0])
    stop = asyncio.Event()

    def epoch() -> int:
        found = next(told)
        if isinstance(found, int):
            stop.set()
            return found
        raise found

    ticker = Ticker([], AcknowledgedProducer("127.0.0.1:1"), 0.01, lambda: NOON, epoch)
    asyncio.run(ticker.run(stop))
    assert (ticker.pulse, next(told, None)) == (Pulse(last=NOON), None)


@pytest.mark.stack
def test_a_feed_without_a_topic_does_not_keep_the_others_from_their_ticks(kafka: str, topic: str) -> None:
    producer = AcknowledgedProducer(kafka)
    ticker = Ticker([on_topic(AIR, "feed.none"), on_topic(AIR, topic)], producer, 5, lambda: NOON)
    ticker.round()
    producer.close()
    assert (ticker.pulse.failures, ticker.pulse.error.partition(":")[0]) == (1, "feed.none")
    for records in read(kafka, topic).values():
        assert [decode_tick(raw) is not None for _, raw in records] == [True]
