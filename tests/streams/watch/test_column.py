"""Rows as columns: rules of one subject read its name once, and each sees what its own filter lets in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from streams.watch.conditions.base import matcher
from streams.watch.conditions.column import Column, Row
from streams.watch.spec import Input, Where
from streams.watch.templates import reader


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
    assert Column(ROWS).names(source(), None, reader(["station"])) == (
        ["S1", None, "S2", "S1"],
        frozenset({"S1", "S2"}),
    )


def test_rows_a_filter_leaves_out_have_no_name() -> None:
    where: Where = (("kind", "y"),)
    found = Column(ROWS).names(source(where), matcher(where), reader(["station"]))
    assert found == ([None, None, "S2", "S1"], frozenset({"S1", "S2"}))


def test_names_are_read_once_for_rules_alike_and_anew_for_others() -> None:
    read: list[str] = []

    def subject(data: Any) -> str:
        read.append(data.station)
        return str(data.station)

    column = Column(ROWS)
    assert column.names(source(), None, subject) is column.names(source(), None, subject)
    assert read == ["S1", "S2", "S1"]
    where: Where = (("kind", "x"),)
    assert column.names(source(where), matcher(where), subject)[1] == {"S1"}
    assert read == ["S1", "S2", "S1", "S1"]
