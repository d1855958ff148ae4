"""The tree of an index from a table: COINr's iMeta, a row a node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster_project.composite.source import MISSING, read_cells
from dagster_project.composite.tree import Node, Tree, grow
from schemas.errors import Misdeclared

_NEEDED = ("iCode", "Level", "Parent", "Type")
_ABOUT = {
    "Target": "target",
    "dist2targ_cap_max": "cap",
    "minmax_lower": "minmax_lower",
    "minmax_upper": "minmax_upper",
    "scaled_lower": "scaled_lower",
    "scaled_upper": "scaled_upper",
    "zscore_mean": "zscore_mean",
    "zscore_sd": "zscore_sd",
    "goalpost_lower": "goalpost_lower",
    "goalpost_upper": "goalpost_upper",
    "goalpost_scale": "goalpost_scale",
    "goalpost_trunc2posts": "goalpost_trunc2posts",
}
_FLAGS = {"true": 1.0, "false": 0.0, "t": 1.0, "f": 0.0}


def read_meta(text: str, file: str) -> Tree:
    """The tree in an iMeta table (iCode, Level, Parent, Type; Weight, Direction, iName, Denominator, …).

    Rows of type Indicator and Aggregate are its nodes; groups, denominators and others are columns of the
    data that a step may name, and nothing here.
    """
    header, rows = read_cells(text, file)
    for column in _NEEDED:
        if column not in header:
            raise Misdeclared(file, f"column {column}", f"is not there; the columns are {', '.join(header)}")
    nodes = []
    for line, row in rows:
        cells = {
            column: "" if cell.lower() in MISSING else cell for column, cell in zip(header, row, strict=True)
        }
        if _type(cells, file, line) in ("indicator", "aggregate"):
            nodes.append(_node(cells, file, line))
    _check_levels(nodes, file)
    return grow(file, nodes)


def _type(cells: Mapping[str, str], file: str, line: int) -> str:
    said = cells["Type"].lower()
    if said not in ("indicator", "aggregate", "group", "denominator", "other"):
        raise Misdeclared(
            file,
            f"line {line}, column Type",
            f"{cells['Type']!r} must be one of Indicator, Aggregate, Group, Denominator, Other",
        )
    return said


def _node(cells: Mapping[str, str], file: str, line: int) -> Node:
    def number(column: str, default: float) -> float:
        cell = cells.get(column, "")
        if not cell:
            return default
        try:
            return _FLAGS[cell.lower()] if cell.lower() in _FLAGS else float(cell)
        except ValueError:
            raise Misdeclared(file, f"line {line}, column {column}", f"{cell!r} must be a number") from None

    code = cells["iCode"]
    level, direction, weight = number("Level", 0), number("Direction", 1), number("Weight", 1)
    if not code:
        raise Misdeclared(file, f"line {line}, column iCode", "must be given")
    if level < 1 or level != int(level):
        raise Misdeclared(file, f"line {line}, column Level", "must be a whole number of 1 or more")
    if direction not in (1, -1):
        raise Misdeclared(file, f"line {line}, column Direction", "must be 1 or -1")
    if weight < 0:
        raise Misdeclared(file, f"line {line}, column Weight", "must not be below 0")
    about: dict[str, Any] = {
        name: number(column, 0) for column, name in _ABOUT.items() if cells.get(column, "")
    }
    return Node(
        code=code,
        name=cells.get("iName", "") or code,
        level=int(level),
        parent=cells["Parent"],
        weight=weight,
        direction=int(direction),
        column=code,
        unit=cells.get("Unit", ""),
        denominator=cells.get("Denominator", ""),
        scale=number("ScaleFactor", 1),
        about=_posts(about),
    )


def _posts(about: dict[str, Any]) -> dict[str, Any]:
    """The goalposts as one entry where a row names both."""
    if "goalpost_lower" in about and "goalpost_upper" in about:
        about["goalposts"] = (
            about["goalpost_lower"],
            about["goalpost_upper"],
            about.get("goalpost_scale", 1.0),
        )
    return about


def _check_levels(nodes: list[Node], file: str) -> None:
    levels = {node.code: node.level for node in nodes}
    for node in nodes:
        if node.parent and levels.get(node.parent, node.level + 1) != node.level + 1:
            raise Misdeclared(
                file,
                f"{node.code}, column Parent",
                f"{node.parent!r} must stand on level {node.level + 1}, not {levels[node.parent]}",
            )
