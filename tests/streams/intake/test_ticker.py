"""The ticker: its health, its back-off, its lease, and one feed's trouble that is not the others'."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from schemas.errors import Unavailable
from schemas.event import decode_tick
from streams.intake.acknowledged import AcknowledgedProducer
from streams.intake.lease import Standing
from streams.intake.round_health import LONGEST_DELAY, RoundHealth
from streams.intake.ticker import Ticker
from tests.streams.intake.broker import read
from tests.streams.intake.feeds import AIR, NOON, on_topic

LATER = NOON + timedelta(seconds=5)
NOBODY = "127.0.0.1:1"


class Scripted:
    """A lease that says what it was told to, then that another has it."""

    def __init__(self, *says: Standing | Unavailable) -> None:
        self._says, self.closed = list(says), False

    def standing(self) -> Standing:
        said = self._says.pop(0) if self._says else Standing.ANOTHERS
        if isinstance(said, Unavailable):
            raise said
        return said

    def close(self) -> None:
        self.closed = True


def test_the_health_remembers_since_when_rounds_fail_and_forgets_when_one_succeeds() -> None:
    failing = RoundHealth().succeeded(NOON).failed(NOON, "away").failed(LATER, "still away")
    assert failing == RoundHealth(last=NOON, failing_since=NOON, failures=2, error="still away")
    assert failing.succeeded(LATER) == RoundHealth(last=LATER)
    assert [each.well for each in (RoundHealth(), failing, RoundHealth(last=NOON))] == [False, False, True]


def test_failing_rounds_come_slower_and_slower() -> None:
    states = [RoundHealth(failures=failures) for failures in (0, 1, 2, 3, 100)]
    assert [health.delay(5) for health in states] == [5, 10, 20, LONGEST_DELAY, LONGEST_DELAY]


def test_a_round_that_breaks_is_a_failed_one_and_the_next_comes_all_the_same() -> None:
    told = iter([KeyError("what nobody thought of"), 0])
    stop = asyncio.Event()
    heard: list[str] = []

    def epoch() -> int:
        found = next(told)
        if isinstance(found, int):
            stop.set()
            return found
        raise found

    ticker = Ticker([], AcknowledgedProducer(NOBODY), 0.01, lambda: NOON, epoch)
    asyncio.run(ticker.run(stop, heard.append))
    assert (ticker.health, next(told, None)) == (RoundHealth(last=NOON), None)
    assert heard[0].startswith("KeyError") and heard[-1] == ""


def test_who_stands_by_ticks_nothing_and_is_well() -> None:
    lease, stop, beats = Scripted(Unavailable("the broker is away")), asyncio.Event(), list[int]()

    def beat() -> None:
        beats.append(ticker.health.failures)
        if len(beats) == 3:
            stop.set()

    ticker = Ticker(
        [on_topic(AIR, "feed.none")], AcknowledgedProducer(NOBODY), 0.01, lambda: NOON, lease=lease, beat=beat
    )
    asyncio.run(ticker.run(stop))
    assert (beats, ticker.leads, lease.closed) == ([1, 0, 0], False, True)
    assert not ticker.ticks


def test_the_log_says_whose_the_lease_is_only_once_it_is_known(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "liaowang.ticker")
    joining, anothers, holds = Standing.JOINING, Standing.ANOTHERS, Standing.HOLDS
    lease, stop, left = Scripted(joining, joining, anothers, anothers, holds, joining), asyncio.Event(), [6]

    def beat() -> None:
        left[0] -= 1
        if not left[0]:
            stop.set()

    ticker = Ticker([], AcknowledgedProducer(NOBODY), 0.01, lambda: NOON, lease=lease, beat=beat)
    asyncio.run(ticker.run(stop))
    assert [record.getMessage() for record in caplog.records] == [
        "joining the group of tickers: whose the lease is is not known yet",
        "this ticker stands by: the lease is another's",
        "this ticker ticks from now on",
        "joining the group of tickers: whose the lease is is not known yet",
    ]
    assert not ticker.leads


@pytest.mark.stack
def test_a_round_ends_where_the_lease_goes_to_another(kafka: str, topic: str) -> None:
    producer = AcknowledgedProducer(kafka)
    feeds = [on_topic(AIR, topic), on_topic(AIR, topic)]
    ticker = Ticker(feeds, producer, 5, lambda: NOON, lease=Scripted(Standing.HOLDS))
    ticker.round()
    producer.close()
    assert {len(records) for records in read(kafka, topic).values()} == {1}
    assert (ticker.leads, dict(ticker.ticks)) == (False, {topic: 3})


@pytest.mark.stack
def test_a_feed_without_a_topic_does_not_keep_the_others_from_their_ticks(kafka: str, topic: str) -> None:
    producer = AcknowledgedProducer(kafka)
    ticker = Ticker([on_topic(AIR, "feed.none"), on_topic(AIR, topic)], producer, 5, lambda: NOON)
    ticker.round()
    producer.close()
    assert (ticker.health.failures, ticker.health.error.partition(":")[0]) == (1, "feed.none")
    for partition, records in read(kafka, topic).items():
        (tick,) = [decode_tick(raw) for _, raw in records]
        assert tick is not None
        assert (tick.id, tick.timeline, tick.data.final) == (
            f"live/{partition}/2026-03-01T02:00:00.000000Z",
            "",
            False,
        )
