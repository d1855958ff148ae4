"""Data Docs by day: one page a day, with what was asked of every table and what broke."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from quality.days import PAGES, keep_verdicts, write_days
from quality.gate import Verdict
from quality.suites import Expectation, Suite
from schemas.findings import Finding, Found

NOW = datetime(2024, 4, 1, tzinfo=UTC)
FIRST, SECOND = date(2024, 3, 1), date(2024, 3, 2)
RANGE = Expectation("expect_column_values_to_be_between", {"column": "pm25", "min_value": 0, "max_value": 9})
SUITE = Suite("contract.ecology.air-quality.v1.0.0", (RANGE, Expectation("ledger_contiguous", {})))


GAP = Expectation("ledger_contiguous", {}).found(Found.GAP, partition=3, offset=7)


def verdict(day: date, *failed: Finding, build: str = "b1", table: str = "air") -> Verdict:
    return Verdict(table, day, build, SUITE.name, SUITE.hash, 7, len(SUITE.expectations), failed)


def text(home: Path, name: object) -> str:
    return (home / PAGES / f"{name}.html").read_text(encoding="utf-8")


def test_each_day_has_a_page_with_every_expectation_and_what_broke_it(tmp_path: Path) -> None:
    broke = f"{RANGE.label}: 3 of 7 rows"
    found = RANGE.found(Found.ROWS_BROKEN, broken=3, rows=7)
    keep_verdicts(tmp_path, "air", SUITE, [verdict(FIRST), verdict(SECOND, found)], NOW)
    assert not (tmp_path / PAGES).exists()
    assert write_days(tmp_path) == [str(FIRST), str(SECOND)]
    for name in (
        RANGE.label,
        "min_value: 0, max_value: 9",
        "ledger_contiguous",
        SUITE.name,
        "7 rows",
        "build b1",
    ):
        assert name in text(tmp_path, FIRST)
    assert broke in text(tmp_path, SECOND) and "failed" in text(tmp_path, SECOND).split("</summary>")[0]
    assert broke not in text(tmp_path, FIRST) and "✗" not in text(tmp_path, FIRST)
    listed = text(tmp_path, "index")
    assert listed.index(f"{SECOND}.html") < listed.index(f"{FIRST}.html")
    assert write_days(tmp_path) == []


def test_a_page_shows_what_was_said_last_and_keeps_the_other_tables(tmp_path: Path) -> None:
    keep_verdicts(tmp_path, "air", SUITE, [verdict(FIRST, GAP)], NOW)
    keep_verdicts(tmp_path, "water", SUITE, [verdict(FIRST, table="water")], NOW)
    write_days(tmp_path)
    assert "has a gap at 7" in text(tmp_path, FIRST)
    later = NOW + timedelta(hours=1)
    keep_verdicts(tmp_path, "air", SUITE, [verdict(FIRST, build="b2")], later)
    assert write_days(tmp_path) == [str(FIRST)]
    assert "has a gap at 7" not in text(tmp_path, FIRST)
    assert "build b2" in text(tmp_path, FIRST) and "water" in text(tmp_path, FIRST)


def test_what_no_expectation_says_is_shown_too(tmp_path: Path) -> None:
    slow = Expectation("built", {}).found(Found.NOT_BUILT, error="Timeout", said="<b>too slow</b>")
    keep_verdicts(tmp_path, "air", SUITE, [verdict(FIRST, slow)], NOW)
    write_days(tmp_path)
    assert "built: Timeout: &lt;b&gt;too slow&lt;/b&gt;" in text(tmp_path, FIRST)


def test_the_engine_s_page_is_linked_while_it_is_there(tmp_path: Path) -> None:
    there = tmp_path / "docs" / "validations" / "air 2024.html"
    there.parent.mkdir(parents=True)
    there.write_text("x")
    for name, table in (("validations/air 2024.html", "air"), ("validations/gone.html", "water")):
        keep_verdicts(tmp_path, table, SUITE, [verdict(FIRST, table=table)], NOW, name)
    write_days(tmp_path)
    assert 'href="../validations/air%202024.html"' in text(tmp_path, FIRST)
    assert "gone" not in text(tmp_path, FIRST)


def test_nothing_is_kept_of_no_verdicts(tmp_path: Path) -> None:
    keep_verdicts(tmp_path, "air", SUITE, [], NOW)
    assert write_days(tmp_path) == []


def test_each_page_stands_in_both_languages_and_each_leads_to_the_other(tmp_path: Path) -> None:
    found = RANGE.found(Found.ROWS_BROKEN, broken=3, rows=7)
    keep_verdicts(tmp_path, "air", SUITE, [verdict(FIRST, found)], NOW)
    write_days(tmp_path)
    chinese = text(tmp_path, f"{FIRST}.zh")
    assert (
        "取值范围（pm25）：7 行中有 3 行不符合" in chinese and "位点连续" in chinese and "未通过" in chinese
    )
    shown = chinese.split("<body>")[1]
    for english in (">passed", ">failed", ">expectation", "rows", RANGE.label):
        assert english not in shown
    assert f'href="{FIRST}.html"' in chinese and f'href="{FIRST}.zh.html"' in text(tmp_path, FIRST)
    assert f'href="{FIRST}.zh.html"' in text(tmp_path, "index.zh")
    assert 'lang="zh-CN"' in chinese and 'lang="en"' in text(tmp_path, FIRST)


def test_what_an_earlier_version_kept_in_words_is_shown_as_it_stands(tmp_path: Path) -> None:
    """Its checks are marked neither as held nor as failed: the words alone do not say which is which."""
    keep_verdicts(tmp_path, "water", SUITE, [verdict(FIRST, table="water")], NOW)
    write_days(tmp_path)
    old = {
        "table": "air",
        "suite": SUITE.name,
        "asked": [[RANGE.label, "max_value: 9"]],
        "build": "b0",
        "at": NOW.isoformat(),
        "docs": "",
        "rows": 7,
        "failed": [f"{RANGE.label}: 3 of 7 rows"],
    }
    data = tmp_path / PAGES / f"{FIRST}.json"
    data.write_text(json.dumps({**json.loads(data.read_text()), "air": old}), encoding="utf-8")
    keep_verdicts(tmp_path, "water", SUITE, [verdict(FIRST, table="water", build="b2")], NOW)
    write_days(tmp_path)
    of_air, of_water = text(tmp_path, FIRST).split('<details id="water"')
    assert f"{RANGE.label}: 3 of 7 rows" in of_air and "✓" not in of_air and "✓" in of_water
