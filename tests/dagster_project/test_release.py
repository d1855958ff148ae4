"""Publishing: only what passed, all of it at once, and never the same twice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
from clickhouse_driver import Client

from dagster_project.build.feed import build_feed
from dagster_project.days.spans import Span
from dagster_project.gate.judge import judge_feed
from dagster_project.release.catalogue import releases
from dagster_project.release.publish import MANIFEST_COLUMNS, publish
from dagster_project.warehouse import warehouse
from quality.gate import VERDICT_COLUMNS
from schemas.errors import Unavailable
from schemas.findings import NO_VERDICT
from tests.dagster_project.house import AIR, House, reading

pytestmark = pytest.mark.stack
DAY = date(2024, 3, 1)
NEXT = date(2024, 3, 2)


@contextmanager
def reader(house: House) -> Iterator[Client]:
    """A connection as `bi`."""
    client = Client(**house.settings.warehouse("bi"))
    try:
        yield client
    finally:
        client.disconnect()


def seen(house: House, sql: str) -> list[tuple[Any, ...]]:
    with reader(house) as client:
        return list(client.execute(sql))


def test_what_passed_is_published_and_shows_its_release(house: House) -> None:
    house.land(reading("a", DAY, 1))
    published = house.release()
    assert (published.seq, len(published.entries)) == (1, 1)
    assert seen(house, "SELECT id, pm25, release_seq FROM mart.ecology_air_quality") == [("a", 1.0, 1)]


def test_nothing_is_seen_of_a_build_that_is_not_published(house: House) -> None:
    house.land(reading("a", DAY, 1))
    house.build(house.attempt())
    assert seen(house, "SELECT * FROM mart.ecology_air_quality") == []


def test_a_day_that_failed_its_gate_is_withheld_and_the_others_are_published(house: House) -> None:
    house.land(reading("a", DAY, 1), reading("b", NEXT, 2))
    attempt = house.attempt(Span(DAY, NEXT))
    built = build_feed(house.warehouse, AIR, attempt)
    house.warehouse.rows(
        "INSERT INTO built.ecology_air_quality SELECT * REPLACE (-5 AS pm25) FROM built.ecology_air_quality"
        f" WHERE event_day = '{NEXT}'"
    )
    judged = judge_feed(house.settings, house.warehouse, AIR, attempt, built, house.now)
    assert [(verdict.day, verdict.passed) for verdict in judged.verdicts] == [(DAY, True), (NEXT, False)]
    published = house.publish(attempt)
    assert published.why.startswith(f"ecology_air_quality on {NEXT} (expect_column_values_to_be_between")
    assert seen(house, "SELECT id FROM mart.ecology_air_quality") == [("a",)]


def test_no_verdict_means_not_passed(house: House) -> None:
    house.land(reading("a", DAY, 1))
    attempt = house.attempt()
    build_feed(house.warehouse, AIR, attempt)
    assert house.publish(attempt).withheld == {AIR.table: {DAY: (NO_VERDICT,)}}
    house.warehouse.insert(
        "quality.verdict",
        VERDICT_COLUMNS,
        [(AIR.table, NEXT, attempt.build_id, 1, "", "", 1, 1, [], [], house.now)],
    )
    published = house.publish(attempt)
    assert (published.seq, published.withheld) == (None, {AIR.table: {DAY: (NO_VERDICT,)}})
    assert seen(house, "SELECT * FROM mart.ecology_air_quality") == []


def test_landed_rows_the_ledger_does_not_know_of_fail_the_gate(house: House) -> None:
    house.land(reading("a", DAY, 1))
    house.enter(AIR, 0, 3, accepted=3)
    _, judged = house.build(house.attempt())
    assert "ledger_reconciled" in judged.verdicts[0].failed[0]


def test_a_gap_in_the_ledger_fails_the_gate(house: House) -> None:
    house.land(reading("a", DAY, 1))
    house.ends[AIR.topic, 0] += 5
    house.enter(AIR, 0, 1, accepted=0)
    _, judged = house.build(house.attempt())
    assert "ledger_contiguous" in judged.verdicts[0].failed[0]


def test_too_much_in_quarantine_fails_the_gate(house: House) -> None:
    house.land(reading("a", DAY, 1), reading("b", DAY, 5000))
    _, judged = house.build(house.attempt())
    assert judged.verdicts[0].failed == ("quarantine_share: 1 of 2 rows are in quarantine",)


def test_unchanged_days_are_not_published_again(house: House) -> None:
    house.land(reading("a", DAY, 1), reading("b", NEXT, 2))
    span = Span(DAY, NEXT)
    house.release(span)
    again = house.release(span)
    assert (again.seq, again.entries, again.unchanged) == (None, (), 2)
    house.land(reading("c", NEXT, 3))
    more = house.release(span)
    assert (more.seq, [entry.day for entry in more.entries], more.unchanged) == (2, [NEXT], 1)
    assert [(item.seq, item.days, item.parent) for item in releases(house.warehouse)] == [
        (2, 1, 1),
        (1, 2, 0),
    ]


def test_a_past_release_stays_as_it_was(house: House) -> None:
    house.land(reading("a", DAY, 1))
    house.release()
    house.land(reading("a2", DAY, 7, corrects="a"))
    house.release()
    assert seen(house, "SELECT pm25, corrected, release_seq FROM mart.ecology_air_quality") == [(7.0, 1, 2)]
    assert seen(house, "SELECT pm25, corrected FROM mart.ecology_air_quality_at(release = 1)") == [(1.0, 0)]


def test_a_manifest_without_pointers_was_never_published_and_its_number_is_gone(house: House) -> None:
    house.land(reading("a", DAY, 1))
    orphan = (7, 0, AIR.table, DAY, "crashed", "x", 1, "", "", "", house.now, "build", "", 1, {})
    house.warehouse.insert("release.manifest", MANIFEST_COLUMNS, [orphan])
    assert releases(house.warehouse) == []
    assert house.release().seq == 8


def test_a_release_that_came_in_between_is_not_overwritten(house: House) -> None:
    house.land(reading("a", DAY, 1))
    early = house.attempt()
    house.build(early)
    house.land(reading("b", DAY, 2))
    house.release()
    with pytest.raises(Unavailable, match="build again"):
        house.publish(early)


def test_two_releases_at_once_take_numbers_of_their_own(house: House) -> None:
    days = [date(2024, 1, 1 + n) for n in range(6)]
    house.land(*(reading(f"e{n}", day, n + 1) for n, day in enumerate(days)))
    attempts = [house.attempt(Span(day, day)) for day in days]
    for attempt in attempts:
        house.build(attempt)

    def release(at: int) -> int | None:
        with warehouse(house.settings) as own:
            return publish(own, attempts[at], house.lock, "test", house.now).seq

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(release, range(6)), key=str) == [1, 2, 3, 4, 5, 6]
