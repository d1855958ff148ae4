"""One asset a feed and one an indicator, each with its gate as a check; the release comes last.

Everything is partitioned by day, and a run over many days is one run. The build id of a run is its run id, or
that of the killed build it goes on with. A check does not block what comes after it: the release publishes
every day of every table that passed, withholds the others and what is made of them, and then fails (ADR 48).
"""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    BackfillPolicy,
    DailyPartitionsDefinition,
    DefaultScheduleStatus,
    Failure,
    MaterializeResult,
    MetadataValue,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    asset,
    schedule,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as Job
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG
from dagster_shared.utils.warnings import BetaWarning

from dagster_project.build.feed import Built
from dagster_project.build.index import Index
from dagster_project.build.indicator import Indicator
from dagster_project.days.attempt import BUILD, Attempt, begin
from dagster_project.days.spans import DAY, Span
from dagster_project.orchestrate.table_pipeline import GATE, Made, Stage, Step, TablePipeline
from dagster_project.share.lineage import column_lineage, values_lineage
from dagster_project.warehouse import Warehouse, warehouse
from quality.gate import Judged
from schemas.contract import Contract
from schemas.fields import SHANGHAI, TIME_ZONE
from schemas.settings import HOST, Settings

RELEASE = AssetKey("release")
LINEAGE_DAYS = 31
KIND_TAG, RESUME_TAG = "liaowang/kind", "liaowang/resume"
"""Tags of a run: why it is made, and the build id of a killed build it goes on with."""
DAYS = DailyPartitionsDefinition(start_date="2014-01-01", timezone=TIME_ZONE, end_offset=1)


def range_tags(span: Span) -> Mapping[str, str]:
    """The tags that make a run one over all days of a span."""
    return {
        ASSET_PARTITION_RANGE_START_TAG: span.first.isoformat(),
        ASSET_PARTITION_RANGE_END_TAG: span.last.isoformat(),
    }


def nightly(name: str, job: Job, at: str, days: int) -> ScheduleDefinition:
    """A schedule at a time of day (cron, Shanghai): one run over so many days up to yesterday."""

    @schedule(
        name=name,
        job=job,
        cron_schedule=at,
        execution_timezone=TIME_ZONE,
        default_status=DefaultScheduleStatus.RUNNING,
        description="Yesterday, and the days before it that the contracts' lateness still leaves open.",
    )
    def every_night(context: ScheduleEvaluationContext) -> RunRequest:
        yesterday = context.scheduled_execution_time.astimezone(SHANGHAI).date() - DAY
        return RunRequest(tags=range_tags(Span(yesterday - (days - 1) * DAY, yesterday)))

    return every_night


