"""Tables and topics as OpenLineage datasets, with schema, owner, meaning and column lineage. Pure.

Names follow the OpenLineage naming of stores: `clickhouse://host:port` and `database.table`,
`kafka://host:port` and the topic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    DatasetFacet,
    column_lineage_dataset,
    dataset_version_dataset,
    documentation_dataset,
    output_statistics_output_dataset,
    ownership_dataset,
    schema_dataset,
)

from dagster_project.build.index import Index
from dagster_project.build.indicator import Indicator
from dagster_project.build.indicator_sql import FIGURE
from dagster_project.mart.views import Column, feed_columns, figure_columns
from dagster_project.share import lineage
from schemas.contract import Contract
from schemas.settings import HOST, Settings
from schemas.tables import built_columns, landing_columns

PRODUCER = f"urn:liaowang:{version('liaowang')}"
Columns = Sequence[tuple[str, str, str]]
"""Name, type and meaning of columns."""
Sources = Mapping[str, Sequence[tuple[str, str]]]
"""Table and column each column comes from."""


@dataclass(frozen=True)
class Table:
    """One table that is built and shown: what it reads, its columns and where they come from."""

    name: str
    title: str
    owner: str
    topic: str
    reads: tuple[str, ...]
    columns: Columns
    sources: Sources
    shown: tuple[Column, ...]
    sql: str = ""


def feed_table(contract: Contract) -> Table:
    """The table of a feed: its landed events, column by column."""
    landed = f"landing.{contract.table}"
    names = {name for name, _ in landing_columns(contract)}
    said = {field.name: field.description for field in contract.fields}
    columns = [(name, kind, said.get(name, "")) for name, kind in built_columns(contract)]
    return Table(
        name=contract.table,
        title=contract.description,
        owner=contract.department,
        topic=contract.topic,
        reads=(landed,),
        columns=columns,
        sources={name: [(landed, name)] for name, _, _ in columns if name in names},
        shown=tuple(feed_columns(contract)),
    )


def figure_table(
    indicator: Indicator,
    contracts: Sequence[Contract],
    index: Index | None = None,
    trace: lineage.Trace = lineage.trace,
) -> Table:
    """The table of an indicator, traced through its SQL, or of an index, whose scores come from figures."""
    found = lineage.value_sources(indicator.reads) if index else lineage.sources(indicator, contracts, trace)
    sources = {
        name: [(f"mart.{table}" if table == "region" else f"built.{table}", column) for table, column in of]
        for name, of in found.items()
    }
    reads = {f"built.{table}" for table in indicator.reads}
    return Table(
        name=indicator.table,
        title=f"{indicator.title_zh}. {indicator.description}",
        owner=indicator.owner,
        topic="",
        reads=tuple(sorted(reads | {table for of in sources.values() for table, _ in of})),
        columns=FIGURE,
        sources=sources,
        shown=tuple(figure_columns()),
        sql=indicator.sql,
    )


@dataclass(frozen=True)
class Datasets:
    """Datasets of one warehouse and broker."""

    settings: Settings

    @property
    def warehouse(self) -> str:
        """The namespace of tables."""
        return f"clickhouse://{HOST}:{self.settings.warehouse_port}"

    def inputs(self, table: Table) -> list[InputDataset]:
        """What a table is built from; of a feed its topic, too."""
        topics = [InputDataset(f"kafka://{self.settings.kafka}", table.topic)] if table.topic else []
        return [*topics, *(InputDataset(self.warehouse, name) for name in table.reads)]

    def built(self, table: Table, build_id: str, rows: int) -> OutputDataset:
        """The candidate rows of a build."""
        return self._output(f"built.{table.name}", table, table.columns, table.sources, build_id, rows)

    def shown(self, table: Table, release: int) -> OutputDataset:
        """The mart of a table, as of a release."""
        columns = [(column.name, column.kind, column.comment) for column in table.shown]
        names = {name for name, _, _ in table.columns}
        sources = {
            column.name: [(f"built.{table.name}", read)]
            for column in table.shown
            if (read := column.read) in names
        }
        return self._output(f"mart.{table.name}", table, columns, sources, str(release))

    def _output(
        self,
        name: str,
        table: Table,
        columns: Columns,
        sources: Sources,
        version: str,
        rows: int | None = None,
    ) -> OutputDataset:
        facets: dict[str, DatasetFacet] = {
            "schema": schema_dataset.SchemaDatasetFacet(_fields(columns), producer=PRODUCER),
            "documentation": documentation_dataset.DocumentationDatasetFacet(table.title, producer=PRODUCER),
            "ownership": ownership_dataset.OwnershipDatasetFacet(
                [ownership_dataset.Owner(f"team:{table.owner}", "OWNER")], producer=PRODUCER
            ),
            "version": dataset_version_dataset.DatasetVersionDatasetFacet(version, producer=PRODUCER),
            "columnLineage": self._lineage(sources),
        }
        counted: dict[str, Any] = {}
        if rows is not None:
            counted["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                rowCount=rows, producer=PRODUCER
            )
        return OutputDataset(self.warehouse, name, facets=facets, outputFacets=counted)

    def _lineage(self, sources: Sources) -> column_lineage_dataset.ColumnLineageDatasetFacet:
        def field(table: str, column: str) -> column_lineage_dataset.InputField:
            return column_lineage_dataset.InputField(self.warehouse, table, column)

        return column_lineage_dataset.ColumnLineageDatasetFacet(
            {
                name: column_lineage_dataset.Fields([field(*source) for source in of])
                for name, of in sources.items()
                if of
            },
            producer=PRODUCER,
        )


def _fields(columns: Iterable[tuple[str, str, str]]) -> list[schema_dataset.SchemaDatasetFacetFields]:
    return [schema_dataset.SchemaDatasetFacetFields(name, kind, said or None) for name, kind, said in columns]
