"""Aggregates of the values of a window, exact where they are sums: neither order nor restarts change a bit."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Any

from streams.watch.declare.spec import Aggregate
from streams.watch.episodes.arithmetic import mean, total, within


def figure(part: Aggregate, values: Sequence[Any]) -> float | None:
    """The aggregate of some values; an empty window has a count, sum and number of distinct values only."""
    if part.name == "count":
        return len(values)
    if part.name == "distinct":
        return len(set(values))
    if part.name == "sum":
        return total(values)
    if not values:
        return None
    if part.name == "mean":
        return mean(values)
    if part.name == "quantile":
        return quantile(values, part.quantile)
    return float(min(values) if part.name == "min" else max(values))


def quantile(values: Sequence[float], share: float) -> float:
    """The quantile by linear interpolation between order statistics (type 7 of Hyndman and Fan, 1996)."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = floor(place)
    rest = place - below
    if not rest:
        return float(ordered[below])
    return within(float(ordered[below] * (1 - rest) + ordered[below + 1] * rest))
