"""Names of the Kafka topics; a feed's name is its topic's name."""

from __future__ import annotations

WARNINGS = "warnings"
REJECTED = "rejected"
REPLAYS = "replays"
DISPOSITIONS = "dispositions"
RULES = "rules"
"""Published versions of rules, compacted by (rule, version); one partition, so that they have one order."""
PARTIALS = "partials"
"""What the first stage of `watch` hands to the second, by subject."""


def feed_topic(feed: str) -> str:
    """Topic of a feed: `ecology.air-quality` -> `feed.ecology.air-quality`."""
    return f"feed.{feed}"
