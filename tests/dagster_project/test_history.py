"""Manifests, and going back to an earlier release."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from dagster_project.build.unbuilt_days import pending
from dagster_project.days.spans import Span
from dagster_project.release.catalogue import manifest, release, releases, roll_back
from dagster_project.release.expiry import expire, pin
from schemas.errors import Misdeclared
from tests.dagster_project.house import AIR, INDICATORS, House, reading

pytestmark = pytest.mark.stack
DAY = date(2024, 3, 1)
NEXT = date(2024, 3, 2)


def seen(house: House, of: str = "ecology_air_quality") -> list[Any]:
    client = Client(**house.settings.warehouse("bi"))
    try:
        return list(client.execute(f"SELECT day, id, pm25 FROM mart.{of} ORDER BY ALL"))
    finally:
        client.disconnect()


def back(house: House, seq: int) -> int | None:
    return roll_back(house.warehouse, seq, house.lock, "test", house.now)[0]


def test_a_manifest_says_where_everything_came_from(house: House) -> None:
    house.land(reading("a", DAY, 1), reading("b", DAY, 2), reading("c", DAY, 3, partition=1))
    house.release()
    (line,) = manifest(house.warehouse, 1)
    assert (line.entry.table, line.entry.day, line.entry.rows) == (AIR.table, DAY, 3)
    assert (line.entry.version, line.verdict, len(line.entry.suite_hash)) == (AIR.version, "passed", 64)
    assert dict(line.entry.offsets) == {"0/0": [0, 1], "0/1": [0, 0]}
    assert line.read[f"{AIR.topic}/0/0"] == 2
    item = release(house.warehouse, 1)
    assert (item.kind, item.code, item.state) == ("build", "test", "current")
    with pytest.raises(Misdeclared, match="no such release; there are 1 to 1"):
        release(house.warehouse, 2)


def test_a_rollback_shows_the_old_builds_under_a_new_number_and_can_be_taken_back(house: House) -> None:
    house.land(reading("a", DAY, 1))
    house.release()
    house.land(reading("a2", DAY, 7, corrects="a"), reading("b", NEXT, 2))
    house.release(Span(DAY, NEXT))
    assert seen(house) == [(DAY, "a", 7.0), (NEXT, "b", 2.0)]
    assert back(house, 1) == 3
    assert seen(house) == [(DAY, "a", 1.0)]
    assert seen(house, "ecology_air_quality_at(release = 2)") == [(DAY, "a", 7.0), (NEXT, "b", 2.0)]
    assert (releases(house.warehouse, 1)[0].kind, releases(house.warehouse, 1)[0].note) == (
        "rollback",
        "as of release 1",
    )
    assert back(house, 1) is None
    assert back(house, 2) == 4
    assert seen(house) == [(DAY, "a", 7.0), (NEXT, "b", 2.0)]


def test_after_a_rollback_nothing_waits_but_a_build_publishes_again(house: House) -> None:
    house.land(reading("a", DAY, 1))
    house.release()
    house.land(reading("b", NEXT, 2))
    house.release(Span(NEXT, NEXT))
    back(house, 1)
    assert pending(house.warehouse, [AIR]) == set()
    assert house.release(Span(NEXT, NEXT)).seq == 4
    assert [day for day, *_ in seen(house)] == [DAY, NEXT]


def test_releases_expire_by_age_unless_pinned_or_current_and_only_their_own_events_go(house: House) -> None:
    house.land(reading("z", NEXT, 5))
    house.release(Span(NEXT, NEXT))
    for n in range(1, 5):
        house.land(reading(f"a{n}", DAY, n, corrects="a"))
        house.release()
    pin(house.warehouse, 3, True, "annual report", house.now)
    later = house.now + timedelta(days=100)

    def run(dry: bool) -> Any:
        tables = ([AIR.table], ["ecology_good_air_days"])
        return expire(house.warehouse, *tables, timedelta(days=90), house.lock, later, dry)

    assert (run(dry=True).releases, seen(house, "ecology_air_quality_at(release = 2)")[0][2]) == (
        (1, 2, 4),
        1.0,
    )
    gone = run(dry=False)
    assert (gone.releases, len(gone.builds)) == ((1, 2, 4), 2)
    assert (run(dry=False).releases, run(dry=False).builds) == ((), ())
    assert seen(house, "ecology_air_quality_at(release = 3)") == [(DAY, "a", 2.0), (NEXT, "z", 5.0)]
    assert seen(house) == [(DAY, "a", 4.0), (NEXT, "z", 5.0)]
    with pytest.raises(ServerException, match="release 2 has expired"):
        seen(house, "ecology_air_quality_at(release = 2)")
    ((left,),) = house.warehouse.rows("SELECT uniqExact(event_day, build_id) FROM built.ecology_air_quality")
    assert left == 3
    assert len(manifest(house.warehouse, 2)) == 1
    with pytest.raises(Misdeclared, match="has expired"):
        back(house, 2)
    pin(house.warehouse, 3, False, "", later)
    assert run(dry=False).releases == (3,)


def test_figures_that_were_never_published_go_with_time_and_published_ones_stay(house: House) -> None:
    good = INDICATORS["ecology.good-air-days"]
    house.land(reading("a", DAY, 1))
    published = house.attempt()
    house.build(published)
    house.figure(published, good)
    house.publish(published)
    never = house.attempt()
    house.figure(never, good)
    later = house.now + timedelta(days=100)
    builds = f"SELECT build_id, count() FROM built.{good.table} GROUP BY build_id"
    figures = dict(house.warehouse.rows(builds))
    gone = expire(
        house.warehouse, [AIR.table], [good.table], timedelta(days=90), house.lock, later, dry=False
    )
    assert gone.builds == ((good.table, DAY, never.build_id),)
    assert dict(house.warehouse.rows(builds)) == {published.build_id: figures[published.build_id]}
