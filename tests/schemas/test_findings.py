"""Findings of the gate: stored as values, told in either language; every code and every check has its words."""

from __future__ import annotations

import re
from datetime import date

import pytest
from great_expectations.expectations.registry import list_registered_expectation_implementations
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.gate.checks import CONTIGUOUS, RECONCILED
from dagster_project.gate.judge import BUILT
from quality import beyond
from quality.suites import Expectation
from schemas.findings import NO_VERDICT, Finding, Found, check_words, decode, encode, findings_words, words_of
from schemas.gate import BY_ROW, WHOLE

OWN = [
    *(
        beyond.QUARANTINE,
        beyond.DRIFT_DAY,
        beyond.DRIFT_WEEK,
        beyond.COMPLETE,
        beyond.FRESHNESS,
        beyond.RANKING,
    ),
    *(CONTIGUOUS.kind, RECONCILED.kind, BUILT.kind),
]
GX = [
    name for name in list_registered_expectation_implementations() if name.startswith(BY_ROW) or name in WHOLE
]
BETWEEN = Expectation("expect_column_values_to_be_between", {"column": "pm25", "max_value": 80})
ARRIVED = "2024-03-01T12:00:00.250000+08:00"
CASES = [
    (
        Expectation("quarantine_share", {}).found(Found.QUARANTINED, rows=2, quarantined=1),
        "quarantine_share: 1 of 2 rows are in quarantine",
        "隔离占比：2 行中有 1 行被隔离",
    ),
    (
        Expectation("drift_day", {}).found(
            Found.DRIFTED, now=150, unit="rows", before=100.0, day="2024-03-07", share=0.5
        ),
        "drift_day: 150 rows, 100 on 2024-03-07: 50% apart",
        "较前一日变动：150 行，2024-03-07 为 100 行，相差 50%",
    ),
    (
        Expectation("drift_week", {}).found(
            Found.DRIFTED_FROM_NOTHING, now=1.5, unit="%", before=0.0, day="2024-03-01"
        ),
        "drift_week: 1.5 %, 0 on 2024-03-01: inf% apart",
        "较上周同日变动：1.5 %，2024-03-01 为 0 %",
    ),
    (
        Expectation("regions_complete", {}).found(
            Found.REGIONS_MISSING, there=10, wanted=11, level="city", missing=["330100"]
        ),
        "regions_complete: 10 of 11 city regions; missing 330100 杭州市",
        "地区齐全：应有 11 个设区市，实有 10 个；缺 330100 杭州市",
    ),
    (
        Expectation("freshness", {}).found(Found.FELL_SILENT, partition=1, arrived=ARRIVED),
        "freshness: partition 1 last had something at 2024-03-01 12:00:00 +0800",
        "数据及时：分区 1 最后一次收到数据是在 2024-03-01 12:00:00 +0800",
    ),
    (
        Expectation("ranking_observed", {}).found(
            Found.RANKED_ALTHOUGH_MISSING, regions=["330100", "330200"]
        ),
        "ranking_observed: 330100, 330200 ranked although missing or imputed",
        "仅按实测地区排名：330100、330200 的数值缺失或为插补，却参加了排名",
    ),
    (
        Expectation("ranking_observed", {}).found(Found.RANKS_WRONG, count=3),
        "ranking_observed: 3 ranks are not those of observed regions alone",
        "仅按实测地区排名：3 个名次不是仅按实测地区排出的",
    ),
    (
        CONTIGUOUS.found(Found.GAP, partition=3, offset=7),
        "ledger_contiguous: partition 3 has a gap at 7",
        "位点连续：分区 3 在位点 7 处有缺口",
    ),
    (
        RECONCILED.found(Found.ROWS_DISAGREE, partition=0, rows=4, below=9, due=5),
        "ledger_reconciled: partition 0 has 4 rows below offset 9, the ledger says 5",
        "入库行数与台账一致：分区 0 位点 9 之前有 4 行，台账为 5 行",
    ),
    (
        BETWEEN.found(Found.ROWS_BROKEN, broken=1, rows=4),
        "expect_column_values_to_be_between(pm25): 1 of 4 rows",
        "取值范围（pm25）：4 行中有 1 行不符合",
    ),
    (
        Expectation("expect_table_row_count_to_be_between", {"min_value": 1}).found(Found.ROW_COUNT, rows=0),
        "expect_table_row_count_to_be_between: 0 rows",
        "行数范围：共 0 行",
    ),
    (
        BETWEEN.found(Found.UNCHECKED, said="no such column"),
        "expect_column_values_to_be_between(pm25): cannot be checked: no such column",
        "取值范围（pm25）：无法检查：no such column",
    ),
    (
        BUILT.found(Found.NOT_BUILT, error="Timeout", said="too slow: 3 s"),
        "built: Timeout: too slow: 3 s",
        "未能生成：Timeout：too slow: 3 s",
    ),
    (NO_VERDICT, "no verdict", "尚未检查"),
    (
        Finding(
            Found.STILL_SENT,
            {
                "type": "a.b.v1",
                "events": 5,
                "sources": 2,
                "days": 7,
                "until": "2027-06-30",
                "newest": "a.b.v2",
            },
        ),
        "5 events of a.b.v1 from 2 sources in 7 days; it is taken until 2027-06-30: send a.b.v2",
        "近 7 天仍有 2 个来源按旧版 a.b.v1 报送 5 条；该版接收至 2027-06-30，请改报 a.b.v2",
    ),
    (
        Finding(Found.TOLD, {"words": "5 of 7 rows"}, "drift_day"),
        "drift_day: 5 of 7 rows",
        "drift_day：5 of 7 rows",
    ),
]


