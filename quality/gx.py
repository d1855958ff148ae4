"""Great Expectations as the engine that checks rows: expectations become SQL, counts come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import great_expectations as gx
from great_expectations.core import ExpectationSuiteValidationResult
from great_expectations.data_context.data_context.context_factory import set_context
from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from sqlalchemy import event

from quality.expectations import COUNTS, expectation_class
from quality.suites import Expectation, Suite
from schemas.ddl.model import GATE_VIEW, View
from schemas.ddl.render import view as create_view
from schemas.findings import Finding, Found
from schemas.settings import Settings


@dataclass(frozen=True)
class Checked:
    """What one run over some rows found: a finding for each broken expectation, and GX's own result."""

    failed: tuple[Finding, ...]
    result: ExpectationSuiteValidationResult


class RowChecks:
    """A suite's row expectations on any selection of rows; one connection for all runs, closed at the end.

    Each run looks at its rows through a view of its own, dropped after it: of a bare query GX would fetch
    every row, only to learn the columns.
    """

    def __init__(self, settings: Settings, execute: Callable[[str], object], suite: Suite) -> None:
        self._source = _source(_address(settings))
        self._name = suite.name
        self._expectations = [item for item in suite.expectations if item.by_row and item.is_gx]
        self._execute = execute

    def __enter__(self) -> RowChecks:
        return self

    def __exit__(self, *_: object) -> None:
        engine = self._source.get_execution_engine()
        engine.batch_manager.reset_batch_cache()
        engine.batch_manager.batch_data_cache.clear()
        for each in (self._source.get_engine(), engine.engine):
            each.dispose()

    def run(self, label: str, query: str) -> Checked:
        """Check the rows of a query; `label` names them in the Data Docs."""
        view = f"{GATE_VIEW}{uuid4().hex}"
        self._execute(create_view(View("quality", view, query)))
        try:
            return self._check(label, view)
        finally:
            self._execute(f"DROP VIEW quality.{view}")

    def _check(self, label: str, view: str) -> Checked:
        asset = self._source.add_table_asset(label, table_name=view)
        try:
            batch = asset.add_batch_definition_whole_table("rows").get_batch()
            made = [expectation_class(item.kind)(**item.kwargs) for item in self._expectations]
            suite = gx.ExpectationSuite(self._name, expectations=made)
            result = batch.validate(suite, result_format=COUNTS)
        finally:
            self._source.delete_asset(label)
        return Checked(tuple(_finding(item) for item in result.results if not item.success), result)


class _InMemory(EphemeralDataContext):
    """A context that is nowhere saved; the library would write all of it as YAML for each table, for nobody."""

    def _save_project_config(self) -> None:
        """Do nothing."""


@lru_cache(maxsize=1)
def _source(address: str) -> SQLDatasource:
    """The warehouse as Great Expectations knows it; a process that judges many tables makes it once.

    It holds neither tables nor sockets between them: `RowChecks` takes its own out again.
    """
    context = _InMemory(
        DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
        )
    )
    set_context(context)
    source = context.data_sources.add_sql("warehouse", connection_string=address)
    for engine in (source.get_engine(), source.get_execution_engine().engine):
        event.listen(engine, "close", _disconnect)
    return source


def _disconnect(connection: Any, _: object) -> None:
    """Close the socket, which the connection's own `close` leaves open."""
    connection.transport.disconnect()


def _address(settings: Settings) -> str:
    access = settings.warehouse("service")
    user, password = quote(access["user"], safe=""), quote(access["password"], safe="")
    return f"clickhouse+native://{user}:{password}@{access['host']}:{access['port']}/quality"


def _finding(item: Any) -> Finding:
    asked, found = Expectation(item.expectation_config.type, item.expectation_config.kwargs), item.result
    problems = _problems(item.exception_info)
    if problems:
        return asked.found(Found.UNCHECKED, said=problems[0])
    return asked.found(
        Found.ROWS_BROKEN, broken=found.get("unexpected_count"), rows=found.get("element_count")
    )


def _problems(info: Any) -> Sequence[str]:
    nested = [info] if "raised_exception" in info else list(info.values())
    return [
        " ".join(str(item["exception_message"]).split())[:300] for item in nested if item["raised_exception"]
    ]
