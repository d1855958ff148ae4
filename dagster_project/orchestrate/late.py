"""The job `late`: published days that later events or changed declarations concern, in one child release.

A sensor over the ledger asks for it, at most once an hour; so all that comes within an hour is one release.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from dagster import (
    AssetKey,
    AssetMaterialization,
    DefaultSensorStatus,
    Failure,
    JobDefinition,
    MetadataValue,
    OpExecutionContext,
    Output,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    in_process_executor,
    job,
    op,
    sensor,
)

from dagster_project.build.feed import Built
from dagster_project.build.reopened_days import ends_of, mark, reopened
from dagster_project.days.attempt import LATE, STARTED, begin
from dagster_project.days.spans import Span
from dagster_project.orchestrate.assets import KIND_TAG, docs_url
from dagster_project.orchestrate.table_pipeline import TablePipeline
from dagster_project.release.diff import difference
from dagster_project.warehouse import Warehouse, warehouse
from schemas.errors import Unavailable
from schemas.fields import SHANGHAI

JOB = "late"
PAUSE = timedelta(hours=1)
_LAST = "SELECT max(at) FROM release.attempt WHERE kind = {kind:String} AND state = {state:String}"


def make_late(pipeline: TablePipeline) -> tuple[JobDefinition, SensorDefinition]:
    """The job and its sensor."""

    @op(name="reopen", description="Build again exactly what late events and changed declarations concern.")
    def reopen(context: OpExecutionContext) -> Iterator[Any]:
        now = datetime.now(UTC)
        with warehouse(pipeline.settings) as open:
            plan = reopened(
                open, pipeline.contracts.values(), pipeline.figured, now.astimezone(SHANGHAI).date()
            )
            if not plan.days:
                context.log.info("nothing to reopen")
                yield Output(None)
                return
            span = Span(plan.days[0], plan.days[-1])
            attempt = begin(
                open, context.run_id, span, pipeline.contracts.values(), now, kind=LATE, chosen=plan.days
            )
            made: dict[str, set[date]] = {}
            for contract in pipeline.contracts.values():
                if contract.table in plan.feeds:
                    part = attempt.of(plan.feeds[contract.table])
                    built, _ = pipeline.feed(open, contract, part, context.log)
                    made[contract.table] = set(part.days)
                    yield from _told(pipeline, built)
            for indicator in pipeline.figured:
                days = {day for table in indicator.reads for day in made.get(table, ())}
                if days := days | plan.indicators.get(indicator.table, frozenset()):
                    built, _ = pipeline.figures(open, indicator, attempt.of(days), context.log)
                    made[indicator.table] = {item.day for item in built}
                    yield from _told(pipeline, built)
            published = pipeline.publish(open, attempt)
            if published.seq:
                context.log.info(_news(open, pipeline, published.seq, attempt.parent))
        if published.withheld:
            raise Failure(f"withheld: {published.why}", allow_retries=False)
        yield Output(None)

    @job(name=JOB, tags={KIND_TAG: LATE}, executor_def=in_process_executor)
    def late() -> None:
        reopen()

    @sensor(
        job=late,
        name="late_days",
        minimum_interval_seconds=60,
        default_status=DefaultSensorStatus.RUNNING,
        description="Reopens published days when late events or changed declarations concern them.",
    )
    def late_days(context: SensorEvaluationContext) -> SensorResult:
        now = datetime.now(UTC)
        try:
            with warehouse(pipeline.settings) as open:
                return _evaluate(open, pipeline, context.cursor or "", now)
        except Unavailable as error:
            return SensorResult(skip_reason=SkipReason(str(error)))

    return late, late_days


def _evaluate(open: Warehouse, pipeline: TablePipeline, cursor: str, now: datetime) -> SensorResult:
    """Ask for a run when there is something to reopen and the last one was an hour ago or more."""
    ((last,),) = open.rows(_LAST, kind=LATE, state=STARTED)
    if now - last < PAUSE:
        return SensorResult(skip_reason=SkipReason(f"late days are gathered until {last + PAUSE:%H:%M}"))
    vectors = ends_of(open, pipeline.contracts.values())
    seen = mark(open, vectors, pipeline.contracts.values(), pipeline.figured)
    if seen == cursor:
        return SensorResult(skip_reason=SkipReason("nothing was landed, released or declared since"))
    today = now.astimezone(SHANGHAI).date()
    plan = reopened(open, pipeline.contracts.values(), pipeline.figured, today, vectors=vectors)
    waiting = len(plan.beyond_days)
    note = f"; {waiting} days are beyond the horizon: liaowang build --pending --approve" if waiting else ""
    if not plan.days:
        return SensorResult(skip_reason=SkipReason(f"no published day is concerned{note}"), cursor=seen)
    key = f"late {last.isoformat()} {now:%Y-%m-%dT%H}"
    return SensorResult(run_requests=[RunRequest(run_key=key)])


def _told(pipeline: TablePipeline, built: Iterable[Built]) -> Iterator[AssetMaterialization]:
    for item in built:
        counted = {"rows": item.rows, "corrected": item.corrected, "quarantined": item.quarantined}
        yield AssetMaterialization(
            AssetKey(item.table),
            partition=item.day.isoformat(),
            metadata={**counted, "data_docs": MetadataValue.url(docs_url(pipeline.settings, [item.day]))},
        )


def _news(open: Warehouse, pipeline: TablePipeline, seq: int, parent: int) -> str:
    found = difference(open, parent, seq, pipeline.figured)
    ranks = sum(item.rank_before != item.rank_after for item in found.figures)
    return (
        f"release {seq} after {parent}: {len(found.days)} days of tables, {len(found.figures)} figures and"
        f" {ranks} ranks changed; liaowang release diff {parent} {seq}"
    )
