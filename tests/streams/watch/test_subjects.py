"""Subjects of several values: two never have one text, and plain values keep their plain form."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Misdeclared
from schemas.subject import joined, split
from streams.intake.mapping import subject_key
from streams.watch.declare.templates import reader
from tests.streams.watch.trying import rule

parts = st.text(alphabet="ab|\\-·", max_size=4)
three = st.tuples(parts, parts, parts)
TEMPLATES = [
    ("x", "y", "z"), ("{x}-{y}-{z}",), ("{x}-{y}", "z"), ("x", "{y}··{z}"), ("{x}|{y}|{z}",), ("<{x}--{y}->{z}>",),
]  # fmt: skip


def text(templates: tuple[str, ...], values: tuple[str, ...]) -> str:
    return reader(templates)(SimpleNamespace(**dict(zip("xyz", values, strict=True))))


@pytest.mark.parametrize("templates", TEMPLATES)
@given(three, three)
def test_two_subjects_never_share_a_text(
    templates: tuple[str, ...], one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert (text(templates, one) == text(templates, other)) == (one == other)


def test_where_a_separator_stands_in_a_value_decides() -> None:
    assert text(("x", "y", "z"), ("a|b", "c", "d")) == r"a\|b|c|d"
    assert text(("x", "y", "z"), ("a", "b|c", "d")) == r"a|b\|c|d"
    assert text(("{x}-{y}-{z}",), ("a-b", "c", "covid-19")) == r"a\-b-c-covid-19"


@given(st.lists(st.text(alphabet="ab·-/ ", max_size=4), min_size=1, max_size=4))
def test_values_without_separators_keep_their_plain_form(values: list[str]) -> None:
    assert joined(values) == "|".join(values)
    assert text(("{x}-{y}",), ("330100", "covid-19", "")[:3]) == "330100-covid-19"


@given(three)
def test_the_kafka_key_is_the_subject(values: tuple[str, str, str]) -> None:
    data = dict(zip("xyz", values, strict=True))
    key = subject_key(("x", "y", "z"), data)
    assert key == (None if "" in values else text(("x", "y", "z"), values).encode())


@given(st.lists(parts, min_size=1, max_size=5))
def test_a_joined_text_is_split_into_its_values(values: list[str]) -> None:
    assert split(joined(values), len(values)) == values
    if "|" not in values[-1]:
        assert split(joined(values)) == values, "the last value alone stands as it is"


@pytest.mark.parametrize("template", ["{station}{region}", "a-{station}{region:city}"])
def test_two_fields_with_nothing_between_them_are_refused(template: str) -> None:
    with pytest.raises(
        Misdeclared, match=r"test\.yaml: subject: .* nothing stands between \{station\} and \{region"
    ):
        rule({"kind": "count", "window": "PT1H"}, {"blue": 1}, subject=template)
    rule({"kind": "count", "window": "PT1H"}, {"blue": 1}, subject=template.replace("}{", "}-{"))
