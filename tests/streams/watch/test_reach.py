"""How far back a rule's decisions rest: enough that one begun there says the same as one begun long before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.watch.declare.load import load_rules
from streams.watch.publish.reach import ALL, reach
from tests.streams.watch.test_every_kind import KINDS
from tests.streams.watch.trying import CONTRACTS, START, air, rule, transitions

HOUR, DAY = 3_600_000, 86_400_000
SURGE = {"kind": "surge", "every": "P1D", "field": "pm25", "aggregate": "max"}


def of(condition: dict[str, Any], levels: dict[str, Any], **more: Any) -> float:
    made = rule(condition, levels, **more)
    return reach(made, {made.id: made}) / DAY


@pytest.mark.parametrize(
    ("condition", "levels", "more", "days"),
    [
        ({"kind": "threshold", "field": "pm25"}, {"blue": 1}, {}, 1),
        ({"kind": "threshold", "field": "pm25"}, {"blue": 1}, {"for_": "P2D", "keep_open_for": "P3D"}, 3),
        ({"kind": "change", "field": "pm25", "against": "last-week"}, {"blue": 1}, {}, 7 + 2 / 24),
        ({"kind": "aggregate", "aggregate": "sum", "field": "pm25", "window": "P7D"}, {"blue": 1}, {}, 14),
        ({"kind": "absence"}, {"blue": "P2D", "red": "P5D"}, {"wait": "P1D"}, 6),
        ({**SURGE, "method": "ears-c3"}, {"blue": 1}, {}, 13),
        ({**SURGE, "method": "ears-c3", "every": "P1M"}, {"blue": 1}, {}, 13 * 31),
        ({**SURGE, "method": "ewma", "parameters": {"m": 60, "sd": 20}}, {"blue": 1}, {}, 400),
    ],
)
def test_as_far_as_windows_dwells_and_waits_together(
    condition: dict[str, Any], levels: dict[str, Any], more: dict[str, Any], days: float
) -> None:
    assert of(condition, levels, **more) == pytest.approx(days)


def test_years_for_farrington_and_everything_where_a_mean_is_learnt() -> None:
    assert of({**SURGE, "method": "farrington-flexible"}, {"blue": 1}) == pytest.approx(6 * 367, abs=10)
    assert of({**SURGE, "method": "ewma"}, {"blue": 1}) * DAY > ALL * 0.99


def test_every_rule_there_is_has_one_and_composites_that_of_their_members() -> None:
    known = {each.id: each for each in load_rules(CONTRACTS, drafts=True)}
    for each in known.values():
        assert reach(each, known) >= max([DAY, *(reach(known[name], known) for name in each.members)])


NOT_OPEN = st.lists(st.tuples(st.integers(1, 40), st.sampled_from([20, 120, 260])), min_size=1, max_size=25)


@pytest.mark.parametrize("kind", ["change", "sliding", "tumbling", "ratio", "count", "sequence", "dwelling"])
@given(NOT_OPEN, NOT_OPEN)
@settings(max_examples=25, deadline=None)
def test_begun_there_it_says_the_same(
    kind: str, before: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    """Readings, then quiet ones in which every warning ends, then the part that must not depend on the first."""
    at, log = START, []
    for minutes, value in before:
        at += timedelta(minutes=minutes)
        log.append(air(at, value))
    at += timedelta(milliseconds=reach(KINDS[kind], {}))
    calm = [air(at - timedelta(minutes=minutes), 20) for minutes in range(90, 0, -1)]
    begun = at
    tail = []
    for minutes, value in after:
        at += timedelta(minutes=minutes)
        tail.append(air(at, value))
    since = int(begun.timestamp() * 1000)
    end = at + timedelta(days=1)
    whole = [each for each in transitions(KINDS[kind], [*log, *calm, *tail], end) if each.at >= since]
    cut = [each for each in transitions(KINDS[kind], [*calm, *tail], end) if each.at >= since]
    assert [(each.id, each.kind, each.level, each.at, each.value) for each in whole] == [
        (each.id, each.kind, each.level, each.at, each.value) for each in cut
    ]
