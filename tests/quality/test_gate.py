"""The gate on real rows: verdicts by day, found by halving, with counts and never values."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from clickhouse_driver import Client
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)

from quality.docs import KEPT, RUNS, keep_result, stale, write_docs
from quality.gate import ROW_RUNS, Judged, Rows, _guilty, judge
from quality.gx import _address, _source
from quality.suites import Expectation, Suite, suite_for
from schemas.contract import load_contracts
from schemas.findings import Finding, Found, words_of
from schemas.settings import Settings

AIR = load_contracts()["ecology.air-quality"]
FIRST = date(2024, 3, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(10)]
SECRET = "777.125"
BAD = Expectation("expect_column_values_to_not_be_null", {"column": "id"}).found(
    Found.ROWS_BROKEN, broken=1, rows=4
)
Spoil = Callable[..., Judged]


@pytest.fixture
def rows(warehouse: Settings) -> Iterator[Rows]:
    """Run SQL as `service`."""
    client = Client(**warehouse.warehouse("service"))
    yield lambda sql: client.execute(sql)
    client.disconnect()


@pytest.fixture
def judged(warehouse: Settings, rows: Rows) -> Spoil:
    """Judge ten days of three good rows each and these further (day, id, region, pm25)."""

    def run(
        *more: tuple[date, str, str, float], suite: Suite | None = None, empty: Sequence[date] = ()
    ) -> Judged:
        build_id = uuid4().hex
        good = [(day, f"{day}-{n}", "330110", 30.0) for day in DAYS if day not in empty for n in range(3)]
        values = ", ".join(
            f"('{build_id}', '{day}', '/t', '{id}', '{day} 12:00:00', 'A1', '{region}', '24h', {pm25})"
            for day, id, region, pm25 in [*good, *more]
        )
        rows(
            "INSERT INTO built.ecology_air_quality"
            f" (build_id, event_day, source, id, time, station, region, averaging, pm25) VALUES {values}"
        )
        return judge(warehouse, rows, AIR.table, build_id, DAYS, suite or suite_for(AIR), {}, empty)

    return run


@pytest.mark.stack
def test_good_rows_pass_every_day(judged: Spoil) -> None:
    found = judged()
    assert found.passed
    assert [(verdict.day, verdict.rows) for verdict in found.verdicts] == [(day, 3) for day in DAYS]
    assert {verdict.suite_hash for verdict in found.verdicts} == {suite_for(AIR).hash}


@pytest.mark.stack
def test_the_same_days_judged_again_in_one_process_are_those_of_now(
    judged: Spoil, warehouse: Settings
) -> None:
    assert judged().passed
    assert not judged((DAYS[2], "x", "330110", 5000.0)).passed
    assert judged().passed
    source = _source(_address(warehouse))
    assert source is _source(_address(warehouse))
    assert not source.assets
    assert not source.get_execution_engine().batch_manager.batch_data_cache


@pytest.mark.stack
def test_only_the_days_with_bad_rows_fail_and_say_how_many(judged: Spoil) -> None:
    found = judged(
        (DAYS[2], "x", "330110", 5000.0), (DAYS[7], "y", "999999", 0.0), (DAYS[7], "z", "330110", -1.0)
    )
    failed = {verdict.day: verdict.failed for verdict in found.verdicts if not verdict.passed}
    assert failed == {
        DAYS[2]: ("expect_column_values_to_be_between(pm25): 1 of 4 rows",),
        DAYS[7]: (
            "expect_column_values_to_be_in_set(region): 1 of 5 rows",
            "expect_column_values_to_be_between(pm25): 2 of 5 rows",
            "expect_column_values_to_not_be_in_set(pm25): 1 of 5 rows",
        ),
    }


@pytest.mark.stack
def test_a_row_twice_and_a_day_without_rows_fail(judged: Spoil) -> None:
    found = judged((DAYS[1], f"{DAYS[1]}-0", "330110", 30.0))
    assert found.verdicts[1].failed == ("expect_compound_columns_to_be_unique(source, id): 1 of 4 rows",)
    assert judged(empty=DAYS[:1]).verdicts[0].passed


@pytest.mark.stack
def test_an_expectation_that_cannot_be_checked_fails(judged: Spoil) -> None:
    strange = Suite("s", (Expectation("expect_column_values_to_not_be_null", {"column": "nowhere"}),))
    found = judged(suite=strange)
    assert not any(verdict.passed for verdict in found.verdicts)
    assert "cannot be checked" in found.verdicts[0].failed[0]


@pytest.mark.stack
def test_no_view_is_left_behind(judged: Spoil, rows: Rows) -> None:
    judged((DAYS[2], "x", "330110", 5000.0))
    assert (
        rows("SELECT name FROM system.tables WHERE database = 'quality' AND startsWith(name, 'gate_')") == []
    )


@pytest.mark.stack
def test_data_docs_hold_counts_and_no_values(judged: Spoil, tmp_path: Path) -> None:
    result = judged((DAYS[2], "x", "330110", -float(SECRET))).result
    assert result is not None
    assert SECRET not in json.dumps(result.to_json_dict())
    now = datetime(2024, 4, 1, tzinfo=UTC)
    keep_result(tmp_path, "build-1", "ecology_air_quality 2024-03-01", result, now)
    assert write_docs(tmp_path) == 1
    pages = list((tmp_path / "docs").rglob("*.html"))
    assert tmp_path / "docs" / "index.html" in pages
    assert len(pages) == 2
    assert not any(SECRET in page.read_text() for page in pages)
    assert write_docs(tmp_path) == 0
    keep_result(tmp_path, "build-2", "ecology_air_quality 2024-03-01", result, now + timedelta(days=1))
    assert write_docs(tmp_path) == 1


def kept(run: int, table: int) -> ValidationResultIdentifier:
    """The key of a table's result in a run."""
    at = datetime(2024, 4, 1, tzinfo=UTC) + timedelta(days=run, seconds=table)
    return ValidationResultIdentifier(
        ExpectationSuiteIdentifier("contract.x"),
        RunIdentifier(f"build-{run}", at),
        f"table-{table} 2024-04-01",
    )


