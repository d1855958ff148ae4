"""Silences are planned by those who may, name what they cover, and stay in the record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from schemas.regions import Regions
from streams.duty.accounts.rights import Actor
from streams.duty.database.database import Database
from streams.duty.database.models import Silence
from streams.duty.notify.silencing import add_silence, end_silence, list_silences
from streams.duty.refusals import Conflict, Forbidden, Invalid
from streams.duty.rosters.desk import Desk
from tests.streams.duty.moments import NOW, officer, root

GIVEN: dict[str, Any] = {
    "rules": ["ecology.pm25-high"],
    "where": ["330100"],
    "levels": ["blue"],
    "starts": NOW,
    "ends": NOW + timedelta(hours=2),
    "reason": "sensors are calibrated",
    "known": {"ecology.pm25-high"},
}


def add(database: Database, regions: Regions, actor: Actor, **changes: Any) -> int:
    with database.writing() as session:
        return add_silence(session, regions, actor, NOW, **{**GIVEN, **changes}).id


def test_a_silence_holds_until_it_ends_and_stays_in_the_record(database: Database, regions: Regions) -> None:
    number = add(database, regions, root(regions))
    with database.reading() as session:
        assert [each.id for each in list_silences(session, NOW)] == [number]
    with database.writing() as session:
        end_silence(session, regions, root(regions), NOW + timedelta(minutes=5), number)
    with database.reading() as session:
        assert list_silences(session, NOW) == []
        assert [each.ended_by for each in list_silences(session, NOW, all=True)] == ["operator:test"]
    with pytest.raises(Conflict), database.writing() as session:
        end_silence(session, regions, root(regions), NOW + timedelta(minutes=6), number)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rules": [], "where": []}, "name a rule or a region"),
        ({"rules": ["ecology.pm25"]}, "no such rule: ecology.pm25"),
        (
            {"rules": ["ecology.pm25-hgh"]},
            r"no such rule: ecology.pm25-hgh \(did you mean ecology.pm25-high\?\)",
        ),
        ({"where": ["339900"]}, "no such region: 339900"),
        ({"levels": ["pink"]}, "no such level: pink"),
        ({"reason": "  "}, "say why"),
        ({"ends": NOW - timedelta(hours=1), "starts": NOW - timedelta(hours=2)}, "must end"),
    ],
)
def test_what_is_wrong_is_said(
    database: Database, regions: Regions, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(Invalid, match=words):
        add(database, regions, root(regions), **changes)


def test_only_who_plans_duty_there_may_silence(database: Database, regions: Regions, desk: Desk) -> None:
    with database.reading() as session:
        plain, head = officer(session, "hangzhou-ecology-1"), officer(session, "head-1")
    with pytest.raises(Forbidden):
        add(database, regions, plain)
    assert add(database, regions, head)


def test_a_silence_cannot_be_deleted(database: Database, regions: Regions) -> None:
    number = add(database, regions, root(regions))
    with pytest.raises(DBAPIError, match="nothing is ever deleted"), database.writing() as session:
        session.delete(session.get_one(Silence, number))
        session.flush()
