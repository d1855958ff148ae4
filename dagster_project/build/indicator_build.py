"""Build indicators: figures from the builds of this attempt, and from released ones for days outside it.

An attempt makes the periods its days lie in, and again every released period that reads them: whose input
reaches back so far, or whose growth or stand-in is of a figure that is made again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from dagster_project.build import indicator_sql, provenance
from dagster_project.build.checkpoint import note
from dagster_project.build.feed import BUILD_COLUMNS, Built, Progress, recorded
from dagster_project.build.figures import NAMES, Count, Figure, figures, observed
from dagster_project.build.indicator import Indicator
from dagster_project.build.indicator_sql import FIGURES
from dagster_project.build.verdicts import failures
from dagster_project.days import periods
from dagster_project.days.attempt import Attempt
from dagster_project.days.spans import DAY, Span
from dagster_project.warehouse import External, Warehouse
from quality.rows import quote
from schemas.regions import Regions, load_regions

CHUNK = 366
GAP = timedelta(days=92)
Candidates = Sequence[tuple[str, date, str]]
Counting = Callable[[Warehouse, Indicator, Candidates, Sequence[date]], list[Count]]
_CANDIDATES = """
SELECT table, day, argMax(build_id, rank) FROM
(
    SELECT table, day, build_id, toUInt64(-1) AS rank FROM release.build
    WHERE table IN {tables:Array(String)} AND day BETWEEN {first:Date} AND {last:Date}
        AND build_id = {build:String} AND (table, day) NOT IN
        (
            SELECT table, day FROM quality.verdict
            WHERE table IN {tables:Array(String)} AND day BETWEEN {first:Date} AND {last:Date}
                AND build_id = {build:String}
            GROUP BY table, day HAVING argMax(passed, decided) = 0
        )
    UNION ALL
    SELECT table, day, build_id, seq AS rank FROM release.pointer
    WHERE table IN {tables:Array(String)} AND day BETWEEN {first:Date} AND {last:Date} AND seq <= {parent:UInt64}
)
GROUP BY table, day ORDER BY table, day"""
_RELEASED = """
SELECT day, argMax(build_id, seq) FROM release.pointer
WHERE table = {table:String} AND seq <= {parent:UInt64} AND day >= {first:Date}
GROUP BY day HAVING argMax(build_id, seq) != '' ORDER BY day"""


def build_indicator(
    warehouse: Warehouse,
    indicator: Indicator,
    attempt: Attempt,
    progress: Progress = lambda span: None,
    counting: Counting | None = None,
) -> list[Built]:
    """Build the attempt's periods of an indicator, and the released ones after them that depend on its days.

    Periods with input that failed its gate in this attempt are left out. `counting` is what counts, where it is
    not the indicator's SQL.
    """
    if attempt.resumed and (before := _again(warehouse, indicator, attempt)):
        return before
    reach = timedelta(days=indicator.reach)
    released = _released(warehouse, indicator, attempt, attempt.span.first - reach)
    wanted = _allowed(warehouse, indicator, attempt, _wanted(indicator, attempt, released))
    begun = time.perf_counter()
    known: dict[tuple[date, str], float] = {}
    through: dict[date, date] = {}
    regions = load_regions()
    for days in periods.groups(wanted, CHUNK, GAP):
        memory = (set(wanted), released, known)
        made = _chunk(warehouse, indicator, attempt, regions, days, memory, counting or count)
        warehouse.insert(FIGURES, ("indicator", "build_id", *NAMES), _rows(indicator, attempt, made))
        known.update(observed(made))
        through.update((item.event_day, item.through) for item in made)
        progress(Span(days[0], days[-1]))
    built = _contents(warehouse, indicator, attempt, wanted, set(released), through)
    warehouse.insert("release.build", BUILD_COLUMNS, [item.row for item in built])
    note(warehouse, attempt, indicator.table, wanted, time.perf_counter() - begun)
    return built


def _wanted(indicator: Indicator, attempt: Attempt, released: Iterable[date]) -> list[date]:
    released = list(released)
    return sorted({day for span in attempt.spans for day in wanted_periods(indicator, span, released)})


def _allowed(
    warehouse: Warehouse, indicator: Indicator, attempt: Attempt, wanted: Iterable[date]
) -> list[date]:
    """The periods none of whose input failed its gate in this attempt."""
    if not (wanted := list(wanted)):
        return []
    first = input_span(indicator, wanted[:1]).first
    failed = failures(warehouse, attempt.build_id, first, indicator.reads)
    bad = {day for table in indicator.reads for day in failed.get(table, ())}
    return [end for end in wanted if not any(day in input_span(indicator, [end]) for day in bad)]


def _again(warehouse: Warehouse, indicator: Indicator, attempt: Attempt) -> list[Built]:
    """What a killed build had recorded of this indicator; what it had only begun is deleted."""
    found = recorded(warehouse, attempt, indicator.table)
    if not found:
        for whole, own in (
            (FIGURES, f"indicator = {quote(indicator.id)}"),
            ("release.input", f"table = {quote(indicator.table)}"),
        ):
            warehouse.rows(f"DELETE FROM {whole} WHERE build_id = {quote(attempt.build_id)} AND {own}")
    return found


def wanted_periods(indicator: Indicator, span: Span, released: Iterable[date]) -> list[date]:
    """The periods to make, by last day: those the span touches, and released ones that depend on them."""
    period, own = indicator.period, periods.ends(indicator.period, span)
    later = [day for day in released if day > own[-1]]
    reaching = {
        day
        for day in later
        if periods.whole(period, day).first - timedelta(days=indicator.lookback - 1) <= span.last
    }
    changed = {*own, *reaching}
    following = {day for day in later if changed & set(compared(indicator, day))}
    return sorted(changed | following)


def compared(indicator: Indicator, day: date) -> list[date]:
    """The periods whose figures one period's figure is compared with, or may stand in for it."""
    back = range(1, max(1, indicator.impute) + 1)
    return [
        periods.year_before(indicator.period, day),
        *(periods.before(indicator.period, day, count) for count in back),
    ]


