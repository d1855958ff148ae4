"""The gate on one build of one table: its suite, what GX cannot see, and the verdicts stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from dagster_project.build.feed import Built
from dagster_project.build.indicator import Indicator
from dagster_project.days.attempt import Attempt
from dagster_project.gate.checks import CONTIGUOUS, RANKING, RECONCILED, feed_failures, indicator_failures
from dagster_project.warehouse import Warehouse
from quality import beyond
from quality.gate import VERDICT_COLUMNS, Judged, Verdict, judge
from quality.suites import Expectation, Suite, declared, suite_for
from schemas.contract import Contract
from schemas.findings import Finding, Found
from schemas.regions import PROVINCE, load_regions
from schemas.settings import Settings

BUILT = Expectation("built", {})


def feed_suite(contract: Contract) -> Suite:
    """The contract's suite with what it declares itself, and what the ledger and the quarantine must say."""
    suite = suite_for(contract)
    more = (
        *declared(contract.gate),
        CONTIGUOUS,
        RECONCILED,
        *beyond.expectations(contract.gate, contract.region_field),
    )
    return replace(suite, expectations=(*suite.expectations, *more))


def indicator_suite(indicator: Indicator) -> Suite:
    """What must hold for an indicator's figures: known regions, each once a day, values within bounds."""
    codes = [PROVINCE, *sorted(load_regions().codes(indicator.regions))]
    low, high = indicator.bounds
    expectations = (
        Expectation("expect_compound_columns_to_be_unique", {"column_list": ["event_day", "region"]}),
        Expectation("expect_column_values_to_be_in_set", {"column": "region", "value_set": codes}),
        Expectation(
            "expect_column_values_to_be_between", {"column": "value", "min_value": low, "max_value": high}
        ),
        Expectation("expect_column_values_to_be_between", {"column": "numerator", "min_value": 0}),
        Expectation("expect_column_values_to_be_between", {"column": "denominator", "min_value": 0}),
        RANKING,
        *declared(indicator.gate),
        *beyond.expectations(indicator.gate, "region")[1:],
    )
    return Suite(f"indicator.{indicator.id}.{indicator.version}", expectations)


def judge_feed(
    settings: Settings,
    warehouse: Warehouse,
    contract: Contract,
    attempt: Attempt,
    built: Sequence[Built],
    now: datetime,
) -> Judged:
    """Judge a feed's days and store the verdicts."""
    failed = feed_failures(warehouse, contract, attempt, built)
    return _judge(settings, warehouse, contract.table, attempt, built, feed_suite(contract), failed, now)


def judge_indicator(
    settings: Settings,
    warehouse: Warehouse,
    indicator: Indicator,
    attempt: Attempt,
    built: Sequence[Built],
    now: datetime,
) -> Judged:
    """Judge an indicator's days and store the verdicts."""
    suite = indicator_suite(indicator)
    failed = indicator_failures(warehouse, indicator, attempt, built)
    return _judge(settings, warehouse, indicator.table, attempt, built, suite, failed, now)


def fail(warehouse: Warehouse, table: str, attempt: Attempt, error: Exception, now: datetime) -> Judged:
    """The verdict on a table that could not even be built: none of the attempt's days passes."""
    said = " ".join(str(error).split())[:300]
    finding = BUILT.found(Found.NOT_BUILT, error=type(error).__name__, said=said)
    verdicts = tuple(
        Verdict(table, day, attempt.build_id, "", "", rows=0, expectations=1, findings=(finding,))
        for day in attempt.days
    )
    warehouse.insert("quality.verdict", VERDICT_COLUMNS, [verdict.row(now) for verdict in verdicts])
    return Judged(verdicts, None)


def _judge(
    settings: Settings,
    warehouse: Warehouse,
    table: str,
    attempt: Attempt,
    built: Sequence[Built],
    suite: Suite,
    failed: dict[date, list[Finding]],
    now: datetime,
) -> Judged:
    days = [item.day for item in built if not item.blank]
    empty = {item.day for item in built if item.emptied}
    judged = judge(settings, warehouse.rows, table, attempt.build_id, days, suite, failed, empty)
    warehouse.insert("quality.verdict", VERDICT_COLUMNS, [verdict.row(now) for verdict in judged.verdicts])
    return judged
