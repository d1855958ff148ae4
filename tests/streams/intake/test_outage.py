"""The broker goes away in the middle and comes back: sendings wait and go on, the gateway recovers."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import TypeVar

import pytest

from deploy.local.kafka import kafka_running
from deploy.ports import free_port
from schemas.errors import Unavailable
from schemas.event import decode_tick
from schemas.settings import Settings
from schemas.topics import REPLAYS, RULES
from streams.intake.acknowledged import CONNECT_MS, DELIVERY_MS, AcknowledgedProducer
from streams.intake.lines import decode_object
from streams.intake.sending import Request, carry_out
from streams.watch.publish.published import RuleRecord
from streams.watch.publish.rule_topic import RuleEpochReader, publish
from tests.streams.intake.broker import Notes, read, retry
from tests.streams.intake.conftest import COMPACTED, create
from tests.streams.intake.feeds import AIR, NOON, air, on_topic

pytestmark = pytest.mark.stack
TOPIC = "feed.test"
MINUTES = 600
RETIRED = RuleRecord(rule="trial.gone", version=1, text="", at=NOON)
T = TypeVar("T")


@pytest.fixture
def alone(settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Settings]:
    """Give a broker of its own to stop. kafka-python leaves refused sockets to the garbage collector."""
    for name in ("kafka", "aiokafka"):
        caplog.set_level(logging.CRITICAL + 1, name)
    yield replace(settings, home=tmp_path, kafka_port=free_port(), kafka_controller_port=free_port())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_broker_that_goes_away_and_comes_back(alone: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    minutes = (air(f"{m}", NOON + timedelta(minutes=m), f"s{m % 5}") for m in range(MINUTES))
    path.write_bytes(b"\n".join(minutes))
    asked = Request(
        on_topic(AIR, TOPIC),
        (path,),
        now=NOON + timedelta(days=9),
        timeline="drill",
        speed=4 * 600,
        in_file_order=True,
    )
    away, said = Event(), list[str]()

    class Watcher(Notes):
        def say(self, text: str) -> None:
            said.append(text)
            away.set()

    with ThreadPoolExecutor(1) as threads:
        with kafka_running(alone):
            create(alone.kafka, REPLAYS, 1, COMPACTED)
            create(alone.kafka, TOPIC, 2)
            watcher = Watcher()
            run = threads.submit(asyncio.run, carry_out(asked, alone.kafka, retry(90, watcher.say), watcher))
            producer = AcknowledgedProducer(alone.kafka)
            producer.write(TOPIC, [(b"k", b"before")])
        with pytest.raises(Unavailable):
            producer.write(TOPIC, [(b"k", b"while it is away")])
        with pytest.raises(Unavailable):
            producer.write(TOPIC, [(b"k", b"while it is away, told at once")])
        assert away.wait(60), "the sending has noticed"
        with kafka_running(alone):
            (outcome,) = run.result(120)
            producer.write(TOPIC, [(b"k", b"after")])
            producer.close()
            found = read(alone.kafka, TOPIC)
    assert outcome.tally.events == MINUTES
    assert any("trying again" in text for text in said)
    raws = [raw for part in found.values() for _, raw in part]
    assert {b"before", b"after"} < set(raws)
    sent = [int(one["id"]) for part in found.values() for one in _events(part)]
    assert set(sent) == set(range(MINUTES))
    for part in found.values():
        ids = [int(one["id"]) for one in _events(part)]
        assert list(dict.fromkeys(ids)) == sorted(set(ids)), "in order, apart from a batch that came twice"


def _events(part: list[tuple[bytes | None, bytes]]) -> list[dict[str, str]]:
    documents = (decode_object(raw) for _, raw in part if decode_tick(raw) is None)
    return [document for document in documents if document]


def _frozen(broker: subprocess.Popen[bytes], producer: AcknowledgedProducer) -> None:
    """Freeze the broker for longer than a batch may wait to be stored, with one on its way."""
    broker.send_signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            producer.write(TOPIC, [(b"k", b"while it is frozen")])
        while time.monotonic() - begun < DELIVERY_MS / 1000 + 1:
            before = time.monotonic()
            with pytest.raises(Unavailable):
                producer.write(TOPIC, [(b"k", b"while it is frozen, again")])
            assert time.monotonic() - before < DELIVERY_MS / 1000, "later calls do not wait that long again"
    finally:
        broker.send_signal(signal.SIGCONT)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_producer_and_epoch_recover_from_a_frozen_and_from_a_killed_broker(alone: Settings) -> None:
    producer, epochs = AcknowledgedProducer(alone.kafka), RuleEpochReader(alone.kafka)
    with kafka_running(alone) as broker:
        create(alone.kafka, TOPIC, 2)
        create(alone.kafka, RULES, 1, COMPACTED)
        asyncio.run(publish(alone.kafka, [RETIRED]))
        producer.write(TOPIC, [(b"k", b"before")])
        assert epochs.latest() == 1
        _frozen(broker, producer)
        eventually(lambda: producer.write(TOPIC, [(b"k", b"after it was frozen")]))
        assert eventually(epochs.latest) == 1
        broker.kill()
        broker.wait()
        for _ in range(3):
            with pytest.raises(Unavailable):
                producer.write(TOPIC, [(b"k", b"while it is dead")])
            with pytest.raises(Unavailable):
                epochs.latest()
    with kafka_running(alone):
        eventually(lambda: producer.write(TOPIC, [(b"k", b"after it was killed")]))
        assert eventually(epochs.latest) == 1
        producer.close()
        epochs.close()
        raws = {raw for part in read(alone.kafka, TOPIC).values() for _, raw in part}
    assert {b"before", b"after it was frozen", b"after it was killed"} <= raws


def test_calls_beside_each_other_hear_of_one_probe(alone: Settings) -> None:
    """Eight departments that post while nobody answers do not wait for each other's probes."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        producer = AcknowledgedProducer(f"127.0.0.1:{silent.getsockname()[1]}")
        begun = time.monotonic()

        def post(_: int) -> None:
            with pytest.raises(Unavailable):
                producer.write(TOPIC, [(b"k", b"v")])

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(post, range(8)))
        assert time.monotonic() - begun < 4 * CONNECT_MS / 1000


def eventually(call: Callable[[], T], seconds: float = 60) -> T:
    """What it gives once the peer is there again."""
    until = time.monotonic() + seconds
    while True:
        try:
            return call()
        except Unavailable:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
