"""What waits to be flushed, feed by feed: which of it is due, and whether there is room for more. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.land.columns import Landed

Key = tuple[str, int]  # topic, partition


@dataclass(frozen=True)
class Limits:
    """When to flush, and how long to wait between attempts at most.

    A feed at `rows` of its own; of all feeds together the largest at `held` rows or `size` bytes of raw events;
    everything that has waited for `seconds`.
    """

    rows: int = 10_000
    size: int = 32 << 20
    seconds: float = 2.0
    longest_pause: float = 15.0
    held: int = 60_000


class Taken(NamedTuple):
    """A batch, and what to call when it is written."""

    landed: Landed
    done: Callable[[], None]


@dataclass
class _Feed:
    """What waits of one feed, `since` when."""

    since: float
    taken: list[Taken] = field(default_factory=list)
    rows: int = 0
    size: int = 0

    def add(self, item: Taken) -> None:
        batch = item.landed.batch
        self.taken.append(item)
        self.rows += len(batch.accepted) + len(batch.refused)
        self.size += sum(len(row.raw) for row in batch.accepted) + sum(len(row.raw) for row in batch.refused)


class WriteBuffer:
    """What waits for the next flush; times are seconds of one clock."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._feeds: dict[str, _Feed] = {}

    @property
    def full(self) -> bool:
        """Whether something is due before its time."""
        return self._crowded() or any(feed.rows >= self._limits.rows for feed in self._feeds.values())

    def room(self, topic: str) -> bool:
        """Whether more of this feed can be taken."""
        feed = self._feeds.get(topic)
        return not self._crowded() and (feed is None or feed.rows < self._limits.rows)

    def add(self, item: Taken, now: float) -> None:
        """Take a batch."""
        self._feeds.setdefault(item.landed.topic, _Feed(now)).add(item)

    def wait(self, now: float) -> float:
        """Seconds until something is due at the latest."""
        seconds = self._limits.seconds
        return max(0.0, min((feed.since for feed in self._feeds.values()), default=now) + seconds - now)

    def take(self, now: float) -> list[Taken]:
        """What is due: everything when its time has come, else feeds with rows enough, or the largest."""
        topics = list(self._feeds) if self.wait(now) <= 0 else self._large()
        return [item for topic in topics for item in self._feeds.pop(topic).taken]

    def forget(self, partitions: Collection[Key]) -> None:
        """Drop these partitions."""
        held, self._feeds = self._feeds, {}
        for feed in held.values():
            for item in feed.taken:
                if (item.landed.topic, item.landed.partition) not in partitions:
                    self.add(item, feed.since)

    def _large(self) -> list[str]:
        """Feeds with rows enough for a flush; where all are too many, the largest until half of them is left."""
        found = [topic for topic, feed in self._feeds.items() if feed.rows >= self._limits.rows]
        if self._crowded():
            others = sorted(self._feeds.keys() - set(found), key=lambda topic: -self._feeds[topic].size)
            while others and self._crowded(without=found, share=0.5):
                found.append(others.pop(0))
        return found

    def _crowded(self, without: Collection[str] = (), share: float = 1.0) -> bool:
        """Whether all feeds but these have their share of what may wait."""
        feeds = [feed for topic, feed in self._feeds.items() if topic not in without]
        rows, size = sum(feed.rows for feed in feeds), sum(feed.size for feed in feeds)
        return rows >= share * self._limits.held or size >= share * self._limits.size
