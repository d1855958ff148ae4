"""Correlation across feeds: fitting events of several feeds about one subject within a span of time."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from streams.watch.conditions.base import Condition
from streams.watch.declare.rule import Rule
from streams.watch.declare.spec import CorrelationSpec, Leg
from streams.watch.episodes.episode import OWN, Details, Record


class Correlation(Condition):
    """The value is how many legs have had a fitting event in (at - within, at].

    A record's own part is [newest moment, {number of the leg: [time, value] of its newest fitting event}].
    """

    def __init__(self, rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> None:
        super().__init__(rule, topic, partition, timeline, region_field)
        assert isinstance(rule.spec, CorrelationSpec)
        self._spec = rule.spec
        self._values = [attrgetter(leg.field) if leg.field else None for leg in rule.spec.legs]

    def _pick(self, number: int, data: Any) -> Any:
        """The fitting event's value (True where the leg looks at no field); None where it does not fit."""
        get = self._values[number]
        value = True if get is None else get(data)
        return value if value is not None and _fits(self._spec.legs[number], value) else None

    def _begin(self, time: int) -> Any:
        return [time, {}]

    def _note(self, record: Record, number: int, picked: Any, time: int, passed: int) -> int | None:
        own = record[OWN]
        at = own[0] = max(own[0], time)
        newest = own[1].get(number)
        if newest is None or newest[0] <= time:
            own[1][number] = [time, picked]
        return int(at)

    def _value(self, record: Record, at: int) -> float | None:
        own = record[OWN]
        own[0] = max(own[0], at)
        own[1] = {leg: each for leg, each in own[1].items() if each[0] > at - self._spec.within}
        return len(own[1])

    def _changes(self, record: Record) -> int | None:
        """When the oldest of the fitting events is too long ago."""
        return min((time + self._spec.within for time, _ in record[OWN][1].values()), default=None)

    def _spent(self, record: Record) -> bool:
        return not record[OWN][1]

    def _details(self, record: Record, at: int) -> Details:
        feeds = [each.feed for each in self.rule.inputs]
        return (("legs", [[feeds[leg], *each] for leg, each in sorted(record[OWN][1].items())]),)


def _fits(leg: Leg, value: Any) -> bool:
    if leg.at_least is not None and value < leg.at_least:
        return False
    return leg.at_most is None or value <= leg.at_most
