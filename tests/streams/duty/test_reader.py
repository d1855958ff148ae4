"""The reader of warnings as part of a service that is stopped while its broker does not answer."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from kafka.admin import KafkaAdminClient

from deploy.environment import load_settings
from deploy.local.kafka import kafka_running
from deploy.local.services import SERVICES
from deploy.ports import free_port
from schemas.settings import Settings
from schemas.topics import WARNINGS
from streams.duty.inbox import reader
from streams.duty.inbox.read import Inbox, Read
from streams.duty.inbox.read_position import Log, ReadPosition, start_of
from streams.duty.inbox.reader import Reader
from streams.waits import TOLD_AFTER, Held, Waits, read, told, unheld
from tests.streams.duty.moments import warning_bytes
from tests.streams.duty.parts import Aside, until
from tests.streams.duty.test_push_worker import produce

pytestmark = pytest.mark.stack


class Kept:
    """An inbox in memory."""

    def __init__(self) -> None:
        self.taken: list[Read] = []
        self.logs: dict[str, ReadPosition] = {}

    def take(self, found: Sequence[Read], reached: ReadPosition) -> int:
        self.taken += found
        self.logs = {reached.log: reached}
        return len(found)

    def reached(self) -> dict[str, ReadPosition]:
        return self.logs

    def empty(self) -> bool:
        return not self.taken


def reading_into(settings: Settings, inbox: Inbox, aside: Aside | None = None, held: Held = unheld) -> Reader:
    """A reader of the group `push`."""
    aside = [] if aside is None else aside
    return Reader(
        settings,
        "push",
        inbox,
        lambda: None,
        time.monotonic,
        Random(1),
        keeps="the outbox",
        now=time.time,
        aside=lambda what, why: aside.append((what, why)),
        beat=lambda: None,
        held=held,
    )


@pytest.mark.parametrize("connecting", [True, False], ids=["while it connects", "before it commits"])
def test_a_stop_is_over_before_the_supervisor_kills_though_the_broker_is_frozen(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, connecting: bool
) -> None:
    settings = Settings(
        home=tmp_path,
        kafka_libs=load_settings().kafka_jars,
        kafka_port=free_port(),
        kafka_controller_port=free_port(),
    )
    patience = min(each.stop_seconds for each in SERVICES if each.name in ("push", "duty"))
    with kafka_running(settings) as broker:
        admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
        admin.create_topics({WARNINGS: {"num_partitions": 1}}, wait_for_metadata=True)
        admin.close()
        produce(settings, [warning_bytes("e1")])

        class Frozen(Kept):
            """An inbox; once it has been given something, or nothing yet, the broker freezes."""

            def take(self, found: Sequence[Read], reached: ReadPosition) -> int:
                if found or connecting:
                    os.kill(broker.pid, signal.SIGSTOP)
                return super().take(found, reached)

        inbox = Frozen()

        async def run() -> None:
            stop = asyncio.Event()
            reading = asyncio.create_task(reading_into(settings, inbox).run(stop))
            while not (inbox.logs and connecting) and not any(
                "is away" in record.getMessage() for record in caplog.records
            ):
                await asyncio.sleep(0.05)
            await asyncio.sleep(1)
            stop.set()
            await asyncio.wait_for(reading, patience)

        try:
            asyncio.run(run())
        finally:
            os.kill(broker.pid, signal.SIGCONT)
    taken = [(each.warning.data.episode, each.place) for each in inbox.taken]
    assert taken == ([] if connecting else [("e1", f"{WARNINGS}, partition 0, offset 0")])


def test_a_topic_that_is_gone_is_waited_for_and_one_made_anew_is_read_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker answers all the time, and gives nothing: an idle topic looks the same."""
    monkeypatch.setattr(reader, "VERIFY_SECONDS", 0.5)
    settings = Settings(
        home=tmp_path,
        kafka_libs=load_settings().kafka_jars,
        kafka_port=free_port(),
        kafka_controller_port=free_port(),
    )
    waits, inbox = Waits(tmp_path, "push", time.time), Kept()

    async def run() -> None:
        stop = asyncio.Event()
        reading = asyncio.create_task(reading_into(settings, inbox, held=waits.of("reader")).run(stop))
        await until(lambda: len(inbox.taken) == 1)
        await asyncio.to_thread(topic, settings, there=False)
        await until(lambda: WARNINGS in told(read(tmp_path, "push"), time.time() + TOLD_AFTER))
        await asyncio.to_thread(topic, settings, there=True)
        await asyncio.to_thread(produce, settings, [warning_bytes("e2")])
        await until(lambda: len(inbox.taken) == 2)
        await until(lambda: not read(tmp_path, "push"))
        await asyncio.to_thread(topic, settings, there=False)
        await asyncio.to_thread(topic, settings, there=True)
        await asyncio.to_thread(produce, settings, [warning_bytes("e3"), warning_bytes("e4")])
        await until(lambda: len(inbox.taken) == 4)
        stop.set()
        await reading

    with kafka_running(settings):
        topic(settings, there=True)
        produce(settings, [warning_bytes("e1")])
        asyncio.run(run())
    assert [each.warning.data.episode for each in inbox.taken] == ["e1", "e2", "e3", "e4"]


def topic(settings: Settings, *, there: bool) -> None:
    """Make the topic of warnings, or delete it."""
    with closing(KafkaAdminClient(bootstrap_servers=settings.kafka)) as admin:
        if there:
            admin.create_topics({WARNINGS: {"num_partitions": 1}}, wait_for_metadata=True)
            return
        admin.delete_topics([WARNINGS])
        while WARNINGS in admin.list_topics():
            time.sleep(0.1)


@pytest.mark.parametrize(("hours", "said"), [(1, 0), (30, 1)])
def test_who_has_read_nothing_before_says_it_where_what_it_finds_is_old(
    tmp_path: Path, hours: int, said: int
) -> None:
    aside: Aside = []
    fresh = reading_into(Settings(home=tmp_path), Kept(), aside)
    fresh._start = start_of({}, True, Log("a", {0: (0, 2)}), 0)
    found = [Read(None, "here", int((time.time() - hours * 3600) * 1000))]
    for _ in range(2):
        fresh._say_old([])
        fresh._say_old(found)
    assert len(aside) == said
    assert all("is taken as new, and told" in why and "no group push" in what for what, why in aside)
    fresh._start = start_of({"a": ReadPosition("a", {0: 1})}, False, Log("a", {0: (0, 2)}), 0)
    fresh._say_old(found)
    assert len(aside) == said, "who goes on says nothing"
