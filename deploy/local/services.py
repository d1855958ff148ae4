"""What the local stack consists of: one row a service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.settings import Settings

BURST, BUILD = 5, 10
"""How nice the programs are that a burst of warnings keeps busy, and those that build."""
Probe = Literal["kafka", "warehouse", "http", "heartbeat", "socket", "dagster", "process"]


@dataclass(frozen=True)
class Service:
    """One program of the stack: how it is reached, how its health is told, how long its end may take.

    `ports` are names of settings, the first one the service's own; `run` is the function that is the program.
    `liaowang up` waits for the ones that are `awaited`: those on the way of the data. `nice` counts only where all
    cores are busy: what a burst of warnings ends in (`receiver`, `push`, and `duty` with its API) gives way to the
    console, and to what takes data in and judges them (`gateway`, `ticker`, `land`, `watch`); a build gives way to
    all. What is `in_place` takes other declarations at SIGHUP, while it runs.
    """

    name: str
    run: str
    probe: Probe
    ports: tuple[str, ...] = ()
    path: str = "/healthz"
    stop_seconds: int = 20
    awaited: bool = True
    nice: int = 0
    in_place: bool = False

    def port(self, settings: Settings) -> int | None:
        """The port people use, where there is one."""
        return int(getattr(settings, self.ports[0])) if self.ports else None


SERVERS = (
    Service(
        "kafka",
        "deploy.local.kafka:main",
        "kafka",
        ("kafka_port", "kafka_controller_port"),
        stop_seconds=60,
    ),
    Service(
        "warehouse",
        "deploy.local.warehouse:main",
        "warehouse",
        ("warehouse_port", "warehouse_http_port"),
        stop_seconds=90,
    ),
)
WORKERS = (
    Service("receiver", "streams.duty.systems.receiver:main", "http", ("receiver_port",), nice=BURST),
    Service("gateway", "streams.intake.gateway:main", "http", ("gateway_port",), in_place=True),
    Service("ticker", "streams.intake.tick_service:main", "heartbeat", in_place=True),
    Service("land", "streams.land.worker:main", "heartbeat", stop_seconds=40),
    Service("watch", "streams.watch.worker.worker:main", "heartbeat", ("metrics_port",), stop_seconds=40),
    Service("push", "streams.duty.push_worker:main", "heartbeat", nice=BURST),
    Service("duty", "streams.duty.worker:main", "http", ("duty_port",), nice=BURST),
    Service("console", "streams.console.service:main", "http", ("console_port",)),
    Service("docs", "deploy.local.docs:main", "http", ("docs_port",)),
    Service("dagster-code", "deploy.local.dagster:code", "socket", awaited=False, nice=BUILD),
    Service(
        "dagster-webserver",
        "deploy.local.dagster:webserver",
        "http",
        ("dagster_port",),
        awaited=False,
        nice=BUILD,
    ),
    Service("dagster-daemon", "deploy.local.dagster:daemon", "dagster", awaited=False, nice=BUILD),
    Service("health", "deploy.local.health:main", "heartbeat"),
)
SERVICES = (*SERVERS, *WORKERS)
