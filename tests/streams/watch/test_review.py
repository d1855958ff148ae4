"""Warnings that should have been beside those that were: agreed, earlier, later, missed, spurious, by level."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from streams.watch.episodes.episode import Transition
from streams.watch.trial.review import VERDICTS, compare, spells, tally
from tests.streams.watch.test_backtest import HOUR, step

RULE = "trial.high"
RANKS = {RULE: [1, 4]}
DAY = 24 * HOUR


def life(subject: str, *steps: tuple[int, str, str]) -> list[Transition]:
    """An episode from (at, kind, level)."""
    return [
        step(subject, steps[0][0], number, kind, level, at) for number, (at, kind, level) in enumerate(steps)
    ]


def short(subject: str, start: int, end: int | None, level: str = "blue") -> list[Transition]:
    ended = [] if end is None else [(end, "recovered", level)]
    return life(subject, (start, "opened", level), *ended)


def verdicts(now: Sequence[Transition], then: Sequence[Transition]) -> list[tuple[str, int, str]]:
    return [(each.subject, each.rank, each.verdict) for each in compare(now, then, RANKS)]


def test_a_spell_of_each_level_reached_that_is_declared() -> None:
    told = life(
        "a", (0, "opened", "blue"), (HOUR, "raised", "red"), (2 * HOUR, "lowered", "blue"),
        (3 * HOUR, "raised", "red"), (4 * HOUR, "recovered", "red"),
    )  # fmt: skip
    found = [
        (each.key[3], each.start / HOUR, (each.end or 0) / HOUR) for each in spells(reversed(told), RANKS)
    ]
    assert sorted(found) == [(1, 0, 4), (4, 1, 2), (4, 3, 4)]


def test_each_verdict() -> None:
    now = [*short("a", 0, 9), *short("b", 5, 9), *short("c", 5, 9), *short("d", 5, 9)]
    then = [*short("a", 0, 7), *short("b", 2, 9), *short("c", 8, 20), *short("e", 5, None)]
    assert verdicts(now, then) == [
        ("a", 1, "agreed"), ("b", 1, "earlier"), ("c", 1, "later"), ("d", 1, "missed"), ("e", 1, "spurious"),
    ]  # fmt: skip


def test_a_level_that_was_not_reached_is_missed_though_the_warning_agrees() -> None:
    now = life("a", (0, "opened", "blue"), (HOUR, "raised", "red"), (2 * HOUR, "recovered", "red"))
    assert verdicts(now, short("a", 0, 2 * HOUR)) == [("a", 1, "agreed"), ("a", 4, "missed")]


def test_timelines_and_subjects_do_not_meet() -> None:
    assert verdicts(short("a", 0, 9), short("b", 0, 9)) == [("a", 1, "missed"), ("b", 1, "spurious")]


def test_a_warning_is_of_the_day_it_should_have_been_on() -> None:
    """23:50 in Shanghai is 15:50 UTC; watch was twenty minutes late, on the next day."""
    should = 15 * HOUR + 50 * 60_000
    (found,) = compare(short("a", should, None), short("a", should + 20 * 60_000, None), RANKS)
    assert (found.day, found.verdict, found.delay) == ("1970-01-01", "later", 1200.0)
    (spurious,) = compare([], short("a", should + 20 * 60_000, None), RANKS)
    assert spurious.day == "1970-01-02"


def test_a_row_a_level_also_where_nothing_was() -> None:
    now = [*short("a", 10_000, 90_000), *short("b", 20_000, 90_000), *short("c", 0, 90_000)]
    then = [*short("a", 40_000, 90_000), *short("b", 30_000, 90_000), *short("c", 0, 50_000)]
    day = date(1970, 1, 1)
    rows = tally(compare(now, then, RANKS), [(day, RULE, ""), (day, RULE, "old")], RANKS)
    told = [
        (row.timeline, row.rank, {k: v for k, v in row.counts.items() if v}, row.median_delay) for row in rows
    ]
    assert told == [
        ("", 4, {}, None),
        ("", 1, {"agreed": 1, "later": 2}, 20.0),
        ("old", 4, {}, None),
        ("old", 1, {}, None),
    ]


episodes = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.integers(0, 40), st.integers(1, 10), st.sampled_from(["blue", "red"])
    ),
    max_size=8,
    unique_by=lambda each: each[:2],
)


def apart(drawn: list[tuple[str, int, int, str]]) -> list[Transition]:
    """Episodes of a subject one after the other, as there are."""
    found: list[Transition] = []
    free: dict[str, int] = {}
    for subject, start, length, level in sorted(drawn, key=lambda each: each[1]):
        if start >= free.get(subject, 0):
            found += short(subject, start, start + length, level)
            free[subject] = start + length + 1
    return found


@given(episodes, episodes)
def test_every_warning_is_told_once_and_the_sides_are_each_others_mirror(
    one: list[tuple[str, int, int, str]], other: list[tuple[str, int, int, str]]
) -> None:
    now, then = apart(one), apart(other)
    found = compare(now, then, RANKS)
    assert sum(each.now is not None for each in found) == len(spells(now, RANKS))
    assert sum(each.then is not None for each in found) == len(spells(then, RANKS))
    assert {each.verdict for each in compare(now, now, RANKS)} <= {"agreed"}
    mirrored = dict(zip(VERDICTS, ("agreed", "later", "earlier", "spurious", "missed"), strict=True))
    back = sorted(mirrored[each.verdict] for each in compare(then, now, RANKS))
    assert sorted(each.verdict for each in found) == back
