"""Reading the ledger: up to where a topic is wholly landed, and which days that completes. Pure.

A build reads every table up to one fixed vector of ends, so it can be made again from the same log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby

from schemas.chain import chain
from schemas.fields import midnight


@dataclass(frozen=True)
class Interval:
    """Offsets `first`..`last` of one partition are landed; so many of them accepted."""

    log_epoch: int
    partition: int
    first: int
    last: int
    accepted: int
    arrived_last: datetime
    watermarks: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class End:
    """Where one partition is wholly landed: offsets below `stop`, `accepted` of them events.

    `hole` tells that intervals lie beyond a gap; what is there is not read.
    """

    log_epoch: int
    partition: int
    stop: int
    accepted: int
    arrived_last: datetime
    watermarks: Mapping[str, datetime]
    hole: bool = False

    @property
    def place(self) -> int:
        """Log epoch and partition as one number, as the SQL of builds has it."""
        return self.log_epoch * 65536 + self.partition


def place_name(place: int) -> str:
    """A place as manifests write it: `epoch/partition`."""
    return f"{place // 65536}/{place % 65536}"


def ends(intervals: Iterable[Interval]) -> tuple[End, ...]:
    """The contiguous end of each partition of a topic, by log epoch and partition."""
    ordered = sorted(intervals, key=lambda interval: (*_place(interval), interval.first, interval.last))
    return tuple(_end(list(group)) for _, group in groupby(ordered, _place))


def offsets(topic: str, vector: Iterable[End]) -> dict[str, int]:
    """The vector as `topic/epoch/partition` -> end, exclusive; what a build keeps of it."""
    return {f"{topic}/{end.log_epoch}/{end.partition}": end.stop for end in vector}


def complete(day: date, vector: Iterable[End], lateness: timedelta, ended: Iterable[str] = ()) -> bool:
    """Whether nothing of this day is still to be expected, as far as the ledger can tell.

    In every partition of the latest log epoch something arrived after the day's end plus lateness, and every
    replay that has not `ended` is past it too. Events later than that are late: they reopen the day.
    """
    due = midnight(day) + timedelta(days=1) + lateness
    done = set(ended) | {""}
    latest: dict[int, list[End]] = defaultdict(list)
    for end in vector:
        latest[end.log_epoch].append(end)
    if not latest:
        return False
    return all(
        not end.hole
        and end.arrived_last >= due
        and all(clock >= due for timeline, clock in end.watermarks.items() if timeline not in done)
        for end in latest[max(latest)]
    )


def _place(interval: Interval) -> tuple[int, int]:
    return interval.log_epoch, interval.partition


def _end(intervals: list[Interval]) -> End:
    found = chain(intervals)
    last = found[-1]
    return End(
        log_epoch=last.log_epoch,
        partition=last.partition,
        stop=last.last + 1,
        accepted=sum(interval.accepted for interval in found),
        arrived_last=last.arrived_last,
        watermarks=last.watermarks,
        hole=any(interval.last > last.last for interval in intervals),
    )
