"""The real files: counts of rows, skipped, corrections; daily cases add up to each city's last figure."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from schemas.contract import Contract
from schemas.decoder import Decoder
from schemas.errors import Rejected
from streams.intake.files import inspect
from streams.intake.mapping import Outgoing
from streams.intake.order import by_time
from streams.intake.replay import Tally, read_events
from tests.streams.intake.feeds import AIR, HEALTH

DATA = Path(__file__).parents[3].parent / "shared" / "data"
PM25 = DATA / "pm25_daily_zhejiang_2014_2016.csv"
COVID = DATA / "covid_zhejiang_city_daily_2020.csv"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the folder ../shared/data is not there")


def sent(contract: Contract, path: Path) -> tuple[list[Outgoing], Tally]:
    tally = Tally()
    return by_time(read_events(contract, [inspect(contract, path)], tally)), tally


def judged(contract: Contract, events: list[Outgoing]) -> Counter[str]:
    decoder, found = Decoder(contract), Counter[str]()
    for event in events:
        try:
            decoder.decode(event.raw)
            found["accepted"] += 1
        except Rejected as rejected:
            found[f"{rejected.field}: {rejected.rule}"] += 1
    return found


def test_three_years_of_pm25_of_ten_cities() -> None:
    events, tally = sent(AIR, PM25)
    assert (tally.rows.total(), len(events), tally.unreadable, tally.skipped) == (
        10_950,
        10_950,
        0,
        Counter(),
    )
    assert judged(AIR, events) == {"accepted": 9_990, "pm25: missing": 960}
    assert [event.key for event in events[:10]] == sorted({event.key for event in events}, key=str)


def test_a_year_of_covid_by_city() -> None:
    events, tally = sent(HEALTH, COVID)
    assert (tally.rows.total(), tally.skipped, tally.unreadable) == (4_740, {"city is empty": 324}, 0)
    assert (len(events), sum(event.correction for event in events)) == (4_432, 16)
    assert set(judged(HEALTH, events)) == {"accepted", "region: region"}


def test_daily_cases_add_up_to_the_last_figure_of_each_city() -> None:
    decoder, days = Decoder(HEALTH), dict[str, tuple[str, int]]()
    for raw in (event.raw for event in sent(HEALTH, COVID)[0]):
        try:
            event = decoder.decode(raw)
        except Rejected:
            continue
        day = event.id.partition("~")[0]
        assert (event.corrects in (event.id, "")) == (day == event.id)
        days[day] = (event.data.region, event.data.cases)
    totals = Counter[str]()
    for region, cases in days.values():
        totals[region] += cases
    with COVID.open(newline="") as file:
        last = {row["cityCode"]: int(row["confirmed"]) for row in csv.DictReader(file) if row["city"]}
    assert totals == {region: figure for region, figure in last.items() if region in totals}
    assert len(totals) == 11
