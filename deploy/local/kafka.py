"""Kafka on this machine: one KRaft node out of its Maven artifacts, data under `<home>/kafka`."""

from __future__ import annotations

import base64
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.environment import as_environment
from deploy.local.jars import fetch_jars, find_java
from deploy.local.process import CannotStart, hold, require_port, running, worker_command
from schemas.settings import HOST, Settings
from streams.broker_probe import probe_broker

JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""A small heap, a collector of one thread, no optimising compiler: that took 26 of the broker's first 60 s of
processor time with 65 feeds, first of a start, then at rest."""
LOGGING = Path(__file__).parent / "broker" / "log4j2.properties"
NODE = 1
ANSWER_SECONDS = 3.0


def server_properties(settings: Settings) -> str:
    """The broker's configuration: one node, LogAppendTime, no topic by accident, everything on 127.0.0.1."""
    return "\n".join(
        [
            "process.roles=broker,controller",
            f"node.id={NODE}",
            f"listeners=CLIENT://{HOST}:{settings.kafka_port},CONTROLLER://{HOST}:{settings.kafka_controller_port}",
            f"advertised.listeners=CLIENT://{HOST}:{settings.kafka_port}",
            f"controller.quorum.bootstrap.servers={HOST}:{settings.kafka_controller_port}",
            "controller.listener.names=CONTROLLER",
            "inter.broker.listener.name=CLIENT",
            "listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            f"log.dirs={_home(settings) / 'data'}",
            "log.message.timestamp.type=LogAppendTime",
            "auto.create.topics.enable=false",
            "offsets.topic.replication.factor=1",
            "offsets.topic.num.partitions=8",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1",
            "transaction.state.log.num.partitions=4",
            "share.coordinator.state.topic.replication.factor=1",
            "share.coordinator.state.topic.min.isr=1",
            "group.initial.rebalance.delay.ms=0",
            "broker.heartbeat.interval.ms=1000",  # a killed broker is let in again after its session,
            "broker.session.timeout.ms=4000",  # which need not be long with one node
            "",
        ]
    )


def prepare(settings: Settings) -> list[str]:
    """Fetch, configure and format what is not there yet; the command that becomes the broker."""
    java = find_java()
    jars = fetch_jars(settings.kafka_jars)
    home = _home(settings)
    home.mkdir(parents=True, exist_ok=True)
    properties = home / "server.properties"
    properties.write_text(server_properties(settings))
    run = [java, *JAVA_OPTIONS, f"-Dlog4j2.configurationFile={LOGGING}", "-cp", f"{jars}/*"]
    if not (home / "data" / "meta.properties").exists():
        _format([*run, "kafka.tools.StorageTool"], properties)
    return [*run, "kafka.Kafka", str(properties)]


def require_ports(settings: Settings) -> None:
    """Both ports of the broker are free; otherwise CannotStart."""
    require_port(settings.kafka_port, "kafka_port", "kafka")
    require_port(settings.kafka_controller_port, "kafka_controller_port", "kafka")


def main(settings: Settings) -> None:
    """Become the broker: this process is replaced by it and ends when it ends."""
    hold(_home(settings), "kafka")
    require_ports(settings)
    command = prepare(settings)
    os.execv(command[0], command)


def answers(settings: Settings) -> bool:
    """Whether the broker serves requests: it is asked which ones it knows (ApiVersions, version 0)."""
    try:
        probe_broker(settings.kafka, ANSWER_SECONDS)
    except OSError:
        return False
    return True


@contextmanager
def kafka_running(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A broker with these settings, ready inside the block and ended after it; its data stay."""
    require_ports(settings)
    fetch_jars(settings.kafka_jars)
    log = settings.home / "logs" / "kafka.log"
    with running(
        worker_command("kafka"), as_environment(settings), log, lambda: answers(settings)
    ) as process:
        yield process


def _home(settings: Settings) -> Path:
    return settings.home.absolute() / "kafka"


def _format(tool: list[str], properties: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = [
        *tool,
        "format",
        "--standalone",
        "--ignore-formatted",
        f"--cluster-id={cluster}",
        "-c",
        str(properties),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise CannotStart(
            f"kafka: its storage could not be formatted: {said[-1] if said else 'no reason given'}"
        )
