"""What happened in a build as OpenLineage run events: START, then COMPLETE or FAIL. Pure.

Three jobs: `build.<table>` makes candidate rows, `gate.<table>` judges them, `release` shows what passed. Their
run ids follow from the build id, so a build that was killed and goes on goes on with the same runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    JobFacet,
    RunFacet,
    data_quality_assertions_dataset,
    data_quality_metrics_input_dataset,
    documentation_job,
    error_message_run,
    job_type_job,
    nominal_time_run,
    ownership_job,
    parent_run,
    sql_job,
)

from dagster_project.build.feed import Built
from dagster_project.days.attempt import LATE, Attempt
from dagster_project.release.publish import Published
from dagster_project.share.open_lineage.datasets import PRODUCER, Datasets, Table
from quality.gate import Judged, Verdict
from quality.suites import Expectation, Suite
from schemas.fields import midnight
from schemas.findings import words_of

NAMESPACE = "liaowang"
BUILD, GATE, RELEASE = "build", "gate", "release"
SAID = 300
_TYPES = {BUILD: "TABLE", GATE: "CHECK", RELEASE: "RELEASE"}


@dataclass(frozen=True)
class Events:
    """The events of one platform; `at` is when each happened."""

    datasets: Datasets

    def begun(self, table: Table, attempt: Attempt, at: datetime) -> RunEvent:
        """A table begins to be built."""
        return _event(RunState.START, BUILD, table, attempt, at, self.datasets.inputs(table))

    def built(self, table: Table, attempt: Attempt, built: Sequence[Built], at: datetime) -> RunEvent:
        """Its candidate rows are there."""
        made = self.datasets.built(table, attempt.build_id, sum(item.rows for item in built))
        inputs = self.datasets.inputs(table)
        return _event(RunState.COMPLETE, BUILD, table, attempt, at, inputs, [made])

    def failed(self, table: Table, attempt: Attempt, error: Exception, at: datetime) -> RunEvent:
        """It could not be built."""
        words = f"{type(error).__name__}: {' '.join(str(error).split())[:SAID]}"
        return _event(RunState.FAIL, BUILD, table, attempt, at, self.datasets.inputs(table), error=words)

    def judged(
        self, table: Table, attempt: Attempt, suite: Suite, judged: Judged, begun: datetime, at: datetime
    ) -> list[RunEvent]:
        """The gate has judged it: each expectation with what came of it. What did not pass is a FAIL."""
        read = [
            InputDataset(self.datasets.warehouse, f"built.{table.name}", inputFacets=_told(suite, judged))
        ]
        bad = [f"{verdict.day}: {verdict.failed[0]}" for verdict in judged.verdicts if not verdict.passed]
        state = RunState.FAIL if bad else RunState.COMPLETE
        return [
            _event(RunState.START, GATE, table, attempt, begun, read[:0]),
            _event(state, GATE, table, attempt, at, read, error="; ".join(bad)[:SAID]),
        ]

    def released(
        self, tables: Iterable[Table], attempt: Attempt, published: Published, begun: datetime, at: datetime
    ) -> list[RunEvent]:
        """What was published; a FAIL where something was withheld."""
        names = {entry.table for entry in published.entries}
        shown = [table for table in tables if table.name in names]
        read = [InputDataset(self.datasets.warehouse, f"built.{table.name}") for table in shown]
        made = [self.datasets.shown(table, published.seq or 0) for table in shown]
        words = f"withheld: {published.why}"[:SAID] if published.withheld else ""
        state = RunState.FAIL if words else RunState.COMPLETE
        return [
            _event(RunState.START, RELEASE, None, attempt, begun, []),
            _event(state, RELEASE, None, attempt, at, read, made, error=words),
        ]


def run_id(build_id: str, job: str) -> str:
    """The run of a job in a build."""
    return str(uuid5(UUID(build_id), job))


def _event(
    state: RunState,
    kind: str,
    table: Table | None,
    attempt: Attempt,
    at: datetime,
    inputs: list[InputDataset],
    outputs: Sequence[OutputDataset] = (),
    error: str = "",
) -> RunEvent:
    job = f"{kind}.{table.name}" if table else kind
    return RunEvent(
        eventType=state,
        eventTime=at.isoformat(),
        run=Run(run_id(attempt.build_id, job), facets=_run(attempt, error)),
        job=Job(NAMESPACE, job, facets=_job(kind, table)),
        inputs=inputs,
        outputs=list(outputs),
        producer=PRODUCER,
    )


def _run(attempt: Attempt, error: str) -> dict[str, RunFacet]:
    began = midnight(attempt.span.first)
    ended = midnight(attempt.span.last) + timedelta(days=1)
    parent = "late" if attempt.kind == LATE else "daily"
    found: dict[str, RunFacet] = {
        "nominalTime": nominal_time_run.NominalTimeRunFacet(
            began.isoformat(), ended.isoformat(), producer=PRODUCER
        ),
        "parent": parent_run.ParentRunFacet(
            parent_run.Run(str(UUID(attempt.build_id))), parent_run.Job(NAMESPACE, parent), producer=PRODUCER
        ),
    }
    if error:
        found["errorMessage"] = error_message_run.ErrorMessageRunFacet(error, "Python", producer=PRODUCER)
    return found


def _job(kind: str, table: Table | None) -> dict[str, JobFacet]:
    found: dict[str, JobFacet] = {
        "jobType": job_type_job.JobTypeJobFacet("BATCH", "LIAOWANG", _TYPES[kind], producer=PRODUCER)
    }
    if table:
        owner = ownership_job.Owner(f"team:{table.owner}", "OWNER")
        found["ownership"] = ownership_job.OwnershipJobFacet([owner], producer=PRODUCER)
        found["documentation"] = documentation_job.DocumentationJobFacet(table.title, producer=PRODUCER)
    if table and table.sql and kind == BUILD:
        found["sql"] = sql_job.SQLJobFacet(table.sql, "clickhouse", producer=PRODUCER)
    return found


def _told(suite: Suite, judged: Judged) -> dict[str, Any]:
    verdicts = judged.verdicts
    assertions = [_assertion(item, verdicts) for item in suite.expectations]
    return {
        "dataQualityAssertions": data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
            assertions, producer=PRODUCER
        ),
        "dataQualityMetrics": data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet(
            {}, rowCount=sum(verdict.rows for verdict in verdicts), producer=PRODUCER
        ),
    }


def _assertion(item: Expectation, verdicts: Iterable[Verdict]) -> data_quality_assertions_dataset.Assertion:
    broken = [
        f"{verdict.day}: {words_of(finding)}"
        for verdict in verdicts
        for finding in verdict.findings
        if finding.check == item.label
    ]
    return data_quality_assertions_dataset.Assertion(
        assertion=item.kind,
        success=not broken,
        column=item.kwargs.get("column"),
        severity="error",
        name=item.label,
        expected=json.dumps(dict(item.kwargs), ensure_ascii=False, sort_keys=True),
        actual="; ".join(broken)[:SAID] or None,
    )
