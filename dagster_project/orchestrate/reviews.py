"""The asset `rule_review`: each day's rules decided again on complete data, as `liaowang rules review` does it.

The rules' own code is not this project's to import, so whoever makes the definitions hands in the function that
reviews. Every night a run takes the days that lateness still leaves open; a sensor takes days that late events
have reopened.
"""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSelection,
    BackfillPolicy,
    DefaultSensorStatus,
    Failure,
    MaterializeResult,
    RunRequest,
    ScheduleDefinition,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    asset,
    define_asset_job,
    sensor,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster_shared.utils.warnings import BetaWarning

from dagster_project.days.attempt import LATE, STARTED
from dagster_project.days.spans import gather
from dagster_project.mart.rule_quality import RuleDay, RuleWarning
from dagster_project.orchestrate.assets import DAYS, nightly, range_tags
from dagster_project.warehouse import warehouse
from schemas.errors import LiaowangError, Misdeclared, Unavailable
from schemas.settings import Settings

REVIEW = AssetKey("rule_review")
JOB = "review"
TOLD = 20
"""Warnings missed or spurious that a run names."""

SPANS = 4
"""Runs for reopened days at most, each over one span of them."""

_REOPENED = """
SELECT at, days FROM release.attempt
WHERE kind = {kind:String} AND state = {state:String} AND at > {since:DateTime64(3)} ORDER BY at"""
_BEGINNING = "1970-01-02T00:00:00+00:00"


class Found(Protocol):
    """What a review found: its figures, which are kept already, and how many events were judged for them."""

    @property
    def days(self) -> Sequence[RuleDay]:
        """By rule and day."""

    @property
    def warnings(self) -> Sequence[RuleWarning]:
        """By warning."""

    @property
    def events(self) -> int:
        """How many were judged."""

    @property
    def unknown(self) -> Sequence[int]:
        """Rule epochs that landed ticks name and that were never published here."""


Review = Callable[[Settings, date, date], Found]
"""Reviews all rules from one day to another and keeps what it finds; LiaowangError where it cannot."""


def no_review(settings: Settings, first: date, last: date) -> Found:
    """What definitions have that were made without one: a run of the asset says so."""
    raise Misdeclared("rule_review", "review", "none was handed in; dagster_project.definitions has it")


@dataclass(frozen=True)
class Reviews:
    """The asset, its job, the schedule of every night, and the sensor of reopened days."""

    asset: AssetsDefinition
    job: UnresolvedAssetJobDefinition
    nightly: ScheduleDefinition
    reopened: SensorDefinition


def make_reviews(settings: Settings, open_days: int, review: Review = no_review) -> Reviews:
    """All of it; `open_days`: so many days up to yesterday are reviewed every night."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BetaWarning)  # of backfill policies
        made = _asset(settings, review)
    job = define_asset_job(
        JOB,
        selection=AssetSelection.assets(REVIEW),
        description="Decide again on complete data what rules should have warned of.",
    )

    @sensor(
        job=job,
        name="reopened_reviews",
        minimum_interval_seconds=60,
        default_status=DefaultSensorStatus.RUNNING,
        description="Reviews again the days that late events have reopened.",
    )
    def reopened_reviews(context: SensorEvaluationContext) -> SensorResult:
        try:
            return _reopened(settings, context.cursor or _BEGINNING)
        except Unavailable as error:
            return SensorResult(skip_reason=SkipReason(str(error)))

    return Reviews(made, job, nightly("every_night_review", job, "30 3 * * *", open_days), reopened_reviews)


def _asset(settings: Settings, review: Review) -> AssetsDefinition:
    @asset(
        key=REVIEW,
        partitions_def=DAYS,
        backfill_policy=BackfillPolicy.single_run(),
        group_name="rules",
        kinds={"clickhouse"},
        description="Which warnings should have been, by complete data, and which were: mart.rule_quality.",
    )
    def rule_review(context: AssetExecutionContext) -> MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it
        keys = context.partition_key_range
        begun = time.monotonic()
        try:
            found = review(settings, date.fromisoformat(keys.start), date.fromisoformat(keys.end))
        except LiaowangError as error:
            raise Failure(f"the review of rules failed: {error}", allow_retries=False) from error
        if found.unknown:
            context.log.warning(f"ticks name epochs of rules that were never published here: {found.unknown}")
        return MaterializeResult(metadata=_summary(found, time.monotonic() - begun))

    return rule_review


def _summary(found: Found, seconds: float) -> dict[str, Any]:
    rows = [each.as_json() for each in found.days]
    counts = {name: sum(row[name] for row in rows) for name in ("should", "were", "missed", "spurious")}
    wrong = [each for each in found.warnings if each.verdict in ("missed", "spurious")]
    return counts | {
        "rules": len({each.rule for each in found.days}),
        "incomplete_days": len({each.day for each in found.days if not each.complete}),
        "events": found.events,
        "seconds": round(seconds, 3),
        "wrong": [f"{each.verdict}: {each.rule} {each.level} {each.subject}" for each in wrong[:TOLD]],
    }


def _reopened(settings: Settings, cursor: str) -> SensorResult:
    """A run for each span of days that were reopened since; the moment of the last is the cursor."""
    with warehouse(settings) as open:
        rows = open.rows(_REOPENED, kind=LATE, state=STARTED, since=datetime.fromisoformat(cursor))
    if not rows:
        return SensorResult(skip_reason=SkipReason("no day was reopened since"), cursor=cursor)
    latest = max(at for at, _ in rows).isoformat()
    runs = [
        RunRequest(run_key=f"reopened {latest} {span.first}", tags=range_tags(span))
        for span in gather((day for _, days in rows for day in days), SPANS)
    ]
    return SensorResult(run_requests=runs, cursor=latest)
