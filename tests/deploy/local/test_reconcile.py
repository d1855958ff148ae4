"""Parts of different moments, really: a log, an outbox and a duty database that contradict each other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from deploy.local.reconcile import reconcile, tell
from schemas.event import encode_tick
from schemas.regions import load_regions
from schemas.settings import Settings
from schemas.topics import DISPOSITIONS, WARNINGS
from streams.aside import read
from streams.duty.cases.opening import hear
from streams.duty.database import models
from streams.duty.database.models import Message
from streams.duty.home import open_database
from streams.duty.inbox.read_position import ReadPosition, write_down
from streams.duty.inbox.warning_log import log_of
from streams.duty.push_worker import outbox_path
from streams.duty.rosters.desk import Desk, Desks
from streams.duty.systems.outbox import Outbox, Refused
from streams.duty.systems.push import push_of
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


def written(home: Settings, episodes: list[str], reached: int, floor: int | None = None) -> None:
    """Push and duty have these episodes, and say that they have read so far."""
    events = [warning(episode) for episode in episodes]
    here = ReadPosition(log_of(home.kafka).id, {0: reached}, floor=floor)
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


def sent(home: Settings, topic: str, *values: bytes) -> list[int]:
    """When these messages arrived (ms since 1970); none of them with those before."""
    time.sleep(0.05)
    with closing(KafkaProducer(bootstrap_servers=home.kafka, acks="all")) as producer:
        return [producer.send(topic, value=value).get(30).timestamp for value in values]


def removed(home: Settings, topic: str, before: int) -> None:
    """Retention has removed all before this offset."""
    with closing(KafkaAdminClient(bootstrap_servers=home.kafka)) as admin:
        admin.delete_records({TopicPartition(topic, 0): before})


def test_what_a_filling_left_out_is_not_missed_and_left_out_again(home: Settings) -> None:
    """e0 to e9 had ended before the floor; of what came later the second was lost."""
    floor, _ = sent(home, WARNINGS, warning_bytes("e10"), warning_bytes("e11"))
    written(home, ["e10"], 12, floor)
    (tear,) = reconcile(home, mend=False)
    assert (tear.what.split()[2], tear.number) == ("push", 1), "nothing is told of e0 to e9"
    (tear,) = reconcile(home, mend=True)
    assert tear.mended
    with closing(Outbox(outbox_path(home))) as outbox:
        (reached,) = outbox.reached().values()
    assert (reached.next, reached.filling) == ({0: 0}, floor), "as at the first filling"


def test_what_is_no_warning_and_what_was_set_aside_is_not_missed(home: Settings) -> None:
    broken = msgspec.json.decode(warning_bytes("e98"))
    broken["data"]["level"] = "purple"
    tick = encode_tick(id="live/0/x", clock=datetime.now(UTC))
    sent(home, WARNINGS, msgspec.json.encode(broken), b'{"id": "a stranger", "type": "other"}', tick)
    written(home, [f"e{n}" for n in range(9)], 13)
    with closing(Outbox(outbox_path(home))) as outbox:
        outbox.add([], 1.0, refused=[Refused(warning("e9").id, "cannot be one")])
    log = log_of(home.kafka).id
    with (
        closing(open_database(home, datetime.now(UTC), load_regions())) as database,
        database.writing() as session,
    ):
        table: sa.Table = models.ReadPosition.__table__  # type: ignore[assignment]
        write_down(session, table, ReadPosition(log, {0: 13}))
    (tear,) = reconcile(home, mend=False)
    assert (tear.what.split()[2], tear.number) == ("duty", 1)
    with (
        closing(open_database(home, datetime.now(UTC), load_regions())) as database,
        database.writing() as session,
    ):
        session.add(models.Passed(log=log, partition=0, offset=9))
    assert reconcile(home, mend=False) == []


def test_what_retention_has_removed_is_neither_missed_nor_published_again(home: Settings) -> None:
    written(home, [f"e{n}" for n in range(10)], 10)
    with closing(open_database(home, datetime.now(UTC), load_regions())) as database:
        with database.writing() as session:
            session.execute(sa.update(Message).values(published=datetime.now(UTC)))
            uids = session.scalars(sa.select(Message.uid).order_by(Message.id)).all()
        sent(home, DISPOSITIONS, *(msgspec.json.encode({"id": uid}) for uid in uids))
        assert reconcile(home, mend=False) == []
        for topic, end in ((DISPOSITIONS, len(uids)), (WARNINGS, 10)):
            removed(home, topic, end - 1)
            assert reconcile(home, mend=True) == [], "some is left"
            removed(home, topic, end)
            assert reconcile(home, mend=True) == [], "nothing is left"
        with database.reading() as session:
            assert not session.scalars(sa.select(Message.id).where(Message.published.is_(None))).all()


def test_pushes_filled_in_long_after_their_warnings_are_not_missed_on_a_log_that_was_cut(
    home: Settings,
) -> None:
    """They were written after the first record that is left arrived; their warnings were made before."""
    home = replace(home, duty_database_url="")
    sent(home, WARNINGS, warning_bytes("e10"))
    removed(home, WARNINGS, 10)
    with closing(Outbox(outbox_path(home))) as outbox:
        here = ReadPosition(log_of(home.kafka).id, {0: 11})
        outbox.add([push_of(warning(f"e{n}")) for n in range(11)], time.time(), reached=here)
    assert reconcile(home, mend=False) == []
