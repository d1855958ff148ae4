"""Episodes out of transitions, two versions side by side, load, and what disposals say of a version."""

from __future__ import annotations

from collections.abc import Iterable

from streams.watch.episodes.episode import Transition
from streams.watch.trial.backtest import Episode, Judged, by_region, episodes, load, pair, quality

HOUR = 3_600_000


def step(subject: str, start: int, ordinal: int, kind: str, level: str, at: int) -> Transition:
    return Transition(
        rule="trial.high",
        rule_version=1,
        timeline="",
        subject=subject,
        region="330106",
        kind=kind,
        level=level,
        previous="",
        episode=f"trial.high|{subject}|{start}",
        ordinal=ordinal,
        at=at,
        value=1.0,
        threshold=1.0,
        topic="t",
        partition=0,
        offset=ordinal,
        watermark=at,
    )


def made(subject: str, start: int, end: int | None, level: str = "yellow") -> list[Transition]:
    steps = [step(subject, start, 1, "opened", level, start)]
    return steps if end is None else [*steps, step(subject, start, 2, "recovered", level, end)]


def of(*parts: Iterable[Transition]) -> list[Episode]:
    return episodes(each for part in parts for each in part)


def test_an_episode_has_its_worst_level_and_its_end_whatever_the_order_of_its_transitions() -> None:
    steps = [
        step("a", 0, 1, "opened", "blue", 0),
        step("a", 0, 2, "raised", "red", HOUR),
        step("a", 0, 3, "lowered", "blue", 2 * HOUR),
        step("a", 0, 4, "recovered", "blue", 3 * HOUR),
    ]
    (found,) = episodes(reversed(steps))
    assert (found.peak, found.start, found.end) == ("red", 0, 3 * HOUR)
    assert of(made("a", 0, None))[0].end is None


def test_same_earlier_later_new_and_gone() -> None:
    old = of(made("a", 10, 20), made("b", 10, 20), made("c", 10, 20), made("d", 10, 20))
    new = of(made("a", 10, 15), made("b", 5, 20), made("c", 15, 20), made("e", 10, 20))
    verdicts = {(each.new or each.old).subject: each.verdict for each in pair(old, new)}  # type: ignore[union-attr]
    assert verdicts == {"a": "same", "b": "earlier", "c": "later", "d": "gone", "e": "new"}


def test_an_episode_is_paired_once() -> None:
    old, new = of(made("a", 0, 100)), of(made("a", 0, 40), made("a", 60, 100))
    assert [each.verdict for each in pair(old, new)] == ["same", "new"]


def test_rows_count_by_city_and_level() -> None:
    old, new = of(made("a", 10, 20, "blue")), of(made("a", 10, 20, "red"))
    rows = {(row.level, row.old, row.new) for row in by_region(pair(old, new), lambda code: code[:4])}
    assert rows == {("red", 0, 1), ("blue", 1, 0)}


def test_load_counts_every_step_but_a_lowering() -> None:
    steps = [
        step("a", 0, 1, "opened", "red", 0),
        step("a", 0, 2, "lowered", "blue", HOUR),
        step("a", 0, 3, "recovered", "blue", 2 * HOUR),
    ]
    found = load("duty", episodes(steps), 4)
    assert (found.pushes, found.mean, found.worst, found.worst_day) == (2, 0.5, 2, "1970-01-01")


def test_precision_recall_and_lead_against_what_officers_said() -> None:
    cases = [
        Judged("", "a", 10_000, 20_000, "true"),
        Judged("", "b", 10_000, 20_000, "false"),
        Judged("", "c", 10_000, 20_000, "true"),
    ]
    found = quality(of(made("a", 4_000, 20_000), made("b", 10_000, 20_000)), cases)
    assert (found.precision, found.recall, found.lead) == (0.5, 0.5, 6.0)
    assert quality([], []).precision is None
