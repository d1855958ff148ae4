"""Published rules: versions stand, epochs say which are in force, several rules change at once."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from schemas.errors import Misdeclared
from streams.watch.publish.published import (
    Draft,
    History,
    RuleBook,
    RuleRecord,
    encode_record,
    new_baseline,
    plan,
    plan_files,
    retirement,
    same_rule,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def draft(rule: str, version: int, bound: int = 5) -> Draft:
    return Draft(
        rule, version, f"rule: {rule}\nversion: {version}\nlevels: {{red: {bound}}}\n", f"{rule}.yaml"
    )


def history(*publications: list[RuleRecord]) -> History:
    """A topic that got these publications."""
    found = History()
    for entry in (entry for publication in publications for entry in publication):
        found.add(len(found.records), encode_record(entry))
    return found


def published(*drafts: Draft) -> list[RuleRecord]:
    return plan(History(), drafts, NOON)


def test_several_rules_are_one_epoch_that_counts_when_its_last_record_is_there() -> None:
    both = published(draft("a.one", 1), draft("a.two", 1))
    assert [entry.more for entry in both] == [True, False]
    assert (history(both[:1]).epoch, history(both).epoch) == (0, 2)
    assert history(both[:1]).in_force() == {}
    assert list(history(both).in_force()) == ["a.one", "a.two"]


def test_each_epoch_keeps_the_versions_it_had() -> None:
    told = history(published(draft("a.one", 1)), published(draft("a.one", 3)))
    told.add(2, encode_record(retirement(told, "a.one", NOON)[0]))
    versions = [{rule: entry.version for rule, entry in told.in_force(epoch).items()} for epoch in (1, 2, 3)]
    assert versions == [{"a.one": 1}, {"a.one": 3}, {}]


def test_no_record_overwrites_another_under_compaction() -> None:
    told = history(published(draft("a.one", 1)))
    keys = [entry.key for _, entry in told.records] + [entry.key for entry in retirement(told, "a.one", NOON)]
    assert keys == [b"a.one@1", b"a.one@1/retired"]


def test_the_same_version_again_is_nothing_new_and_another_text_needs_a_higher_one() -> None:
    told = history(published(draft("a.one", 2)))
    assert plan(told, [draft("a.one", 2)], NOON) == []
    with pytest.raises(
        Misdeclared, match=r"a\.one\.yaml: version: version 2 is published and .* raise it to 3"
    ):
        plan(told, [draft("a.one", 2, bound=6)], NOON)
    with pytest.raises(Misdeclared, match="version: 2 is published already; raise it to 3"):
        plan(told, [draft("a.one", 1)], NOON)


def test_files_behind_what_is_published_are_left_alone_and_a_retired_version_stays_retired() -> None:
    told = history(published(draft("a.one", 2)), published(draft("a.two", 1)))
    told.add(2, encode_record(retirement(told, "a.two", NOON)[0]))
    assert plan_files(told, [draft("a.one", 1), draft("a.two", 1)], NOON) == []
    assert [entry.version for entry in plan_files(told, [draft("a.two", 2)], NOON)] == [2]


def test_only_a_rule_in_force_can_be_retired() -> None:
    with pytest.raises(Misdeclared, match="is not in force; there are none"):
        retirement(History(), "a.one", NOON)


def test_comments_and_examples_do_not_make_another_rule() -> None:
    text = draft("a.one", 1).text
    assert same_rule(text, f"# says the same\n{text}examples: []\n")
    assert not same_rule(text, text.replace("red", "blue"))


def test_a_baseline_is_published_like_a_rule_and_its_version_is_in_force_from_its_epoch() -> None:
    rows = [{"subject": "S1", "slot": 0, "mean": 20, "sd": 5}]
    told = history([new_baseline(History(), "air", rows, NOON)])
    told.add(1, encode_record(new_baseline(told, "air", [{**rows[0], "mean": 30}], NOON)))
    book = RuleBook(told, lambda text, where: pytest.fail("there is no rule"))
    found = [book.rule_set(epoch).tables["air"] for epoch in (1, 2)]
    assert [(table.version, table.values["S1", 0]) for table in found] == [(1, (20, 5)), (2, (30, 5))]
    assert book.rule_set(2).rules == ()


def test_a_baseline_with_a_wrong_row_is_not_published() -> None:
    with pytest.raises(Misdeclared, match="baseline air: row 1: must have subject, mean"):
        new_baseline(History(), "air", [{"subject": "S1"}], NOON)


def test_a_record_that_comes_twice_counts_once() -> None:
    told = history(published(draft("a.one", 1)))
    told.add(0, encode_record(msgspec.structs.replace(told.records[0][1], version=9)))
    assert [entry.version for _, entry in told.records] == [1]
