"""Data Docs by day: one page a day, with what was asked of every table and what broke."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from quality.days import PAGES, keep_verdicts, write_days
from quality.gate import Verdict
from quality.suites import Expectation, Suite

NOW = datetime(2024, 4, 1, tzinfo=UTC)
FIRST, SECOND = date(2024, 3, 1), date(2024, 3, 2)
RANGE = Expectation("expect_column_values_to_be_between", {"column": "pm25", "min_value": 0, "max_value": 9})
SUITE = Suite("contract.ecology.air-quality.v1.0.0", (RANGE, Expectation("ledger_contiguous", {})))


def verdict(day: date, *failed: str, build: str = "b1", table: str = "air") -> Verdict:
    return Verdict(table, day, build, SUITE.name, SUITE.hash, 7, len(SUITE.expectations), failed)


def text(home: Path, name: object) -> str:
    return (home / PAGES / f"{name}.html").read_text(encoding="utf-8")


def test_each_day_has_a_page_with_every_expectation_and_what_broke_it(tmp_path: Path) -> None:
    broke = f"{RANGE.label}: 3 of 7 rows"
    keep_verdicts(tmp_path, "air", SUITE, [verdict(FIRST), verdict(SECOND, broke)], NOW)
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
    keep_verdicts(tmp_path, "air", SUITE, [verdict(FIRST, "ledger_contiguous: a gap")], NOW)
    keep_verdicts(tmp_path, "water", SUITE, [verdict(FIRST, table="water")], NOW)
    write_days(tmp_path)
    assert "a gap" in text(tmp_path, FIRST)
    later = NOW + timedelta(hours=1)
    keep_verdicts(tmp_path, "air", SUITE, [verdict(FIRST, build="b2")], later)
    assert write_days(tmp_path) == [str(FIRST)]
    assert "a gap" not in text(tmp_path, FIRST)
    assert "build b2" in text(tmp_path, FIRST) and "water" in text(tmp_path, FIRST)


def test_what_no_expectation_says_is_shown_too(tmp_path: Path) -> None:
    keep_verdicts(tmp_path, "air", SUITE, [verdict(FIRST, "built: Timeout: <b>too slow</b>")], NOW)
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
