"""Where OpenLineage events go: always to a file a month under the home, and to an HTTP endpoint where one is set.

A catalogue that is away must not stop a build: it is said once in the log, and the file has the events.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from openlineage.client.event_v2 import RunEvent
from openlineage.client.serde import Serde
from openlineage.client.transport.http import HttpConfig, HttpTransport
from requests import RequestException

from dagster_project.build.index import Index
from dagster_project.build.indicator import Indicator
from dagster_project.release.publish import alone
from dagster_project.share.lineage import Trace, trace
from dagster_project.share.open_lineage.datasets import Datasets, Table, feed_table, figure_table
from dagster_project.share.open_lineage.events import Events
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


class Outlet:
    """Makes events of these tables, keeps them, and sends them on."""

    def __init__(self, settings: Settings, tables: Iterable[Table]) -> None:
        self.tables = {table.name: table for table in tables}
        self.events = Events(Datasets(settings))
        self._folder = settings.home / FOLDER
        self._catalogue = Catalogue(settings.openlineage_url)

    def send(self, events: Sequence[RunEvent]) -> None:
        """Keep events, and send them; neither stops a build."""
        try:
            keep(self._folder, events)
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


def keep(folder: Path, events: Sequence[RunEvent]) -> None:
    """Append them to the files of their months; OSError where that cannot be."""
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder / "lock"):
        for event in events:
            with (folder / f"{event.eventTime[:7]}.jsonl").open("a", encoding="utf-8") as file:
                file.write(Serde.to_json(event) + "\n")
