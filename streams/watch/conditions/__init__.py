"""Kinds of condition, one a module; `KINDS` names them.

A condition holds the records of one rule's subjects in one partition and timeline. It is fed columns of rows
`(data, time, watermark, offset)`, in log order; `data` is None for a tick. `watermark` is the one after the row.
"""

from __future__ import annotations

from streams.watch.conditions.absence import Absence
from streams.watch.conditions.base import Condition, Row
from streams.watch.conditions.count import Count
from streams.watch.conditions.threshold import Threshold
from streams.watch.rule import Rule

KINDS: dict[str, type[Condition]] = {"threshold": Threshold, "count": Count, "absence": Absence}


def condition(rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> Condition:
    """A fresh condition for a rule in one partition and timeline."""
    return KINDS[rule.kind](rule, topic, partition, timeline, region_field)


__all__ = ["Condition", "Row", "condition"]
