"""The Dagster instance under `<home>/dagster`: SQLite, no usage reports, events written in batches.

Dagster writes one event a partition and asset, and its SQLite storage opens and commits four connections for
each: three years of eight assets took more than four minutes of nothing but that. It can hand events over in
batches; this storage then writes each batch in two transactions.
"""

from __future__ import annotations

import fcntl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dagster import DagsterInstance
from dagster._core.events import ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData

BATCH = 5000
CONFIG = """telemetry:
  enabled: false
nux:
  enabled: false
instance_class:
  module: dagster_project.orchestrate.instance
  class: BatchingInstance
event_log_storage:
  module: dagster_project.orchestrate.instance
  class: BatchingEventLog
  config:
    base_dir: {base}/history/runs
run_queue:
  max_concurrent_runs: 1
retention:
  schedule:
    purge_after_days: 30
  sensor:
    purge_after_days: 7
"""


def prepare_instance(home: Path) -> Path:
    """Write the instance's file and make its storage, one process at a time; the folder that is DAGSTER_HOME.

    Dagster itself does not guard the making: two processes that start together both mark the schema's version,
    and with two marks the storage can never be opened again.
    """
    folder = home.absolute() / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    text = CONFIG.format(base=folder)
    path, made = folder / "dagster.yaml", folder / "storage.made"
    with (folder / "prepare.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        if not made.exists():
            DagsterInstance.from_config(str(folder)).dispose()
            made.touch()
    return folder


class BatchingInstance(DagsterInstance):
    """An instance that hands the events of many partitions to the storage in batches."""

    @classmethod
    def config_schema(cls) -> Mapping[str, Any]:
        """Say that the class itself takes no configuration."""
        return {}

    @classmethod
    def config_defaults(cls, base_dir: str) -> Mapping[str, ConfigurableClassData | None]:
        """Everything not set is as in any instance."""
        return InstanceRef.config_defaults(base_dir)

    def _get_event_batch_size(self) -> int:
        return BATCH


class BatchingEventLog(SqliteEventLogStorage):
    """Dagster's SQLite event log; a batch of asset events of one run costs two transactions."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> BatchingEventLog:
        """Make it from the instance's file."""
        return cls(inst_data=inst_data, **config_value)

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        """Take what a run intends as one event an asset, not one a day."""
        return True

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events in order; those of assets together, as `store_event` would one by one."""
        together = [event for event in events if _of_asset(event)]
        for run_id in dict.fromkeys(event.run_id for event in together):
            self._store_asset_events(run_id, [event for event in together if event.run_id == run_id])
        for event in events:
            if not _of_asset(event):
                self.store_event(event)

    def _store_asset_events(self, run_id: str, events: Sequence[EventLogEntry]) -> None:
        inserts = [self.prepare_insert_event(event) for event in events]
        with self.run_connection(run_id) as connection:
            for insert in inserts:
                connection.execute(insert)
        last: dict[str, tuple[EventLogEntry, int]] = {}
        with self.index_transaction() as connection:
            ids = [_id(connection.execute(insert).inserted_primary_key) for insert in inserts]
            self._store_asset_event_tags(connection, events, ids)
            for event, id in zip(events, ids, strict=True):
                last[str(event.get_dagster_event().asset_key)] = (event, id)
            for event, id in last.values():
                self._store_asset_event(connection, event, id)


def _id(key: Any) -> int:
    return int(key[0])


def _of_asset(event: EventLogEntry) -> bool:
    return event.is_dagster_event and event.dagster_event_type in ASSET_EVENTS
