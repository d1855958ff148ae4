"""The nightly review in Dagster: which days it takes, what a run tells, and that a failure says why."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from dagster import (
    AssetKey,
    BackfillPolicy,
    DagsterInstance,
    Definitions,
    ExecuteInProcessResult,
    build_schedule_context,
    build_sensor_context,
    in_process_executor,
)

from dagster_project.days.attempt import LATE, begin
from dagster_project.days.spans import Span
from dagster_project.mart.rule_quality import RuleDay, RuleWarning
from dagster_project.orchestrate.assets import DAYS, range_tags
from dagster_project.orchestrate.project import make_definitions
from dagster_project.orchestrate.reviews import JOB, REVIEW, Review, make_reviews, no_review
from schemas.errors import Unavailable
from schemas.settings import PREFIX, Settings
from tests.dagster_project.house import CONTRACTS, House

DAY, NEXT = date(2024, 3, 1), date(2024, 3, 2)
AT = datetime(2024, 3, 3, tzinfo=UTC)
ROW = RuleDay("a.b", DAY, 1, "", "red", 1, 0, 1, 1, 0, (60.0,), True, 4, AT)
MISSED = RuleWarning("a.b", DAY, 1, "", "red", "S1", "330106", "missed", AT, None, "e1", AT)


@dataclass(frozen=True)
class Told:
    """What a review found."""

    days: Sequence[RuleDay] = (ROW, replace(ROW, day=NEXT, complete=False))
    warnings: Sequence[RuleWarning] = (MISSED, replace(MISSED, verdict="agreed"))
    events: int = 7
    unknown: Sequence[int] = ()


def run(settings: Settings, review: Review = no_review) -> ExecuteInProcessResult:
    """A run over two days with another review than that of the rules in force."""
    reviews = make_reviews(settings, 2, review)
    definitions = Definitions(assets=[reviews.asset], jobs=[reviews.job], executor=in_process_executor)
    with DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def(JOB).execute_in_process(
            instance=instance, raise_on_error=False, tags=range_tags(Span(DAY, NEXT))
        )


def failure(done: ExecuteInProcessResult) -> str:
    assert not done.success
    (failed,) = [event for event in done.all_events if event.is_step_failure]
    error = failed.step_failure_data.error
    assert error is not None
    return error.message + (error.cause.message if error.cause else "")


def test_a_run_reviews_its_days_and_tells_what_was_found(tmp_path: Path) -> None:
    asked: list[tuple[Settings, date, date]] = []

    def review(settings: Settings, first: date, last: date) -> Told:
        asked.append((settings, first, last))
        return Told(unknown=(3,))

    settings = Settings(home=tmp_path)
    done = run(settings, review)
    assert done.success
    assert asked == [(settings, DAY, NEXT)]
    metadata = done.asset_materializations_for_node("rule_review")[0].metadata
    names = ("should", "were", "missed", "spurious", "rules", "incomplete_days", "events")
    assert {name: metadata[name].value for name in names} == {
        "should": 6, "were": 4, "missed": 2, "spurious": 0, "rules": 1, "incomplete_days": 1, "events": 7,
    }  # fmt: skip
    assert metadata["wrong"].value == ["missed: a.b red S1"]
    assert {each.partition for each in done.asset_materializations_for_node("rule_review")} == {
        "2024-03-01",
        "2024-03-02",
    }


def test_a_failure_is_one_of_dagster_with_the_reason_in_one_line(tmp_path: Path) -> None:
    def review(settings: Settings, first: date, last: date) -> Told:
        raise Unavailable("the broker is away")

    assert "the review of rules failed: the broker is away" in failure(run(Settings(home=tmp_path), review))


def test_definitions_without_a_review_say_so_when_one_is_run(tmp_path: Path) -> None:
    assert "none was handed in" in failure(run(Settings(home=tmp_path)))


def test_the_definitions_that_dagster_loads_have_the_review_of_the_command(tmp_path: Path) -> None:
    """A broker that is away is the first thing that it meets, and no other program is started for it."""
    code = (
        "from datetime import date; from schemas.settings import Settings; from pathlib import Path;"
        "from dagster_project.definitions import review;"
        f"review(Settings(home=Path({str(tmp_path)!r}), kafka_port=1), date(2024, 3, 1), date(2024, 3, 2))"
    )
    given = {**os.environ, f"{PREFIX}HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=given, capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1].startswith("schemas.errors.Unavailable: rules at 127.0.0.1:1")


def test_builds_leave_it_alone_and_every_night_takes_the_open_days() -> None:
    definitions = make_definitions(Settings())
    daily = definitions.resolve_job_def("daily")
    assert REVIEW not in set(daily.asset_layer.executable_asset_keys)
    (night,) = (item for item in definitions.schedules or [] if item.name == "every_night_review")
    tick = datetime(2024, 3, 2, 19, 30, tzinfo=UTC)  # 03:30 on the 3rd in Asia/Shanghai
    with DagsterInstance.ephemeral() as instance:
        context = build_schedule_context(instance, scheduled_execution_time=tick)
        (request,) = night.evaluate_tick(context).run_requests or []  # type: ignore[union-attr]
    assert request.tags.items() >= range_tags(Span(DAY, NEXT)).items()


@pytest.mark.stack
def test_reopened_days_are_reviewed_again_once(house: House) -> None:
    reviews = make_reviews(house.settings, 2)

    def ask(cursor: str | None) -> tuple[list[tuple[str, str]], str | None]:
        found = reviews.reopened(build_sensor_context(cursor=cursor))
        spans = [
            Span(*(date.fromisoformat(tag) for tag in sorted(run.tags.values())))
            for run in found.run_requests or []
        ]  # type: ignore[union-attr]
        return [(str(span.first), str(span.last)) for span in spans], found.cursor  # type: ignore[union-attr]

    assert ask(None)[0] == []
    days = [DAY, NEXT, date(2024, 3, 9)]
    begin(
        house.warehouse,
        "late-run",
        Span(DAY, days[-1]),
        CONTRACTS.values(),
        house.now,
        kind=LATE,
        chosen=days,
    )
    spans, cursor = ask(None)
    assert spans == [("2024-03-01", "2024-03-02"), ("2024-03-09", "2024-03-09")]
    assert ask(cursor)[0] == []


def test_it_is_an_asset_by_day() -> None:
    review = make_definitions(Settings()).resolve_asset_graph().get(AssetKey("rule_review"))
    assert review.partitions_def == DAYS
    assert review.backfill_policy == BackfillPolicy.single_run(), "many days are one run of the command"
    assert review.group_name == "rules" and review.is_materializable
    assert (review.parent_keys, review.child_keys) == (set(), set()), "it waits for no build, and none for it"
