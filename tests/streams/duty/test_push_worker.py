"""The push worker as a process, between a real broker and a real receiver: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from deploy.environment import load_settings
from deploy.local.kafka import kafka_running
from deploy.local.process import free_port
from schemas.event import encode_tick
from schemas.settings import Settings
from schemas.topics import WARNINGS
from streams.duty.outbox import Outbox
from streams.duty.push import LEVELS
from streams.duty.push_worker import outbox_path
from streams.http_guard import basic
from tests.programs import process, program, until
from tests.streams.duty.parts import KEY, warning

pytestmark = pytest.mark.stack

WORKER = program("streams.duty.push_worker")
RECEIVER = """
import os
from deploy.environment import load_settings
from streams.duty.receiver import Trouble, receive
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
        with worker(home):
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
    assert len(broken) == 2, broken


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
