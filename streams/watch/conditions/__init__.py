"""Kinds of condition, one a module; `condition` makes one.

A condition holds the records of one rule's subjects in one partition and timeline. It is fed columns of rows
`(data, time, watermark, offset, key, feed)`, in log order; `data` is None for a tick. `watermark` is the one after
the row.
"""

from __future__ import annotations

from collections.abc import Callable

from streams.watch.conditions.absence import Absence
from streams.watch.conditions.base import Condition
from streams.watch.conditions.baseline import Baseline
from streams.watch.conditions.change import Change
from streams.watch.conditions.column import Column, Row
from streams.watch.conditions.composite import Composite
from streams.watch.conditions.correlation import Correlation
from streams.watch.conditions.count import Count
from streams.watch.conditions.sequence import Sequence
from streams.watch.conditions.threshold import Threshold
from streams.watch.conditions.window import Sliding, Tumbling
from streams.watch.declare.rule import Rule
from streams.watch.declare.spec import WindowSpec

Maker = Callable[[Rule, str, int, str, str], Condition]


def _window(rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> Condition:
    assert isinstance(rule.spec, WindowSpec)
    kind = Sliding if rule.spec.sliding else Tumbling
    return kind(rule, topic, partition, timeline, region_field)


def _surge(rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> Condition:
    from streams.watch.conditions.surge import Surge  # numpy only where it is used

    return Surge(rule, topic, partition, timeline, region_field)


MAKERS: dict[str, Maker] = {
    "threshold": Threshold,
    "change": Change,
    "aggregate": _window,
    "ratio": _window,
    "count": Count,
    "absence": Absence,
    "sequence": Sequence,
    "baseline": Baseline,
    "surge": _surge,
    "composite": Composite,
    "correlation": Correlation,
}


def condition(rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> Condition:
    """A fresh condition for a rule in one partition and timeline."""
    return MAKERS[rule.kind](rule, topic, partition, timeline, region_field)


__all__ = ["Column", "Condition", "Row", "condition"]
