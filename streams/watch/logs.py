"""Which log a topic is: the broker's id of it, which a topic that was deleted and made anew does not keep."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from streams.land.broker import administration


async def log_ids(bootstrap: str, topics: Iterable[str]) -> dict[str, str]:
    """The id of each topic's log; Unavailable where the broker is away. A topic that is not there is left out."""
    names = sorted(topics)
    return await asyncio.to_thread(_ask, bootstrap, names)


def _ask(bootstrap: str, names: list[str]) -> dict[str, str]:
    with administration(bootstrap) as admin:
        found = admin.describe_topics(names)
    return {topic["name"]: str(topic["topic_id"]) for topic in found if not topic["error_code"]}
