"""What `watch` really said: transitions of rules as they are landed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from dagster_project.warehouse import Warehouse

_SAID = """
SELECT rule, timeline, subject, ifNull(region, ''), kind, level, episode, ordinal, toUnixTimestamp64Milli(at)
FROM landing.duty_warning
WHERE has({rules:Array(String)}, rule) AND timeline = {timeline:String} AND event_day <= {until:Date}
    AND episode IN
    (
        SELECT episode FROM landing.duty_warning WHERE has({rules:Array(String)}, rule)
        GROUP BY episode
        HAVING max(event_day) >= {since:Date} OR argMax(kind, ordinal) NOT IN ('recovered', 'cancelled')
    )
ORDER BY episode, ordinal, log_epoch, partition, offset LIMIT 1 BY episode, ordinal"""


@dataclass(frozen=True)
class Said:
    """One landed transition; `at` is event time in ms."""

    rule: str
    timeline: str
    subject: str
    region: str
    kind: str
    level: str
    episode: str
    ordinal: int
    at: int


def said(open: Warehouse, rules: Collection[str], timeline: str, since: date, until: date) -> list[Said]:
    """The transitions up to `until` of all episodes that were open on `since` or have opened after it."""
    rows = open.rows(_SAID, rules=sorted(rules), timeline=timeline, since=since, until=until)
    return [Said(*row) for row in rows]
