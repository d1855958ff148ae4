"""From a score back to the messages of its indicators, and from those alone to the same score."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from dagster_project.build.index import INDEXES, Index, build_index, load_index, load_indexes
from dagster_project.days.spans import Span
from dagster_project.explain.explanation import Explanation
from dagster_project.explain.figure import Question
from dagster_project.explain.index import explain_index, replay_index
from dagster_project.gate.judge import judge_indicator
from tests.dagster_project.house import AIR, HEALTH, INDICATORS, REQUESTS, Event, House, noon
from tests.dagster_project.test_command import liaowang
from tests.dagster_project.test_explain import AIR_DATA, HEALTH_DATA, KNOWN, land

pytestmark = pytest.mark.stack
DAY = date(2024, 3, 1)
HANGZHOU, NINGBO, PROVINCE = "330100", "330200", "330000"
CITIES = load_indexes(INDICATORS)["prosperity.cities"]
REQUEST = {
    **{"request": "R1", "region": "330110", "channel": "hotline", "category": "housing", "stage": "received"},
    **{"received_at": noon(DAY), "limit_hours": 2},
}


def published(house: House, index: Index = CITIES) -> None:
    """Hangzhou had one good day of two and solved its request; Ningbo one of one and did not."""
    first, second = date(2024, 2, 29), DAY
    air = [("a1", first, "330110", 30), ("a2", second, "330110", 90), ("a3", second, "330203", 30)]
    land(
        house,
        AIR,
        *(Event(id, day, {"region": code, "station": code, "pm25": float(pm)}) for id, day, code, pm in air),
        base=AIR_DATA,
    )
    cases = [("h1", HANGZHOU, 0), ("h2", NINGBO, 3)]
    land(
        house,
        HEALTH,
        *(Event(id, DAY, {"region": code, "cases": n}) for id, code, n in cases),
        base=HEALTH_DATA,
    )
    requests = [
        ("r1", "R1", "330110", "received"),
        ("r2", "R1", "330110", "handled"),
        ("r3", "R2", "330203", "received"),
    ]
    land(
        house,
        REQUESTS,
        *(
            Event(id, DAY, {"request": name, "region": code, "stage": stage})
            for id, name, code, stage in requests
        ),
        base=REQUEST,
    )
    attempt = house.attempt(Span(first, DAY))
    for contract in (AIR, HEALTH, REQUESTS):
        house.build(attempt, contract)
    for item in index.inputs.values():
        house.figure(attempt, item)
    built = build_index(house.warehouse, index, attempt)
    assert judge_indicator(house.settings, house.warehouse, index.indicator, attempt, built, house.now).passed
    house.publish(attempt)


def asked(region: str) -> Question:
    return Question(CITIES.indicator, region, DAY)


def explained(house: House, region: str, index: Index = CITIES) -> Explanation:
    return explain_index(house.warehouse, KNOWN, index, asked(region))


def test_a_score_leads_to_the_figures_it_is_made_of_and_their_messages(house: House) -> None:
    published(house)
    found = explained(house, HANGZHOU)
    told = {one.code: (one.value, one.score, one.weight, one.contribution) for one in found.shares}
    good_air = (50.0 - 50) / 43 * 100
    assert told["good_air"] == pytest.approx((50.0, good_air, 0.4, good_air * 0.4))
    assert told["resolved"] == pytest.approx((100.0, 100.0, 0.36, 36.0))
    assert told["incidence"] == pytest.approx((0.0, 100.0, 0.24, 24.0))
    assert found.figure["value"] == pytest.approx(sum(one.contribution or 0 for one in found.shares))
    assert found.sufficient
    assert [(item.indicator, item.messages_total) for item in found.inputs] == [
        ("ecology.good-air-days", 2),
        ("governance.resolved-in-time", 2),
        ("health.infectious-incidence", 1),
    ]
    assert [source.department for source in found.sources] == ["ecology", "governance", "health"]
    assert sorted(message.id for message in found.messages) == ["a1", "a2", "h1", "r1", "r2"]
    assert found.messages_total == 5
    assert all(item.release.verdict.passed for item in found.inputs)


@pytest.mark.parametrize("region", [HANGZHOU, NINGBO, PROVINCE])
def test_the_messages_alone_make_the_same_score(house: House, region: str) -> None:
    published(house)
    found = explained(house, region)
    for table in ("ecology_air_quality", "governance_citizen_request", "health_infectious_disease"):
        house.warehouse.rows(f"TRUNCATE TABLE built.{table}")
    again = replay_index(house.warehouse, KNOWN, CITIES, asked(region), found)
    assert again.value is not None
    assert (again.value, again.numerator, again.denominator, again.absent) == (
        *(found.figure[name] for name in ("value", "numerator", "denominator")),
        0,
    )
    fewer = tuple(
        replace(item, messages=()) if item.indicator == "health.infectious-incidence" else item
        for item in found.inputs
    )
    changed = replay_index(house.warehouse, KNOWN, CITIES, asked(region), replace(found, inputs=fewer))
    assert changed.value != again.value


def test_a_region_placed_among_the_others_needs_the_messages_of_all(house: House, tmp_path: Path) -> None:
    path = tmp_path / "prosperity" / "cities.yaml"
    path.parent.mkdir()
    text = (INDEXES / "prosperity" / "cities.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("normalise: goalposts", "normalise: {method: minmax, range: [1, 100]}"))
    index = load_index(path, INDICATORS)
    published(house, index)
    found = explained(house, NINGBO, index)
    assert not found.sufficient
    assert {message.id for message in found.messages} >= {"a1", "a3", "h1", "h2", "r1", "r3"}
    again = replay_index(house.warehouse, KNOWN, index, asked(NINGBO), found)
    assert again.value == found.figure["value"] == pytest.approx(0.4 * 100 + 0.36 * 1 + 0.24 * 1)


def test_the_command_explains_an_index_as_tables_json_and_page(house: House) -> None:
    published(house)
    command = ["explain", CITIES.indicator.id, "--region", "杭州市", "--period", str(DAY), "--replay"]
    done = liaowang(house.settings, *command, "--json", "--page", "--messages", "3")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["replay"]["same"], len(told["messages"]), told["messages_total"]) == (True, 3, 5)
    assert [item["indicator"] for item in told["inputs"]] == sorted(
        item.id for item in CITIES.inputs.values()
    )
    page = house.settings.home / "docs" / "explain" / CITIES.indicator.id / f"{HANGZHOU}-{DAY}.html"
    assert "What the score is made of" in page.read_text(encoding="utf-8")
    shown = liaowang(house.settings, *command)
    assert (shown.returncode, "replay of 5 messages: 60, the same" in shown.stdout) == (0, True), shown.stderr
