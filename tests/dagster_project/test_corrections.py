"""Which event a chain of corrections leaves."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dagster_project.build.corrections import Copy, Corrections, resolve

START = datetime(2024, 3, 1, tzinfo=UTC)


def log(*events: tuple[str, str]) -> list[Copy]:
    """Copies in the order of the log, each (id, corrects)."""
    return [
        Copy("/s", id, corrects, date(2024, 3, 1), START + timedelta(seconds=at), 0, 0, at)
        for at, (id, corrects) in enumerate(events)
    ]


def outcome(found: Corrections) -> dict[str, str]:
    """Original -> event that stands for it."""
    return {original: id for _, id, original in found.renamed}


def test_the_last_correction_wins_and_takes_the_original_s_id() -> None:
    found = resolve(log(("a", ""), ("b", "a"), ("c", "a")))
    assert outcome(found) == {"a": "c"}
    assert found.dropped == {("/s", "a"), ("/s", "b")}


def test_a_correction_of_a_correction_corrects_the_original() -> None:
    assert outcome(resolve(log(("a", ""), ("b", "a"), ("c", "b")))) == {"a": "c"}


def test_a_later_correction_of_the_original_beats_one_of_a_correction() -> None:
    assert outcome(resolve(log(("a", ""), ("b", "a"), ("c", "b"), ("d", "a")))) == {"a": "d"}


def test_a_correction_stands_where_the_original_was_never_landed() -> None:
    found = resolve(
        log(
            ("b", "a"),
        )
    )
    assert outcome(found) == {"a": "b"}
    assert ("/s", "b") not in found.dropped


def test_a_second_copy_of_a_correction_changes_nothing() -> None:
    assert outcome(resolve(log(("a", ""), ("b", "a"), ("c", "a"), ("b", "a")))) == {"a": "c"}


def test_an_id_used_before_as_a_plain_event_is_no_correction() -> None:
    assert outcome(resolve(log(("a", ""), ("b", ""), ("b", "a")))) == {}


def test_an_event_that_corrects_itself_is_a_plain_event() -> None:
    assert (
        resolve(
            log(
                ("a", "a"),
            )
        )
        == Corrections()
    )


def test_corrections_of_another_source_do_not_meet() -> None:
    (original,) = log(("a", ""))
    other = Copy("/other", "b", "a", original.event_day, START, 0, 1, 0)
    assert resolve([original, other]).dropped == {("/other", "a")}


def test_a_ring_leaves_one_event_under_the_first_one_s_id() -> None:
    found = resolve(log(("a", "c"), ("b", "a"), ("c", "b")))
    assert outcome(found) == {"a": "c"}
    assert found.dropped == {("/s", "a"), ("/s", "b")}


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["", *"abcdef"])), max_size=12))
def test_every_event_is_kept_dropped_or_renamed_and_each_group_keeps_one(
    events: list[tuple[str, str]],
) -> None:
    found = resolve(log(*events))
    winners = [(source, id) for source, id, _ in found.renamed]
    assert len(set(winners)) == len(winners)
    assert not found.dropped & set(winners)
    originals = [original for _, _, original in found.renamed]
    assert len(set(originals)) == len(originals)
    assert resolve(reversed(log(*events))) == found
