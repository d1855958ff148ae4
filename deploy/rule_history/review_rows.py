"""What a review of one timeline has rows for, and those rows as they are kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from dagster_project.mart.rule_quality import RuleDay, RuleWarning
from deploy.rule_history.days import milliseconds, moment
from deploy.rule_history.final_log import FinalEvents
from deploy.rule_history.in_force import InForce
from schemas.event import LIVE
from schemas.levels import BY_RANK
from streams.watch.declare.rule import Rule
from streams.watch.trial.review import Reviewed, tally

Place = tuple[date, str, str]
"""(day, rule, timeline)."""


@dataclass(frozen=True)
class Ground:
    """What one timeline is reviewed on: rules in force, their feeds' logs, how far its clock has come by topic."""

    timeline: str
    rules: InForce
    logs: Mapping[str, FinalEvents]
    reached: Mapping[str, int]

    def places(self, only: str = "") -> list[Place]:
        """What is reviewed, of one rule or all: live every rule in force, of a replay those it plays for."""
        return [
            (day, rule.id, self.timeline)
            for day, there in self.rules.by_day.items()
            for rule in there.values()
            if (not only or rule.id == only) and (self.timeline == LIVE or self._plays(rule, day))
        ]

    def _plays(self, rule: Rule, day: date) -> bool:
        """Whether a replay has come to this day, and not gone past its end."""
        logs = [self.logs[feed] for feed in self.rules.feeds_of(rule)]
        return any(
            any(name == self.timeline and there <= day for name, there in log.rows)
            and self.reached.get(log.contract.topic, log.newest.get(self.timeline, 0)) >= milliseconds(day)
            for log in logs
        )

    def _events(self, rule: Rule, day: date) -> int:
        feeds = self.rules.feeds_of(rule)
        return sum(self.logs[feed].rows.get((self.timeline, day), 0) for feed in feeds)

    def days(
        self,
        reviewed: Sequence[Reviewed],
        places: Sequence[Place],
        done: Mapping[str, set[date]],
        now: datetime,
    ) -> list[RuleDay]:
        """A row a place and level; complete where nothing more of the day is due in any feed of the rule."""
        rows = []
        for each in tally(reviewed, places, self.rules.ranks({rule for _, rule, _ in places})):
            rule = self.rules.by_day[each.day][each.rule]
            whole = all(each.day in done[feed] for feed in self.rules.feeds_of(rule))
            rows.append(
                RuleDay(
                    each.rule, each.day, rule.version, self.timeline, BY_RANK[each.rank], **each.counts,
                    delays=each.delays, complete=whole, events=self._events(rule, each.day), reviewed=now,
                )
            )  # fmt: skip
        return rows

    def warnings(
        self, reviewed: Sequence[Reviewed], places: Sequence[Place], now: datetime
    ) -> list[RuleWarning]:
        """The warnings of these places."""
        asked = {(day, rule) for day, rule, _ in places}
        return [
            _warning(each, day, self.rules.by_day[day][each.rule].version, now)
            for each in reviewed
            if ((day := date.fromisoformat(each.day)), each.rule) in asked
        ]


def _warning(each: Reviewed, day: date, version: int, now: datetime) -> RuleWarning:
    return RuleWarning(
        each.rule, day, version, each.timeline, BY_RANK[each.rank], each.subject, each.region, each.verdict,
        _moment(each.now), _moment(each.then), each.episode, now,
    )  # fmt: skip


def _moment(at: int | None) -> datetime | None:
    return None if at is None else moment(at)
