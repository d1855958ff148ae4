"""From figures to rankings in the real warehouse: the mart, the command, the job of Dagster."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from dagster import DagsterInstance

from dagster_project.days.spans import Span
from dagster_project.ranking.job import TAG, make_rankings
from dagster_project.ranking.pdf import obstacle
from dagster_project.ranking.publish import current_release, latest_day, read
from deploy.environment import as_environment
from schemas.errors import Misdeclared
from schemas.regions import load_regions
from tests.dagster_project.house import INDICATORS, House, reading

FEBRUARY, MARCH = date(2024, 2, 29), date(2024, 3, 1)
HANGZHOU, NINGBO, WENZHOU = "330110", "330203", "330302"


@pytest.fixture
def ranked(house: House) -> House:
    """Hangzhou is first in February and second in March; Wenzhou comes in March only."""
    values = {FEBRUARY: {HANGZHOU: 30, NINGBO: 100}, MARCH: {HANGZHOU: 100, NINGBO: 30, WENZHOU: 30}}
    days = {FEBRUARY: values[FEBRUARY], MARCH: values[MARCH], date(2024, 3, 2): values[MARCH]}
    for day, by_region in days.items():
        house.land(
            *(
                reading(
                    f"{day}-{region}",
                    day,
                    value,
                    data={"region": region, "pm25": float(value), "station": region},
                )
                for region, value in by_region.items()
            )
        )
    attempt = house.attempt(Span(FEBRUARY, date(2024, 3, 2)))
    house.build(attempt)
    house.figure(attempt, INDICATORS["ecology.good-air-days"])
    house.publish(attempt)
    return house


@pytest.mark.stack
def test_the_mart_shows_places_beside_those_of_the_period_before(ranked: House) -> None:
    rows = ranked.warehouse.rows(
        "SELECT day, figure_day, region, rank, rank_before, rise FROM mart.ranking"
        " WHERE every = 'month' AND region IN ('330100', '330200', '330300') ORDER BY day, region"
    )
    end, last = date(2024, 3, 31), date(2024, 3, 2)
    assert rows == [
        (FEBRUARY, FEBRUARY, "330100", 1, None, None),
        (FEBRUARY, FEBRUARY, "330200", 2, None, None),
        (FEBRUARY, FEBRUARY, "330300", None, None, None),
        (end, last, "330100", 3, 1, -2),
        (end, last, "330200", 2, 2, 0),
        (end, last, "330300", 1, None, None),
    ]
    assert ranked.warehouse.rows("SELECT DISTINCT every FROM mart.ranking ORDER BY 1") == [
        *(("day",), ("month",), ("quarter",), ("year",)),
    ]
    with pytest.raises(Misdeclared, match="does not exist"):
        ranked.warehouse.rows("SELECT count() FROM mart.ranking_at(release = 0)")
    assert ranked.warehouse.rows(
        "SELECT rise FROM mart.ranking WHERE every = 'day' AND day = '2024-03-01' AND region = '330100'"
    ) == [(-1,)]


@pytest.mark.stack
def test_a_publication_reads_one_release(ranked: House) -> None:
    regions = load_regions()
    assert (current_release(ranked.warehouse), latest_day(ranked.warehouse, 1)) == (1, date(2024, 3, 2))
    with pytest.raises(Misdeclared, match="release: 0: does not exist; there are 1 to 1"):
        latest_day(ranked.warehouse, 0)
    found = read(ranked.warehouse, regions, "month", date(2024, 3, 5), 1)
    (sheet,) = found.sheets
    assert (found.label, sheet.head.indicator, sheet.period) == (
        "2024-03",
        "ecology.good-air-days",
        "2024-03",
    )
    assert [row.moved for row in sheet.rankings[0].rows[:3]] == ["·", "—", "▼2"]
    assert read(ranked.warehouse, regions, "month", date(2020, 1, 1), 1).sheets == ()


@pytest.mark.stack
def test_the_job_publishes_the_period_it_is_told(ranked: House) -> None:
    job, schedule = make_rankings(ranked.settings)
    assert schedule.cron_schedule == "0 6 1 * *"
    result = job.execute_in_process(instance=DagsterInstance.ephemeral(), tags={TAG: "2024-03"})
    assert result.success
    page = ranked.settings.home / "docs" / "rankings" / "2024-03" / "index.html"
    assert "▼2" in page.read_text(encoding="utf-8")


@pytest.mark.stack
def test_the_command_publishes_the_latest_period(ranked: House, tmp_path: Path) -> None:
    code = "import sys; from deploy.cli import main; sys.argv[0] = 'liaowang'; main()"

    def liaowang(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, "ranking", *map(str, arguments)],
            env=as_environment(ranked.settings) | {"PYTHONPATH": os.getcwd()},
            capture_output=True,
            text=True,
            check=False,
        )

    printing = [] if obstacle() else ["--pdf"]
    done = liaowang("publish", "--out", tmp_path, *printing)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "2024-03" / "ranking.pdf").exists() is bool(printing)
    assert done.stdout.startswith("2024-03: 1 indicators of release 1 in ")
    assert (tmp_path / "2024-03" / "ranking.csv").exists()
    wrong = liaowang("publish", "--period", "soon")
    assert wrong.returncode == 2 and "is no period" in wrong.stderr
    empty = liaowang("publish", "--release", "0")
    assert (empty.returncode, "release: 0: does not exist; there are 1 to 1" in empty.stderr) == (2, True)
