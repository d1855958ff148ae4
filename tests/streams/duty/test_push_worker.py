"""The push worker as a process, between a real broker and a real receiver: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from deploy.environment import load_settings
from deploy.local.kafka import kafka_running
from deploy.ports import free_port
from schemas.event import encode_tick
from schemas.levels import LEVELS
from schemas.settings import Settings
from schemas.topics import WARNINGS
from streams.aside import read as read_record
from streams.duty.inbox.warning_log import log_of
from streams.duty.push_worker import outbox_path
from streams.duty.systems.outbox import Outbox
from streams.http_guard import basic
from tests.programs import process, program, until
from tests.streams.duty.parts import KEY, warning

pytestmark = pytest.mark.stack

WORKER = program("streams.duty.push_worker")
RECEIVER = """
import os
from deploy.environment import load_settings
from streams.duty.systems.receiver import Trouble, receive
receive(load_settings(), trouble=Trouble(fail_share=float(os.environ["FAIL_SHARE"]), delay=0.002))
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Settings]:
    """Settings with a broker of their own, since these tests also stop it; the topic is there and empty."""
    settings = Settings(
        home=tmp_path,
        kafka_libs=load_settings().kafka_jars,
        kafka_port=free_port(),
        kafka_controller_port=free_port(),
        receiver_port=free_port(),
        webhook_key=KEY,
        console_admin_password="a password of tests",
    )
    with kafka_running(settings):
        admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
        admin.create_topics(
            {WARNINGS: {"num_partitions": 4, "replication_factor": 1}}, wait_for_metadata=True
        )
        admin.close()
        yield settings


@pytest.fixture
def beside(settings: Settings, kafka: str, tmp_path: Path) -> Settings:
    """A home of its own at the broker of all tests; the topic is made anew, and nothing of it was ever read."""
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    if WARNINGS in admin.list_topics():
        admin.delete_topics([WARNINGS])
        until(lambda: WARNINGS not in admin.list_topics(), "the topic is gone")
    admin.create_topics({WARNINGS: {"num_partitions": 4}}, wait_for_metadata=True)
    admin.close()
    return replace(settings, home=tmp_path, receiver_port=free_port(), webhook_key=KEY)


