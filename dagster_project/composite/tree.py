"""The tree of an index: indicators at the leaves, aggregates above them, one index at the top."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dagster_project.composite.methods import read_number
from schemas.declaration import Entry
from schemas.errors import Misdeclared

_KEYS = (
    *("code", "name", "weight", "aggregate", "children"),
    *("column", "direction", "unit", "target", "goalposts", "denominator", "scale", "source", "description"),
)
_LEAF = ("column", "direction", "unit", "target", "goalposts", "denominator", "scale")
_CODE = re.compile(r"[^\s,;\"]+")


@dataclass(frozen=True)
class Node:
    """One indicator or aggregate.

    `level` is 1 for indicators and counts upwards. `weight` is relative to its sisters'. `direction` is 1
    where more is better, -1 where less is. `about` holds what may parametrise normalisation: target,
    goalposts, and the columns of an iMeta table that do so.
    """

    code: str
    name: str
    level: int
    parent: str = ""
    weight: float = 1.0
    direction: int = 1
    column: str = ""
    unit: str = ""
    denominator: str = ""
    scale: float = 1.0
    source: str = ""
    aggregate: Any = None
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tree:
    """Nodes by code, in the order they were declared in."""

    where: str
    nodes: Mapping[str, Node]

    @property
    def top(self) -> str:
        """The code of the index."""
        return next(node.code for node in self.nodes.values() if not node.parent)

    @property
    def indicators(self) -> tuple[str, ...]:
        """Codes of the leaves."""
        return tuple(code for code, node in self.nodes.items() if node.level == 1)

    @property
    def aggregates(self) -> tuple[str, ...]:
        """Codes of all others, the lowest level first."""
        above = [node for node in self.nodes.values() if node.level > 1]
        return tuple(node.code for node in sorted(above, key=lambda node: node.level))

    @property
    def levels(self) -> int:
        """How many levels there are, the indicators' being 1."""
        return self.nodes[self.top].level

    def children(self, code: str) -> tuple[Node, ...]:
        """What an aggregate is made of."""
        return tuple(node for node in self.nodes.values() if node.parent == code)

    def leaves(self, code: str) -> tuple[str, ...]:
        """The indicators under a code, itself where it is one."""
        if self.nodes[code].level == 1:
            return (code,)
        return tuple(leaf for child in self.children(code) for leaf in self.leaves(child.code))

    def at_level(self, code: str, level: int) -> tuple[str, ...]:
        """The codes of one level under a code."""
        if self.nodes[code].level == level:
            return (code,)
        return tuple(found for child in self.children(code) for found in self.at_level(child.code, level))

    def shown(self) -> tuple[str, ...]:
        """All codes from the top down, within a level by parent: the order of COINr's result tables."""
        return tuple(
            node.code for node in sorted(self.nodes.values(), key=lambda node: (-node.level, node.parent))
        )

    def without(self, codes: Collection[str]) -> Tree:
        """The tree without some indicators, and without the aggregates nothing is left of."""
        left = {code: node for code, node in self.nodes.items() if code not in codes}
        while True:
            parents = {node.parent for node in left.values()}
            kept = {code: node for code, node in left.items() if node.level == 1 or code in parents}
            if len(kept) == len(left):
                return replace(self, nodes=kept)
            left = kept


def grow(where: str, nodes: Iterable[Node]) -> Tree:
    """The tree of these nodes; repeated codes, unknown parents and more than one top are Misdeclared."""
    found: dict[str, Node] = {}
    for node in nodes:
        if node.code in found:
            raise Misdeclared(where, node.code, "this code stands there twice; codes must differ")
        found[node.code] = node
    tops = [node.code for node in found.values() if not node.parent]
    if len(tops) != 1:
        raise Misdeclared(where, "tree", f"must have one node without parent, not {len(tops)} {tops}")
    for node in found.values():
        if node.parent and node.parent not in found:
            raise Misdeclared(where, node.code, f"its parent {node.parent!r} is not there")
        if node.parent and found[node.parent].level <= node.level:
            raise Misdeclared(where, node.code, f"its parent {node.parent!r} must stand on a higher level")
    parents = {node.parent for node in found.values()}
    for node in found.values():
        if node.level > 1 and node.code not in parents:
            raise Misdeclared(where, node.code, "an aggregate must have at least one child")
    if found[tops[0]].level == 1:
        raise Misdeclared(where, "tree", "must have indicators below the index")
    return Tree(where, found)


def read_tree(entry: Entry) -> Tree:
    """The tree declared as nested nodes, each with `children` or an indicator."""
    return grow(entry.where, _nodes(entry, ""))


def _nodes(entry: Entry, parent: str) -> list[Node]:
    if isinstance(entry.value, str):
        return [_leaf(entry, {"code": entry}, parent)]
    parts = entry.mapping(["code"], _KEYS)
    if "children" not in parts:
        return [_leaf(entry, parts, parent)]
    for key in _LEAF:
        if key in parts:
            raise parts[key].wrong("is for indicators only; this node has children")
    code = _code(parts["code"])
    below = [node for child in parts["children"].items() for node in _nodes(child, code)]
    if not below:
        raise parts["children"].wrong("must list one or more nodes")
    level = 1 + max(node.level for node in below)
    return [replace(_leaf(entry, parts, parent), level=level, aggregate=parts.get("aggregate")), *below]


def _leaf(entry: Entry, parts: Mapping[str, Entry], parent: str) -> Node:
    code = _code(parts["code"])
    if "aggregate" in parts and "children" not in parts:
        raise parts["aggregate"].wrong("is for nodes with children only")
    about: dict[str, Any] = {}
    if "target" in parts:
        about["target"] = read_number(parts["target"])
    if "goalposts" in parts:
        about["goalposts"] = _goalposts(parts["goalposts"])
    return Node(
        code=code,
        name=parts["name"].text() if "name" in parts else code,
        level=1,
        parent=parent,
        weight=read_weight(parts["weight"]) if "weight" in parts else 1.0,
        direction=_direction(parts["direction"]) if "direction" in parts else 1,
        column=parts["column"].text() if "column" in parts else code,
        unit=parts["unit"].text() if "unit" in parts else "",
        denominator=parts["denominator"].text() if "denominator" in parts else "",
        scale=read_number(parts["scale"]) if "scale" in parts else 1.0,
        source=parts["source"].text() if "source" in parts else "",
        about=about,
    )


def _code(entry: Entry) -> str:
    value = str(entry.value) if isinstance(entry.value, int) else entry.text()
    if not _CODE.fullmatch(value):
        raise entry.wrong(f"{value!r} must be one word, without spaces, commas and quotes")
    return value


def read_weight(entry: Entry) -> float:
    """A weight: a number of 0 or more."""
    weight = read_number(entry)
    if weight < 0:
        raise entry.wrong("must not be below 0")
    return weight


def _direction(entry: Entry) -> int:
    known = {1: 1, -1: -1, "1": 1, "+1": 1, "-1": -1, "+": 1, "-": -1}
    known |= {"higher": 1, "lower": -1, "positive": 1, "negative": -1}
    if isinstance(entry.value, bool | list | dict) or entry.value not in known:
        raise entry.wrong(f"{entry.value!r} must be 1 (more is better) or -1 (less is better)")
    return known[entry.value]


def _goalposts(entry: Entry) -> tuple[float, float, float]:
    found = [read_number(item) for item in entry.items()]
    if len(found) not in (2, 3) or found[0] == found[1]:
        raise entry.wrong("must list the lower and the upper goalpost and, if wanted, a scale: [20, 85, 1]")
    return found[0], found[1], found[2] if len(found) == 3 else 1.0
