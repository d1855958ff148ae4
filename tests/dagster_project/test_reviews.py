"""The nightly review in Dagster: which days it takes, what a run tells, and that a failure says why."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from dagster import (
    AssetKey,
    DagsterInstance,
    Definitions,
    ExecuteInProcessResult,
    build_schedule_context,
    build_sensor_context,
    in_process_executor,
)

from dagster_project.days.attempt import LATE, begin
from dagster_project.days.spans import Span
from dagster_project.orchestrate.assets import range_tags
from dagster_project.orchestrate.project import make_definitions
from dagster_project.orchestrate.reviews import COMMAND, JOB, REVIEW, environment, make_reviews
from schemas.settings import PREFIX, Settings
from tests.dagster_project.house import CONTRACTS, House

DAY, NEXT = date(2024, 3, 1), date(2024, 3, 2)
ROW = {
    "rule": "a.b",
    "day": "2024-03-01",
    "should": 3,
    "were": 2,
    "missed": 1,
    "spurious": 0,
    "complete": True,
}
MISSED = {"verdict": "missed", "rule": "a.b", "level": "red", "subject": "S1"}
FOUND = {
    "rules": [ROW, ROW | {"day": "2024-03-02", "complete": False}],
    "warnings": [MISSED, MISSED | {"verdict": "agreed"}],
    "events": 7,
    "seconds": 0.1,
}


def run(settings: Settings, command: Sequence[str]) -> ExecuteInProcessResult:
    """A run over two days with another program in the place of `liaowang`."""
    reviews = make_reviews(settings, 2, command)
    definitions = Definitions(assets=[reviews.asset], jobs=[reviews.job], executor=in_process_executor)
    with DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def(JOB).execute_in_process(
            instance=instance, raise_on_error=False, tags=range_tags(Span(DAY, NEXT))
        )


def program(folder: Path, code: str) -> list[str]:
    path = folder / "liaowang.py"
    path.write_text(code, encoding="utf-8")
    return [sys.executable, str(path)]


def test_a_run_asks_for_its_days_and_tells_what_was_found(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    heard = f"import sys; open({str(asked)!r}, 'w').write(' '.join(sys.argv[1:]))"
    code = f"{heard}; print({json.dumps(json.dumps(FOUND))})"
    done = run(Settings(home=tmp_path), program(tmp_path, code))
    assert done.success
    assert asked.read_text() == "rules review --from 2024-03-01 --to 2024-03-02 --json"
    metadata = done.asset_materializations_for_node("rule_review")[0].metadata
    told = {
        name: metadata[name].value
        for name in ("should", "were", "missed", "rules", "incomplete_days", "events")
    }
    assert told == {"should": 6, "were": 4, "missed": 2, "rules": 1, "incomplete_days": 1, "events": 7}
    assert metadata["wrong"].value == ["missed: a.b red S1"]
    assert {each.partition for each in done.asset_materializations_for_node("rule_review")} == {
        "2024-03-01",
        "2024-03-02",
    }


def test_a_failure_is_one_of_dagster_with_the_reason_in_one_line(tmp_path: Path) -> None:
    said = "print('working', file=sys.stderr); print('liaowang: the broker is away', file=sys.stderr)"
    code = f"import sys; {said}; sys.exit(4)"
    done = run(Settings(home=tmp_path), program(tmp_path, code))
    assert not done.success
    (failed,) = [event for event in done.all_events if event.is_step_failure]
    error = failed.step_failure_data.error
    assert error is not None
    told = "liaowang rules review ended with exit code 4: liaowang: the broker is away"
    assert told in error.message + (error.cause.message if error.cause else "")


def test_the_command_is_there_and_hears_these_settings_but_no_secrets(tmp_path: Path) -> None:
    assert COMMAND.exists()
    given = environment(Settings(home=tmp_path, warehouse_port=4321, service_password="hush"))
    assert (given[f"{PREFIX}WAREHOUSE_PORT"], given[f"{PREFIX}HOME"]) == ("4321", str(tmp_path))
    assert "hush" not in given.values()


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
    graph = make_definitions(Settings()).resolve_asset_graph()
    assert graph.get(AssetKey("rule_review")).partitions_def is not None
