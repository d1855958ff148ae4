"""From values to levels: dwells, hysteresis, flapping, quiet hours, maintenance; all on one open episode."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.levels import BY_RANK
from streams.watch.conditions import condition
from streams.watch.declare.calendar import Quiet, quiet_until
from streams.watch.declare.rule import Rule
from streams.watch.episodes.adopt import adopt
from streams.watch.episodes.episode import LEVEL, Moment, Transition
from streams.watch.trial.offline import Offline
from tests.streams.watch.trying import (
    AIR,
    CONTRACTS,
    MINUTE,
    START,
    air,
    clock,
    rule,
    series,
    steps,
    transitions,
)

PM25 = {"kind": "threshold", "field": "pm25"}
HOUR = timedelta(hours=1)


def test_rises_and_falls_are_one_episode() -> None:
    found = transitions(
        rule(PM25, {"blue": 100, "yellow": 150, "red": 200}), series([50, 120, 220, 160, 110, 90])
    )
    assert steps(found) == [
        ("opened", "blue", 1), ("raised", "red", 2), ("lowered", "yellow", 3), ("lowered", "blue", 4),
        ("recovered", "blue", 5),
    ]  # fmt: skip
    assert len({each.episode for each in found}) == 1
    assert [each.ordinal for each in found] == [1, 2, 3, 4, 5]


def test_each_level_has_its_own_dwell_over_the_rules() -> None:
    levels = {
        "blue": 100,
        "yellow": {"threshold": 150, "for": "PT1M"},
        "red": {"threshold": 200, "for": "PT0S"},
    }
    found = transitions(rule(PM25, levels, for_="PT3M"), series([160, 160, 160, 210, 160]))
    assert steps(found) == [("opened", "yellow", 1), ("raised", "red", 3), ("lowered", "yellow", 4)]


def test_a_level_that_fires_sooner_than_the_lowest_opens_the_warning_and_falls_to_it() -> None:
    """While the value is above the recovery, a warning that is open does not end for want of a dwell."""
    levels = {"blue": {"threshold": 100, "for": "PT1H"}, "red": 200}
    found = transitions(rule(PM25, levels), series([210, 120, 120, 90]))
    assert steps(found) == [("opened", "red", 0), ("lowered", "blue", 1), ("recovered", "blue", 3)]


def test_one_false_evaluation_resets_what_is_pending() -> None:
    found = transitions(
        rule(PM25, {"blue": 100}, for_="PT3M"), series([120, 120, 120, 90, 120, 120, 120, 120])
    )
    assert steps(found) == [("opened", "blue", 7)]
    assert dict(found[0].details)["since"] == int((START + 4 * MINUTE).timestamp() * 1000)


def test_recovery_has_a_threshold_and_a_dwell() -> None:
    watched = rule(PM25, {"blue": 100}, recovery={"threshold": 80, "for": "PT2M"})
    found = transitions(watched, series([120, 90, 79, 79, 85, 79, 79, 79]))
    assert steps(found) == [("opened", "blue", 0), ("recovered", "blue", 7)]


def test_downward_levels_are_reached_from_above() -> None:
    watched = rule(PM25 | {"direction": "below"}, {"blue": 60, "red": 20}, recovery=80)
    found = transitions(watched, series([90, 60, 20, 40, 70, 80, 81]))
    assert steps(found) == [
        ("opened", "blue", 1),
        ("raised", "red", 2),
        ("lowered", "blue", 3),
        ("recovered", "blue", 6),
    ]


def test_flapping_is_damped() -> None:
    """From the third rise within ten minutes on it ends only after ten minutes below its bound."""
    watched = rule(PM25, {"blue": 100}, flapping={"rises": 3, "within": "PT10M"})
    found = transitions(watched, series([120, 90, 120, 90, 120, 90, 120, 90, *[90] * 12]))
    assert steps(found) == [
        ("opened", "blue", 0), ("recovered", "blue", 1), ("opened", "blue", 2), ("recovered", "blue", 3),
        ("opened", "blue", 4), ("recovered", "blue", 17),
    ]  # fmt: skip


def test_damping_lasts_as_long_as_the_flapping() -> None:
    """What damping has kept from falling and rising again counts on."""
    watched = rule(PM25, {"blue": 100}, flapping={"rises": 3, "within": "PT10M"})
    found = transitions(watched, series([*[120, 90] * 30, *[90] * 12]))
    assert steps(found)[-2:] == [("opened", "blue", 4), ("recovered", "blue", 69)]


def test_slow_changes_are_no_flapping() -> None:
    watched = rule(PM25, {"blue": 100}, flapping={"rises": 2, "within": "PT10M"})
    found = transitions(watched, series([120, *[90] * 9, 120, 90]))
    assert [each.kind for each in found] == ["opened", "recovered", "opened", "recovered"]


QUIET = [{"from": "09:00", "to": "10:00", "up_to": "yellow"}]
"""START is 08:00 in Shanghai."""


def test_quiet_hours_hold_rises_back_until_they_end() -> None:
    watched = rule(PM25, {"blue": 100, "yellow": 150, "red": 200}, quiet=QUIET)
    log = [air(START + 65 * MINUTE, 160), clock(START + 121 * MINUTE)]
    assert steps(transitions(watched, log)) == [("opened", "yellow", 120)]
    gone = [air(START + 65 * MINUTE, 160), air(START + 70 * MINUTE, 90), clock(START + 121 * MINUTE)]
    assert transitions(watched, gone) == []
    red = [air(START + 65 * MINUTE, 160), air(START + 70 * MINUTE, 210), air(START + 80 * MINUTE, 160)]
    assert steps(transitions(watched, red)) == [("opened", "red", 70), ("lowered", "yellow", 80)]


def test_quiet_hours_let_warnings_end() -> None:
    watched = rule(PM25, {"blue": 100}, quiet=QUIET)
    found = transitions(watched, [air(START, 120), air(START + 65 * MINUTE, 90)])
    assert steps(found) == [("opened", "blue", 0), ("recovered", "blue", 65)]


@pytest.mark.parametrize(
    ("start", "end", "days", "hour", "ends"),
    [
        (22, 7, range(7), 23, 24 + 7), (22, 7, range(7), 3, 7), (22, 7, range(7), 7, None),
        (22, 7, [3], 23, 24 + 7), (22, 7, [4], 23, None), (22, 7, [2], 3, 7), (0, 6, [3], 5, 6),
    ],
)  # fmt: skip
def test_hours_past_midnight_belong_to_the_day_they_begin_on(
    start: int, end: int, days: Any, hour: int, ends: int | None
) -> None:
    """Hours of Thursday 1970-01-01 in Shanghai."""
    hours = Quiet(start * 3_600_000, end * 3_600_000, tuple(days), 4)
    midnight = -8 * 3_600_000
    found = quiet_until([hours], midnight + hour * 3_600_000, 1)
    assert found == (None if ends is None else midnight + ends * 3_600_000)


def maintenance(**more: Any) -> list[dict[str, Any]]:
    return [{"from": "2026-03-01T09:00:00+08:00", "to": "2026-03-01T10:00:00+08:00", **more}]


def test_what_happens_in_maintenance_is_not_judged() -> None:
    watched = rule(PM25, {"blue": 100}, maintenance=maintenance(subjects=["S1"]))
    log = [
        air(START, 50),
        air(START + 65 * MINUTE, 500),
        air(START + 65 * MINUTE, 500, "S2"),
        clock(START + 5 * HOUR),
    ]
    assert [each.subject for each in transitions(watched, log)] == ["S2"]


@pytest.mark.parametrize(
    ("code", "covered"), [("330106", True), ("330100", True), ("330000", True), ("330200", False)]
)
def test_maintenance_of_a_region_covers_what_lies_in_it(code: str, covered: bool) -> None:
    watched = rule(PM25, {"blue": 100}, maintenance=maintenance(regions=[code]))
    assert bool(transitions(watched, [air(START, 50), air(START + 65 * MINUTE, 500)])) != covered


def test_silence_in_maintenance_does_not_count() -> None:
    """A station that is worked on has to report again within the bound after the work."""
    watched = rule({"kind": "absence"}, {"blue": "PT30M"}, maintenance=maintenance())
    found = transitions(watched, [air(START + 50 * MINUTE, 50)], START + 4 * HOUR)
    assert steps(found) == [("opened", "blue", 150)]


def test_what_is_due_in_maintenance_comes_at_its_end() -> None:
    watched = rule(PM25, {"blue": 100}, for_="PT10M", maintenance=maintenance())
    found = transitions(watched, [air(START + 55 * MINUTE, 120)], START + 4 * HOUR)
    assert steps(found) == [("opened", "blue", 120)]


def test_events_late_within_wait_are_judged_in_order() -> None:
    watched = rule(PM25, {"blue": 100}, for_="PT2M", wait="PT5M")
    readings = series([120, 120, 90, 120, 120, 120])
    swapped = [readings[at] for at in (1, 0, 3, 2, 5, 4)]
    assert steps(transitions(watched, swapped)) == [("opened", "blue", 5)]


def edited(old: Rule, new: Rule | None, values: list[float], then: list[float]) -> list[Transition]:
    """What comes of values judged by the old rule, and more of them by the new."""
    found: list[Transition] = []
    offline = Offline(CONTRACTS, [old])
    for each in series(values):
        offline.take(each, found.append)
    before = offline.parts[AIR].lane("").conditions[old.id]
    watermark = int((START + len(values) * MINUTE).timestamp() * 1000)
    now = Moment(CONTRACTS[AIR].topic, 0, "", 99, watermark)
    records = adopt(old, new, before.records, now, found.append)
    if new is None:
        assert records == {}
        return found
    after = condition(new, CONTRACTS[AIR].topic, 0, "", "region")
    after.records.update(records)
    after.restored(watermark)
    rows = []
    for number, each in enumerate(series([*values, *then])[len(values) :]):
        data = offline._decoders[AIR](each.raw).data
        rows.append((data, each.at, each.at, 100 + number, f"k{number}", AIR))
    after.observe(rows, found.append)
    return found


def test_an_edited_rule_keeps_its_open_episodes() -> None:
    old = rule(PM25, {"blue": 100, "red": 200})
    new = rule(PM25, {"blue": 100, "orange": 180}, version=2)
    found = edited(old, new, [210], [210, 50])
    assert [(each.kind, each.level, each.rule_version) for each in found] == [
        ("opened", "red", 1), ("lowered", "orange", 2), ("recovered", "orange", 2),
    ]  # fmt: skip
    assert len({each.episode for each in found}) == 1 and [each.ordinal for each in found] == [1, 2, 3]


def test_what_is_pending_goes_on_pending() -> None:
    old, new = (
        rule(PM25, {"blue": 100}, for_="PT3M", version=version, runbook=f"v{version}") for version in (1, 2)
    )
    assert steps(edited(old, new, [120, 120], [120, 120])) == [("opened", "blue", 3)]


def test_a_rule_that_watches_otherwise_keeps_the_episode_and_begins_anew() -> None:
    mean = {"kind": "aggregate", "aggregate": "mean", "field": "pm25", "window": "PT10M"}
    found = edited(rule(PM25, {"blue": 100}), rule(mean, {"blue": 100}, version=2), [120], [130, 20])
    assert steps(found) == [("opened", "blue", 0), ("recovered", "blue", 2)]
    assert len({each.episode for each in found}) == 1


@pytest.mark.parametrize(
    "new", [rule(PM25, {"blue": 100}, subject=["station", "averaging"], version=2), None]
)
def test_another_subject_or_a_retired_rule_cancels_what_is_open(new: Rule | None) -> None:
    found = edited(rule(PM25, {"blue": 100}), new, [120], [50])
    assert [(each.kind, each.level, each.previous, dict(each.details)) for each in found[1:]] == [
        ("cancelled", "blue", "blue", {"reason": "rule-changed" if new else "rule-retired"})
    ]


def test_records_without_anything_to_go_on_with_are_not_taken_over() -> None:
    old, mean = (
        rule(PM25, {"blue": 100}),
        {"kind": "aggregate", "aggregate": "mean", "field": "pm25", "window": "PT1H"},
    )
    records = {"S1": [0, 0, 0, "330106", 5, None, None], "S2": [5, 1, 1, "330106", 5, None, None]}
    taken = adopt(old, rule(mean, {"blue": 100}), records, Moment("t", 0, "", 0, 0), lambda transition: None)
    assert list(taken) == ["S2"] and BY_RANK[taken["S2"][LEVEL]] == "blue"
