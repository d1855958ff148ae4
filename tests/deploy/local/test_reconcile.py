"""Parts of different moments, really: a log, an outbox and a duty database that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from deploy.local.reconcile import reconcile, tell
from schemas.regions import load_regions
from schemas.settings import Settings
from schemas.topics import DISPOSITIONS, WARNINGS
from streams.aside import read
from streams.duty.desk import Desk, Desks
from streams.duty.home import open_database
from streams.duty.models import Message
from streams.duty.opening import hear
from streams.duty.outbox import Outbox
from streams.duty.push import push_of
from streams.duty.push_worker import outbox_path
from streams.duty.reached import Reached
from streams.duty.warning_log import log_of
from tests.programs import until
from tests.streams.duty.moments import warning, warning_bytes

pytestmark = pytest.mark.stack


@pytest.fixture
def home(warehouse: Settings, kafka: str, tmp_path: Path) -> Iterator[Settings]:
    """A home of its own at the servers of all tests; both topics are made anew, one warning e0 to e9 each."""
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    there = {WARNINGS, DISPOSITIONS} & set(admin.list_topics())
    if there:
        admin.delete_topics(sorted(there))
        until(lambda: not there & set(admin.list_topics()), "the topics are gone")
    made = {name: {"num_partitions": 1} for name in (WARNINGS, DISPOSITIONS)}
    admin.create_topics(made, wait_for_metadata=True)
    admin.close()
    producer = KafkaProducer(bootstrap_servers=kafka, acks="all")
    for number in range(10):
        producer.send(WARNINGS, value=warning_bytes(f"e{number}"))
    producer.flush()
    producer.close()
    yield replace(warehouse, home=tmp_path, duty_database_url=f"sqlite:///{tmp_path}/duty.sqlite")


def written(home: Settings, episodes: list[str], reached: int) -> None:
    """Push and duty have these episodes, and say that they have read so far."""
    events = [warning(episode) for episode in episodes]
    here = Reached(log_of(home.kafka).id, {0: reached})
    with closing(Outbox(outbox_path(home))) as outbox:
        outbox.add([push_of(event) for event in events], 1.0, reached=here)
    now, regions = datetime.now(UTC), load_regions()
    desk: Desk = Desks(home).now()
    with closing(open_database(home, now, regions)) as database, database.writing() as session:
        hear(session, desk, now, events)


def test_a_whole_home_agrees_also_while_its_readers_are_behind(home: Settings) -> None:
    written(home, [f"e{n}" for n in range(6)], 6)
    assert reconcile(home, mend=False) == []


def test_a_torn_home_is_told_and_what_can_be_is_mended(home: Settings) -> None:
    written(home, ["e0", "e1", "e2", "ghost-1", "ghost-2"], 10)
    with closing(open_database(home, datetime.now(UTC), load_regions())) as database:
        with database.writing() as session:
            session.execute(sa.update(Message).values(published=datetime.now(UTC)))
            number = session.scalar(sa.select(sa.func.count()).select_from(Message)) or 0
        found = {tear.what: tear for tear in reconcile(home, mend=False)}
        assert {what: tear.number for what, tear in found.items()} == {
            "pushes without a warning on warnings": 2,
            "cases without a warning on warnings": 2,
            "changes of cases that were published, but are not on dispositions": number,
            "warnings that push has read past and does not have": 7,
        }
        assert not any(tear.mended for tear in found.values())
        mended = reconcile(home, mend=True)
        assert sorted(tear.what.split()[0] for tear in mended if tear.mended) == ["changes", "warnings"]
        with database.reading() as session:
            assert not session.scalars(sa.select(Message.id).where(Message.published.is_not(None))).all()
    with closing(Outbox(outbox_path(home))) as outbox:
        (reached,) = outbox.reached().values()
        assert reached.next == {0: 0}, "it is read from the beginning again"
    said: list[str] = []
    tell(home, mended, "a copy", said.append)
    record = read(home.home, "duty")
    assert len(said) == 4 and record is not None and record.count == 2
    assert "torn (a copy)" in record.newest[0].what
