"""How right rules were by complete data: what reviews found on the last days reviewed, by rule and region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from schemas.regions import Regions
from streams.console.reading import Reading
from streams.duty.accounts.rights import Actor, may

DAYS = 30
"""Reviewed days of a rule that are counted."""

_LATEST = "SELECT DISTINCT rule, day FROM mart.rule_quality ORDER BY rule, day DESC LIMIT {days} BY rule"
_SPANS = "SELECT rule, min(day), max(day) FROM ({latest}) GROUP BY rule"
_FOUND = """
SELECT rule, region, countIf(verdict != 'spurious'), countIf(verdict = 'missed'),
    countIf(verdict != 'missed'), countIf(verdict = 'spurious')
FROM mart.reviewed_warning WHERE (rule, day) IN ({latest}) GROUP BY rule, region"""


@dataclass(frozen=True)
class Right:
    """Warnings of a rule on reviewed days, each counted at every level it reached."""

    first: date
    last: date
    should: int = 0
    missed: int = 0
    were: int = 0
    spurious: int = 0


@dataclass(frozen=True)
class Reviews:
    """What is reviewed of each rule: from which day to which, and (should, missed, were, spurious) by region."""

    spans: Mapping[str, tuple[date, date]]
    found: tuple[tuple[str, str, int, int, int, int], ...]

    def right(self, actor: Actor, roles: Mapping[str, str], regions: Regions) -> dict[str, Right]:
        """The figures of each rule, of what this actor may see; `roles` are the rules' duty roles."""
        seen = {rule: Right(*span) for rule, span in self.spans.items()}
        for rule, region, *counts in self.found:
            if rule in seen and may(actor.grants, "see", roles.get(rule, ""), region, regions):
                seen[rule] = _plus(seen[rule], counts)
        return seen


def _plus(each: Right, counts: Iterable[int]) -> Right:
    should, missed, were, spurious = counts
    return replace(
        each,
        should=each.should + should,
        missed=each.missed + missed,
        were=each.were + were,
        spurious=each.spurious + spurious,
    )


def reviews(mart: Reading) -> Reviews:
    """The latest reviews of the last days reviewed of each rule."""
    latest = _LATEST.format(days=DAYS)
    spans = {rule: (first, last) for rule, first, last in mart.rows(_SPANS.format(latest=latest))}
    found = tuple(
        (row[0], row[1], row[2], row[3], row[4], row[5]) for row in mart.rows(_FOUND.format(latest=latest))
    )
    return Reviews(spans, found)
