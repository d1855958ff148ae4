"""The gate: one verdict a table and day of a build. No verdict means not passed.

Rows are checked for all days at once; only where that fails are the days halved until the guilty ones are
found. Row counts and uniqueness are one statement grouped by day.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from quality.rows import quote
from quality.suites import Suite
from schemas.findings import Finding, Found, encode, words_of
from schemas.settings import Settings

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult

    from quality.gx import Checked

ROW_RUNS = 40
UNIQUE = "expect_compound_columns_to_be_unique"
ROW_COUNT = "expect_table_row_count_to_be_between"
VERDICT_COLUMNS = (
    *("table", "day", "build_id", "passed", "suite", "suite_hash", "rows", "expectations", "failed"),
    *("findings", "decided"),
)
Rows = Callable[[str], Sequence[tuple[object, ...]]]


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one day of one table in one build; `findings` say what did not hold."""

    table: str
    day: date
    build_id: str
    suite: str
    suite_hash: str
    rows: int
    expectations: int
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether everything held."""
        return not self.findings

    @property
    def failed(self) -> tuple[str, ...]:
        """The findings in English words, as the column `failed` has them."""
        return tuple(map(words_of, self.findings))

    def row(self, now: datetime) -> tuple[object, ...]:
        """The row of `quality.verdict`, in the order of VERDICT_COLUMNS."""
        return (
            *(self.table, self.day, self.build_id, int(self.passed), self.suite, self.suite_hash),
            *(self.rows, self.expectations, list(self.failed), list(map(encode, self.findings)), now),
        )


@dataclass(frozen=True)
class Judged:
    """The verdicts of one table in one build, and GX's result over all its days for the Data Docs."""

    verdicts: tuple[Verdict, ...]
    result: ExpectationSuiteValidationResult | None

    @property
    def passed(self) -> bool:
        """Whether every day passed."""
        return all(verdict.passed for verdict in self.verdicts)


def judge(
    settings: Settings,
    rows: Rows,
    table: str,
    build_id: str,
    days: Iterable[date],
    suite: Suite,
    beyond: Mapping[date, Sequence[Finding]],
    empty: Collection[date] = (),
) -> Judged:
    """Judge these days of a build. `rows` runs SQL; `beyond` are failures by day that GX cannot see.

    Days in `empty` may have no rows, as nothing is missing there.
    """
    days = sorted(days)
    if not days:
        return Judged((), None)
    from quality.gx import RowChecks  # imports Great Expectations: seconds, for whoever judges alone

    failed: dict[date, list[Finding]] = {day: list(beyond.get(day, ())) for day in days}
    with RowChecks(settings, rows, suite) as checks:

        def run(part: Sequence[date]) -> Checked:
            return checks.run(f"{table} {part[0]} {part[-1]}", _select(table, build_id, part))

        whole = run(days)
        for day, found in _guilty(lambda part: run(part).failed, days, whole.failed):
            failed[day].extend(found)
    counts = _counts(rows, table, build_id, days, _unique_columns(suite))
    for day in days:
        if day in counts or day not in empty:
            failed[day].extend(_of_the_whole(suite, *counts.get(day, (0, 0))))
    return Judged(
        tuple(
            Verdict(
                table=table,
                day=day,
                build_id=build_id,
                suite=suite.name,
                suite_hash=suite.hash,
                rows=counts.get(day, (0, 0))[0],
                expectations=len(suite.expectations),
                findings=tuple(failed[day]),
            )
            for day in days
        ),
        whole.result,
    )


def _guilty(
    check: Callable[[Sequence[date]], tuple[Finding, ...]],
    days: Sequence[date],
    failed: tuple[Finding, ...],
) -> list[tuple[date, tuple[Finding, ...]]]:
    """The days that fail, found by halving; days not told apart within ROW_RUNS runs all count as failed."""
    found: list[tuple[date, tuple[Finding, ...]]] = []
    open_parts = [(list(days), failed)] if failed else []
    runs = 0
    while open_parts:
        part, findings = open_parts.pop()
        if len(part) == 1 or runs >= ROW_RUNS:
            span = None if len(part) == 1 else (part[0], part[-1])
            told = tuple(replace(finding, span=span) for finding in findings)
            found.extend((day, told) for day in part)
            continue
        middle = len(part) // 2
        for half in (part[middle:], part[:middle]):
            runs += 1
            if broken := check(half):
                open_parts.append((half, broken))
    return found


def _counts(
    rows: Rows, table: str, build_id: str, days: Sequence[date], unique: Sequence[str]
) -> dict[date, tuple[int, int]]:
    """Rows and rows too many by day, month by month."""
    distinct = f"count() - uniqExact({', '.join(unique)})" if unique else "0"
    found: dict[date, tuple[int, int]] = {}
    for _, month in groupby(days, lambda day: (day.year, day.month)):
        part = list(month)
        for day, count, twice in rows(
            f"SELECT event_day, count(), {distinct} FROM ({_select(table, build_id, part)})"
            " GROUP BY event_day"
        ):
            assert isinstance(day, date) and isinstance(count, int) and isinstance(twice, int)
            found[day] = (count, twice)
    return found


def _of_the_whole(suite: Suite, count: int, twice: int) -> list[Finding]:
    failed = []
    for item in suite.expectations:
        low, high = item.kwargs.get("min_value"), item.kwargs.get("max_value")
        if item.kind == UNIQUE and twice:
            failed.append(item.found(Found.ROWS_BROKEN, broken=twice, rows=count))
        if item.kind == ROW_COUNT and (
            (low is not None and count < low) or (high is not None and count > high)
        ):
            failed.append(item.found(Found.ROW_COUNT, rows=count))
    return failed


def _unique_columns(suite: Suite) -> Sequence[str]:
    return next((item.kwargs["column_list"] for item in suite.expectations if item.kind == UNIQUE), ())


def _select(table: str, build_id: str, days: Sequence[date]) -> str:
    return (
        f"SELECT * FROM built.{table} WHERE build_id = {quote(build_id)}"
        f" AND event_day BETWEEN '{days[0]}' AND '{days[-1]}'"
    )
