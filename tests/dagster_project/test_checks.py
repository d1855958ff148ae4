"""The gate beyond GX on the real engine, the tasks of what fails, and how each day stands."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from dagster_project.build.feed import build_feed
from dagster_project.days.spans import Span
from dagster_project.gate.evidence import evidence
from dagster_project.gate.judge import feed_suite, indicator_suite, judge_feed
from dagster_project.gate.tasks import COLUMNS, close, tasks, update_tasks
from dagster_project.mart.day_status import statuses
from dagster_project.orchestrate.runs import run_span
from quality.gate import UNIQUE, VERDICT_COLUMNS, Judged, Verdict
from quality.suites import Expectation
from schemas.contract import Contract
from schemas.findings import Found
from schemas.gate import Gate
from tests.dagster_project.house import AIR, INDICATORS, House, reading
from tests.dagster_project.test_command import liaowang

pytestmark = pytest.mark.stack
DAY = date(2024, 3, 1)
NEXT = date(2024, 3, 2)
HIGH = ("expect_column_values_to_be_between", {"column": "pm25", "max_value": 80})


def judge(house: House, gate: Gate, span: Span) -> tuple[Contract, Judged]:
    contract = replace(AIR, gate=gate)
    attempt = house.attempt(span)
    built = build_feed(house.warehouse, contract, attempt)
    return contract, judge_feed(house.settings, house.warehouse, contract, attempt, built, house.now)


def failed(judged: Judged) -> dict[date, list[str]]:
    return {verdict.day: [finding.check for finding in verdict.findings] for verdict in judged.verdicts}


def test_each_day_is_judged_by_what_its_contract_declares(house: House) -> None:
    cities = [
        "330100",
        "330200",
        "330300",
        "330400",
        "330500",
        "330600",
        "330700",
        "330800",
        "330900",
        "331000",
    ]
    for day, count, regions in ((DAY, 22, [*cities, "331100"]), (NEXT, 10, cities)):
        house.land(
            *(
                reading(
                    f"{day}-{n}",
                    day,
                    30 + n * 5,
                    data={"region": regions[n % len(regions)], "pm25": 30 + n * 5},
                )
                for n in range(count)
            )
        )
    gate = Gate(drift_day=0.5, complete=("city",), expectations=(HIGH,))
    contract, judged = judge(house, gate, Span(DAY, NEXT))
    high = "expect_column_values_to_be_between(pm25)"
    assert failed(judged) == {DAY: [high], NEXT: ["drift_day", "regions_complete"]}
    assert feed_suite(contract).hash != feed_suite(AIR).hash
    assert judged.verdicts[0].expectations == len(feed_suite(contract).expectations)

    suite = feed_suite(contract)
    opened = update_tasks(house.warehouse, contract.department, suite, judged, house.now)
    assert {(item.day, item.state, item.department) for item in opened} == {
        (DAY, "open", "ecology"),
        (NEXT, "open", "ecology"),
    }
    (first,) = [item for item in tasks(house.warehouse) if item.day == DAY]
    assert len(first.evidence) == 11
    assert {"log_epoch", "partition", "offset", "source", "id", "broke"} == set(first.evidence[0])
    (second,) = [item for item in tasks(house.warehouse) if item.day == NEXT]
    assert second.evidence[0] == {"region": "331100", "now": 0, str(DAY): 2, "broke": ["drift_day"]}
    assert [row["broke"] for row in second.evidence[1:-1]] == [["drift_day"]] * 9
    absent = {"region": "331100", "name": "丽水市", "level": "city", "broke": ["regions_complete"]}
    assert second.evidence[-1] == absent
    contract, judged = judge(house, Gate(), Span(DAY, DAY))
    update_tasks(house.warehouse, "ecology", feed_suite(contract), judged, house.now + timedelta(seconds=1))
    states = {item.day: item.state for item in tasks(house.warehouse)}
    assert states == {DAY: "resolved", NEXT: "open"}


def test_a_partition_that_fell_silent_is_not_fresh(house: House) -> None:
    house.now = datetime(2024, 3, 1, 4, tzinfo=UTC)
    house.land(reading("a", DAY, 1, partition=1))
    house.now = datetime(2024, 3, 1, 20, tzinfo=UTC)
    house.land(reading("b", DAY, 1))
    _, judged = judge(house, Gate(freshness=timedelta(hours=6)), Span(DAY, DAY))
    assert (
        judged.verdicts[0]
        .failed[0]
        .startswith("freshness: partition 1 last had something at 2024-03-01 12:00")
    )


def test_figures_are_judged_too(house: House) -> None:
    kinds = [item.kind for item in indicator_suite(INDICATORS["ecology.good-air-days"]).expectations]
    assert "ranking_observed" in kinds and "quarantine_share" not in kinds


def test_a_failed_day_is_a_task_with_evidence_and_a_status(house: House) -> None:
    house.land(reading("ok", NEXT, 30), reading("a", DAY, 30), reading("b", DAY, 4000))
    run_span(house.settings, Span(DAY, NEXT), lambda table, what: None)
    found = json.loads(liaowang(house.settings, "quality", "tasks", "--json").stdout)
    (task,) = [item for item in found if item["table"] == AIR.table]
    assert (task["task"], task["department"], task["state"]) == (f"{AIR.table}/{DAY}", "ecology", "open")
    assert task["department_name"]["zh"] == "浙江省生态环境厅"
    listed = liaowang(house.settings, "quality", "tasks", "--department", "ecology").stdout
    assert f"{AIR.table}/{DAY}" in listed and "ecology 浙江省生态环境厅" in listed
    assert "监测中心" in liaowang(house.settings, "quality", "show", f"{AIR.table}/{DAY}").stdout
    wrong = liaowang(house.settings, "quality", "tasks", "--department", "ecolgy")
    assert (
        wrong.returncode == 2 and "quality tasks: --department: no such department: 'ecolgy'" in wrong.stderr
    )
    assert task["failed"] == ["quarantine_share: 1 of 2 rows are in quarantine"]
    assert task["evidence"] == [
        {
            "log_epoch": 0,
            "partition": 0,
            "offset": 2,
            "source": "/test",
            "id": "b",
            "broke": ["pm25: maximum"],
        }
    ]
    assert task["findings"][0]["found"] == "quarantined"
    chinese = replace(house.settings, language="zh")
    listed = liaowang(chinese, "quality", "tasks").stdout
    assert "待处理" in listed and "隔离占比：2 行中有 1 行被隔离" in listed and "quarantine" not in listed
    told = liaowang(chinese, "quality", "show", f"{AIR.table}/{DAY}").stdout
    assert f"{AIR.table}/{DAY}：待处理，ecology" in told and "隔离占比：2 行中有 1 行被隔离" in told
    told = liaowang(house.settings, "quality", "show", f"{AIR.table}/{DAY}").stdout
    assert f"{AIR.table}/{DAY}: open, ecology" in told
    assert "quarantine_share: 1 of 2 rows are in quarantine" in told
    (row,) = [
        line
        for line in liaowang(chinese, "days", "--state", "failed").stdout.splitlines()
        if AIR.table in line
    ]
    assert "未通过" in row and "quarantine_share" in row
    shown = json.loads(liaowang(house.settings, "days", "--json").stdout)
    states = {item["day"]: item["state"] for item in shown if item["table"] == AIR.table}
    assert states == {str(DAY): "failed", str(NEXT): "published"}
    house.land(reading("b2", DAY, 40, corrects="b"))
    run_span(house.settings, Span(DAY, NEXT), lambda table, what: None)
    assert [item.state for item in tasks(house.warehouse)] == ["resolved"]
    (status,) = statuses(house.warehouse, DAY, DAY, AIR.table)
    assert (status.state, status.release_seq, status.rows) == ("published", 2, 2)
    closed = liaowang(house.settings, "quality", "close", f"{AIR.table}/{DAY}", "--note", "known")
    assert (closed.returncode, tasks(house.warehouse)[0].state) == (0, "closed")


def test_every_reason_has_its_evidence(house: House) -> None:
    """Copies of a key, silent partitions, ranks that missing regions have: what each names is there."""
    house.land(reading("a", DAY, 30), reading("b", DAY, 40))
    attempt = house.attempt()
    house.build(attempt)
    house.warehouse.rows(f"INSERT INTO built.{AIR.table} SELECT * FROM built.{AIR.table} WHERE id = 'b'")
    at = "2024-03-01T12:00:00+08:00"
    findings = (
        Expectation(UNIQUE, {"column_list": ["source", "id"]}).found(Found.ROWS_BROKEN, broken=1, rows=3),
        Expectation("freshness", {}).found(Found.FELL_SILENT, partition=1, arrived=at),
        Expectation("ledger_contiguous", {}).found(Found.GAP, partition=3, offset=7),
        Expectation("expect_table_row_count_to_be_between", {}).found(Found.ROW_COUNT, rows=0),
    )
    verdict = Verdict(AIR.table, DAY, attempt.build_id, "", "", 3, 1, findings)
    place = {"log_epoch": 0, "partition": 0, "offset": 1, "source": "/test", "id": "b"}
    assert evidence(house.warehouse, feed_suite(AIR), verdict) == (
        *[place | {"broke": ["expect_compound_columns_to_be_unique"]}] * 2,
        {"partition": 1, "arrived": at, "broke": ["freshness"]},
        {"partition": 3, "offset": 7, "broke": ["ledger_contiguous"]},
    )
    good = INDICATORS["ecology.good-air-days"]
    house.figure(attempt, good)
    house.warehouse.rows(
        "INSERT INTO built.figure SELECT * REPLACE (7 AS rank) FROM built.figure"
        f" WHERE indicator = '{good.id}' AND region = '331100'"
    )
    odd = Expectation("ranking_observed", {}).found(Found.RANKED_ALTHOUGH_MISSING, regions=["331100"])
    verdict = Verdict(good.table, DAY, attempt.build_id, "", "", 3, 1, (odd,))
    (row,) = evidence(house.warehouse, indicator_suite(good), verdict)
    assert row == {"region": "331100", "broke": ["ranking_observed"]}


def test_what_an_earlier_version_stored_in_words_alone_is_read_as_it_stands(house: House) -> None:
    """A task and a verdict without findings: the words under their check, in the list, on the day, and settled."""
    words = ["expect_column_values_to_be_between(pm25): 1 of 4 rows", "built: Timeout: too slow"]
    told = (f"{AIR.table}/{DAY}", "open", "ecology", AIR.table, DAY, "b0", words, [], "", house.now)
    house.warehouse.insert("quality.task", COLUMNS[:-1], [told])
    (task,) = tasks(house.warehouse)
    assert task.failed == tuple(words)
    assert [item.check for item in task.findings] == ["expect_column_values_to_be_between(pm25)", "built"]
    verdict = (AIR.table, DAY, "b0", 0, "s", "h", 1, 2, words, house.now)
    house.warehouse.insert(
        "quality.verdict", [name for name in VERDICT_COLUMNS if name != "findings"], [verdict]
    )
    (status,) = statuses(house.warehouse, DAY, DAY, AIR.table)
    assert (status.state, status.failed) == ("failed", ("expect_column_values_to_be_between(pm25)", "built"))
    assert close(house.warehouse, task.task, "known", house.now + timedelta(seconds=1)).failed == tuple(words)
    assert [(item.state, item.failed) for item in tasks(house.warehouse)] == [("closed", tuple(words))]
