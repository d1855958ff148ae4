"""`liaowang backfill`: what it costs, and going on after kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import date, timedelta

import pytest
from dagster import DagsterInstance, DagsterRunStatus

from dagster_project.build.checkpoint import progress_of
from dagster_project.build.feed import build_feed
from dagster_project.days.attempt import BACKFILL, Attempt, begin
from dagster_project.days.spans import Span
from dagster_project.orchestrate.instance import prepare_instance
from dagster_project.release.catalogue import releases
from deploy.environment import as_environment
from tests.dagster_project.house import AIR, CONTRACTS, House, reading
from tests.dagster_project.test_command import liaowang

pytestmark = pytest.mark.stack
DAYS = [date(2019, 5, 1) + timedelta(days=n) for n in range(20)]
RANGE = ("--from", str(DAYS[0]), "--to", str(DAYS[-1]))


def test_a_chunk_that_was_begun_is_written_anew_and_one_that_was_done_is_not(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster_project.build.feed.CHUNK_ROWS", 10)
    house.land(*(reading(f"e{n}", DAYS[n % 20], 10 + n) for n in range(60)), reading("bad", DAYS[0], 2000))
    span = Span(DAYS[0], DAYS[-1])

    def attempt(id: str, resumed: bool = False) -> Attempt:
        return begin(house.warehouse, id, span, CONTRACTS.values(), house.now, BACKFILL, (), resumed)

    whole_attempt = attempt("whole")
    seen: list[Span] = []

    def die(chunk: Span) -> None:
        seen.append(chunk)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_feed(house.warehouse, AIR, attempt("killed"), die)
    assert [chunk.last for chunk in seen] == sorted((chunk.last for chunk in seen), reverse=True)
    house.warehouse.rows(  # what a process that died in the middle of the first chunk had written
        f"INSERT INTO built.{AIR.table} SELECT * REPLACE ('killed' AS build_id, toDate('{DAYS[0]}') AS event_day)"
        f" FROM built.{AIR.table} LIMIT 3"
    )
    house.land(reading("later", DAYS[0], 99))
    again = attempt("killed", resumed=True)
    assert progress_of(house.warehouse, again, AIR.table).written == set(seen)
    resumed = build_feed(house.warehouse, AIR, again)
    whole = build_feed(house.warehouse, AIR, whole_attempt)
    assert [(item.day, item.content_hash, item.quarantined) for item in resumed] == [
        (item.day, item.content_hash, item.quarantined) for item in whole
    ]
    assert build_feed(house.warehouse, AIR, again) == resumed
    ((count,),) = house.warehouse.rows("SELECT count() FROM release.build WHERE build_id = 'killed'")
    assert count == 20


def test_a_backfill_says_its_cost_and_goes_on_after_kill_9(house: House) -> None:
    house.land(*(reading(f"e{n}", DAYS[n % 20], 10 + n) for n in range(400)))
    cost = json.loads(liaowang(house.settings, "backfill", *RANGE, "--dry-run", "--json").stdout)
    assert (cost["days"], cost["rows"]) == (20, 400)
    assert {item["table"]: item["days"] for item in cost["tables"]}[AIR.table] == 20
    assert releases(house.warehouse) == []
    code = "import sys; from deploy.cli import main; sys.argv[0] = 'liaowang'; main()"
    killed = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, "backfill", *RANGE],
        env=as_environment(house.settings) | {"PYTHONPATH": os.getcwd()},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not house.warehouse.rows("SELECT 1 FROM release.progress LIMIT 1"):
        assert time.monotonic() < deadline and killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert releases(house.warehouse) == []
    done = liaowang(house.settings, "backfill", "--resume")
    assert done.returncode == 0, done.stderr
    (item,) = releases(house.warehouse)
    assert (item.kind, item.first, item.last >= DAYS[-1]) == ("backfill", DAYS[0], True)
    rows = house.warehouse.rows(f"SELECT count(), uniqExact(id) FROM mart.{AIR.table}")
    assert rows == [(400, 400)]
    assert "no backfill was cut short" in liaowang(house.settings, "backfill", "--resume").stderr
    with DagsterInstance.from_config(str(prepare_instance(house.settings.home))) as instance:
        states = [run.status for run in instance.get_runs(limit=2)]
    assert states == [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]
