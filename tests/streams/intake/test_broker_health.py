"""How the gateway tells whether it can store: probes, and batches that were refused lately."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from streams.intake.broker_health import REMEMBERED, BrokerHealth
from tests.streams.intake.feeds import NOON


class Clock:
    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


@pytest.mark.stack
def test_a_broker_that_answers_and_stores_nothing_is_not_well_until_it_stores_or_a_while_is_over(
    kafka: str,
) -> None:
    clock = Clock()
    broker = BrokerHealth(kafka, clock)
    assert not broker.health.well and not broker.health.failures, "it is starting"
    broker.look()
    assert broker.health.well
    broker.batch("not enough replicas")
    broker.look()
    assert (broker.health.well, broker.health.error) == (False, "not enough replicas")
    broker.batch()
    assert broker.health.well
    broker.batch("not enough replicas")
    clock.at += REMEMBERED - timedelta(seconds=1)
    assert not broker.health.well
    clock.at += timedelta(seconds=1)
    assert broker.health.well, "nobody has tried since"


def test_a_broker_that_does_not_answer_is_told_with_its_reason() -> None:
    broker = BrokerHealth("127.0.0.1:1", lambda: NOON)
    broker.look()
    broker.look()
    assert (broker.health.failures, broker.health.failing_since) == (2, NOON)
    assert "refused" in broker.health.error
