"""Tables as people bring them: separators, missing cells, rows of one year, a second table."""

from __future__ import annotations

import numpy as np
import pytest

from dagster_project.composite.source import Reading, join, read_source
from dagster_project.composite.table import Table, show, table_csv
from schemas.errors import Misdeclared


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_units_are_sorted_and_missing_cells_are_nan(separator: str) -> None:
    lines = ["\ufeffuCode,uName,a", "B,Bee,2", "A,Ay,NA", "", "C,, ..", "D,Dee,1e3"]
    table = read_source("\r\n".join(lines).replace(",", separator), "t.csv", Reading()).table({"x": "a"})
    assert (table.units, table.names, table.codes) == (
        ("A", "B", "C", "D"),
        ("Ay", "Bee", "C", "Dee"),
        ("x",),
    )
    np.testing.assert_array_equal(table.column("x"), [np.nan, 2, np.nan, 1000])


def test_rows_are_chosen_by_what_stands_in_a_column() -> None:
    text = "iso3,country,year,a\nX,Ex,2020,1\nX,Ex,2021.0,2\nY,Why,2021,3\n"
    source = read_source(text, "t.csv", Reading(where={"year": "2021"}))
    assert (source.names, list(source.numbers("a"))) == (("Ex", "Why"), [2, 3])
    with pytest.raises(Misdeclared, match=r"there is none that `where` chooses"):
        read_source(text, "t.csv", Reading(where={"year": "1999"}))
    with pytest.raises(Misdeclared, match=r"column month: is not there \(data\.where\)"):
        read_source(text, "t.csv", Reading(where={"month": "1"}))


def test_a_second_table_is_joined_by_unit() -> None:
    first = read_source("uCode,a\nA,1\nB,2\n", "one.csv", Reading())
    second = read_source("uCode,a,pop\nB,9,20\nZ,9,30\n", "two.csv", Reading())
    both = join(first, second)
    assert (both.units, list(both.numbers("a")), both.cells["pop"]) == (("A", "B"), [1, 2], ("", "20"))
    third = join(first, read_source("uCode,c\nB,x\n", "three.csv", Reading()))
    with pytest.raises(Misdeclared, match=r"^three\.csv: unit B, column c: 'x' must be a number"):
        third.numbers("c")


def test_figures_are_written_so_that_they_read_back_the_same() -> None:
    figures = [0.1 + 0.2, 1e-300, 37.0, -0.0, float("inf"), float("-inf"), float("nan"), 1e22]
    assert [show(figure) for figure in figures] == [
        *("0.30000000000000004", "1e-300", "37", "-0", "Inf", "-Inf", "", "1e+22"),
    ]
    table = Table(("A",), ("Ay, Bee",), ("x",), np.array([[2.5]]))
    assert table_csv(table) == 'uCode,uName,x\nA,"Ay, Bee",2.5\n'
