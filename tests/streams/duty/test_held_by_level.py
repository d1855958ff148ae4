"""What a graver case held back is let go by the level it then had, also in rows that an older version wrote."""

from __future__ import annotations

import sqlalchemy as sa

from streams.duty.database.database import Database, newest_revision
from streams.duty.database.models import Notification
from streams.duty.notify.still_open import any_let_go, give_up, let_go, tell_still_open
from streams.duty.rosters.desk import Desk
from tests.streams.duty.test_who_is_told import H2, Room

BEFORE = "0006"


def test_what_an_older_version_held_back_is_held_until_the_level_changes(
    database: Database, desk: Desk
) -> None:
    room = held_back(database, desk)
    as_before(database)
    database.migrate()
    assert held(database) == [(2, 1, "red")]
    room.minute = 8
    assert not let_go_now(room)
    room.warn("lowered", level="orange", episode="grave")
    assert let_go_now(room) == [2]


def test_the_words_it_is_shown_with_decide_nothing(database: Database, desk: Desk) -> None:
    room = held_back(database, desk)
    with database.writing() as session:
        session.execute(sa.update(Notification).values(last_error="级别更高的预警尚未结束"))
    assert not let_go_now(room)


def test_what_an_older_version_held_back_in_words_nobody_knows_is_looked_at_again(
    database: Database, desk: Desk
) -> None:
    room = held_back(database, desk)
    with database.writing() as session:
        session.execute(sa.update(Notification).values(last_error="case 1 is purple"))
    as_before(database)
    database.migrate()
    assert held(database) == [(2, 1, None)] and let_go_now(room) == [2]
    room.look()
    assert held(database) == [
        (3, 1, "red")
    ]  # the case asks again, is held again, and now says by which level


def test_what_is_looked_at_again_or_given_up_names_no_level(database: Database, desk: Desk) -> None:
    room = held_back(database, desk)
    with database.writing() as session:
        give_up(session, 2, "it cannot be told")
    room = held_back(database, desk, episode="other")
    with database.writing() as session:
        tell_still_open(session, desk.regions, room.now, let_go(session, room.now) or [3])
    with database.reading() as session:
        left = sa.select(Notification.held_by_level).where(Notification.held_by_case.is_(None))
        assert set(session.scalars(left)) == {None}


def held_back(database: Database, desk: Desk, episode: str = "small") -> Room:
    """A red case somebody has, and a blue one beside it of which nobody is told."""
    room = Room(database, desk)
    room.warn(episode="grave")
    room.look()
    room.minute = 1
    if episode == "small":
        room.by(H2, "acknowledge")
    room.warn(level="blue", episode=episode)
    room.look()
    return room


def held(database: Database) -> list[tuple[int, int | None, str | None]]:
    with database.reading() as session:
        query = sa.select(Notification.id, Notification.held_by_case, Notification.held_by_level)
        found = session.execute(query.where(Notification.held_by_case.is_not(None)).order_by(Notification.id))
        return [(id, case, level) for id, case, level in found]


def let_go_now(room: Room) -> list[int]:
    with room.database.reading() as session:
        found = let_go(session, room.now)
        assert any_let_go(session, room.now) is bool(found)
        return found


def as_before(database: Database) -> None:
    """The tables as the version before had them."""
    assert newest_revision() > BEFORE
    with database.writing() as session:
        for name in ("held_by_level", "reason"):
            session.execute(sa.text(f"ALTER TABLE notification DROP COLUMN {name}"))
        session.execute(sa.text("UPDATE alembic_version SET version_num = :before"), {"before": BEFORE})
