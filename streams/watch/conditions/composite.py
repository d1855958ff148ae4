"""Composite: how many other rules warn in a region, now or a while ago; and, or, n of m by the levels' bounds."""

from __future__ import annotations

from typing import Any

from schemas.levels import BY_RANK
from streams.watch.conditions.base import Condition
from streams.watch.declare.rule import Rule
from streams.watch.declare.spec import CompositeSpec
from streams.watch.episodes.episode import OWN, Details, Record

_OVER = ("recovered", "cancelled")


class Composite(Condition):
    """Reads the members' transitions; the value is a number of members, or of their warnings.

    A member's warning counts from the moment it reaches the member's level until it falls below it or ends, and
    for `within` longer. A record's own part is [newest moment, {rule and subject: [rule, until or None]}].
    """

    def __init__(self, rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> None:
        super().__init__(rule, topic, partition, timeline, "region")
        assert isinstance(rule.spec, CompositeSpec)
        self._spec = rule.spec
        self._ranks = {member.rule: member.rank for member in rule.spec.members}

    def _pick(self, number: int, data: Any) -> Any:
        """The member's rule and subject, and whether its warning counts now; None where it is no member's."""
        rank = self._ranks.get(data.rule)
        if rank is None or not data.region:
            return None
        return [data.rule, data.subject, data.kind not in _OVER and BY_RANK.index(data.level) >= rank]

    def _begin(self, time: int) -> Any:
        return [time, {}]

    def _note(self, record: Record, number: int, picked: Any, time: int, passed: int) -> int | None:
        rule, subject, counts = picked
        own = record[OWN]
        at = own[0] = max(own[0], time)
        key = f"{rule}\x1f{subject}"
        if counts:
            own[1][key] = [rule, None]
        elif key in own[1] and own[1][key][1] is None:
            own[1][key] = [rule, time + self._spec.within]
        return int(at)

    def _value(self, record: Record, at: int) -> float | None:
        own = record[OWN]
        own[0] = max(own[0], at)
        own[1] = {key: each for key, each in own[1].items() if each[1] is None or each[1] > at}
        if self._spec.count == "warnings":
            return len(own[1])
        return len({rule for rule, _ in own[1].values()})

    def _changes(self, record: Record) -> int | None:
        """When the next member's warning no longer counts."""
        return min((until for _, until in record[OWN][1].values() if until is not None), default=None)

    def _spent(self, record: Record) -> bool:
        return not record[OWN][1]

    def _details(self, record: Record, at: int) -> Details:
        return (("members", sorted(key.replace("\x1f", "|") for key in record[OWN][1])),)
