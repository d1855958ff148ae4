"""What a fall of a cumulative figure means: a correction, a new beginning, or a row that is refused."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.increase import PERIODS, Restart
from streams.intake.files import inspect
from streams.intake.increase import CORRECTED, RESTARTED
from streams.intake.mapping import Decided, Mapped, Outgoing, Row, Unreadable, map_rows
from streams.intake.replay import Tally, read_events
from tests.streams.intake.feeds import COVID, HEALTH, covid_cells, document

YEAR_TO_DATE = {
    "2025-12-29": 980, "2025-12-30": 990, "2025-12-31": 1000, "2026-01-01": 4, "2026-01-02": 9
}  # fmt: skip
FIRST = datetime(2024, 12, 20, tzinfo=UTC)


def mapped(days: dict[str, int], falls: str = "correct", restart: Restart | str | None = "") -> list[Mapped]:
    """Map one city's figures by day, with the shipped mapping or another meaning of falls."""
    item = COVID.derive[0]
    if not isinstance(restart, str):
        item = replace(item, falls=falls, restart=restart)
    rows = [Row(2 + at, covid_cells(day, "杭州市", figure)) for at, (day, figure) in enumerate(days.items())]
    return list(map_rows(HEALTH, replace(COVID, derive=(item,)), "past", rows))


def counts(found: list[Mapped]) -> dict[str, int]:
    """The cases of each day, as its last correction says."""
    events = [document(item) for item in found if isinstance(item, Outgoing)]
    return {event["data"]["date"]: event["data"]["cases"] for event in events}


def decisions(found: list[Mapped]) -> list[tuple[int, str, str]]:
    """What falls were taken for."""
    return [tuple(item) for item in found if isinstance(item, Decided)]


def test_a_figure_that_begins_anew_with_the_year_leaves_the_old_year_alone() -> None:
    found = mapped(YEAR_TO_DATE)
    assert list(counts(found).values()) == [980, 10, 10, 4, 5]
    assert decisions(found) == [(5, RESTARTED, "confirmed falls from 1,000 to 4: begins anew")]
    assert not any(item.correction for item in found if isinstance(item, Outgoing))


def test_a_fall_within_the_year_is_still_a_correction_and_is_told() -> None:
    found = mapped({"2026-03-01": 10, "2026-03-02": 12, "2026-03-03": 9})
    assert list(counts(found).values()) == [9, 0, 0]
    assert decisions(found) == [(4, CORRECTED, "confirmed falls from 12 to 9")]


def test_a_correction_at_the_new_year_that_is_no_new_beginning_is_one() -> None:
    found = mapped({"2025-12-30": 90, "2025-12-31": 100, "2026-01-01": 97})
    assert list(counts(found).values()) == [90, 7, 0]
    assert decisions(found) == [(4, CORRECTED, "confirmed falls from 100 to 97")]


def test_a_correction_never_reaches_beyond_the_last_beginning() -> None:
    found = mapped({**YEAR_TO_DATE, "2026-01-03": 0})
    assert list(counts(found).values()) == [980, 10, 10, 0, 0, 0]


def test_by_calendar_a_figure_begins_anew_even_where_it_does_not_fall() -> None:
    days = {"2025-12-31": 3, "2026-01-01": 5, "2026-01-02": 6}
    assert list(counts(mapped(days, "restart", Restart("year"))).values()) == [3, 5, 1]
    assert list(counts(mapped(days, "correct", None)).values()) == [3, 2, 1]


def test_by_size_a_figure_begins_anew_at_any_time() -> None:
    days = {"2026-03-01": 100, "2026-03-02": 49, "2026-03-03": 48, "2026-03-04": 24}
    half = Restart("", 0.5)
    assert list(counts(mapped(days, "restart", half)).values()) == [100, 24, 0, 0]
    at_the_bound = {"2026-03-01": 100, "2026-03-02": 50}
    assert list(counts(mapped(at_the_bound, "restart", half)).values()) == [50, 0]


def test_a_fall_may_be_refused_and_the_next_row_goes_on_from_before() -> None:
    found = mapped({"2026-03-01": 100, "2026-03-02": 4, "2026-03-03": 110}, "reject", None)
    assert list(counts(found).values()) == [100, 10]
    assert [item for item in found if isinstance(item, Unreadable)] == [
        Unreadable(3, "falls: confirmed falls from 100 to 4")
    ]


def test_a_second_report_of_a_day_is_a_correction_of_it_and_no_new_beginning() -> None:
    rows = [Row(2, covid_cells("2026-03-01", "杭州市", 100)), Row(3, covid_cells("2026-03-01", "杭州市", 4))]
    item = replace(COVID.derive[0], falls="restart", restart=Restart("", 0.5))
    found = list(map_rows(HEALTH, replace(COVID, derive=(item,)), "past", rows))
    assert counts(found) == {"2026-03-01": 4}


def test_what_was_decided_is_counted_for_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ytd.csv"
    lines = [f"{day},浙江省,杭州市,330100,{figure}" for day, figure in YEAR_TO_DATE.items()]
    path.write_text("\n".join(["date,province,city,cityCode,confirmed", *lines, ""]), encoding="utf-8")
    tally = Tally()
    list(read_events(HEALTH, [inspect(HEALTH, path)], tally))
    assert tally.decided == {RESTARTED: 1}
    assert [(name, item.line) for name, item in tally.first_decided] == [("ytd.csv", 5)]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60)), max_size=40),
    st.sampled_from(PERIODS),
    st.randoms(),
)
def test_by_calendar_each_period_adds_up_to_its_last_figure(
    steps: list[tuple[int, int]], at: str, random: Random
) -> None:
    days, day = dict[str, int](), FIRST
    for ahead, figure in steps:
        day += timedelta(days=1 + ahead)
        days[f"{day:%Y-%m-%d}"] = figure
    found = mapped(days, "restart", Restart(at))
    sums, last = defaultdict[object, int](int), dict[object, int]()
    for text, count in counts(found).items():
        when = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        period = {"year": text[:4], "month": text[:7], "week": when.isocalendar()[:2], "day": text}[at]
        sums[period] += count
        last[period] = days[text]
        assert count >= 0
    assert sums == last
    shuffled = list(days.items())
    random.shuffle(shuffled)
    assert counts(mapped(dict(shuffled), "restart", Restart(at))) == counts(found)


@pytest.mark.parametrize("falls", ["correct", "reject"])
def test_without_any_beginning_the_sum_is_the_figure(falls: str) -> None:
    found = mapped(YEAR_TO_DATE, falls, None)
    assert sum(counts(found).values()) == (9 if falls == "correct" else 1000)
