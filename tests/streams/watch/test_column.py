"""Rows as columns: rules of one subject read its name once, and each sees what its own filter lets in."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from streams.watch.conditions.base import matcher
from streams.watch.conditions.column import Column, Row
from streams.watch.declare.spec import Input, Where
from streams.watch.declare.templates import column_reader, reader


def source(where: Where = ()) -> Input:
    return Input("a.feed", ("station",), ("station",), "", where, ("station",))


def row(offset: int, **data: Any) -> Row:
    return SimpleNamespace(**data) if data else None, offset, offset, offset, f"k{offset}", "a.feed"


ROWS = [
    row(0, station="S1", kind="x"),
    row(1),
    row(2, station="S2", kind="y"),
    row(3, station="S1", kind="y"),
]


def test_each_row_has_the_name_of_its_subject_and_a_tick_has_none() -> None:
    assert Column(ROWS).names(source(), None, column_reader(["station"])) == (
        ["S1", None, "S2", "S1"],
        frozenset({"S1", "S2"}),
    )


def test_rows_a_filter_leaves_out_have_no_name() -> None:
    where: Where = (("kind", "y"),)
    found = Column(ROWS).names(source(where), matcher(where), column_reader(["station"]))
    assert found == ([None, None, "S2", "S1"], frozenset({"S1", "S2"}))


def test_names_are_read_once_for_rules_alike_and_anew_for_others() -> None:
    read: list[str] = []

    def texts(events: Sequence[Any]) -> list[str]:
        read.extend(each.station for each in events)
        return [str(each.station) for each in events]

    column = Column(ROWS)
    assert column.names(source(), None, texts) is column.names(source(), None, texts)
    assert read == ["S1", "S2", "S1"]
    where: Where = (("kind", "x"),)
    assert column.names(source(where), matcher(where), texts)[1] == {"S1"}
    assert read == ["S1", "S2", "S1", "S1"]


def test_fields_that_are_no_texts_are_named_as_their_text() -> None:
    events = [SimpleNamespace(number=7, region="330106"), SimpleNamespace(number=None, region="330203")]
    assert column_reader(["number"])(events) == ["7", "None"]
    assert column_reader(["region"])(events) == ["330106", "330203"]
    assert column_reader(["region", "number"])(events) == ["330106|7", "330203|None"]
    assert column_reader(["{region:city}"])(events) == ["330100", "330200"]
    for templates in (["number"], ["region"], ["region", "number"], ["{region:city}"]):
        assert column_reader(templates)(events) == [reader(templates)(each) for each in events]
