"""Names of the Kafka topics; a feed's name is its topic's name."""

from __future__ import annotations

WARNINGS = "warnings"
WARNING_FEED = "duty.warning"
WARNING_TYPE = f"{WARNING_FEED}.v1"
REJECTED = "rejected"
REPLAYS = "replays"
DISPOSITIONS = "dispositions"
DISPOSITION_FEED = "duty.disposition"
DISPOSITION_TYPE = f"{DISPOSITION_FEED}.v1"
RULES = "rules"
"""Published versions of rules, compacted by (rule, version); one partition, so that they have one order."""
TICKER = "ticker"
"""Carries nothing: the ticker that has its one partition is the one that ticks."""
WATCH_GROUP = "liaowang-watch"
"""The consumer group of `watch`: what it has committed is judged, and what came of it is sent."""
WATCH_STATE = f"{WATCH_GROUP}-state-changelog"
"""What is open in the conditions of `watch`, compacted; it is read whole as `watch` starts."""
PARTIALS = "partials"
"""What the first stage of `watch` hands to the second, by subject."""


def feed_topic(feed: str, major: int = 1) -> str:
    """Topic of a feed: `ecology.air-quality` -> `feed.ecology.air-quality`; of major version 2 `….v2`."""
    return f"feed.{feed}" if major <= 1 else f"feed.{feed}.v{major}"
