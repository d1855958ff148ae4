"""The asset `rule_review`: each day's rules decided again on complete data, by `liaowang rules review`.

The rules' own code is not this project's to import, so a run starts the command and reads what it prints. Every
night it takes the days that lateness still leaves open; a sensor takes days that late events have reopened.
"""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

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
from dagster import MetadataValue as Told
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster_shared.utils.warnings import BetaWarning

from dagster_project.days.attempt import LATE, STARTED
from dagster_project.days.spans import gather
from dagster_project.orchestrate.assets import DAYS, nightly, range_tags
from dagster_project.warehouse import warehouse
from schemas.errors import Unavailable
from schemas.settings import PREFIX, Settings

REVIEW = AssetKey("rule_review")
JOB = "review"
COMMAND = Path(sys.executable).parent / "liaowang"
TOLD = 20
"""Warnings missed or spurious that a run names."""

SPANS = 4
"""Runs for reopened days at most, each over one span of them."""

_REOPENED = """
SELECT at, days FROM release.attempt
WHERE kind = {kind:String} AND state = {state:String} AND at > {since:DateTime64(3)} ORDER BY at"""
_BEGINNING = "1970-01-02T00:00:00+00:00"


@dataclass(frozen=True)
class Reviews:
    """The asset, its job, the schedule of every night, and the sensor of reopened days."""

    asset: AssetsDefinition
    job: UnresolvedAssetJobDefinition
    nightly: ScheduleDefinition
    reopened: SensorDefinition


def make_reviews(settings: Settings, open_days: int, command: Sequence[str] = (str(COMMAND),)) -> Reviews:
    """All of it; `open_days`: so many days up to yesterday are reviewed every night."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BetaWarning)  # of backfill policies
        made = _asset(settings, command)
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


def _asset(settings: Settings, command: Sequence[str]) -> AssetsDefinition:
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
        whole = [*command, "rules", "review", "--from", keys.start, "--to", keys.end, "--json"]
        context.log.info(" ".join(whole))
        done = subprocess.run(whole, env=environment(settings), capture_output=True, text=True, check=False)
        if done.returncode:
            raise _failure(whole, done)
        return MaterializeResult(metadata=_summary(json.loads(done.stdout)))

    return rule_review


def environment(settings: Settings) -> dict[str, str]:
    """The environment of this process with these settings; secrets stay where the command finds them itself."""
    shown = {each.name: getattr(settings, each.name) for each in fields(settings) if each.repr}
    return {**os.environ, **{f"{PREFIX}{name.upper()}": str(value) for name, value in shown.items()}}


def _failure(command: Sequence[str], done: subprocess.CompletedProcess[str]) -> Failure:
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    said = lines[-1] if lines else "it said nothing"
    return Failure(
        f"liaowang rules review ended with exit code {done.returncode}: {said}",
        metadata={"command": " ".join(command), "said": Told.text("\n".join(lines[-50:]))},
        allow_retries=False,
    )


def _summary(found: Mapping[str, Any]) -> dict[str, Any]:
    rows, told = found["rules"], found["warnings"]
    counts = {name: sum(row[name] for row in rows) for name in ("should", "were", "missed", "spurious")}
    wrong = [each for each in told if each["verdict"] in ("missed", "spurious")]
    return counts | {
        "rules": len({row["rule"] for row in rows}),
        "incomplete_days": len({row["day"] for row in rows if not row["complete"]}),
        "events": found["events"],
        "seconds": found["seconds"],
        "wrong": [
            f"{each['verdict']}: {each['rule']} {each['level']} {each['subject']}" for each in wrong[:TOLD]
        ],
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