@pytest.mark.parametrize(("finding", "english", "chinese"), CASES, ids=[str(c[0].found) for c in CASES])
def test_what_was_found_is_told_in_either_language(finding: Finding, english: str, chinese: str) -> None:
    assert (words_of(finding), words_of(finding, "zh")) == (english, chinese)
    assert words_of(decode(encode(finding)), "zh") == chinese


def test_every_code_has_words_and_a_case_here() -> None:
    assert {finding.found for finding, *_ in CASES} == set(Found)
    for words in findings_words().values():
        assert [code for code in Found if not words.has(code)] == []
    used = {key for key in findings_words()["en"].texts if not key.startswith(("check_", "unit_", "level_"))}
    assert used - set(Found) == {"finding", "within", "comma", "and_more"}, "words that nothing says"


@pytest.mark.parametrize("kind", [*OWN, *GX])
def test_every_check_has_a_chinese_name_and_goes_by_its_label_in_english(kind: str) -> None:
    asked = Finding(Found.TOLD, {"words": "x"}, check=f"{kind}(a)", kind=kind, columns=("a",))
    assert check_words(asked, "en") == f"{kind}(a)"
    assert re.search("[\u4e00-\u9fff]", check_words(asked, "zh")) and kind not in check_words(asked, "zh")


def test_a_long_list_is_cut_and_counted_and_a_span_is_told() -> None:
    missing = ["330102", "330105", "330106", "330108", "330109", "330110", "330111"]
    asked = Expectation("regions_complete", {})
    found = asked.found(Found.REGIONS_MISSING, there=83, wanted=90, level="county", missing=missing)
    assert words_of(found).endswith("330109 萧山区 and 2 more")
    assert words_of(found, "zh").endswith("330109 萧山区 等，另有 2 个")
    within = Finding(Found.ROW_COUNT, {"rows": 0}, "a", span=(date(2024, 3, 1), date(2024, 3, 9)))
    assert words_of(within) == "a: 0 rows (between 2024-03-01 and 2024-03-09)"
    assert words_of(within, "zh") == "a：共 0 行（2024-03-01 至 2024-03-09 之间）"


@given(
    st.builds(
        Finding,
        st.sampled_from(Found),
        st.dictionaries(
            st.text(), st.integers(-(2**53), 2**53) | st.text() | st.lists(st.text()) | st.booleans()
        ),
        st.text(),
        st.text(),
        st.lists(st.text()).map(tuple),
        st.none() | st.tuples(st.dates(), st.dates()),
    )
)
def test_what_is_stored_comes_back(finding: Finding) -> None:
    assert decode(encode(finding)) == finding


def test_a_code_of_a_later_version_is_shown_as_it_stands() -> None:
    later = '{"found":"shrunk","given":{"rows":3},"check":"drift_day"}'
    assert words_of(decode(later)) == f"drift_day: {later}"
