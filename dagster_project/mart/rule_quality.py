"""What reviews found of rules: written by rule and day, shown as `mart.rule_quality` and `mart.reviewed_warning`.

The latest review of a rule and day counts. Its rows of `quality.rule_day` are one insert and come last, so one
that was cut short is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from statistics import median
from typing import Any

from dagster_project.mart.barrier import closed, mine
from dagster_project.warehouse import Warehouse
from schemas.ddl.model import MOMENT, NAME, SERVICE, View, columns
from schemas.levels import LEVELS

_MAYBE = f"Nullable({MOMENT})"
_RULE = (
    ("rule", NAME, "Rule"),
    ("day", "Date", "Day (Asia/Shanghai) on which it should have been; where it should not, on which it was"),
    ("version", "UInt32", "Version in force at the end of the day"),
    ("timeline", NAME, "Empty for live events, else the replay"),
    ("level", NAME, "Level: a warning that rises counts at each level it reaches"),
)
_DAY = (
    *_RULE,
    ("should", "UInt32", "Warnings there should have been, by complete data"),
    ("were", "UInt32", "Warnings there were"),
    ("agreed", "UInt32", "Of both, at the same moment"),
    ("earlier", "UInt32", "Of both, warned of earlier than complete data say"),
    ("later", "UInt32", "Of both, warned of later"),
    ("missed", "UInt32", "Should have been, were not"),
    ("spurious", "UInt32", "Were, should not have been"),
    ("median_delay", "Nullable(Float64)", "Median delay of the earlier (below 0) and later ones, seconds"),
    ("delays", "Array(Float64)", "Their delays, seconds"),
    ("complete", "UInt8", "Whether everything of the day that was due had come"),
    ("events", "UInt64", "Landed rows of the rule's feeds on that day"),
    ("reviewed", MOMENT, "When it was reviewed"),
)
_WARNING = (
    *_RULE,
    ("subject", "String", "What the rule watches, such as a station or a county"),
    ("region", NAME, "Region code of the subject, where the rule names one"),
    ("verdict", NAME, "agreed, earlier, later, missed (should have been) or spurious (should not)"),
    ("known_now", _MAYBE, "When it should have been, by complete data; empty: not at all"),
    ("known_then", _MAYBE, "When it was; empty: not at all"),
    ("delay", "Nullable(Float64)", "Seconds it came later than it should have; below 0 earlier"),
    ("episode", "String", "Episode, as in mart.duty_warning; of a missed one, that it would have been"),
    ("reviewed", MOMENT, "When it was reviewed"),
)
_LATEST = (
    "(rule, day, reviewed) IN (SELECT rule, day, max(reviewed) FROM quality.rule_day GROUP BY rule, day)"
)


@dataclass(frozen=True)
class RuleDay:
    """What a review found of one rule, day, timeline and level."""

    rule: str
    day: date
    version: int
    timeline: str
    level: str
    agreed: int
    earlier: int
    later: int
    missed: int
    spurious: int
    delays: tuple[float, ...]
    complete: bool
    events: int
    reviewed: datetime

    def as_json(self) -> dict[str, Any]:
        """The same as JSON has it, with the shares that follow."""
        met = self.agreed + self.earlier + self.later
        should, were = met + self.missed, met + self.spurious
        return {
            **asdict(self),
            **{"day": self.day.isoformat(), "reviewed": self.reviewed.isoformat(), "should": should},
            **{"were": were, "delays": list(self.delays)},
            "median_delay_seconds": median(self.delays) if self.delays else None,
            "precision": met / were if were else None,
            "recall": met / should if should else None,
        }


@dataclass(frozen=True)
class RuleWarning:
    """One warning at one level that should have been or was."""

    rule: str
    day: date
    version: int
    timeline: str
    level: str
    subject: str
    region: str
    verdict: str
    known_now: datetime | None
    known_then: datetime | None
    episode: str
    reviewed: datetime

    def as_json(self) -> dict[str, Any]:
        """The same as JSON has it."""
        now, then = self.known_now, self.known_then
        return {
            **asdict(self),
            **{"day": self.day.isoformat(), "reviewed": self.reviewed.isoformat()},
            **{"known_now": now and now.isoformat(), "known_then": then and then.isoformat()},
            "delay_seconds": (then - now).total_seconds() if now and then else None,
        }


def views() -> list[View]:
    """`mart.rule_quality` and `mart.reviewed_warning`."""
    met = "agreed + earlier + later"
    day = (
        "SELECT rule, day, version, timeline, level, toUInt32("
        f"{met} + missed) AS should, toUInt32({met} + spurious) AS were, agreed, earlier, later, missed, spurious,"
        " if(empty(delays), NULL, arrayReduce('quantileExactInclusive(0.5)', delays)) AS median_delay, delays,"
        f" complete, events, reviewed FROM quality.rule_day FINAL WHERE {_LATEST}"
    )
    warning = (
        "SELECT DISTINCT rule, day, version, timeline, level, subject, region, verdict, known_now, known_then,"
        " (toUnixTimestamp64Milli(known_then) - toUnixTimestamp64Milli(known_now)) / 1000 AS delay, episode,"
        f" reviewed FROM quality.rule_warning PREWHERE {mine('region')} AND {_LATEST}"
    )
    return [
        _view("rule_quality", _DAY, day, "What each rule should have warned of on a day, and what it did"),
        _view("reviewed_warning", _WARNING, warning, "Each warning that should have been or was, by level"),
    ]


def _view(name: str, declared: Sequence[tuple[str, str, str]], sql: str, comment: str) -> View:
    return View("mart", name, closed(sql), columns(declared), SERVICE, comment)


def store(open: Warehouse, days: Sequence[RuleDay], warnings: Sequence[RuleWarning]) -> None:
    """Write a review; what earlier ones said of these rules and days no longer counts."""
    for table, kind, found in (("rule_warning", RuleWarning, warnings), ("rule_day", RuleDay, days)):
        names = [each.name for each in fields(kind)]
        open.insert(f"quality.{table}", names, [[getattr(row, name) for name in names] for row in found])


def stored(
    open: Warehouse, first: date, last: date, rule: str = ""
) -> tuple[list[RuleDay], list[RuleWarning]]:
    """What the latest reviews of these days say, of one rule if wanted."""
    days = [_day(row) for row in _rows(open, RuleDay, "mart.rule_quality", first, last, rule)]
    warnings = [
        RuleWarning(*row) for row in _rows(open, RuleWarning, "mart.reviewed_warning", first, last, rule)
    ]
    return days, warnings


def _day(row: Sequence[Any]) -> RuleDay:
    given = dict(zip((each.name for each in fields(RuleDay)), row, strict=True))
    return RuleDay(**given | {"delays": tuple(given["delays"]), "complete": bool(given["complete"])})


def _rows(
    open: Warehouse, kind: type[Any], mart: str, first: date, last: date, rule: str
) -> list[tuple[Any, ...]]:
    names = ", ".join(each.name for each in fields(kind))
    return open.rows(
        f"SELECT {names} FROM {mart} WHERE day BETWEEN {{first:Date}} AND {{last:Date}}"
        " AND {rule:String} IN ('', rule) ORDER BY day, rule, timeline,"
        f" indexOf({list(LEVELS)}, level)",
        first=first,
        last=last,
        rule=rule,
    )
