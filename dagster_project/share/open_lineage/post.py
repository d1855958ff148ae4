"""Where OpenLineage events go: always to a file a month under the home, and to an HTTP endpoint where one is set.

A catalogue that is away must not stop a build: it is said once in the log, and the file has the events.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from openlineage.client.event_v2 import RunEvent
from openlineage.client.serde import Serde
from openlineage.client.transport.http import HttpConfig, HttpTransport
from requests import RequestException

from dagster_project.build.feed import Built
from dagster_project.build.index import Index
from dagster_project.build.indicator import Indicator
from dagster_project.days.attempt import Attempt
from dagster_project.release.publish import Published, alone
from dagster_project.share.lineage import Trace, trace
from dagster_project.share.open_lineage.datasets import Datasets, Table, feed_table, figure_table
from dagster_project.share.open_lineage.events import Events
from quality.gate import Judged
from quality.suites import Suite
from schemas.contract import Contract
from schemas.settings import Settings

FOLDER = "openlineage"
TIMEOUT = 3.0
RETRIES = {"total": 1, "connect": 1, "read": 1, "backoff_factor": 0.1}
log = logging.getLogger("liaowang.openlineage")


class Catalogue:
    """An HTTP endpoint. Once it did not answer, nothing more is sent to it in this process."""

    def __init__(self, url: str) -> None:
        self._url, self._away = url, not url

    def send(self, events: Sequence[RunEvent]) -> None:
        """Send them, or say why not."""
        if self._away:
            return
        config = HttpConfig.from_dict({"url": self._url, "timeout": TIMEOUT, "retry": RETRIES})
        try:
            with closing(HttpTransport(config)) as transport:
                for event in events:
                    transport.emit(event)
        except (RequestException, ValueError) as error:
            self._away = True
            said = " ".join(str(error).split())[:300]
            log.warning("the catalogue at %s is told nothing more in this run: %s", self._url, said)


class Post:
    """Tells of each step of a build of the tables it knows."""

    def __init__(self, settings: Settings, tables: Iterable[Table]) -> None:
        self._tables = {table.name: table for table in tables}
        self._folder = settings.home / FOLDER
        self._events = Events(Datasets(settings))
        self._catalogue = Catalogue(settings.openlineage_url)

    def begun(self, table: str, attempt: Attempt) -> None:
        """A table begins to be built."""
        if known := self._tables.get(table):
            self._send([self._events.begun(known, attempt, datetime.now(UTC))])

    def built(self, table: str, attempt: Attempt, built: Sequence[Built]) -> None:
        """Its candidate rows are there."""
        if known := self._tables.get(table):
            self._send([self._events.built(known, attempt, built, datetime.now(UTC))])

    def failed(self, table: str, attempt: Attempt, error: Exception) -> None:
        """It could not be built."""
        if known := self._tables.get(table):
            self._send([self._events.failed(known, attempt, error, datetime.now(UTC))])

    def judged(self, table: str, attempt: Attempt, suite: Suite, judged: Judged, begun: datetime) -> None:
        """The gate has judged it."""
        if (known := self._tables.get(table)) and judged.verdicts:
            self._send(self._events.judged(known, attempt, suite, judged, begun, datetime.now(UTC)))

    def released(self, attempt: Attempt, published: Published, begun: datetime) -> None:
        """What passed is published."""
        if self._tables:
            tables, at = self._tables.values(), datetime.now(UTC)
            self._send(self._events.released(tables, attempt, published, begun, at))

    def _send(self, events: Sequence[RunEvent]) -> None:
        try:
            _keep(self._folder, events)
        except OSError as error:
            log.warning("OpenLineage events are not kept: %s", error)
        self._catalogue.send(events)


def tables_of(
    contracts: Sequence[Contract],
    indicators: Iterable[Indicator],
    indexes: Iterable[Index] = (),
    trace: Trace = trace,
) -> list[Table]:
    """Everything that is built, by these declarations."""
    return [
        *(feed_table(contract) for contract in contracts),
        *(figure_table(indicator, contracts, trace=trace) for indicator in indicators),
        *(figure_table(index.indicator, contracts, index) for index in indexes),
    ]


def _keep(folder: Path, events: Sequence[RunEvent]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder / "lock"):
        for event in events:
            with (folder / f"{event.eventTime[:7]}.jsonl").open("a", encoding="utf-8") as file:
                file.write(Serde.to_json(event) + "\n")
