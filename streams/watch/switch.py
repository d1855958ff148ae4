"""A rule's condition when another version of the rule comes into force."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from streams.watch.adopt import adopt
from streams.watch.baseline import BaselineTable
from streams.watch.conditions import Condition
from streams.watch.conditions.baseline import Baseline
from streams.watch.episode import Emit, Moment
from streams.watch.rule import Rule

Make = Callable[[Rule], Condition]


def compare_with(tables: Mapping[str, BaselineTable], conditions: Iterable[Condition]) -> None:
    """Give baseline rules the tables in force; where none were published they keep what they have."""
    for each in conditions:
        if tables and isinstance(each, Baseline):
            each.furnish(tables)


def switch(old: Condition | None, new: Rule | None, make: Make, now: Moment, emit: Emit) -> Condition | None:
    """The condition of the new version with what it takes over of the old one; what it cannot, is cancelled.

    None where there is no new version: the rule is retired.
    """
    if old is None:
        return None if new is None else make(new)
    if new is not None and new.version == old.rule.version:
        return old
    records = adopt(old.rule, new, old.records, now, emit)
    if new is None:
        return None
    condition = make(new)
    condition.records.update(records)
    condition.touched.update(old.records)
    condition.touched.update(records)
    condition.restored(now.watermark)
    return condition
