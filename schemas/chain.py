"""Intervals of offsets as their union: the chain of those that follow each other without a hole. Pure.

Two workers may overlap around a rebalance: their intervals then cover the same offsets with the same rows. Of
such intervals the chain takes each offset once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

UNBROKEN = "arrayPopFront(arraySort(groupArray(first))) = arrayPopBack(arraySort(groupArray(last + 1)))"
"""SQL, of a group of intervals: whether they are a chain as they stand, so that their sums are those of `chain`.

Every beginning but the first is the end of another, and every end but the last a beginning, each as often. As all
of them run forward, that is one way from the first offset to the last that takes each interval once. Lengths that
add up would not do: an overlap makes up for a gap.
"""


class Interval(Protocol):
    """Offsets `first`..`last`, both included."""

    @property
    def first(self) -> int:
        """The first offset."""

    @property
    def last(self) -> int:
        """The last offset."""


T = TypeVar("T", bound=Interval)


def chain(intervals: Iterable[T]) -> list[T]:
    """From the first offset as far as intervals reach without a hole: each begins where the last one ended."""
    ordered = sorted(intervals, key=lambda interval: (interval.first, interval.last))
    if not ordered:
        return []
    start = ordered[0].first
    before: dict[int, T] = {}
    reached = {start}
    for interval in ordered:
        if interval.first in reached and interval.last + 1 not in reached:
            reached.add(interval.last + 1)
            before[interval.last + 1] = interval
    found, at = [], max(reached)
    while at != start:
        found.append(before[at])
        at = before[at].first
    return found[::-1]
