"""A rule's condition when another version of the rule comes into force."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from streams.watch.conditions import Condition
from streams.watch.conditions.baseline import Baseline
from streams.watch.declare.baseline import BaselineTable
from streams.watch.declare.rule import Rule
from streams.watch.engine.failing import Failing
from streams.watch.episodes.adopt import adopt, close, ended_by
from streams.watch.episodes.episode import LEVEL, Emit, Moment

Make = Callable[[Rule], Condition]


def compare_with(
    tables: Mapping[str, BaselineTable], conditions: Mapping[str, Condition], failing: Failing
) -> None:
    """Give baseline rules the tables in force; where none were published they keep what they have."""
    for each in conditions.values():
        if tables and isinstance(each, Baseline) and not failing.holds(each.rule):
            try:
                each.supply_baselines(tables)
            except Exception as error:
                failing.add(each.rule, error)


def same(old: Rule, new: Rule | None) -> bool:
    """Whether a rule stays: the same version, of the same feeds. A feed's name may be another major version."""
    return new is not None and (new.version, new.feeds) == (old.version, old.feeds)


def switched(
    old: Condition | None,
    new: Rule | None,
    make: Make,
    now: Moment,
    emit: Emit,
    failing: Failing,
    elsewhere: Rule | None = None,
) -> Condition | None:
    """As `switch`, for rules that may be set aside: such a one stays so until there is another version of it.

    `elsewhere` is the rule as it is in force where it is not judged here any more: then it is not retired.

    What a rule that was set aside knew has a hole, so another version takes none of it over, nor does one that
    cannot: it begins anew. One that cannot even begin is set aside.
    """
    aside = old is not None and failing.holds(old.rule)
    if old is not None and aside and not same(old.rule, new):
        _cancel(old, new or elsewhere, now, emit, failing)
        return None if new is None else _anew(old, new, make, failing)
    try:
        return switch(old, new, make, now, emit, elsewhere)
    except Exception as error:
        rule = new or (old.rule if old is not None else None)
        if rule is None:
            raise
        failing.add(rule, error)
    return None if new is None or old is None else _anew(old, new, make, failing)


def _cancel(old: Condition, new: Rule | None, now: Moment, emit: Emit, failing: Failing) -> None:
    """Cancel what a rule that was set aside has open, as far as its records can be read: nobody else would."""
    reason = ended_by(old.rule, new)
    try:
        for name, record in sorted(old.records.items()):
            if record[LEVEL]:
                close(old.rule, name, record, now, emit, reason)
    except Exception as error:
        failing.add(old.rule, error)


def _anew(old: Condition, new: Rule, make: Make, failing: Failing) -> Condition | None:
    """The condition of the new version with nothing known; None where it cannot begin."""
    try:
        begun = make(new)
    except Exception as error:
        failing.add(new, error)
        return None
    begun.touched.update(old.records)
    if failing.holds(new):
        del failing.rules[new.id]
    return begun


def switch(
    old: Condition | None,
    new: Rule | None,
    make: Make,
    now: Moment,
    emit: Emit,
    elsewhere: Rule | None = None,
) -> Condition | None:
    """The condition of the new version with what it takes over of the old one; what it cannot, is cancelled.

    None where there is no new version: the rule is retired, or judged `elsewhere`.
    """
    if old is None:
        return None if new is None else make(new)
    if same(old.rule, new):
        return old
    records = adopt(old.rule, new, old.records, now, emit, ended_by(old.rule, new or elsewhere))
    if new is None:
        return None
    condition = make(new)
    condition.records.update(records)
    condition.touched.update(old.records)
    condition.touched.update(records)
    condition.restored(now.watermark)
    return condition