def external_tables(candidates: Candidates, wanted: Iterable[date]) -> External:
    """The external tables an indicator's SQL reads."""
    return {
        "candidate": (indicator_sql.EXTERNAL["candidate"], candidates),
        "wanted": (indicator_sql.EXTERNAL["wanted"], [(day,) for day in wanted]),
    }


def input_span(indicator: Indicator, days: Sequence[date]) -> Span:
    """The days of input that the figures of these periods (at least one, in order) are made of."""
    first = periods.whole(indicator.period, days[0]).first
    return Span(first - timedelta(days=indicator.lookback - 1), days[-1])


def count(
    warehouse: Warehouse,
    indicator: Indicator,
    candidates: Candidates,
    days: Sequence[date],
    query: str = "",
    narrow: Mapping[str, str] | None = None,
) -> list[Count]:
    """What the indicator's SQL counts in these periods, reading nothing but the candidate builds.

    `query` is its SQL bound to other tables, `narrow` a further condition by table.
    """
    rows = warehouse.rows(
        indicator_sql.counts(indicator, query, narrow),
        external_tables(candidates, days),
        first=periods.whole(indicator.period, days[0]).first,
        last=days[-1],
    )
    return [Count(day, region, numerator, denominator) for day, region, numerator, denominator in rows]


def last_input(indicator: Indicator, candidates: Candidates, days: Iterable[date]) -> dict[date, date]:
    """For each period the last day with input to its figure; the day before its input begins if there is none."""
    with_input = sorted({day for _, day, _ in candidates})
    found = {}
    for end in days:
        span = input_span(indicator, [end])
        found[end] = max((day for day in with_input if day in span), default=span.first - DAY)
    return found


def read_earlier(
    warehouse: Warehouse, indicator: Indicator, builds: Mapping[date, str]
) -> dict[tuple[date, str], float]:
    """Observed values of these days as these builds hold them, by day and region."""
    if not builds:
        return {}
    candidates = [(indicator.table, day, build_id) for day, build_id in sorted(builds.items())]
    rows = warehouse.rows(indicator_sql.earlier(indicator), external_tables(candidates, sorted(builds)))
    return {(day, region): value for day, region, value in rows}


