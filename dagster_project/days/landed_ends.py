"""Where topics are wholly landed, summed up by the warehouse: the same ends as of the intervals one by one.

Intervals come back one by one only of partitions where they overlap or leave a gap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from dagster_project.days.ledger import End, Interval, ends
from dagster_project.warehouse import Warehouse
from schemas.chain import UNBROKEN

Vector = tuple[End, ...]
_WITHIN = "FROM landing.ledger FINAL WHERE topic IN {topics:Array(String)}"
_BEFORE = " AND arrived_last < {before:DateTime64(3)}"
_SUMS = (
    "SELECT topic, log_epoch, partition, max(last) + 1, sum(accepted), argMax(arrived_last, last),"
    f" argMax(watermarks, last), {UNBROKEN} {_WITHIN}"
)
_BY_PLACE = " GROUP BY topic, log_epoch, partition ORDER BY topic, log_epoch, partition"
_INTERVALS = (
    "SELECT topic, log_epoch, partition, first, last, accepted, arrived_last, watermarks"
    f" {_WITHIN} AND (topic, log_epoch, partition) IN (SELECT arrayJoin(arrayZip("
    "{names:Array(String)}, {epochs:Array(UInt16)}, {partitions:Array(UInt16)})))"
)


def landed_ends(
    warehouse: Warehouse, topics: Collection[str], before: datetime | None = None
) -> dict[str, Vector]:
    """The contiguous end of each partition of these topics, by log epoch and partition.

    With `before`, of the intervals alone whose last record arrived earlier.
    """
    condition = "" if before is None else _BEFORE
    given: dict[str, Any] = {} if before is None else {"before": before}
    found: dict[str, list[End]] = {topic: [] for topic in topics}
    broken: list[tuple[str, int, int]] = []
    for topic, log_epoch, partition, *end, unbroken in warehouse.rows(
        f"{_SUMS}{condition}{_BY_PLACE}", topics=sorted(topics), **given
    ):
        if unbroken:
            found[topic].append(End(log_epoch, partition, *end))
        else:
            broken.append((topic, log_epoch, partition))
    if broken:
        for topic, one_by_one in _broken(warehouse, broken, condition, given).items():
            found[topic] = sorted([*found[topic], *one_by_one], key=lambda end: end.place)
    return {topic: tuple(vector) for topic, vector in found.items()}


def _broken(
    warehouse: Warehouse, places: Collection[tuple[str, int, int]], condition: str, given: Mapping[str, Any]
) -> dict[str, Vector]:
    names, epochs, partitions = (list(column) for column in zip(*places, strict=True))
    intervals: dict[str, list[Interval]] = defaultdict(list)
    for topic, *row in warehouse.rows(
        f"{_INTERVALS}{condition}",
        topics=sorted(set(names)),
        names=names,
        epochs=epochs,
        partitions=partitions,
        **given,
    ):
        intervals[topic].append(Interval(*row))
    return {topic: ends(some) for topic, some in intervals.items()}
