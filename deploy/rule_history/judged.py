"""What officers said of a rule's warnings, as landed with their disposals."""

from __future__ import annotations

from collections.abc import Sequence

from dagster_project.warehouse import warehouse
from schemas.settings import Settings
from streams.watch.trial.backtest import Judged

_JUDGED = """
SELECT w.line, w.who, w.start, w.ended, d.said
FROM
(
    SELECT episode, argMax(verdict, (arrived, offset)) AS said FROM landing.duty_disposition FINAL
    WHERE rule = {rule:String} AND verdict IS NOT NULL AND episode IS NOT NULL GROUP BY episode
) AS d
INNER JOIN
(
    SELECT episode, any(timeline) AS line, any(subject) AS who,
        toInt64(min(toUnixTimestamp64Milli(time))) AS start,
        toInt64(maxIf(toUnixTimestamp64Milli(time), kind IN ('recovered', 'cancelled'))) AS ended
    FROM landing.duty_warning WHERE rule = {rule:String} GROUP BY episode
) AS w ON w.episode = d.episode
WHERE d.said IN ('true', 'false')"""


def judged(settings: Settings, rule: str) -> Sequence[Judged]:
    """The warnings of a rule that were confirmed as true or false."""
    with warehouse(settings) as open:
        rows = open.rows(_JUDGED, rule=rule)
    return [
        Judged(timeline, subject, start, ended or None, verdict)
        for timeline, subject, start, ended, verdict in rows
    ]
