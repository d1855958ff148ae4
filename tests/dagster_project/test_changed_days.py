"""The days that wait are those that all landed rows would show, whoever landed them and however it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dagster_project.build.corrections import Copy, resolve
from dagster_project.build.feed_sql import FeedSql, below
from dagster_project.build.unbuilt_days import concerned, pending, unread
from dagster_project.days.landed_ends import landed_ends
from dagster_project.warehouse import Warehouse
from tests.dagster_project.house import AIR, READING, noon

pytestmark = pytest.mark.stack
FIRST = date(2024, 3, 1)
BEGIN = datetime(2024, 6, 1, tzinfo=UTC)
ROWS, DAYS, LEDGER = "rows", "rows and days", "all of it"
"""What `land` had written when it was killed; the next flush writes all of it again."""
_ids = (f"e{n}" for n in count())


@dataclass(frozen=True)
class Flush:
    """Events of one partition by day; the first corrects an earlier one; how far it got, by which version."""

    partition: int
    days: tuple[int, ...]
    corrects: int
    reached: str
    listed: bool = True


@dataclass(frozen=True)
class Release:
    """A build of these days that reads all there is."""

    days: frozenset[int]


steps = st.lists(
    st.one_of(
        st.builds(
            Flush,
            st.integers(0, 1),
            st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple),
            st.integers(0, 3),
            st.sampled_from([ROWS, DAYS, LEDGER, LEDGER, LEDGER]),
            st.sampled_from([True, True, True, False]),
        ),
        st.builds(Release, st.frozensets(st.integers(0, 3), min_size=1)),
    ),
    max_size=8,
)


class Log:
    """A feed's log as `land` writes it, in its order of inserts."""

    def __init__(self, open: Warehouse) -> None:
        self.open, self.ends, self.ids, self.builds = open, [0, 0], list[str](), 0
        self.settled: dict[date, dict[tuple[int, int], int]] = {}
        for table in (f"landing.{AIR.table}", "landing.ledger", "landing.changed_day"):
            open.rows(f"TRUNCATE TABLE {table}")
        for table in ("release.attempt", "release.build"):
            open.rows(f"TRUNCATE TABLE {table}")

    def flush(self, step: Flush) -> None:
        first = self.ends[step.partition]
        rows, days = [], []
        for n, number in enumerate(step.days):
            corrects = self.ids[-step.corrects] if n == 0 and 0 < step.corrects <= len(self.ids) else ""
            self.ids.append(next(_ids))
            day = FIRST + timedelta(days=number)
            rows.append((day, step.partition, first + n, BEGIN, noon(day), self.ids[-1], corrects))
            days.append((AIR.topic, day, step.partition, first + n, first + n + 1 if corrects else 0))
        columns = ["event_day", "partition", "offset", "arrived", "time", "id", "corrects", *READING]
        self.open.insert(f"landing.{AIR.table}", columns, [(*row, *READING.values()) for row in rows])
        if step.reached in (DAYS, LEDGER) and step.listed:
            names = ("topic", "event_day", "partition", "last", "corrected")
            self.open.insert("landing.changed_day", names, days)
        if step.reached == LEDGER:
            last = first + len(rows) - 1
            entry = (AIR.topic, step.partition, first, last, len(rows), BEGIN, int(step.listed))
            names = ("topic", "partition", "first", "last", "accepted", "arrived_last", "listed")
            self.open.insert("landing.ledger", names, [entry])
            self.ends[step.partition] = last + 1

    def release(self, step: Release) -> None:
        self.builds += 1
        build, at = f"b{self.builds}", BEGIN + timedelta(minutes=self.builds)
        offsets = {f"{AIR.topic}/0/{n}": end for n, end in enumerate(self.ends) if end}
        names = ("build_id", "state", "first", "last", "parent", "offsets", "at")
        for state in ("started", "released"):
            self.open.insert("release.attempt", names, [(build, state, FIRST, FIRST, 0, offsets, at)])
        days = [FIRST + timedelta(days=number) for number in step.days]
        self.open.insert(
            "release.build", ("table", "day", "build_id"), [(AIR.table, day, build) for day in days]
        )
        for day in days:
            self.settled[day] = {(0, n): end for n, end in enumerate(self.ends)}

    def waiting(self) -> set[date]:
        """What grouping all landed rows says."""
        vector = landed_ends(self.open, [AIR.topic])[AIR.topic]
        landed = self.open.rows(
            f"SELECT event_day, log_epoch, partition, max(offset) FROM landing.{AIR.table}"
            f" WHERE {below(vector)} GROUP BY event_day, log_epoch, partition"
        )
        sql = FeedSql(AIR, vector, ())
        copies = [Copy(*row) for row in self.open.rows(sql.corrections())]
        return {
            day
            for day, epoch, partition, last in landed
            if last >= self.settled.get(day, {}).get((epoch, partition), 0)
        } | concerned(self.settled, resolve(copies).groups)


@given(steps)
@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_day_is_missed_and_none_made_up(
    open_warehouse: Warehouse, steps: Sequence[Flush | Release]
) -> None:
    log = Log(open_warehouse)
    for step in steps:
        if isinstance(step, Flush):
            log.flush(step)
        else:
            log.release(step)
    assert pending(open_warehouse, [AIR]) == log.waiting()
    vectors = landed_ends(open_warehouse, [AIR.topic])
    among = {AIR.table: {FIRST, FIRST + timedelta(days=2)}}
    found = unread(open_warehouse, [AIR], vectors, among).get(AIR.table, set())
    assert found & among[AIR.table] == log.waiting() & among[AIR.table]
