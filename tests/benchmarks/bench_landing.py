"""Landing: rows a second from a real Kafka through the real worker into the real warehouse.

`python -m tests.benchmarks.bench_landing [events]` prints one JSON line. The rate is that of a full load, from
the first frame to the last full flush, without start-up and without the two seconds a remainder waits.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from deploy.environment import load_settings, settings_from
from deploy.local.kafka import kafka_running
from deploy.local.secrets import ensure_secrets
from deploy.local.warehouse import warehouse_running
from deploy.ports import free_port
from deploy.provision.migrate import migrate
from schemas.decoder import Decoder
from schemas.fields import MILLISECOND
from schemas.regions import load_regions
from schemas.settings import PREFIX, Settings
from streams.land.classification import Feed, Position, check
from streams.land.columns import FeedColumns, Landed
from streams.land.warehouse import Warehouse
from streams.land.worker import Land, make_app
from streams.land.writer import Limits
from streams.worker import run_worker
from tests.streams.land.records import NOON, Record, air
from tests.streams.land.rig import Rig

EVENTS = 400_000


@dataclass
class Course:
    """What was measured: seconds and CPU seconds since the first frame, when so many rows were written."""

    started: tuple[float, float] | None = None
    points: list[tuple[int, float, float]] = field(default_factory=list)

    def mark(self, rows: int) -> None:
        """Note the time at so many rows."""
        now = (time.perf_counter(), time.process_time())
        self.started = self.started or now
        self.points.append((rows, now[0] - self.started[0], now[1] - self.started[1]))


def events(number: int, kind: str) -> list[bytes]:
    """Readings of stations in every city and county, in order of time, all accepted."""
    draw = random.Random(1)
    codes = sorted(load_regions().codes(("city", "county")))
    return [
        air(
            f"{codes[i % len(codes)]}-{i}",
            NOON + timedelta(milliseconds=100 * i),
            type=kind,
            station=f"{codes[i % len(codes)]}-{i % 7:02d}",
            region=codes[i % len(codes)],
            pm25=round(draw.uniform(1, 300), 1),
            aqi=draw.randrange(500),
        )
        for i in range(number)
    ]


def landing(rig: Rig, number: int) -> Course:
    """Land everything in this process, and note its course."""
    course = Course()
    contracts = {rig.topic: rig.contract}
    app, land = make_app(rig.settings, contracts, Limits(), rig.group, "bench")
    _observe(app, land, course, rig.topic, number)
    with suppress(SystemExit):
        run_worker(app, rig.settings)
    return course


def _observe(app: Any, land: Land, course: Course, topic: str, number: int) -> None:
    @app.task  # type: ignore[untyped-decorator]
    async def observe() -> None:
        seen = -1
        while seen < number:
            await asyncio.sleep(0.005)
            judged = land.lander.judged(topic)
            if judged and land.writer.rows[topic] != seen:
                seen = land.writer.rows[topic]
                course.mark(seen)
        signal.raise_signal(signal.SIGTERM)


def plain_inserts(rig: Rig, raws: Sequence[bytes]) -> float:
    """Rows a second of the same rows, already decoded and in columns, in inserts of the same size."""
    arrived = int(time.time() * 1000)
    feed = Feed(Decoder(rig.contract).decode, rig.contract.lateness // MILLISECOND, rig.contract.skew_ms)
    make, size, blocks = FeedColumns(rig.contract), Limits().rows, []
    for start in range(0, len(raws), size):
        frame = [Record(start + i, arrived, raw) for i, raw in enumerate(raws[start : start + size])]
        _, batch = check(feed, Position(start), frame)
        assert batch is not None
        blocks.append(make([Landed(rig.topic, rig.contract.feed, 9, 0, batch)]))
    warehouse = Warehouse(rig.settings.warehouse("service"))
    try:
        warehouse.ping()
        began = time.perf_counter()
        for block in blocks:
            warehouse.insert(rig.contract.table, block)
        return len(raws) / (time.perf_counter() - began)
    finally:
        warehouse.close()


@contextmanager
def servers() -> Iterator[Settings]:
    """A broker and a warehouse of this benchmark's own, on free ports."""
    with tempfile.TemporaryDirectory(prefix="bench-landing-") as folder:
        home = Path(folder)
        ensure_secrets(home)
        names = ("kafka_port", "kafka_controller_port", "warehouse_port", "warehouse_http_port")
        given = {f"{PREFIX}{name.upper()}": str(free_port()) for name in names}
        given |= {f"{PREFIX}HOME": folder, f"{PREFIX}KAFKA_LIBS": str(load_settings().kafka_jars)}
        settings = settings_from(given)
        with kafka_running(settings), warehouse_running(settings):
            migrate(settings)
            yield settings


def main(number: int) -> None:
    """Measure and print."""
    with servers() as settings:
        rig = Rig(settings, settings.home / "land.log", partitions=4)
        raws = events(number, rig.contract.event_type)
        rig.send(raws)
        baseline = plain_inserts(rig, raws)
        rig.query(f"TRUNCATE TABLE landing.{rig.contract.table}")
        course = landing(rig, number)
        rows, wall, cpu = max(point for point in course.points if point[0] <= number - Limits().rows)
        assert rig.landed() == number
    print(
        json.dumps(
            {
                "name": "landing",
                "value": round(rows / wall),
                "unit": "rows/s",
                "baseline": round(baseline),
                "baseline_name": "clickhouse-driver columnar insert of the same rows, no decode",
                "rows": number,
                "rows_per_cpu_second": round(rows / cpu),
                "seconds": round(wall, 2),
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
