"""The ledger: which offsets of a partition are accounted for, and how. Pure: intervals, read as their union.

An interval is written after the rows it speaks of, so it is the commit mark. What was written before a crash
is written again under the same keys. Two workers may overlap around a rebalance: their intervals then cover
the same offsets with the same rows, and the union counts each offset once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.chain import chain


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Offsets `first`..`last` of one partition are landed: so many accepted, rejected and control."""

    first: int
    last: int
    accepted: int
    rejected: int
    control: int
    watermarks: Mapping[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """Offsets of the interval that are known to be gone for ever."""
        return self.last - self.first + 1 - self.accepted - self.rejected - self.control


@dataclass(frozen=True, slots=True)
class Standing:
    """The union of a partition's intervals: all offsets from `first` up to but not `next` are landed."""

    first: int
    next: int
    accepted: int
    rejected: int
    control: int
    lost: int
    watermarks: Mapping[str, int]


def union(entries: Iterable[LedgerEntry]) -> Standing | None:
    """What the intervals say together, up to the first hole; None where there are none.

    Counts are those of a chain of intervals without overlap; each worker writes such a chain from where the
    ledger ended when it began.
    """
    found = chain(entries)
    if not found:
        return None
    return Standing(
        first=found[0].first,
        next=found[-1].last + 1,
        accepted=sum(entry.accepted for entry in found),
        rejected=sum(entry.rejected for entry in found),
        control=sum(entry.control for entry in found),
        lost=sum(entry.lost for entry in found),
        watermarks=found[-1].watermarks,
    )


def incident(name: str, standing: Standing, start: int, end: int) -> str | None:
    """Why landing of a partition must not go on, or None. `start` and `end` are the broker's offsets."""
    if end < standing.next:
        return (
            f"{name}: the broker ends at offset {end}, but the ledger already accounts for {standing.next}: "
            "the topic was cut, or restored from a backup. Restore the whole log, or recreate the topic."
        )
    if start > standing.next:
        topic, _, partition = name.rpartition("/")
        return (
            f"{name}: retention removed offsets {standing.next}..{start - 1} before they were landed. "
            f"Restore them, or record the loss: liaowang ledger lose {topic} {partition} --to {start}"
        )
    return None


@dataclass(frozen=True, slots=True)
class LogEpoch:
    """A log epoch of a topic: its id at the broker and number of partitions. A change begins a new one."""

    topic_id: str
    number: int

    @property
    def log(self) -> str:
        """Id of the log itself, which goes on when only the number of partitions changes."""
        return self.topic_id.partition("/")[0]


def topic_id(log: str, partitions: int) -> str:
    """What identifies a log epoch of a topic: the broker's topic id and the number of partitions."""
    return f"{log}/{partitions}"


def log_epoch_of(known: Sequence[LogEpoch], current: str) -> LogEpoch:
    """The log epoch of this topic id: the one recorded, else the next number."""
    for log_epoch in known:
        if log_epoch.topic_id == current:
            return log_epoch
    return LogEpoch(current, 1 + max((log_epoch.number for log_epoch in known), default=-1))


def lineage(known: Sequence[LogEpoch], current: LogEpoch) -> list[int]:
    """Numbers of all log epochs of the same log; their offsets go on from each other."""
    return sorted(
        {current.number, *(log_epoch.number for log_epoch in known if log_epoch.log == current.log)}
    )


@dataclass(frozen=True, slots=True)
class Balance:
    """One partition's reckoning: `produced = accepted + rejected + control` when nothing is open or lost."""

    topic: str
    partition: int
    produced: int
    accepted: int
    rejected: int
    control: int
    open: int
    lost: int

    @property
    def even(self) -> bool:
        """Whether every offset the broker gave out is accounted for."""
        return (
            not self.open and not self.lost and self.produced == self.accepted + self.rejected + self.control
        )


def balance(topic: str, partition: int, standing: Standing | None, start: int, end: int) -> Balance:
    """Reckon a partition whose broker log runs from `start` up to, not including, `end`.

    What retention removed after landing still counts as produced. `open` offsets are not landed yet; it is
    negative where the broker has fewer offsets than the ledger.
    """
    if standing is None:
        return Balance(topic, partition, end - start, 0, 0, 0, end - start, 0)
    return Balance(
        topic=topic,
        partition=partition,
        produced=end - standing.first,
        accepted=standing.accepted,
        rejected=standing.rejected,
        control=standing.control,
        open=end - standing.next,
        lost=standing.lost + max(0, start - standing.next),
    )
