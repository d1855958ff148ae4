"""Who still sends an older major version, on the real engine: a task of the department that withholds nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from dagster_project.gate.senders import DAYS, SHOWN, update_sender_tasks
from dagster_project.gate.tasks import CLOSED, OPEN, RESOLVED, Task, close, tasks
from schemas.fields import midnight
from schemas.succession import Sunset
from tests.dagster_project.house import AIR, House, reading

pytestmark = pytest.mark.stack
DAY = date(2024, 6, 1)
SUNSET = Sunset(midnight(date(2024, 5, 1)), midnight(date(2024, 9, 1)), date(2024, 8, 31))
OLD = replace(AIR, feed="ecology.air-quality.v1", sunset=SUNSET)
NEW = "ecology.air-quality.v2"


def settle(house: House, at: datetime) -> Task | None:
    return update_sender_tasks(house.warehouse, OLD, NEW, "build", at)


def test_one_task_names_who_still_sends_and_ends_when_nobody_does(house: House) -> None:
    assert settle(house, house.now) is None and tasks(house.warehouse) == []
    first = replace(reading("1", DAY, 30.0), source="/hangzhou")
    house.land(first, first, replace(first, id="2"), replace(first, id="3", source="/ningbo"))
    house.land(*(replace(first, id=str(n), source="/drill", timeline="drill") for n in range(9)))
    task = settle(house, house.now)
    assert task is not None and tasks(house.warehouse) == [task]
    assert (task.task, task.state, task.department, task.day) == (OLD.feed, OPEN, "ecology", DAY)
    assert task.failed == (
        "3 events of ecology.air-quality.v1 from 2 sources in 7 days; it is taken until 2024-08-31:"
        " send ecology.air-quality.v2",
    )
    assert [(row["source"], row["events"]) for row in task.evidence] == [("/hangzhou", 2), ("/ningbo", 1)]
    assert "2024-06-01" in task.evidence[0]["last"]

    close(house.warehouse, OLD.feed, "they move tomorrow", house.now + timedelta(seconds=1))
    later = house.now + timedelta(days=DAYS - 1)
    assert tasks(house.warehouse)[0].state == CLOSED
    again = settle(house, later)
    assert again is not None and again.state == OPEN, "they have not moved"
    moved = settle(house, later + timedelta(days=2))
    assert moved is not None and (moved.state, moved.note) == (RESOLVED, "nothing in 7 days")
    assert settle(house, later + timedelta(days=3)) is None
    assert tasks(house.warehouse) == [moved]


def test_before_it_is_deprecated_nobody_is_told(house: House) -> None:
    house.land(reading("1", DAY, 30.0))
    early = replace(OLD, sunset=replace(SUNSET, since=house.now + timedelta(days=1)))
    assert update_sender_tasks(house.warehouse, early, NEW, "build", house.now) is None
    assert update_sender_tasks(house.warehouse, AIR, NEW, "build", house.now) is None


def test_many_senders_are_counted_and_the_busiest_are_named(house: House) -> None:
    event = reading("1", DAY, 30.0)
    house.land(*(replace(event, id=f"{n}", source=f"/s{n:02}") for n in range(SHOWN + 5)))
    house.land(replace(event, id="more", source="/s24"))
    task = settle(house, house.now)
    assert task is not None and len(task.evidence) == SHOWN and task.evidence[0]["source"] == "/s24"
    assert task.failed[0].startswith("26 events of ecology.air-quality.v1 from 25 sources in 7 days")
