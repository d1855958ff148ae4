"""Deviation from a baseline: how far a field is from what is usual for its subject at this time."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from operator import attrgetter
from typing import Any

from streams.watch.conditions.base import Instant
from streams.watch.declare.baseline import BaselineTable, slot_of
from streams.watch.declare.rule import Rule
from streams.watch.declare.spec import BaselineSpec
from streams.watch.declare.templates import reader
from streams.watch.episodes.arithmetic import deviation
from streams.watch.episodes.episode import Details, Record


class Baseline(Instant):
    """The value is field - mean, absolute, as a share of the mean, or in standard deviations.

    Where the mean (of a share) or the deviation is 0 there is no value, and the event is not judged. `table` is
    the version in force, set from outside; a subject or slot it does not know is not judged. A record's own part
    is [newest event].
    """

    def __init__(self, rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> None:
        super().__init__(rule, topic, partition, timeline, region_field)
        assert isinstance(rule.spec, BaselineSpec)
        self._spec = rule.spec
        self._value_of = attrgetter(rule.spec.field)
        self._subject_of = reader(rule.inputs[0].subject)
        self.table: BaselineTable | None = None
        self._found: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def supply_baselines(self, tables: Mapping[str, BaselineTable]) -> None:
        """Take the rule's table from those in force; without it nothing is judged."""
        self.table = tables.get(self._spec.table)

    def _pick(self, number: int, data: Any) -> Any:
        value = self._value_of(data)
        return None if value is None else [self._subject_of(data), value]

    def _take(self, record: Record, picked: Any, time: int) -> int | None:
        subject, value = picked
        usual = self.table.values.get((subject, slot_of(self._spec.slot, time))) if self.table else None
        if usual is None:
            return None
        mean, sd = usual
        scale = {"absolute": 1.0, "relative": abs(mean), "sigma": sd}[self._spec.unit]
        if not scale > 0 or not isfinite(scale) or not isfinite(mean):
            return None
        self._found = (deviation(value, mean, scale), mean, sd)
        return time

    def _value(self, record: Record, at: int) -> float | None:
        return self._found[0]

    def _details(self, record: Record, at: int) -> Details:
        version = self.table.version if self.table else 0
        _, mean, sd = self._found
        return (("baseline", self._spec.table), ("baseline_version", version), ("mean", mean), ("sd", sd))