def make_assets(pipeline: TablePipeline) -> list[AssetsDefinition]:
    """All assets, from the declarations alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BetaWarning)  # of backfill policies
        feeds = [_feed_asset(pipeline, contract) for contract in pipeline.contracts.values()]
        indicators = [_indicator_asset(pipeline, indicator) for indicator in pipeline.indicators.values()]
        indexes = [_indicator_asset(pipeline, index.indicator, index) for index in pipeline.indexes.values()]
        return [*feeds, *indicators, *indexes, _release_asset(pipeline)]


def begin_run(pipeline: TablePipeline, open: Warehouse, context: AssetExecutionContext) -> Attempt:
    """The attempt of this run, begun by whichever of its assets comes first and shared by the others."""
    keys, tags = context.partition_key_range, context.run.tags
    first, last = (datetime.fromisoformat(key).date() for key in (keys.start, keys.end))
    build_id, span = tags.get(RESUME_TAG, context.run.run_id), Span(first, last)
    if (context.run.run_id, span) not in pipeline.attempts:
        pipeline.attempts.clear()
        pipeline.attempts[context.run.run_id, span] = begin(
            open,
            build_id,
            span,
            pipeline.contracts.values(),
            datetime.now(UTC),
            kind=tags.get(KIND_TAG, BUILD),
            resumed=RESUME_TAG in tags,
        )
    return pipeline.attempts[context.run.run_id, span]


def _feed_asset(pipeline: TablePipeline, contract: Contract) -> AssetsDefinition:
    return _asset(
        pipeline,
        contract.table,
        lambda open, attempt, log: pipeline.feed(open, contract, attempt, log),
        group_name=contract.feed.split(".")[0],
        description=contract.description,
        owners=[f"team:{contract.department}"],
        metadata={"feed": contract.feed, "topic": contract.topic, "contract": contract.version},
        code_version=contract.version,
    )


def _indicator_asset(
    pipeline: TablePipeline, indicator: Indicator, index: Index | None = None
) -> AssetsDefinition:
    contracts = list(pipeline.contracts.values())
    traced = (
        values_lineage(indicator.reads) if index else column_lineage(indicator, contracts, pipeline.trace)
    )
    lineage = {"dagster/column_lineage": traced}
    return _asset(
        pipeline,
        indicator.table,
        lambda open, attempt, log: pipeline.figures(open, indicator, attempt, log),
        deps=[AssetKey(table) for table in indicator.reads],
        group_name=indicator.id.split(".")[0],
        description=f"{indicator.title_zh}. {indicator.description}",
        owners=[f"team:{indicator.owner}"],
        metadata={
            "indicator": indicator.id,
            "title": indicator.title_en,
            "unit": indicator.unit,
            "limits": indicator.limits,
            "sql": indicator.sql,
            **lineage,
        },
        lineage=lineage,
        code_version=indicator.version,
    )


def _asset(
    pipeline: TablePipeline,
    table: str,
    make: Callable[[Warehouse, Attempt, logging.Logger], Made],
    lineage: Mapping[str, Any] | None = None,
    **described: Any,
) -> AssetsDefinition:
    decorate: Any = asset(
        key=AssetKey(table),
        partitions_def=DAYS,
        backfill_policy=BackfillPolicy.single_run(),
        check_specs=[AssetCheckSpec(GATE, asset=AssetKey(table), blocking=False)],
        kinds={"clickhouse"},
        **described,
    )

    def build(context: AssetExecutionContext) -> MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it
        with warehouse(pipeline.settings) as open:
            built, judged = make(open, begin_run(pipeline, open, context), context.log)
        few = len(built) <= LINEAGE_DAYS  # the page reads it from the latest day; a year need not repeat it
        docs = {"data_docs": MetadataValue.url(docs_url(pipeline.settings, [item.day for item in built]))}
        told = _summary(built) | docs | dict(lineage or {} if few else {})
        return MaterializeResult(metadata=told, check_results=[_check(judged, docs)])

    made: AssetsDefinition = decorate(build)
    return made


def _release_asset(pipeline: TablePipeline) -> AssetsDefinition:
    tables = [contract.table for contract in pipeline.contracts.values()]
    tables += [indicator.table for indicator in pipeline.figured]

    @asset(
        key=RELEASE,
        partitions_def=DAYS,
        backfill_policy=BackfillPolicy.single_run(),
        deps=[AssetKey(table) for table in tables],
        group_name="release",
        kinds={"clickhouse"},
        description="Publish what this run built, passed its gate and is not published yet, as one release.",
    )
    def release(context: AssetExecutionContext) -> MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it
        with warehouse(pipeline.settings) as open:
            published = pipeline.publish(open, begin_run(pipeline, open, context))
        pipeline.watch("release", Step(Stage.PUBLISHED))
        metadata = {
            "release": published.seq or 0,
            "published_days": len(published.entries),
            "unchanged_days": published.unchanged,
        }
        if published.withheld:
            raise Failure(f"withheld: {published.why}", metadata=metadata, allow_retries=False)
        return MaterializeResult(metadata=metadata)

    return release


def _summary(built: Sequence[Built]) -> dict[str, Any]:
    counted = ("rows", "duplicates", "corrected", "quarantined")
    summary: dict[str, Any] = {name: sum(getattr(item, name) for item in built) for name in counted}
    return summary | {"days": len(built), "incomplete_days": sum(not item.complete for item in built)}


def docs_url(settings: Settings, days: Sequence[date]) -> str:
    """Where the Data Docs of these days are: the page of the day, or the list of all days."""
    page = f"{days[0]}.html" if len(days) == 1 else ""
    return f"http://{HOST}:{settings.docs_port}/days/{page}"


def _check(judged: Judged, docs: Mapping[str, Any]) -> AssetCheckResult:
    failed = [verdict for verdict in judged.verdicts if not verdict.passed]
    return AssetCheckResult(
        check_name=GATE,
        passed=judged.passed,
        metadata={
            "days": len(judged.verdicts),
            "failed_days": len(failed),
            "failed": [f"{verdict.day}: {verdict.failed[0]}" for verdict in failed[:20]],
            **docs,
        },
    )
