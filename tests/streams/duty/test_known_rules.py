"""A silence may name any rule there is: of a file, of a case, or published from a file anywhere."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.errors import Unavailable
from schemas.topics import RULES
from streams.duty.cases.known_rules import known_rules, published_at
from streams.duty.database.database import Database
from streams.duty.rosters.desk import Desk
from streams.watch.publish.published import RuleRecord
from streams.watch.publish.rule_topic import publish
from tests.streams.duty.moments import opened
from tests.streams.intake.conftest import COMPACTED, create

DECLARED = ("ecology.pm25-high",)
NOBODY = "127.0.0.1:1"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The same for both databases."""
    return sqlite_url


def test_a_rule_of_a_file_or_a_case_is_known_without_the_broker(database: Database, desk: Desk) -> None:
    with database.writing() as session:
        opened(session, desk, rule="trial.edit")
    away = published_at(NOBODY)
    for rule in ("ecology.pm25-high", "trial.edit", "duty.roster-hole"):
        assert rule in known_rules(database, away, [rule], DECLARED)


def test_whether_another_one_was_published_is_not_known_while_the_broker_is_away(database: Database) -> None:
    with pytest.raises(Unavailable, match=r"whether trial\.edit was published is not known"):
        known_rules(database, published_at(NOBODY), ["trial.edit"], DECLARED)


@pytest.mark.stack
def test_a_rule_published_from_a_file_anywhere_is_known(
    database: Database, kafka: str, tmp_path: Path
) -> None:
    create(kafka, RULES, 1, COMPACTED)
    entry = RuleRecord(rule="trial.published", version=1, text="rule: trial.published", at=datetime.now(UTC))
    asyncio.run(publish(kafka, [entry]))
    known = known_rules(database, published_at(kafka), ["trial.published"], DECLARED)
    assert "trial.published" in known and "trial.never" not in known
