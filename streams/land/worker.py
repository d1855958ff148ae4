"""The land worker: all contracts' topics into the warehouse, in one Faust worker in the foreground."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
import zlib
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Any

import faust
from faust.types import TP

from schemas.blanking import personal_fields
from schemas.contract import Contract, load_contracts
from schemas.errors import Misdeclared, Unavailable
from schemas.in_use import in_use
from schemas.pseudonyms import Pseudonyms
from schemas.settings import Settings
from schemas.topics import REJECTED
from streams.aside import Aside
from streams.frames import FrameApp
from streams.land.broker import Topic, administration, describe, timestamp_types
from streams.land.compaction import Compactor, ReadPosition, compact
from streams.land.lander import Lander
from streams.land.recovery import Incident, Recovery
from streams.land.refusals import Refusals
from streams.land.warehouse import Warehouse
from streams.land.writer import Limits, Writer
from streams.retrying import Backoff, Outage, insist
from streams.waits import Waits
from streams.worker import Work, heartbeat, run_worker, start_logging

log = logging.getLogger("liaowang.land")

GROUP = "liaowang-land"
REPORT_SECONDS = 60.0
VERIFY_SECONDS = 30.0
COMPACT_SECONDS = 300.0
LONGEST_PAUSE = 15.0
INCIDENT = 3  # exit code: a person must look before landing can go on


def main(settings: Settings) -> None:
    """Land until SIGTERM or SIGINT. Waits for broker and warehouse; ends with an error on an incident."""
    contracts = {contract.topic: contract for contract in load_contracts(in_use(settings).feeds).values()}
    land(settings, contracts, Limits(), GROUP, socket.gethostname())


def land(
    settings: Settings, contracts: Mapping[str, Contract], limits: Limits, group: str, instance: str
) -> None:
    """Land the topics of these contracts, by topic, as one instance of a consumer group.

    An instance that starts again after a crash gets its partitions back at once (static membership); with
    other partitions it is another instance, since an old one gets what it had.
    """
    start_logging()
    topics = _wait_for_peers(settings, sorted(contracts))
    shape = zlib.crc32("".join(f"{topic.name}/{len(topic.offsets)}\n" for topic in topics).encode())
    app, land = make_app(settings, contracts, limits, group, f"{instance}-{shape:08x}")
    try:
        run_worker(app, settings)
    except SystemExit:
        if land.incident:
            raise SystemExit(INCIDENT) from None
        raise


def make_app(
    settings: Settings, contracts: Mapping[str, Contract], limits: Limits, group: str, instance: str
) -> tuple[FrameApp, Land]:
    """The Faust app of the worker, wired; nothing is started."""
    app = FrameApp(
        group,
        broker=settings.kafka,
        framed=contracts,
        datadir=str(settings.home / "faust" / "land"),
        stream_wait_empty=False,
        consumer_group_instance_id=f"{group}-{instance}",
    )
    return app, Land(app, settings, contracts, limits)


class Land:
    """What the agents, tasks and signals of the app share."""

    def __init__(
        self, app: FrameApp, settings: Settings, contracts: Mapping[str, Contract], limits: Limits
    ) -> None:
        self._app = app
        self._contracts, self._settings = contracts, settings
        self.incident = ""
        self._compactor = Compactor()
        self._work = Work()
        personal = {each.feed for each in contracts.values() if personal_fields(each)}
        self._refusals = Refusals(settings.kafka, personal)
        self._summing = Outage(
            log, waits="the ledger is not summed up for now", over="the ledger is summed up again"
        )
        self._warehouse = Warehouse(settings.warehouse("service"))
        key = Pseudonyms(settings.pseudonym_key) if settings.pseudonym_key else None
        aside = Aside(settings.home, "land", time.time).add
        self.writer = Writer(
            contracts,
            self._warehouse,
            self._refusals,
            heartbeat(settings, "land"),
            limits,
            key,
            aside,
            self._work.moving,
            self._work.stuck,
            Waits(settings.home, "land", time.time).of("landing"),
        )
        self.lander = Lander(
            contracts, Recovery(settings.kafka, self._warehouse), self.writer, self._rewind, aside
        )
        self._wire()

    def _wire(self) -> None:
        app = self._app
        for topic in self._contracts:
            self._agent(topic)

        @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]
        async def on_assigned(sender: Any, assigned: set[TP], **_: Any) -> None:
            keys = {(tp.topic, tp.partition) for tp in assigned}
            self.lander.keep(keys)
            for topic, partition in sorted(keys):
                app.add_future(self._vital(self.lander.position(topic, partition)))

        @app.on_before_shutdown.connect  # type: ignore[untyped-decorator]
        async def on_shutdown(sender: Any, **_: Any) -> None:
            await self._refusals.stop()

        @app.task  # type: ignore[untyped-decorator]
        async def write() -> None:
            await self._vital(self.writer.run())

        @app.timer(VERIFY_SECONDS)  # type: ignore[untyped-decorator]
        async def verify() -> None:
            await self._vital(self.lander.verify())

        @app.timer(COMPACT_SECONDS)  # type: ignore[untyped-decorator]
        async def sum_up() -> None:
            await self._sum_up()

        @app.timer(REPORT_SECONDS)  # type: ignore[untyped-decorator]
        async def report() -> None:
            log.info(self.report())

    def _agent(self, topic: str) -> None:
        app = self._app

        @app.agent(app.frames_topic(topic), name=f"land-{topic}")  # type: ignore[untyped-decorator]
        async def land(stream: faust.Stream) -> None:
            async for event in stream.noack().events():
                message = event.message
                done = partial(app.frame_done, message)
                with self._work.one():
                    await self._vital(self.lander.take(topic, message.tp.partition, event.value, done))

    async def _vital(self, work: Awaitable[Any]) -> None:
        """Await work without which landing must not go on: an error ends the worker, an incident cleanly."""
        try:
            await work
        except Incident as error:
            if not self.incident:
                self.incident = str(error)
                log.critical("incident, landing stops: %s", error)
                signal.raise_signal(signal.SIGTERM)
            await asyncio.Event().wait()
        except Exception as error:
            log.critical("landing stops: %r", error)
            await self._app.crash(error)
            raise

    async def _sum_up(self) -> None:
        """Sum the ledger up beside landing, with a connection of its own; what fails is done the next time."""
        old = self._compactor.old(time.monotonic(), self.writer.written)
        try:
            await asyncio.to_thread(_compact, self._settings, self._contracts, old)
            self._summing.ended()
        except Unavailable as error:
            self._summing.failed(error)

    async def _rewind(self, topic: str, partition: int, offset: int) -> None:
        await self._app.rewind(TP(topic, partition), offset)

    def report(self) -> str:
        """Rows, refusals and lag by topic since the start, in one line."""
        rows, refused = self.writer.rows, self.writer.refused
        parts = [f"{t} rows={rows[t]} rejected={refused[t]} lag={self._lag(t)}" for t in self._contracts]
        return "since the start: " + "; ".join(parts)

    def _lag(self, topic: str) -> int:
        return self.lander.lag(topic, lambda t, p: self._app.consumer.highwater(TP(t, p)))


def _compact(settings: Settings, contracts: Mapping[str, Contract], old: ReadPosition) -> None:
    warehouse = Warehouse(settings.warehouse("service"))
    try:
        compact(warehouse, {topic: contract.table for topic, contract in contracts.items()}, old)
    finally:
        warehouse.close()


def _wait_for_peers(settings: Settings, topics: Sequence[str]) -> list[Topic]:
    """Return the topics when they and the warehouse are there; Misdeclared when nothing stamps arrival."""
    beat = heartbeat(settings, "land")
    outage = Outage(
        log,
        waits="waiting for it",
        over="broker and warehouse are there",
        backoff=Backoff(longest=LONGEST_PAUSE),
        held=Waits(settings.home, "land", time.time).of("landing"),
    )

    def rest(seconds: float) -> None:
        beat()
        time.sleep(seconds)

    return insist(lambda: _greet(settings, topics), outage, rest)


def _greet(settings: Settings, topics: Sequence[str]) -> list[Topic]:
    with administration(settings.kafka) as admin:
        described = describe(admin, [*topics, REJECTED])
        for topic, stamp in timestamp_types(admin, topics).items():
            if stamp != "LogAppendTime":
                raise Misdeclared(topic, "message.timestamp.type", f"is {stamp}; landing needs LogAppendTime")
    warehouse = Warehouse(settings.warehouse("service"))
    try:
        warehouse.ping()
    finally:
        warehouse.close()
    return described
