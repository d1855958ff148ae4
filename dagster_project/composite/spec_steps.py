"""The parts of a spec that are more than one choice of method: denominators, screening, weights, aggregation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dagster_project.composite import aggregate, weigh
from dagster_project.composite.aggregate import Aggregation
from dagster_project.composite.methods import (
    Choice,
    Parameter,
    choose,
    default_choice,
    read_number,
    read_parameter,
)
from dagster_project.composite.tree import Tree, read_weight
from dagster_project.composite.weigh import Weighting
from schemas.declaration import Entry

_SHARE = Parameter("available", "share", 0.0, "")


@dataclass(frozen=True)
class Denominator:
    """What an indicator is divided by: a column of the data, itself divided by a scale."""

    column: str
    scale: float = 1.0


@dataclass(frozen=True)
class Screen:
    """Which units take part: by share of indicators with a figure, and of figures that are not zero."""

    by: str = "none"
    available: float = 2 / 3
    nonzero: float = 0.05
    include: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


def read_denominators(entry: Entry, tree: Tree) -> tuple[Mapping[str, Denominator], tuple[str, ...]]:
    """What is divided by what, by indicator, and a remark where the tree names denominators nobody asked for."""
    named = {
        code: Denominator(tree.nodes[code].denominator, tree.nodes[code].scale)
        for code in tree.indicators
        if tree.nodes[code].denominator
    }
    if entry.value in (None, False, "none"):
        remark = (
            "the tree names denominators, but there is no `denominate: true`: figures are taken as they are"
        )
        return {}, (remark,) if named else ()
    if entry.value is True or entry.value in ("meta", "tree"):
        if not named:
            raise entry.wrong("no indicator has a denominator (tree: denominator, iMeta: Denominator)")
        return named, ()
    found = {}
    for code, part in entry.mapping().items():
        if code not in tree.indicators:
            raise part.wrong(f"no such indicator; there are {', '.join(tree.indicators)}")
        if isinstance(part.value, str):
            found[code] = Denominator(part.text())
        else:
            parts = part.mapping(["by"], ["scale"])
            scale = read_number(parts["scale"]) if "scale" in parts else 1.0
            found[code] = Denominator(parts["by"].text(), scale)
    return found, ()


def read_screen(entry: Entry) -> Screen:
    """Which units take part; all where nothing is said."""
    if entry.value in (None, False, "none"):
        return Screen()
    parts = entry.mapping(optional=("by", "available", "nonzero", "include", "drop"))
    known = {"byna": "missing", "byzeros": "zeros", "bynaandzeros": "both"}
    by = parts["by"].text() if "by" in parts else "missing"
    by = known.get(by.lower(), by)
    if by not in ("missing", "zeros", "both", "none"):
        raise parts["by"].wrong(f"{by!r} must be one of missing, zeros, both, none")
    return Screen(
        by=by,
        available=_share(parts["available"]) if "available" in parts else 2 / 3,
        nonzero=_share(parts["nonzero"]) if "nonzero" in parts else 0.05,
        include=parts["include"].texts() if "include" in parts else (),
        drop=parts["drop"].texts() if "drop" in parts else (),
    )


def read_weighting(entry: Entry, tree: Tree, nominal: Weighting | None = None) -> Weighting:
    """How weights come about; those of the tree where nothing is said. A plain mapping is weights by code.

    The bare method of `nominal`, to which the entry is an alternative, means that weighting.
    """
    keys = ("levels", "groups", "values", "matrix")
    if entry.value is None:
        return Weighting(Choice("given"))
    if isinstance(entry.value, dict) and entry.value and not {"method", *keys} & set(entry.value):
        return Weighting(Choice("given"), values=_values(entry, tree))
    plain = entry.value if isinstance(entry.value, dict) else {}
    base = default_choice(weigh.METHODS, "given")
    choice = choose(entry, weigh.METHODS, base=nominal.choice if nominal else base, also=keys)
    if nominal and not plain and choice.method == nominal.choice.method:
        return nominal
    if choice.method == "ahp" and "matrix" not in plain and "groups" not in plain:
        raise entry.at("groups").wrong("must be given: {<aggregate>: {method: ahp, matrix: [[1, …], …]}}")
    if "matrix" in plain:
        raise entry.at("matrix").wrong(
            "belongs to one aggregate: groups: {<aggregate>: {method: ahp, matrix: …}}"
        )
    every = tuple(range(1, tree.levels))
    default = (1,) if choice.method in ("pca", "entropy") else every
    levels = _levels(entry.at("levels"), every) if plain.get("levels") is not None else default
    values = _values(entry.at("values"), tree) if plain.get("values") is not None else {}
    groups = _groups(entry.at("groups"), tree) if plain.get("groups") is not None else {}
    if choice.method == "ahp":
        choice, levels = base, ()
    return Weighting(choice, levels, groups, values)


def _groups(entry: Entry, tree: Tree) -> dict[str, Choice]:
    found = {}
    for code, part in entry.mapping().items():
        if code not in tree.aggregates:
            raise part.wrong(f"no such aggregate; there are {', '.join(tree.aggregates)}")
        found[code] = choose(part, weigh.METHODS, also=("matrix",))
        matrix = part.at("matrix")
        if found[code].method == "ahp":
            rows = _matrix(matrix, [child.code for child in tree.children(code)])
            found[code] = replace(found[code], values={"matrix": rows})
        elif matrix.value is not None:
            raise matrix.wrong("is for the method ahp")
    return found


def _matrix(entry: Entry, codes: list[str]) -> tuple[tuple[float, ...], ...]:
    """Pairwise comparisons: a square of positive numbers, each the reciprocal of its mirror image."""
    rows = tuple(tuple(read_number(cell) for cell in row.items()) for row in entry.items())
    if any(len(row) != len(codes) for row in rows) or len(rows) != len(codes):
        raise entry.wrong(f"must have {len(codes)} rows of {len(codes)} numbers, for {', '.join(codes)}")
    for at, row in enumerate(rows):
        for to, cell in enumerate(row):
            if cell <= 0:
                raise entry.wrong(f"{codes[at]} to {codes[to]} must be above 0")
            if abs(cell * rows[to][at] - 1) > 0.01:
                raise entry.wrong(
                    f"{codes[at]} to {codes[to]} is {cell:g}; {codes[to]} to {codes[at]} must be its reciprocal"
                )
    return rows


def _values(entry: Entry, tree: Tree) -> dict[str, float]:
    found = {}
    for code, part in entry.mapping().items():
        if code not in tree.nodes:
            raise part.wrong(f"no such code; there are {', '.join(tree.nodes)}")
        found[code] = read_weight(part)
    return found


def read_aggregation(entry: Entry, tree: Tree, nominal: Aggregation | None = None) -> Aggregation:
    """The means: one for all, one a level from the bottom up (a list), or with `levels` and `groups`.

    Of an alternative to a `nominal` aggregation, the bare method of that one means it, and the share of weights
    that must be there is the same where nothing else is said.
    """
    found = _aggregation(entry, tree, nominal)
    if nominal is None:
        return found
    if isinstance(entry.value, str) and found.choice.method == nominal.choice.method:
        return nominal
    return replace(found, available=found.available or nominal.available)


def _aggregation(entry: Entry, tree: Tree, nominal: Aggregation | None) -> Aggregation:
    above = tuple(range(2, tree.levels + 1))
    base = default_choice(aggregate.METHODS, "arithmetic")
    own = {
        code: choose(node.aggregate, aggregate.METHODS)
        for code, node in tree.nodes.items()
        if node.aggregate is not None
    }
    if entry.value is None:
        return Aggregation(base, groups=own)
    if isinstance(entry.value, list):
        return Aggregation(base, _by_level(entry, above), own)
    also = ("levels", "groups", "available", "dat_thresh")
    choice = choose(entry, aggregate.METHODS, base=nominal.choice if nominal else base, also=also)
    if not isinstance(entry.value, dict):
        return Aggregation(choice, groups=own)
    levels = entry.at("levels")
    by_level = {} if levels.value is None else _by_level(levels, above)
    groups = entry.at("groups")
    for code, part in ({} if groups.value is None else groups.mapping()).items():
        if code not in tree.aggregates:
            raise part.wrong(f"no such aggregate; there are {', '.join(tree.aggregates)}")
        own[code] = choose(part, aggregate.METHODS)
    least = entry.at("available") if entry.at("available").value is not None else entry.at("dat_thresh")
    return Aggregation(choice, by_level, own, _available(least, above))


def _by_level(entry: Entry, above: tuple[int, ...]) -> dict[int, Choice]:
    if isinstance(entry.value, list):
        items = entry.items()
        if len(items) != len(above):
            raise entry.wrong(f"must list {len(above)} methods, for levels {above[0]} to {above[-1]}")
        return {level: choose(item, aggregate.METHODS) for level, item in zip(above, items, strict=True)}
    if not isinstance(entry.value, dict):
        raise entry.wrong("must be a list of methods from the bottom up, or a mapping {2: geometric}")
    parts = Entry(entry.where, entry.key, {str(level): value for level, value in entry.value.items()})
    found = {}
    for level, part in parts.mapping().items():
        if level not in [str(one) for one in above]:
            raise part.wrong(f"no such level of aggregates; there are {', '.join(map(str, above))}")
        found[int(level)] = choose(part, aggregate.METHODS)
    return found


def _available(entry: Entry, above: tuple[int, ...]) -> dict[int, float]:
    if entry.value is None:
        return {}
    if isinstance(entry.value, list):
        items = entry.items()
        if len(items) != len(above):
            raise entry.wrong(f"must list {len(above)} shares, for levels {above[0]} to {above[-1]}")
        return {level: _share(item) for level, item in zip(above, items, strict=True)}
    return dict.fromkeys(above, _share(entry))


def _levels(entry: Entry, every: tuple[int, ...]) -> tuple[int, ...]:
    items = entry.items() if isinstance(entry.value, list) else (entry,)
    found = tuple(item.integer() for item in items)
    if any(level not in every for level in found):
        raise entry.wrong(f"must list levels of weighted nodes, of {', '.join(map(str, every))}")
    return found


def _share(entry: Entry) -> float:
    return float(read_parameter(entry, _SHARE))
