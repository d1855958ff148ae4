"""A rule's condition when another version of the rule comes into force."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from streams.watch.adopt import adopt
from streams.watch.baseline import BaselineTable
from streams.watch.conditions import Condition
from streams.watch.conditions.baseline import Baseline
from streams.watch.episode import Emit, Moment
from streams.watch.failing import Failing
from streams.watch.rule import Rule

Make = Callable[[Rule], Condition]


def compare_with(
    tables: Mapping[str, BaselineTable], conditions: Mapping[str, Condition], failing: Failing
) -> None:
    """Give baseline rules the tables in force; where none were published they keep what they have."""
    for name, each in conditions.items():
        if tables and isinstance(each, Baseline):
            try:
                each.furnish(tables)
            except Exception as error:
                failing.add(name, error)


def switched(
    old: Condition | None, new: Rule | None, make: Make, now: Moment, emit: Emit, failing: Failing
) -> Condition | None:
    """As `switch`; another version of a rule that was set aside comes in again.

    One that cannot take over what the old version knew begins anew; one that cannot even begin is set aside.
    """
    if old is not None and (new is None or new.version != old.rule.version):
        failing.rules.discard(old.rule.id)
    try:
        return switch(old, new, make, now, emit)
    except Exception as error:
        name = new.id if new is not None else old.rule.id if old is not None else ""
        failing.add(name, error)
    if new is None or old is None:
        return None
    try:
        begun = switch(None, new, make, now, emit)
    except Exception:  # the same again: it is told already
        return None
    if begun is not None:
        begun.touched.update(old.records)
        failing.rules.discard(new.id)
    return begun


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
