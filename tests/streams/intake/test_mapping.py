"""Rows become events: by the real mappings of the contracts, and for any cumulative series with falls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streams.intake.mapping import LONGEST, Outgoing, Row, Skipped, Unreadable, map_rows, subject_key
from tests.streams.intake.feeds import AIR, CNEMC, COVID, covid_cells, covid_events, covid_rows, document

FIGURES = st.lists(st.integers(0, 60), min_size=1, max_size=40)


def test_a_row_becomes_an_event_by_the_declared_mapping() -> None:
    cells = {"city_code": "330100", "city": "Hangzhou", "year": "2016", "day_index": "60", "pm25": "83.8"}
    (event,) = map_rows(AIR, CNEMC, "past", [Row(2, cells)])
    assert isinstance(event, Outgoing)
    assert event.key == b"330100"
    assert document(event) == {
        "specversion": "1.0",
        "id": "330100-2016-60",
        "source": "/zhejiang/ecology/cnemc",
        "type": "ecology.air-quality.v1",
        "time": "2016-02-29T23:59:59+08:00",
        "datacontenttype": "application/json",
        "timeline": "past",
        "data": {"station": "330100", "region": "330100", "averaging": "24h", "pm25": 83.8},
    }


def test_a_fall_corrects_the_latest_days_and_reports_zero_itself() -> None:
    events = [document(event) for event in covid_events(covid_rows("杭州市", [5, 8, 4]))]
    assert [(event["id"], event.get("corrects"), event["data"]["cases"]) for event in events] == [
        ("杭州市-2020-01-20", None, 5),
        ("杭州市-2020-01-21", None, 3),
        ("杭州市-2020-01-21~1", "杭州市-2020-01-21", 0),
        ("杭州市-2020-01-20~1", "杭州市-2020-01-20", 4),
        ("杭州市-2020-01-22", None, 0),
    ]
    assert events[2]["time"] == events[1]["time"], "a correction occurred when its original did"
    assert events[2]["data"]["date"] == "2020-01-21"


def test_a_second_correction_corrects_the_first() -> None:
    events = [document(event) for event in covid_events(covid_rows("杭州市", [9, 8, 7]))]
    assert [(event["id"], event.get("corrects")) for event in events if "~" in event["id"]] == [
        ("杭州市-2020-01-20~1", "杭州市-2020-01-20"),
        ("杭州市-2020-01-20~2", "杭州市-2020-01-20~1"),
    ]


def test_a_correction_is_known_when_the_falling_figure_is() -> None:
    events = [event for event in covid_events(covid_rows("杭州市", [5, 2])) if isinstance(event, Outgoing)]
    assert [event.at for event in events if event.correction] == [events[-1].at]


def test_rows_of_a_cumulative_file_may_stand_in_any_order() -> None:
    rows = covid_rows("杭州市", [5, 8, 4, 11])
    assert covid_events(reversed(rows)) == covid_events(rows)


def test_an_unreadable_figure_is_left_to_the_contract_and_the_series_goes_on() -> None:
    events = [document(event) for event in covid_events(covid_rows("杭州市", [5, "n/a", "", -3, 7]))]
    assert [event["data"].get("cases") for event in events] == [5, "n/a", None, -3, 2]


def test_a_repeated_row_says_nothing_new_and_a_changed_one_corrects() -> None:
    cells = covid_cells("2020-01-20", "杭州市", 5)
    events = covid_events([Row(2, cells), Row(3, cells), Row(4, cells | {"confirmed": "7"})])
    assert events[1] == Skipped(3, "repeats an earlier row")
    assert [document(events[at])["data"]["cases"] for at in (0, 2)] == [5, 7]
    assert document(events[2])["corrects"] == "杭州市-2020-01-20"


def test_rows_of_other_feeds_are_skipped_and_rows_without_a_time_are_unreadable() -> None:
    rows = [Row(2, covid_cells("2020-01-20", "", 5)), Row(3, covid_cells("soon", "杭州市", 5))]
    assert covid_events(rows) == [
        Skipped(2, "city is empty"),
        Unreadable(3, "no time: 'soon' is not %Y-%m-%d"),
    ]


def test_an_event_too_long_for_the_broker_is_unreadable() -> None:
    (found,) = covid_events([Row(2, covid_cells("2020-01-20", "x" * LONGEST, 5))])
    assert isinstance(found, Unreadable) and found.line == 2 and "bytes" in found.reason


def test_the_key_is_the_subject_and_absent_where_it_cannot_be_read() -> None:
    assert subject_key(("station", "year"), {"station": "1233A", "year": 2016}) == b"1233A|2016"
    for value in (None, "", 1.5, True, ["1233A"]):
        assert subject_key(("station",), {"station": value}) is None
    assert subject_key(("station",), {"station": "\ud800"}) == b"?"


@given(FIGURES, FIGURES)
def test_daily_cases_add_up_to_the_cumulative_figure_at_every_moment(a: list[int], b: list[int]) -> None:
    rows = covid_rows("杭州市", a) + covid_rows("宁波市", b, "330200")
    events = covid_events(rows)
    assert covid_events(rows) == events, "the same rows give the same bytes"
    ids = [document(event)["id"] for event in events]
    assert len(set(ids)) == len(ids)
    figures = {"杭州市": a, "宁波市": b}
    for city, series in figures.items():
        _follow(city, series, events)


def _follow(city: str, figures: Sequence[int], events: Sequence[object]) -> None:
    """Play the events of one city, the last correction of a day winning, and compare after every row."""
    days: dict[str, int] = {}
    root: dict[str, str] = {}
    told = 0
    for event in events:
        assert isinstance(event, Outgoing)
        one = document(event)
        if not one["id"].startswith(city):
            continue
        day = root[one["id"]] = root[one["corrects"]] if "corrects" in one else one["id"]
        days[day] = one["data"]["cases"]
        assert days[day] >= 0
        if "corrects" not in one:
            assert sum(days.values()) == figures[told]
            told += 1
    assert told == len(figures)


@given(FIGURES)
def test_two_derived_columns_share_one_event_and_one_correction_a_day(figures: list[int]) -> None:
    twice = (COVID.derive[0], replace(COVID.derive[0], name="more"))
    events = covid_events(covid_rows("杭州市", figures), replace(COVID, derive=twice))
    assert events == covid_events(covid_rows("杭州市", figures))
