"""What the duty service writes down of what it reads: one warning that cannot be written holds up no other."""

from __future__ import annotations

import string
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from schemas.settings import Settings
from streams.duty.background.case_inbox import AT_ONCE, CaseInbox
from streams.duty.database.database import Database
from streams.duty.database.models import Case, Passed
from streams.duty.dependencies import DutyDependencies
from streams.duty.inbox.read import Read
from streams.duty.inbox.read_position import ReadPosition
from streams.duty.rosters.desk import Desks
from streams.duty.systems.cap_index import Publisher
from tests.streams.duty.api import Clock
from tests.streams.duty.moments import warning
from tests.streams.duty.parts import Aside

LONG = "".join(Random(1).choices(string.ascii_letters + string.digits, k=60_000))
"""Too long for an index of PostgreSQL, even compressed."""
BAD, MANY = 30, 3 * AT_ONCE
HERE = ReadPosition("log", {0: 100, 1: 7})


def changed(event: Any, changes: dict[str, Any]) -> Any:
    """The warning with what its decoder would refuse."""
    return msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, **changes))


@pytest.mark.parametrize(
    "bad",
    [{"title": "a\0b"}, {"rule_version": 2**40}, {"episode": LONG}, {"level": "purple"}],
    ids=["NUL", "a number of 41 bits", "a long name", "a level that no roster has"],
)
def test_a_warning_that_the_database_cannot_hold_is_named_and_passed_over(
    database: Database,
    tmp_path: Path,
    bad: dict[str, Any],
) -> None:
    deps = DutyDependencies(database, Desks(Settings(home=tmp_path)), Clock(), Publisher())
    aside: Aside = []
    inbox = CaseInbox(deps, lambda what, why: aside.append((what, why)))
    found = [
        Read(changed(warning(f"e{n}"), bad if n == BAD else {}), f"offset {n}", at=(0, n))
        for n in range(MANY)
    ]
    lost = 0 if database.sqlite and "level" not in bad else 1
    assert inbox.take(found, HERE) == MANY - lost
    assert inbox.reached() == {"log": HERE}, "how far was read is written down beside them"
    with database.reading() as session:
        episodes = set(session.scalars(sa.select(Case.episode)))
        passed = session.execute(sa.select(Passed.log, Passed.partition, Passed.offset)).all()
    assert [tuple(each) for each in passed] == [("log", 0, BAD)] * lost, "where it stands is known"
    assert episodes >= {f"e{n}" for n in range(MANY) if n != BAD}, "its neighbours are written"
    assert len(aside) == lost
    for what, why in aside:
        assert what.startswith(f"offset {BAD}: the warning of episode e") or LONG[:100] in what
        assert (
            why.startswith("it becomes no case: ") and len(what) + len(why) < 700 and "\n" not in what + why
        )
    assert inbox.take(found, HERE) == 0, "read again, it is no other"
