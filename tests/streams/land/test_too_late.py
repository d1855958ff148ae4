"""Rejected events of a major version whose last day is over go nowhere, and it is said what does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from schemas.contract import load_contracts
from streams.land.rejected import too_late
from tests.majors import FEED, OLD, declare


def test_what_is_no_longer_taken_is_named_with_what_is_sent_instead(tmp_path: Path) -> None:
    contracts = declare(tmp_path / "feeds")
    old, new, other = contracts[OLD], contracts[FEED], contracts["health.infectious-disease"]
    assert old.sunset is not None
    topics, ends = [old.topic, new.topic, other.topic], old.sunset.ends
    assert too_late(topics, contracts, ends - timedelta(milliseconds=1)) == {}
    said = f"{OLD} was taken until 2027-06-30: its department sends {FEED}.v2"
    assert too_late(topics, contracts, ends) == {old.topic: said}
    assert too_late([new.topic], contracts, ends) == {}, "told of what was asked for alone"


def test_what_is_declared_no_more_keeps_nothing_else_back() -> None:
    contracts = load_contracts()
    gone, kept = "feed.ecology.air-quality.v0", contracts[FEED].topic
    said = f"{gone} is the topic of no feed that is declared now"
    assert too_late([gone, kept], contracts, datetime(2026, 6, 1, tzinfo=UTC)) == {gone: said}
