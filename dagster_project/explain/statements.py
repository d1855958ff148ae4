"""The statements behind `explain`. Pure. Input comes as external table `candidate` (name, day, build_id)."""

from __future__ import annotations

from dagster_project.build.figures import NAMES
from dagster_project.build.indicator import Indicator

MANIFEST = """
SELECT m.seq, m.parent, m.released, m.code, m.version, m.content_hash, m.complete
FROM release.manifest AS m
WHERE m.table = {table:String} AND m.day = {day:Date} AND m.build_id = {build:String} AND m.seq <= {release:UInt64}
    AND m.seq IN (SELECT seq FROM release.pointer WHERE table = {table:String} AND day = {day:Date})
ORDER BY m.seq LIMIT 1"""
VERDICT = """
SELECT passed, suite, suite_hash, expectations, failed, decided FROM quality.verdict
WHERE table = {table:String} AND day = {day:Date} AND build_id = {build:String}
ORDER BY decided DESC LIMIT 1"""
ATTEMPT = """
SELECT at, first, last, parent, offsets FROM release.attempt
WHERE build_id = {build:String} AND state = 'started' ORDER BY at LIMIT 1"""
ENDS = """
SELECT build_id, offsets FROM release.attempt
WHERE state = 'started' AND build_id IN (SELECT build_id FROM candidate)
ORDER BY at LIMIT 1 BY build_id"""
PARTS = """
SELECT b.build_id, min(b.day), max(b.day), count(), groupUniqArray(b.version),
    groupUniqArrayIf(v.suite, v.suite != ''), min(v.passed), min(b.complete),
    sum(b.rows), sum(b.duplicates), sum(b.corrected), sum(b.quarantined)
FROM release.build AS b
LEFT JOIN
(
    SELECT table, day, build_id, argMax(passed, decided) AS passed, argMax(suite, decided) AS suite
    FROM quality.verdict WHERE table = {table:String} GROUP BY table, day, build_id
) AS v ON v.table = b.table AND v.day = b.day AND v.build_id = b.build_id
WHERE b.table = {table:String} AND b.content_hash != ''
    AND (b.day, b.build_id) IN (SELECT day, build_id FROM candidate WHERE name = {table:String})
GROUP BY b.build_id ORDER BY min(b.day)"""


def figure(indicator: Indicator, build: str = "") -> str:
    """The figure of one region and day as a release shows it, or a build holds it; its build id before it."""
    found = (
        f"SELECT build_id, {', '.join(NAMES)} FROM built.{indicator.table}"
        " WHERE event_day = {day:Date} AND region = {region:String} AND build_id = "
    )
    if build:
        return found + "{build:String}"
    return (
        found + "(SELECT argMax(build_id, seq) FROM release.pointer"
        " WHERE table = {table:String} AND day = {day:Date} AND seq <= {release:UInt64})"
    )


def values(indicator: Indicator) -> str:
    """Values of one region by day, of the candidate builds."""
    return (
        f"SELECT event_day, value FROM built.{indicator.table} WHERE region = {{region:String}}"
        " AND (event_day, build_id) IN (SELECT day, build_id FROM candidate)"
    )


def offsets(table: str, condition: str) -> str:
    """Ranges of offsets by partition: (log epoch, partition, first, last, messages)."""
    return (
        f"SELECT log_epoch, partition, min(offset), max(offset), count() FROM {_rows(table, condition)}"
        " GROUP BY log_epoch, partition ORDER BY log_epoch, partition"
    )


def messages(table: str, condition: str, limit: int | None) -> str:
    """The messages in log order, with the ids they came with and go by."""
    most = "" if limit is None else f" LIMIT {max(0, limit)}"
    return (
        "SELECT b.log_epoch, b.partition, b.offset, b.source, if(l.id = '', b.id, l.id), b.id, b.time, b.arrived,"
        f" b.event_day FROM (SELECT * FROM {_rows(table, condition)}"
        f" ORDER BY log_epoch, partition, offset{most}) AS b"
        f" LEFT ANY JOIN (SELECT log_epoch, partition, offset, id FROM landing.{table} WHERE corrects != '') AS l"
        " USING (log_epoch, partition, offset) ORDER BY b.log_epoch, b.partition, b.offset"
    )


def raw(table: str) -> str:
    """Raw bytes by place, of the places in the external table `place`."""
    return (
        f"SELECT log_epoch, partition, offset, any(raw) FROM landing.{table}"
        " WHERE event_day IN (SELECT event_day FROM place)"
        " AND (log_epoch, partition, offset) IN (SELECT log_epoch, partition, offset FROM place)"
        " GROUP BY log_epoch, partition, offset"
    )


def _rows(table: str, condition: str) -> str:
    return (
        f"(SELECT * FROM built.{table} WHERE event_day IN (SELECT day FROM candidate WHERE name = '{table}')"
        f" AND (event_day, build_id) IN (SELECT day, build_id FROM candidate WHERE name = '{table}')"
        f" AND ({condition}))"
    )