def produce(settings: Settings, values: Iterable[bytes]) -> None:
    """Put messages on the topic of warnings, acknowledged."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka, acks="all")
    sent = [producer.send(WARNINGS, key=str(n).encode(), value=value) for n, value in enumerate(values)]
    for future in sent:
        future.get(30)
    producer.close()


@contextmanager
def receiver(settings: Settings, fail_share: float = 0.0) -> Iterator[None]:
    with process(settings, RECEIVER, settings.home / "receiver.log", FAIL_SHARE=str(fail_share)):
        until(lambda: _answers(settings), "the receiver answers")
        yield


def worker(settings: Settings) -> Any:
    return process(settings, WORKER, settings.home / "push.log")


def _answers(settings: Settings) -> bool:
    try:
        received(settings)
    except OSError:
        return False
    return True


def received(settings: Settings) -> dict[str, int]:
    """Number of pushes by key, with their copies."""
    address = f"http://127.0.0.1:{settings.receiver_port}/pushes?limit=10000"
    known = {"Authorization": basic(settings.console_admin_password)}
    with urllib.request.urlopen(urllib.request.Request(address, headers=known), timeout=10) as answer:
        return {item["key"]: item["copies"] for item in json.load(answer)}


def log_lines(settings: Settings) -> list[str]:
    path = settings.home / "push.log"
    return path.read_text().splitlines() if path.exists() else []


def warnings(first: int, last: int) -> list[bytes]:
    return [warning(n, LEVELS[n % 4]) for n in range(first, last)]


def keys(number: int) -> set[str]:
    return {f"w-{n}" for n in range(number)}


def test_kill_9_again_and_again_loses_no_warning_and_shows_none_twice(home: Settings) -> None:
    with receiver(home, fail_share=0.2):
        for round in range(4):
            produce(home, warnings(round * 300, round * 300 + 300))
            with worker(home) as running:
                until(lambda: len(received(home)) > round * 300 + 60, "some of the round have come")  # noqa: B023
                os.kill(running.pid, signal.SIGKILL)
    # Refused nine times in a row, which one of 1,200 may be, a push would wait for minutes: no more of that now.
    with receiver(home), worker(home):
        until(lambda: _settled(home, 1200), "all are delivered")
        assert set(received(home)) == keys(1200)


def _settled(settings: Settings, number: int) -> bool:
    outbox = Outbox(outbox_path(settings))
    try:
        return outbox.counts() == {"pending": 0, "delivered": number, "dead": 0}
    finally:
        outbox.close()


def test_a_warning_read_again_is_known_and_what_is_no_warning_is_named(home: Settings) -> None:
    tick = encode_tick(id="t", clock=datetime(2026, 3, 1, 8, tzinfo=UTC))
    with receiver(home), worker(home):
        produce(home, [*warnings(0, 20), tick, b"no json", b"", *warnings(0, 20), *warnings(20, 40)])
        until(lambda: _settled(home, 40), "all are delivered")
        time.sleep(0.5)
        assert received(home) == dict.fromkeys(keys(40), 0)
    broken = [line for line in log_lines(home) if "is no warning" in line]
    assert len(broken) == 2 == len(aside(home)), broken


def aside(settings: Settings) -> list[str]:
    """What `push` has set aside, each with its reason."""
    record = read_record(settings.home, "push")
    return [f"{item.what}: {item.reason}" for item in record.newest] if record else []


def test_what_is_no_push_is_set_aside_and_everything_else_arrives(beside: Settings) -> None:
    """Ids and subjects with any character, messages of any bytes, between others, the red ones among them."""
    strange = ["a\nb", "a\r\nX: y", "a\x7f", "甲", "🚨", "x" * 500]
    events = [json.loads(warning(100 + n, LEVELS[n % 4])) for n in range(len(strange))]
    for event, text in zip(events, strange, strict=True):
        event["id"] = event["data"]["subject"] = event["data"]["title"] = text
    broken = [b"no json", b"", b"\xff\xfe", b"[" * 5000, b'{"type":"liaowang.tick.v1"}', b'"\\ud800"']
    with receiver(beside), worker(beside) as running:
        produce(
            beside,
            [*warnings(0, 20), *broken, *(json.dumps(each).encode() for each in events), *warnings(20, 40)],
        )
        until(lambda: len(aside(beside)) >= len(broken), "the broken ones are named")
        until(lambda: keys(40) <= set(received(beside)), "all others are delivered")
        assert running.poll() is None
        until(lambda: {"甲", "🚨", "x" * 500} <= set(received(beside)), "those with any name as well")
        produce(beside, warnings(40, 50))
        until(lambda: keys(50) <= set(received(beside)), "it goes on")
    assert not any("Traceback" in line for line in log_lines(beside))


@pytest.mark.parametrize("how", ["removed", "garbage", "while it runs"])
def test_an_outbox_that_is_gone_is_filled_again_and_that_is_said(beside: Settings, how: str) -> None:
    path = outbox_path(beside)
    with worker(beside) as running:
        produce(beside, warnings(0, 60))
        until(lambda: path.exists() and _pending(beside) == 60, "all are written down, none can be delivered")
        until(lambda: _committed(beside) == 60, "and committed")
        if how == "while it runs":
            path.unlink()
            assert running.wait(30) != 0, "it ends, to be started again"
            assert "was removed or replaced while it was in use" in log_lines(beside)[-1]
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    if how == "garbage":
        path.write_bytes(b"garbage" * 1000)
    with receiver(beside), worker(beside):
        until(lambda: keys(60) <= set(received(beside)), "all are delivered after all")
        until(lambda: _settled(beside, 60), "and marked")
        assert received(beside) == dict.fromkeys(keys(60), 0)
        produce(beside, warnings(60, 70))
        until(lambda: _settled(beside, 70), "and what comes then")
    said = aside(beside)
    assert any("60 transitions were taken again from warnings" in each for each in said), said
    with closing(Outbox(path)) as outbox:
        (reached,) = outbox.reached().values()
    assert reached.filling is None and reached.floor, "what was left out, if anything, is not missed later"
    assert any("was moved to outbox.sqlite.broken-" in each for each in said) == (how == "garbage")


def test_an_older_copy_of_the_outbox_gets_what_it_lacks(beside: Settings) -> None:
    path, copy = outbox_path(beside), beside.home / "copy"
    with receiver(beside), worker(beside) as running:
        produce(beside, warnings(0, 30))
        until(lambda: _settled(beside, 30), "the first are delivered")
        running.terminate()
        running.wait(30)
    copy.mkdir()
    for file in path.parent.glob("outbox.sqlite*"):
        shutil.copy2(file, copy / file.name)
    with worker(beside) as running:
        produce(beside, warnings(30, 50))
        until(lambda: _pending(beside) == 20, "the next are written down")
        until(lambda: _committed(beside) == 50, "and committed")
        running.terminate()
        running.wait(30)
    for file in path.parent.glob("outbox.sqlite*"):
        file.unlink()
    for file in copy.iterdir():
        shutil.copy2(file, path.parent / file.name)
    with receiver(beside), worker(beside):
        until(lambda: _settled(beside, 50), "what the copy lacks is read again")
        assert received(beside) == dict.fromkeys(keys(50), 0)


def _committed(settings: Settings) -> int:
    """How many messages the group has committed."""
    return sum(log_of(settings.kafka, "push").committed.values())


def test_the_broker_may_go_and_come_back(home: Settings, tmp_path: Path) -> None:
    """Stop the broker under the worker, start it again, and go on; one line in the log at each change."""
    other = replace(home, home=tmp_path / "second", kafka_port=free_port(), kafka_controller_port=free_port())
    with receiver(other), worker(other) as running:
        until(lambda: any("away" in line for line in log_lines(other)), "the worker misses the broker")
        with kafka_running(other):
            admin = KafkaAdminClient(bootstrap_servers=other.kafka)
            admin.create_topics({WARNINGS: {"num_partitions": 4}}, wait_for_metadata=True)
            admin.close()
            produce(other, warnings(0, 50))
            until(lambda: len(received(other)) == 50, "the first have come")
        until(lambda: _changes(other) == ["away", "back", "away"], "the worker misses the broker again")
        with kafka_running(other):
            produce(other, warnings(50, 100))
            until(lambda: len(received(other)) == 100, "the others have come")
            until(lambda: _changes(other) == ["away", "back", "away", "back"], "the worker says it is back")
            running.terminate()
            assert running.wait(30) == 0
    assert not any("Traceback" in line for line in log_lines(other))


def _changes(settings: Settings) -> list[str]:
    said = [line.split("broker ", 1)[1] for line in log_lines(settings) if ": broker " in line]
    return ["away" if " is away" in line else "back" for line in said]


def test_sigterm_ends_it_cleanly_and_a_second_one_on_the_same_home_is_refused(home: Settings) -> None:
    with receiver(home), worker(home) as first:
        produce(home, warnings(0, 5))
        until(lambda: len(received(home)) == 5, "the first worker works")
        with worker(home) as second:
            assert second.wait(30) != 0
        assert any("another push worker holds" in line for line in log_lines(home))
        first.send_signal(signal.SIGTERM)
        assert first.wait(30) == 0


def test_pushes_pile_up_while_the_receiver_is_away(home: Settings) -> None:
    with worker(home):
        produce(home, warnings(0, 100))
        until(lambda: outbox_path(home).exists() and _pending(home) == 100, "all are written down")
        with receiver(home):
            until(lambda: _settled(home, 100), "all are delivered")
            assert set(received(home)) == keys(100)
    said = [line for line in log_lines(home) if ": receiver " in line]
    assert len(said) == 2 and "is away" in said[0] and "is back" in said[1], said


def _pending(settings: Settings) -> int:
    outbox = Outbox(outbox_path(settings))
    try:
        return outbox.counts()["pending"]
    finally:
        outbox.close()
