"""What is usual for a subject in a slot of the calendar, out of its history: a baseline table."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from schemas.arithmetic import exact
from streams.watch.declare.baseline import slot_of
from streams.watch.detect.detector import sum_of


@dataclass(frozen=True)
class Usual:
    """What is usual in one slot: figures of the values a subject had there.

    `sd` is the standard deviation (n - 1), None of a single value. `quantiles` are (share, value), in order.
    """

    number: int
    mean: float
    sd: float | None
    median: float
    quantiles: tuple[tuple[float, float], ...] = ()


def baselines(
    history: Iterable[tuple[str, int, float | None]],
    slot: str = "none",
    quantiles: Sequence[float] = (),
    least: int = 1,
) -> dict[tuple[str, int], Usual]:
    """By subject and slot, what is usual, in order of both; slots with fewer than `least` values have none.

    `history` has (subject, moment in ms, value) in any order; a missing value counts for nothing. `slot` is one of
    those of `slot_of`, such as hour-of-week.
    """
    values: dict[tuple[str, int], list[float]] = defaultdict(list)
    for subject, at, value in history:
        if value is not None and math.isfinite(value):
            values[subject, slot_of(slot, at)].append(value)
    return {key: usual(values[key], quantiles) for key in sorted(values) if len(values[key]) >= least}


def usual(values: Sequence[float], quantiles: Sequence[float] = ()) -> Usual:
    """The figures of one slot's values (at least one)."""
    ordered, number = sorted(values), len(values)
    mean = exact.mean(ordered)
    return Usual(
        number=number,
        mean=mean,
        sd=_deviation(ordered, mean) if number > 1 else None,
        median=quantile(ordered, 0.5),
        quantiles=tuple((share, quantile(ordered, share)) for share in sorted(quantiles)),
    )


def _deviation(values: Sequence[float], mean: float) -> float:
    """The standard deviation (n - 1) of two or more; the largest float where it is beyond."""
    off = [value - mean for value in values]
    squares = sum_of(each * each for each in off)
    if math.isfinite(squares):
        return math.sqrt(squares / (len(values) - 1))
    off = [value / 4 - mean / 4 for value in values]
    scale = max(map(abs, off))
    squares = math.fsum((each / scale) ** 2 for each in off)
    return min(exact.LARGEST, 4 * scale * math.sqrt(squares / (len(values) - 1)))


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which a share of the ordered values lies, interpolated.

    Source: Hyndman and Fan, Am Stat 1996; 50: 361-365, type 7 (as numpy, and ClickHouse's quantileExactInclusive).
    """
    place = (len(ordered) - 1) * share
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    apart, part = ordered[high] - ordered[low], place - low
    if math.isfinite(apart):
        return ordered[low] + apart * part
    return ordered[low] * (1 - part) + ordered[high] * part


def table_rows(found: dict[tuple[str, int], Usual]) -> list[dict[str, Any]]:
    """The rows of a baseline table, as `read_table` takes them: subject, slot, mean, sd and the other figures."""
    return [
        {"subject": subject, "slot": slot, **asdict(figures)} for (subject, slot), figures in found.items()
    ]
