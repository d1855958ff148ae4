"""Duty: from a warning on its topic to a stored case at 50 a second, and what the API answers meanwhile.

Then 10,000 warnings within a minute: none lost, and the API's p95 beside that of the same requests at rest.
The service is a process of its own, on SQLite; a case counts as stored when another process can read it.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from statistics import quantiles

import httpx
import sqlalchemy as sa
from kafka import KafkaProducer

from deploy.ports import free_port
from schemas.regions import load_regions
from schemas.settings import HOST, Settings
from schemas.topics import WARNINGS
from streams.duty.accounts.officers import add_token, find
from streams.duty.database.database import Database
from streams.duty.database.models import Case, Message
from streams.duty.home import open_database, operator
from tests.benchmarks.stack import broker
from tests.programs import process, program
from tests.streams.duty.moments import warning_bytes

RATE, SECONDS = 50, 20
BURST, WITHIN = 10_000, 60.0
REST = 8.0
PATIENCE = 60.0
COUNTIES = [region.code for region in load_regions().counties]
LEVELS = ("blue", "yellow", "orange", "red")


def percentile(values: list[float], percent: int) -> float:
    """In milliseconds."""
    return round(quantiles(values, n=100)[percent - 1] * 1000, 1)


@contextmanager
def service(settings: Settings) -> Iterator[str]:
    """The duty service, answering; gives its address."""
    address = f"http://{HOST}:{settings.duty_port}"
    with process(settings, program("streams.duty.worker"), settings.home / "duty.log", signal.SIGTERM):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                httpx.get(f"{address}/healthz", trust_env=False)
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield address


class Watcher(threading.Thread):
    """Notes when each case can be read by another process."""

    def __init__(self, database: Database) -> None:
        super().__init__(daemon=True)
        self._database, self.seen, self.over = database, dict[str, float](), threading.Event()

    def run(self) -> None:
        """Look again and again until it is over."""
        last = 0
        while not self.over.is_set():
            with self._database.reading() as session:
                found = session.execute(sa.select(Case.id, Case.episode).where(Case.id > last)).all()
            now = time.monotonic()
            for number, episode in found:
                last = max(last, number)
                self.seen[episode] = now
            time.sleep(0.002)


def send(producer: KafkaProducer, prefix: str, number: int, seconds: float) -> dict[str, float]:
    """So many warnings, evenly; when each was sent."""
    start, sent = time.monotonic(), {}
    for n in range(number):
        time.sleep(max(0.0, start + n * seconds / number - time.monotonic()))
        episode = f"{prefix}{n}"
        value = warning_bytes(episode, level=LEVELS[n % 4], region=COUNTIES[n % len(COUNTIES)])
        sent[episode] = time.monotonic()
        producer.send(WARNINGS, key=episode.encode(), value=value)
    producer.flush()
    return sent


def ask(address: str, token: str, seconds: float, rng: Random) -> list[float]:
    """How long each request takes: pages of cases, single ones, counts, remarks; one after another."""
    took: list[float] = []
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{address}/api/v1", headers=headers, trust_env=False) as client:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            case = f"/cases/{rng.randrange(1, RATE * SECONDS)}"
            for method, path, body in (
                ("GET", "/cases?limit=20&open=true", None),
                ("GET", case, None),
                ("GET", "/counts", None),
                ("POST", f"{case}/comments", {"text": "x"}),
            ):
                start = time.monotonic()
                client.request(method, path, json=body).raise_for_status()
                took.append(time.monotonic() - start)
            time.sleep(0.1)
    return took


def stored(watcher: Watcher, sent: dict[str, float]) -> list[float]:
    """Seconds from sending to reading, for those that arrive in time."""
    end = time.monotonic() + PATIENCE
    while not sent.keys() <= watcher.seen.keys() and time.monotonic() < end:
        time.sleep(0.05)
    return [watcher.seen[episode] - at for episode, at in sent.items() if episode in watcher.seen]


def main() -> None:
    """Print one JSON object a line."""
    with broker([]) as bare:
        settings = replace(bare, duty_port=free_port())
        now, regions = datetime.now(UTC), load_regions()
        database = open_database(settings, now, regions)
        with database.writing() as session:
            actor = operator("operator:bench", "bench", regions)
            token = add_token(session, actor, now, find(session, "head-1"), "secret-of-the-benchmark")
        producer = KafkaProducer(bootstrap_servers=settings.kafka, acks="all", linger_ms=1)
        watcher = Watcher(database)
        watcher.start()
        with service(settings) as address:
            stored(watcher, send(producer, "first", 20, 1.0))
            steady = stored(watcher, send(producer, "steady", RATE * SECONDS, SECONDS))
            at_rest = ask(address, token, REST, Random(1))
            answers: list[float] = []
            asking = threading.Thread(target=lambda: answers.extend(ask(address, token, WITHIN, Random(2))))
            asking.start()
            sent = send(producer, "burst", BURST, WITHIN)
            asking.join()
            burst = stored(watcher, sent)
            with database.reading() as session:
                behind = session.scalar(sa.select(sa.func.count()).where(Message.published.is_(None)))
        watcher.over.set()
        watcher.join()
        database.close()
    steadily = {
        "name": "duty, warning to case",
        "rate": f"{RATE}/s",
        "p50_ms": percentile(steady, 50),
        "p99_ms": percentile(steady, 99),
        "lost": RATE * SECONDS - len(steady),
    }
    under_load = {
        "name": "duty, API while 10,000 warnings come in a minute",
        "p95_ms": percentile(answers, 95),
        "target_ms": 300,
        "at_rest_p95_ms": percentile(at_rest, 95),
        "ratio": round(percentile(answers, 95) / percentile(at_rest, 95), 1),
        "requests": len(answers),
        "to_case_p50_ms": percentile(burst, 50),
        "to_case_p99_ms": percentile(burst, 99),
        "lost": BURST - len(burst),
        "dispositions_behind": behind,
    }
    for line in (steadily, under_load):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
