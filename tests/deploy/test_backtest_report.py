"""What a back-test tells: one version alone, or beside another one; as JSON and as tables."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from deploy.rule_history.backtest_report import Outcome, as_plain, show
from streams.watch.trial.backtest import Judged, by_region, load, pair, quality
from tests.streams.watch.test_backtest import made, of
from tests.streams.watch.trying import rule

DAY = 86_400_000
OLD, NEW = of(made("a", 10, 20), made("b", 10, 20)), of(made("a", 10, 15), made("c", DAY, None, "red"))
TRIED = rule({"kind": "threshold", "field": "pm25"}, {"yellow": 100})


def outcome(*found: list) -> Outcome:  # type: ignore[type-arg]  # episodes by version, the new one first
    pairs = pair(found[-1], found[0])
    cases = [Judged("", "a", 10, 20, "true")]
    return Outcome(
        TRIED,
        tuple(f"version {number}" for number in range(len(found), 0, -1)),
        tuple(tuple(each) for each in found),
        tuple(pairs),
        tuple(by_region(pairs, lambda code: "杭州市")),
        tuple(load("duty", each, 2) for each in found),
        tuple(quality(each, cases) for each in found),
    )


def test_two_versions_are_told_side_by_side_as_json() -> None:
    told = json.loads(json.dumps(as_plain(outcome(NEW, OLD), 1000, 2.0)))
    assert (told["rule"], told["new"], told["old"]) == (TRIED.id, "version 2", "version 1")
    assert (told["records"], told["seconds"]) == (1000, 2.0)
    assert {(each["verdict"], bool(each["old"]), bool(each["new"])) for each in told["episodes"]} == {
        ("same", True, True),
        ("new", False, True),
        ("gone", True, False),
    }
    red = next(row for row in told["regions"] if row["level"] == "red")
    assert (red["region"], red["old"], red["new"], red["same"], red["gone"]) == ("杭州市", 0, 1, 0, 0)
    assert [(each["version"], each["role"]) for each in told["load"]] == [
        ("version 2", "duty"),
        ("version 1", "duty"),
    ]
    assert [each["known_true"] for each in told["quality"]] == [1, 1]


def test_one_version_has_nothing_old() -> None:
    told = as_plain(outcome(NEW), 10, 1.0)
    assert told["old"] is None and all(each["old"] is None for each in told["episodes"])


def test_tables_name_what_differs_and_how_fast_it_went(capsys: pytest.CaptureFixture[str]) -> None:
    show(Console(), outcome(NEW, OLD), 3000, 2.0)
    said = capsys.readouterr().out
    assert "2 differences" in said and "1970-01-02 08:00:00" in said
    assert "3,000 records in 2.0 s, 1,500 a second" in said
    show(Console(), outcome(NEW), 3000, 0.0)
    alone = capsys.readouterr().out
    assert "differences" not in alone and "episodes" in alone
