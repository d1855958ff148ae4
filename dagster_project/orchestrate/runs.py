"""One run of the job `daily` in this process, over a span of days: the same as from the Dagster page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from dagster import DagsterInstance, DagsterRunStatus, ExecuteInProcessResult, RunsFilter

from dagster_project.build.index import all_figures
from dagster_project.build.indicator import Indicator
from dagster_project.days.attempt import BUILD
from dagster_project.days.spans import Span
from dagster_project.orchestrate.assets import KIND_TAG, RESUME_TAG, range_tags
from dagster_project.orchestrate.instance import prepare_instance
from dagster_project.orchestrate.project import JOB, make_definitions
from dagster_project.orchestrate.table_pipeline import Watch
from dagster_project.warehouse import warehouse
from quality.docs import write_docs
from schemas.contract import load_contracts
from schemas.errors import LiaowangError, Unavailable
from schemas.findings import Finding, decode
from schemas.in_use import in_use
from schemas.settings import Settings

OWN, OWN_MODULE = ("Unavailable", "Misdeclared", "LiaowangError"), LiaowangError.__module__
"""Errors whose words are for people; what caused them is in the run's log."""
PROCESS_TAG = "liaowang/process"
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_TABLES = """
SELECT b.table, count(), sum(b.rows), sum(b.duplicates), sum(b.corrected), sum(b.quarantined),
    countIf(b.complete = 0), countIf(v.passed = 1), groupArrayIf((b.day, v.findings), v.passed = 0)
FROM release.build AS b
LEFT JOIN
(
    SELECT table, day, argMax(passed, decided) AS passed, argMax(findings, decided) AS findings
    FROM quality.verdict WHERE build_id = {build:String} GROUP BY table, day
) AS v ON v.table = b.table AND v.day = b.day
WHERE b.build_id = {build:String} AND b.content_hash != ''
GROUP BY b.table ORDER BY b.table"""
_UNBUILT = """
SELECT table, groupArray((day, findings)) FROM
(
    SELECT table, day, argMax(passed, decided) AS passed, argMax(findings, decided) AS findings
    FROM quality.verdict WHERE build_id = {build:String} GROUP BY table, day
)
WHERE passed = 0 AND table NOT IN (SELECT table FROM release.build WHERE build_id = {build:String})
GROUP BY table ORDER BY table"""
_RELEASE = "SELECT max(seq), count() FROM release.manifest WHERE build_id = {build:String}"


@dataclass(frozen=True)
class TableRun:
    """What one run made of one table: days, rows, and its verdicts; `failed` holds findings by day."""

    table: str
    days: int
    rows: int
    duplicates: int
    corrected: int
    quarantined: int
    incomplete: int
    passed: int
    failed: tuple[tuple[date, tuple[Finding, ...]], ...]


@dataclass(frozen=True)
class Run:
    """What came of a run: its tables, and the release it published (`seq` is None where nothing was new)."""

    span: Span
    build_id: str
    tables: tuple[TableRun, ...]
    seq: int | None
    published: int

    @property
    def passed(self) -> bool:
        """Whether every table and day passed its gate."""
        return not any(table.failed for table in self.tables)


def run_span(
    settings: Settings,
    span: Span,
    watch: Watch,
    kind: str = BUILD,
    resume: str = "",
    indicators: Mapping[str, Indicator] | None = None,
) -> Run:
    """Build, judge and release a span of days in one run, and write the Data Docs.

    `resume` is the build id of a killed build to go on with. A gate that failed is told by the result.
    Unavailable where a peer was away; the run can be made again.
    """
    instance = DagsterInstance.from_config(str(prepare_instance(settings.home)))
    bury(instance)
    tags = {**range_tags(span), KIND_TAG: kind, PROCESS_TAG: str(os.getpid())}
    job = make_definitions(settings, watch, indicators).resolve_job_def(JOB)
    result = job.execute_in_process(
        instance=instance,
        raise_on_error=False,
        tags={**tags, RESUME_TAG: resume} if resume else tags,
        run_config=_QUIET,
    )
    write_docs(settings.home)
    run = _read(settings, span, resume or result.run_id)
    if not result.success and run.passed:
        raise _failure(result)
    return run


def bury(instance: DagsterInstance) -> list[str]:
    """Mark runs as failed whose process is gone, such as after kill -9; their ids."""
    found = []
    for run in instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED])):
        process = run.tags.get(PROCESS_TAG, "")
        if process.isdecimal() and not Path("/proc", process).exists():
            instance.report_run_failed(run, f"process {process} ended before the run did")
            found.append(run.run_id)
    return found


def under_way(home: Path, since: float) -> bool:
    """Whether Dagster's daemon, which started then (seconds since the epoch), has a run that has not ended."""
    instance = DagsterInstance.from_config(str(prepare_instance(home)))
    begun = RunsFilter(
        statuses=[DagsterRunStatus.STARTING, DagsterRunStatus.STARTED],
        updated_after=datetime.fromtimestamp(since, UTC),
    )
    return any(PROCESS_TAG not in run.tags for run in instance.get_runs(begun))


def steps(settings: Settings) -> int:
    """How many tables a run builds and judges, the release being one more; read from the declarations alone."""
    roots = in_use(settings)
    tables = [contract.table for contract in load_contracts(roots.feeds).values()]
    return len(tables) + len(all_figures(tables, roots)) + 1


def _read(settings: Settings, span: Span, build_id: str) -> Run:
    with warehouse(settings) as open:
        tables = tuple(
            TableRun(*row[:8], failed=_by_day(row[8]))  # type: ignore[misc]
            for row in open.rows(_TABLES, build=build_id)
        )
        tables += tuple(
            TableRun(table, 0, 0, 0, 0, 0, 0, 0, _by_day(failed))
            for table, failed in open.rows(_UNBUILT, build=build_id)
        )
        ((seq, published),) = open.rows(_RELEASE, build=build_id)
    return Run(span, build_id, tables, seq or None, published)


def _by_day(failed: Iterable[tuple[date, Iterable[str]]]) -> tuple[tuple[date, tuple[Finding, ...]], ...]:
    return tuple((day, tuple(map(decode, findings))) for day, findings in sorted(failed))


def _failure(result: ExecuteInProcessResult) -> LiaowangError:
    """The error that ended the first failed step, by its own name where it is one of the platform's."""
    for event in result.all_events:
        if event.is_step_failure:
            errors = _chain(event.step_failure_data.error)
            kind = Unavailable if any(name == "Unavailable" for name, _ in errors) else LiaowangError
            own = [said for name, said in errors if name in OWN]
            message = own[-1].removeprefix(f"{OWN_MODULE}.{kind.__name__}: ") if own else errors[-1][1]
            return kind(f"{event.step_key}: {' '.join(message.split())[:600]}")
    return LiaowangError("the run failed before its first step; the Dagster page tells more")


def _chain(error: object) -> Sequence[tuple[str, str]]:
    found = []
    while error is not None:
        found.append((str(getattr(error, "cls_name", "")), str(getattr(error, "message", ""))))
        error = getattr(error, "cause", None)
    return found or [("", "")]
