"""Strict YAML: what is read, and that every error names file, key and remedy."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.declaration import Entry, parse_duration, parse_yaml
from schemas.errors import Misdeclared


def test_dates_stay_text_as_in_json() -> None:
    assert parse_yaml("day: 2020-01-28\nat: 2024-03-01T09:30:00Z", "f").value == {
        "day": "2020-01-28",
        "at": "2024-03-01T09:30:00Z",
    }


def test_a_merged_key_may_be_overridden() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}"
    assert parse_yaml(text, "f").value["b"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    "text", ["a: 1\na: 2", "- {b: 1, b: 2}", "a: [", "a: 1\n--- \nb: 2", "a: !x 1", "\x00"]
)
def test_unreadable_yaml_is_misdeclared(text: str) -> None:
    with pytest.raises(Misdeclared) as caught:
        parse_yaml(text, "feeds/a/b.yaml")
    assert (caught.value.where, caught.value.key) == ("feeds/a/b.yaml", "yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PT2H", timedelta(hours=2)),
        ("P1D", timedelta(days=1)),
        ("P1W", timedelta(weeks=1)),
        ("P1DT1H30M5S", timedelta(days=1, hours=1, minutes=30, seconds=5)),
        ("P1M", None),
        ("P1Y", None),
        ("P", None),
        ("PT", None),
        ("P1DT", None),
        ("2H", None),
        ("-PT2H", None),
        ("P99999999999D", None),
    ],
)
def test_durations(text: str, expected: timedelta | None) -> None:
    assert parse_duration(text) == expected


def test_an_error_names_the_whole_way_to_the_key() -> None:
    entry = Entry("f.yaml", "", {"a": [{"b": 1}]})
    with pytest.raises(Misdeclared, match=r"f\.yaml: a\[0\]\.b: must be text, not 1"):
        entry.at("a").items()[0].at("b").text()


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("", Entry.text),
        (None, Entry.text),
        (1, Entry.text),
        ([], Entry.texts),
        (["a", "a"], Entry.texts),
        ("a", Entry.items),
        ("a", Entry.mapping),
        ({1: "a"}, Entry.mapping),
        ("yes", Entry.flag),
        (1, Entry.flag),
        (True, Entry.number),
        (float("nan"), Entry.number),
        (float("inf"), Entry.number),
        (1.0, Entry.integer),
        (True, Entry.integer),
        ("P1M", Entry.duration),
    ],
)
def test_a_value_of_the_wrong_kind_is_misdeclared(value: object, read: object) -> None:
    with pytest.raises(Misdeclared):
        read(Entry("f", "k", value))  # type: ignore[operator]


def test_a_mapping_wants_its_keys_and_no_others() -> None:
    entry = Entry("f", "k", {"a": 1, "c": 2})
    with pytest.raises(Misdeclared, match=r"k\.b: must be given"):
        entry.mapping(["a", "b"])
    with pytest.raises(Misdeclared, match=r"k\.c: no such key; there are a"):
        entry.mapping(["a"], [])
