"""The Dagster project from settings and declarations: assets, the job `daily`, its schedule, Data Docs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from dagster import (
    AssetSelection,
    DefaultSensorStatus,
    Definitions,
    RunStatusSensorContext,
    define_asset_job,
    in_process_executor,
    run_status_sensor,
)
from dagster import DagsterRunStatus as Status

from dagster_project.build.index import Index, load_indexes
from dagster_project.build.indicator import Indicator, load_indicators
from dagster_project.days.spans import DAY
from dagster_project.orchestrate.assets import make_assets, nightly
from dagster_project.orchestrate.expire import make_housekeeping
from dagster_project.orchestrate.late import make_late
from dagster_project.orchestrate.reviews import REVIEW, Review, make_reviews, no_review
from dagster_project.orchestrate.table_pipeline import TablePipeline, Watch
from dagster_project.ranking.job import make_rankings
from dagster_project.share.lineage import Trace
from dagster_project.share.lineage_memory import remembered
from dagster_project.share.open_lineage.post import Post
from schemas.contract import Contract, load_contracts
from schemas.in_use import in_use
from schemas.settings import Settings

if TYPE_CHECKING:
    from dagster_project.share.open_lineage.datasets import Table

JOB = "daily"


def make_definitions(
    settings: Settings,
    watch: Watch = lambda table, what: None,
    indicators: Mapping[str, Indicator] | None = None,
    review: Review = no_review,
) -> Definitions:
    """Everything Dagster is to know; reads declarations (other `indicators` if given), connects to nothing.

    `review` is what the asset `rule_review` calls.
    """
    with remembered(settings.home) as trace:
        return _definitions(settings, watch, indicators, trace, review)


def _definitions(
    settings: Settings,
    watch: Watch,
    indicators: Mapping[str, Indicator] | None,
    trace: Trace,
    review: Review,
) -> Definitions:
    roots = in_use(settings)
    contracts = load_contracts(roots.feeds)
    declared = indicators is None
    if indicators is None:
        indicators = load_indicators([contract.table for contract in contracts.values()], roots.indicators)
    tables = [contract.table for contract in contracts.values()]
    indexes = load_indexes(indicators, roots.indexes, tables) if declared else {}
    post = Post(settings, partial(_tables, contracts, indicators, indexes, trace))
    pipeline = TablePipeline(settings, contracts, indicators, watch, indexes, post, trace)
    late, late_days = make_late(pipeline)
    expiry, every_night_expire = make_housekeeping(pipeline)
    daily = define_asset_job(
        JOB,
        selection=AssetSelection.all() - AssetSelection.assets(REVIEW),
        description="Build, judge and release a span of days.",
    )
    reach = 1 + max(contract.lateness for contract in contracts.values()) // DAY
    every_night = nightly("every_night", daily, "30 2 * * *", reach)

    @run_status_sensor(
        run_status=Status.SUCCESS, default_status=DefaultSensorStatus.RUNNING, name="docs_after_success"
    )
    def after_success(context: RunStatusSensorContext) -> None:
        _write_docs(settings)

    @run_status_sensor(
        run_status=Status.FAILURE, default_status=DefaultSensorStatus.RUNNING, name="docs_after_failure"
    )
    def after_failure(context: RunStatusSensorContext) -> None:
        _write_docs(settings)

    rankings, when_ended = make_rankings(settings)
    reviews = make_reviews(settings, reach, review)
    return Definitions(
        assets=[*make_assets(pipeline), reviews.asset],
        jobs=[daily, late, expiry, rankings, reviews.job],
        schedules=[every_night, every_night_expire, when_ended, reviews.nightly],
        sensors=[after_success, after_failure, late_days, reviews.reopened],
        executor=in_process_executor,
    )


def _tables(
    contracts: Mapping[str, Contract],
    indicators: Mapping[str, Indicator],
    indexes: Mapping[str, Index],
    trace: Trace,
) -> list[Table]:
    """All tables as OpenLineage has them; only a run imports that."""
    from dagster_project.share.open_lineage.outlet import tables_of

    return tables_of(list(contracts.values()), indicators.values(), indexes.values(), trace)


def _write_docs(settings: Settings) -> None:
    """Write the Data Docs; only who does so imports Great Expectations."""
    from quality.docs import write_docs

    write_docs(settings.home)
