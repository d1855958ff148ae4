"""What the benchmarks share: a broker of their own, and measured work in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kafka.admin import KafkaAdminClient, NewTopic

from deploy.environment import as_environment, load_settings
from deploy.local.kafka import kafka_running
from deploy.ports import free_port
from deploy.provision.topics import ensure_topics, wanted_topics
from schemas.contract import load_contracts
from schemas.settings import Settings

RESULT = "RESULT "
"""What stands before the JSON a child prints."""


@contextmanager
def broker(topics: list[str]) -> Iterator[Settings]:
    """A fresh broker on free ports with all topics of the platform and these; gone afterwards."""
    with TemporaryDirectory(prefix="liaowang-bench-") as folder:
        settings = Settings(
            home=Path(folder),
            kafka_port=free_port(),
            kafka_controller_port=free_port(),
            kafka_libs=load_settings().kafka_jars,
        )
        with kafka_running(settings):
            contracts = load_contracts()
            ensure_topics(settings, contracts)
            more = set(topics) - {topic.name for topic in wanted_topics(settings, contracts)}
            admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
            if more:
                admin.create_topics([NewTopic(name, settings.partitions, 1) for name in more])
            admin.close()
            yield settings


def in_child(module: str, what: str, settings: Settings, number: int) -> Any:
    """The JSON a benchmark's part prints when run in a process of its own."""
    name = "tests.benchmarks." + Path(sys.modules[module].__file__ or module).stem
    done = subprocess.run(
        [sys.executable, "-m", name, what, str(number)],
        env=as_environment(settings), stdout=subprocess.PIPE, check=False, text=True, timeout=300,
    )  # fmt: skip
    return json.loads(done.stdout.partition(RESULT)[2].splitlines()[0])
