"""Which log a topic is: the broker's id of it, which a topic that was deleted and made anew does not keep."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from streams.land.broker import administration, describe


async def log_ids(bootstrap: str, topics: Iterable[str]) -> dict[str, str]:
    """The id of each topic's log; Unavailable where the broker is away. A topic that is not there is left out."""
    names = sorted(topics)
    return await asyncio.to_thread(_ask, bootstrap, names)


def _ask(bootstrap: str, names: list[str]) -> dict[str, str]:
    with administration(bootstrap) as admin:
        found = admin.describe_topics(names)
    return {topic["name"]: str(topic["topic_id"]) for topic in found if not topic["error_code"]}


async def log_ends(bootstrap: str, topics: Iterable[str]) -> dict[tuple[str, int], int]:
    """Where each partition ends now, by topic and number; a topic that is not there is left out."""
    names = sorted(topics)
    return await asyncio.to_thread(_ask_ends, bootstrap, names)


def _ask_ends(bootstrap: str, names: list[str]) -> dict[tuple[str, int], int]:
    with administration(bootstrap) as admin:
        there = [topic["name"] for topic in admin.describe_topics(names) if not topic["error_code"]]
        return {
            (topic.name, partition): end
            for topic in describe(admin, there)
            for partition, (_, end) in topic.offsets.items()
        }