def _chunk(
    warehouse: Warehouse,
    indicator: Indicator,
    attempt: Attempt,
    regions: Regions,
    days: Sequence[date],
    memory: tuple[set[date], Mapping[date, str], Mapping[tuple[date, str], float]],
    counting: Counting,
) -> list[Figure]:
    wanted, released, known = memory
    candidates = _candidates(warehouse, indicator, attempt, input_span(indicator, days))
    needed = {day for end in days for day in compared(indicator, end)} - wanted
    earlier = read_earlier(warehouse, indicator, {day: released[day] for day in needed if day in released})
    counts = counting(warehouse, indicator, candidates, days)
    made = figures(indicator, regions, counts, {**known, **earlier}, last_input(indicator, candidates, days))
    builds = {**released, **dict.fromkeys(wanted, attempt.build_id)}
    read = {
        day: _read(indicator, candidates, builds, day) for day in sorted({item.event_day for item in made})
    }
    provenance.record(warehouse, indicator.table, attempt.build_id, read)
    return made


def _read(
    indicator: Indicator, candidates: Candidates, builds: Mapping[date, str], end: date
) -> list[tuple[str, date, str]]:
    """The days of builds one period's figures are made of: its input, and the figures it is compared with."""
    span = input_span(indicator, [end])
    own = [(table, day, build_id) for table, day, build_id in candidates if day in span]
    return own + [(indicator.table, day, builds[day]) for day in compared(indicator, end) if day in builds]


def _rows(indicator: Indicator, attempt: Attempt, made: Iterable[Figure]) -> list[tuple[object, ...]]:
    return [(indicator.id, attempt.build_id, *item.row) for item in made]


def _released(warehouse: Warehouse, indicator: Indicator, attempt: Attempt, first: date) -> dict[date, str]:
    return dict(warehouse.rows(_RELEASED, table=indicator.table, parent=attempt.parent, first=first))


def _candidates(
    warehouse: Warehouse, indicator: Indicator, attempt: Attempt, span: Span
) -> list[tuple[str, date, str]]:
    rows = warehouse.rows(
        _CANDIDATES,
        build=attempt.build_id,
        parent=attempt.parent,
        tables=list(indicator.reads),
        first=span.first,
        last=span.last,
    )
    return [(str(table), day, str(build_id)) for table, day, build_id in rows]


def _contents(
    warehouse: Warehouse,
    indicator: Indicator,
    attempt: Attempt,
    wanted: Sequence[date],
    released: set[date],
    through: Mapping[date, date],
) -> list[Built]:
    if not wanted:
        return []
    given: dict[str, Any] = {"build": attempt.build_id, "first": wanted[0], "last": wanted[-1]}
    rows = warehouse.rows(indicator_sql.contents(indicator), **given)
    held = {day: (count, content) for day, count, content in rows}
    open_days = _open_days(warehouse, indicator, attempt, periods.whole(indicator.period, wanted[0]).first)
    return [
        Built(
            table=indicator.table,
            day=day,
            build_id=attempt.build_id,
            rows=held.get(day, (0, "0"))[0],
            duplicates=0,
            corrected=0,
            quarantined=0,
            content_hash=held.get(day, (0, "0"))[1],
            complete=_complete(indicator, day, through, open_days),
            version=indicator.version,
        )
        for day in wanted
        if day in held or day in released
    ]


def _complete(indicator: Indicator, day: date, through: Mapping[date, date], open_days: set[date]) -> bool:
    """Whether all input of the period's own days is there; days outside the attempt were judged when built."""
    own = periods.whole(indicator.period, day)
    ended = indicator.period == "day" or through.get(day, day) >= day
    return ended and not any(other in own for other in open_days)


def _open_days(warehouse: Warehouse, indicator: Indicator, attempt: Attempt, first: date) -> set[date]:
    """Days of this attempt, from this one on, whose input may still grow."""
    rows = warehouse.rows(
        "SELECT DISTINCT day FROM release.build WHERE build_id = {build:String}"
        " AND table IN {tables:Array(String)} AND day >= {first:Date} AND NOT complete",
        build=attempt.build_id,
        first=first,
        tables=list(indicator.reads),
    )
    return {day for (day,) in rows}
