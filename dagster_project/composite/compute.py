"""From a declared index and a table to scores: the steps one after the other, each result kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dagster_project.composite.aggregate import Aggregated, aggregate
from dagster_project.composite.contribute import contributions
from dagster_project.composite.impute import impute
from dagster_project.composite.normalise import normalise
from dagster_project.composite.source import Source
from dagster_project.composite.spec import Spec
from dagster_project.composite.spec_steps import Denominator, Screen
from dagster_project.composite.table import Table
from dagster_project.composite.treat import Treatment, treat
from dagster_project.composite.weigh import CONSISTENT
from schemas.errors import Misdeclared

STEPS = ("raw", "denominated", "imputed", "screened", "treated", "normalised", "aggregated")


@dataclass(frozen=True)
class Computed:
    """Every step of an index by name (`STEPS`), the weights, what was treated, and each indicator's part.

    Tables from `screened` on hold the units that take part.
    """

    spec: Spec
    steps: Mapping[str, Table]
    treatments: tuple[Treatment, ...]
    aggregated: Aggregated
    contributions: Table
    dropped: tuple[str, ...]
    warnings: tuple[str, ...]


def compute(spec: Spec, source: Source) -> Computed:
    """The index of a table; what does not fit is Misdeclared, naming the file, the place and what would."""
    steps = prepare(spec, source)
    steps["imputed"] = impute(steps["denominated"], spec.impute, spec.tree, source.texts)
    steps["screened"] = screened(steps["imputed"], spec.screen, spec.where)
    steps["treated"], treatments = treat(steps["screened"], spec.treat)
    steps["normalised"] = normalise(steps["treated"], spec.normalise, spec.tree, spec.where)
    aggregated = aggregate(spec.tree, same_units(steps), spec.aggregation, spec.weighting, spec.where)
    steps["aggregated"] = aggregated.table
    dropped = tuple(sorted(set(steps["raw"].units) - set(steps["screened"].units)))
    return Computed(
        spec,
        steps,
        treatments,
        aggregated,
        contributions(spec.tree, aggregated, spec.aggregation),
        dropped,
        _warnings(spec, steps, aggregated),
    )


def prepare(spec: Spec, source: Source) -> dict[str, Table]:
    """The figures of the tree's indicators as they came, and divided by their denominators."""
    columns = {code: spec.tree.nodes[code].column for code in spec.tree.indicators}
    for code, column in columns.items():
        if column not in source.cells:
            problem = f"is not there; {spec.where} wants it for the indicator {code}"
            raise Misdeclared(source.file, f"column {column}", problem)
    raw = source.table(columns)
    return {"raw": raw, "denominated": denominated(raw, spec.denominators, source)}


def denominated(table: Table, denominators: Mapping[str, Denominator], source: Source) -> Table:
    """Indicators divided by their denominators; without one, or with a zero, a figure is missing."""
    values = table.values.copy()
    for code, denominator in denominators.items():
        below = source.numbers(denominator.column) / denominator.scale
        with np.errstate(invalid="ignore", divide="ignore"):
            values[:, table.codes.index(code)] = np.where(below == 0, math.nan, table.column(code) / below)
    return replace(table, values=values)


def screened(table: Table, screen: Screen, where: str) -> Table:
    """The units with enough figures; `include` and `drop` decide for themselves."""
    for code in (*screen.include, *screen.drop):
        if code not in table.units:
            raise Misdeclared(where, "screen", f"no unit has the code {code!r}")
    missing = np.isnan(table.values)
    available = 1 - missing.mean(axis=1)
    zeros = (table.values == 0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        nonzero = 1 - zeros / (~missing).sum(axis=1)
    low, bare = available < screen.available, nonzero < screen.nonzero
    out = {"missing": low, "zeros": bare, "both": low | bare, "none": np.zeros(len(low), dtype=bool)}[
        screen.by
    ]
    kept = np.array(
        [
            unit in screen.include or (unit not in screen.drop and not gone)
            for unit, gone in zip(table.units, out, strict=True)
        ],
        dtype=bool,
    )
    if not kept.any():
        raise Misdeclared(where, "screen", "leaves no unit; ask for less")
    return table.keep(kept)


def same_units(steps: Mapping[str, Table]) -> dict[str, Table]:
    """The steps with only those units that still take part at the end."""
    last = frozenset(steps["normalised"].units)
    return {
        name: table.keep(np.array([unit in last for unit in table.units], dtype=bool))
        for name, table in steps.items()
    }


def _warnings(spec: Spec, steps: Mapping[str, Table], aggregated: Aggregated) -> tuple[str, ...]:
    found = list(spec.warnings)
    gaps = int(np.isnan(steps["screened"].values).sum())
    if gaps:
        found.append(f"{gaps} figures are missing and were not imputed; scores are of those that are there")
    normalised = steps["normalised"]
    for code, column in zip(normalised.codes, normalised.values.T, strict=True):
        if np.isnan(column).all():
            found.append(f"{code} has no score: no figure, or the same one for all units")
        elif np.isinf(column).any():
            found.append(f"{code} has infinite scores: its normalisation divides by zero")
    for code in spec.tree.indicators:
        if spec.normalise.of(code).method == "fracmax" and spec.tree.nodes[code].direction < 0:
            wrong = "fracmax scores it the wrong way round, as COINr's n_fracmax does; dist2max does not"
            found.append(f"{code}: {wrong}")
    for code in spec.tree.aggregates:
        notes = aggregated.weights[spec.tree.children(code)[0].code].notes
        if notes.get("consistency_ratio", 0) > CONSISTENT:
            ratio = notes["consistency_ratio"]
            found.append(f"{code}: comparisons contradict each other: consistency ratio {ratio:.3f} > 0.1")
    for code, weighed in aggregated.weights.items():
        if weighed.weight < 0:
            found.append(f"{code} has a negative weight ({weighed.weight:.4f}), from its principal component")
    return tuple(found)