@pytest.mark.parametrize(
    ("runs", "tables", "left"), [(2, 20, 2), (12, 20, 10), (1, 250, 1), (9, 205, RUNS), (4, 70, RUNS)]
)
def test_old_results_go_and_never_one_of_the_newest_runs(runs: int, tables: int, left: int) -> None:
    keys = [kept(run, table) for run in reversed(range(runs)) for table in reversed(range(tables))]
    whole = {kept(run, table) for run in range(runs - left, runs) for table in range(tables)}
    stay = set(keys) - stale(keys)
    assert stay == (whole if left * tables >= KEPT or left == runs else {*whole, *keys[:KEPT]})


def test_halving_finds_the_guilty_days_in_few_runs() -> None:
    runs = 0

    def check(part: Sequence[date]) -> tuple[Finding, ...]:
        nonlocal runs
        runs += 1
        return (BAD,) if days[700] in part else ()

    days = [FIRST + timedelta(days=n) for n in range(1095)]
    assert _guilty(check, days, (BAD,)) == [(days[700], (BAD,))]
    assert runs <= 22


def test_where_too_many_fail_none_of_the_doubtful_days_passes() -> None:
    runs = 0

    def check(part: Sequence[date]) -> tuple[Finding, ...]:
        nonlocal runs
        runs += 1
        return (BAD,)

    days = [FIRST + timedelta(days=n) for n in range(1095)]
    found = _guilty(check, days, (BAD,))
    assert {day for day, _ in found} == set(days)
    assert runs <= ROW_RUNS + 2
    assert any("between" in words_of(findings[0]) for _, findings in found)
