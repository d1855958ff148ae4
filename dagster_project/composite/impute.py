"""Imputation: figures for those that are missing, out of those that are there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from dagster_project.composite.expectation import RIDGE, expect
from dagster_project.composite.methods import Choice, Method, Parameter, Step, catalogue
from dagster_project.composite.moments import present
from dagster_project.composite.table import Array, Table
from dagster_project.composite.tree import Tree
from schemas.arithmetic.columns import mean
from schemas.errors import Misdeclared

_GROUP = Parameter(
    "group", "text", "", "the column of the data that groups units", ("use_group", "f"), needed=True
)
_BY = (
    Parameter(
        *("by", "text", "column", "over the units (column) or over a unit's indicators (row)"),
        ("impute_by",),
        choices=("column", "row"),
    ),
    Parameter(
        *("level", "count", None, "by row: only indicators under the same aggregate of this level"),
        ("group_level",),
    ),
    Parameter("normalise_first", "flag", True, "by row: on figures scaled to 0..1, and back"),
)
_RIDGE = (
    "added to the variance of each standardised indicator: then more indicators than units can be solved for"
)
METHODS = catalogue(
    Method("none", "leave missing figures missing", ("i_none",)),
    Method("mean", "the mean of the figures that are there", ("i_mean",), _BY),
    Method("median", "their median", ("i_median",), _BY),
    Method("group_mean", "the mean of the unit's group", ("i_mean_grp", "mean_group"), (_GROUP,)),
    Method("group_median", "the median of the unit's group", ("i_median_grp", "median_group"), (_GROUP,)),
    Method(
        "constant",
        "a figure that is given",
        (),
        (Parameter("value", "number", 0.0, "the figure", needed=True),),
    ),
    Method(
        *("em", "expectation-maximisation of a multivariate normal, aggregate by aggregate"),
        ("i_em", "impute_em"),
        (
            Parameter(
                "level", "count", 2, "indicators under the same aggregate of this level inform each other"
            ),
            Parameter("iterations", "count", 200, "at most"),
            Parameter(
                "tolerance", "number", 1e-8, "ends when no mean moves by more (in standard deviations)"
            ),
            Parameter("ridge", "number", RIDGE, _RIDGE),
        ),
    ),
)


def impute(table: Table, step: Step, tree: Tree, groups: Callable[[str], Sequence[str]]) -> Table:
    """The table with missing figures filled where the method can; `groups` gives a column of the data."""
    values = table.values.copy()
    for at, code in enumerate(table.codes):
        choice = step.of(code)
        if choice.method in _COLUMN and choice.values.get("by", "column") == "column":
            labels = groups(choice["group"]) if "group" in choice.values else None
            values[:, at] = _filled(table.values[:, at], choice, labels)
    by_row = _wholes(table, step)
    for choice, codes in by_row:
        places = [table.codes.index(code) for code in codes]
        for family in _families(codes, choice["level"], tree):
            there = [table.codes.index(code) for code in family]
            values[:, there] = _by_family(table.values[:, there], choice, family, tree)
        kept = ~np.isnan(table.values[:, places])
        values[:, places] = np.where(kept, table.values[:, places], values[:, places])
    return replace(table, values=values)


def _wholes(table: Table, step: Step) -> list[tuple[Choice, list[str]]]:
    """Choices that look at several indicators at once, with those they hold for."""
    found: list[tuple[Choice, list[str]]] = []
    for code in table.codes:
        choice = step.of(code)
        if choice.method != "em" and choice.values.get("by") != "row":
            continue
        same = [codes for known, codes in found if known == choice]
        if same:
            same[0].append(code)
        else:
            found.append((choice, [code]))
    return found


def _families(codes: Sequence[str], level: int | None, tree: Tree) -> list[list[str]]:
    """The codes, apart by the aggregate of a level they stand under."""
    if level is None:
        return [list(codes)]
    families: dict[str, list[str]] = {}
    for code in codes:
        families.setdefault(_ancestor(code, level, tree), []).append(code)
    return list(families.values())


def _ancestor(code: str, level: int, tree: Tree) -> str:
    while tree.nodes[code].level < level and tree.nodes[code].parent:
        code = tree.nodes[code].parent
    return code


def _filled(x: Array, choice: Choice, labels: Sequence[str] | None) -> Array:
    """A column with its missing figures filled; a unit without a group keeps them missing."""
    if labels is None:
        return _fill(x, choice)
    out, named = x.copy(), np.array(labels)
    for label in dict.fromkeys(labels):
        if label:
            out[named == label] = _fill(x[named == label], choice)
    return out


def _fill(x: Array, choice: Choice) -> Array:
    there = present(x)
    if choice.method == "constant":
        return np.where(np.isnan(x), choice["value"], x)
    return np.where(np.isnan(x), _COLUMN[choice.method](there) if len(there) else math.nan, x)


def _median(x: Array) -> float:
    return float(np.median(x))


_COLUMN: Mapping[str, Callable[[Array], float]] = {
    "mean": mean,
    "median": _median,
    "group_mean": mean,
    "group_median": _median,
    "constant": mean,
}


def _by_family(values: Array, choice: Choice, codes: Sequence[str], tree: Tree) -> Array:
    if choice.method == "em":
        return _expected(values, choice, codes, tree)
    turns = np.array([tree.nodes[code].direction for code in codes], dtype=np.float64)
    if not choice["normalise_first"]:
        return np.array([_fill(row, choice) for row in values])
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = _ends(values * turns)
        scaled = (values * turns - low) / (high - low)
        rows = np.array([_fill(row, choice) for row in scaled])
        out: Array = (rows * (high - low) + low) * turns
    return out


def _expected(values: Array, choice: Choice, codes: Sequence[str], tree: Tree) -> Array:
    try:
        return expect(values, choice["iterations"], choice["tolerance"], choice["ridge"])
    except ValueError:
        problem = (
            f"em: {', '.join(codes)} determine each other exactly; give a ridge, such as ridge: {RIDGE:g}"
        )
        raise Misdeclared(tree.where, choice.key or "impute", problem) from None


def _ends(values: Array) -> tuple[Array, Array]:
    missing = np.isnan(values)
    low = np.where(missing, math.inf, values).min(axis=0)
    high = np.where(missing, -math.inf, values).max(axis=0)
    return low, high
