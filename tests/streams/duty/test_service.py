"""The duty service as a process on a real broker, killed at any moment: nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient

from deploy.environment import as_environment
from deploy.local.kafka import kafka_running
from deploy.ports import free_port
from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.regions import Regions
from schemas.settings import HOST, Settings
from schemas.topics import DISPOSITIONS, WARNINGS
from streams.duty.accounts.officers import add_officer, add_token
from streams.duty.accounts.rights import Grant
from streams.duty.database.database import Database
from streams.duty.database.models import AuditEntry, Case, Message, Notification
from streams.duty.home import open_database
from tests.programs import process, program, until
from tests.streams.duty.moments import root, warning_bytes

pytestmark = pytest.mark.stack

WARNED = 400
KILLS = 5
WORKER = program("streams.duty.worker")


@pytest.fixture
def home(settings: Settings, tmp_path: Path, sqlite_url: str) -> Iterator[Settings]:
    """A home of its own with a broker of its own; its two topics are there and empty."""
    ports = {name: free_port() for name in ("kafka_port", "kafka_controller_port", "duty_port")}
    mine = replace(settings, home=tmp_path, duty_database_url=sqlite_url, **ports)
    with kafka_running(mine):
        admin = KafkaAdminClient(bootstrap_servers=mine.kafka)
        made = {name: {"num_partitions": 4, "replication_factor": 1} for name in (WARNINGS, DISPOSITIONS)}
        admin.create_topics(made, wait_for_metadata=True)
        admin.close()
        yield mine


def service(home: Settings) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """The service in a process of its own, killed at the end if it still runs."""
    return process(home, WORKER, home.home / "duty.log")


def healthy(home: Settings) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://{HOST}:{home.duty_port}/healthz", trust_env=False).status_code == 200
    return False


def number(database: Database, what: Any, *where: Any) -> int:
    with database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(what).where(*where)) or 0


def published(home: Settings) -> list[Any]:
    """Every message on the topic of dispositions, decoded by its contract."""
    decoder = Decoder(load_contracts()["duty.disposition"])
    consumer = KafkaConsumer(
        DISPOSITIONS, bootstrap_servers=home.kafka, auto_offset_reset="earliest", consumer_timeout_ms=2000
    )
    try:
        return [decoder.decode(record.value) for record in consumer]
    finally:
        consumer.close()


def commenting(home: Settings, token: str, rng: Random) -> str | None:
    """Post one remark on some case, with a key; posted again until it is answered."""
    key = f"k{rng.random()}"
    client = httpx.Client(
        base_url=f"http://{HOST}:{home.duty_port}/api/v1",
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": key},
        trust_env=False,
    )
    with client:
        found = client.get("/cases", params={"limit": 500}).json()["items"]
        if not found:
            return None
        answer = client.post(f"/cases/{rng.choice(found)['id']}/comments", json={"text": key})
        assert answer.status_code == 200, answer.text
        return key


def test_killed_at_any_moment_it_loses_nothing_and_doubles_nothing(home: Settings, regions: Regions) -> None:
    rng, database = Random(6), open_database(home, datetime.now(UTC), regions)
    with database.writing() as session:
        now, actor = datetime.now(UTC), root(regions)
        made = add_officer(
            session, actor, now, regions, login="boss", name="b", grants=[Grant("admin", "330000")]
        )
        token = add_token(session, actor, now, made, "secret")
    producer = KafkaProducer(bootstrap_servers=home.kafka, acks="all")
    answered: list[str] = []
    for kill in range(KILLS + 1):
        with service(home) as running:
            for n in range(kill * WARNED // (KILLS + 1), (kill + 1) * WARNED // (KILLS + 1)):
                for ordinal, kind, level in ((0, "opened", "yellow"), (1, "raised", "red")):
                    value = warning_bytes(f"e{n}", ordinal, kind, level)
                    producer.send(WARNINGS, key=f"e{n}".encode(), value=value)
            producer.flush()
            until(lambda: healthy(home), "the service answers")
            if kill < KILLS:
                before = number(database, AuditEntry)
                until(lambda: number(database, AuditEntry) > before, "something is written")  # noqa: B023
                with suppress(httpx.HTTPError):
                    key = commenting(home, token, rng)
                    answered += [key] if key else []
                os.kill(running.pid, signal.SIGKILL)
                running.wait(30)
                continue
            until(lambda: number(database, Case) == WARNED, "every warning is a case")
            until(lambda: number(database, Message, Message.published.is_(None)) == 0, "all is published")
            running.terminate()
            assert running.wait(30) == 0
    with database.reading() as session:
        cases = session.scalars(sa.select(Case)).unique().all()
        assert Counter(case.level for case in cases) == {"red": WARNED}
        entries = session.scalars(sa.select(AuditEntry)).all()
        kinds = Counter(entry.kind for entry in entries)
        assert kinds == {
            "opened": WARNED,
            "assigned": 2 * WARNED,
            "raised": WARNED,
            **({"commented": len(answered)} if answered else {}),
        }
        texts = [entry.text for entry in entries if entry.kind == "commented"]
        assert sorted(texts) == sorted(answered), "what was answered is there, and once"
        uids = set(session.scalars(sa.select(Message.uid)))
    assert number(database, Notification) == 2 * WARNED
    events = published(home)
    assert {event.id for event in events} == uids and len(uids) == len(entries)
    last: dict[str, int] = {}
    for event in sorted(events, key=lambda event: event.data.ordinal):
        assert event.data.ordinal in (last.get(event.data.case_id, -1), last.get(event.data.case_id, -1) + 1)
        last[event.data.case_id] = event.data.ordinal
    database.close()
    assert "Traceback" not in (home.home / "duty.log").read_text()


def test_a_taken_port_is_said_in_one_line(home: Settings) -> None:
    with service(home):
        until(lambda: healthy(home), "the service answers")
        other = subprocess.run(
            [sys.executable, "-m", "deploy.local.workers", "duty"],
            env=as_environment(home),
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"port {home.duty_port} is taken; stop what uses it or set LIAOWANG_DUTY_PORT\n"
        assert (other.returncode, other.stderr) == (1, said)
