"""Results as tables of text: every step of an index as a CSV file, by name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from dagster_project.composite.analyse import STATISTICS, alphas, correlations, statistics
from dagster_project.composite.compute import STEPS, Computed
from dagster_project.composite.sensitivity import Spread, places
from dagster_project.composite.spec import Shown
from dagster_project.composite.spec_vary import Sensitivity
from dagster_project.composite.table import Array, Table, csv_text, table_csv


def rounded(values: Array, shown: Shown) -> Array:
    """Scores as they are shown: to the decimals asked for (half to even of the exact double), or all."""
    if shown.decimals is None:
        return values
    return np.array([[round(float(figure), shown.decimals) for figure in row] for row in values])


def results(computed: Computed) -> Table:
    """Scores as shown, from the index down, without ranks; in the order of the units' codes."""
    scores = computed.steps["aggregated"].select(computed.spec.tree.shown())
    return Table(scores.units, scores.names, scores.codes, rounded(scores.values, computed.spec.shown))


def ranks(computed: Computed) -> Table:
    """Ranks by every column of the results, the highest score being 1, ties sharing the better place."""
    scores = computed.steps["aggregated"].select(computed.spec.tree.shown())
    shown = rounded(scores.values, computed.spec.shown)
    values = shown if computed.spec.shown.ties == "rounded" else scores.values
    return Table(
        scores.units, scores.names, scores.codes, np.column_stack([places(column) for column in values.T])
    )


def best_first(computed: Computed) -> list[int]:
    """Where the units stand in the tables, best first; units without a score last."""
    scores = computed.steps["aggregated"].column(computed.spec.tree.top)
    return sorted(range(len(scores)), key=lambda at: (math.isnan(scores[at]), -scores[at]))


def files(computed: Computed, spread: Spread | None) -> Mapping[str, str]:
    """All CSV files of an index by name."""
    found = {f"{step}.csv": table_csv(computed.steps[step]) for step in STEPS}
    found |= dict(_tables(computed))
    plan = computed.spec.sensitivity
    if spread is not None and plan is not None:
        found |= dict(_sensitivity(spread, plan))
    return found


def _tables(computed: Computed) -> Iterator[tuple[str, str]]:
    scores, placed, order = results(computed), ranks(computed), best_first(computed)
    header = ("uCode", "uName", "Rank", *scores.codes)
    yield "results.csv", csv_text(header, [_row(scores, at, placed.values[at, 0]) for at in order])
    yield "ranks.csv", csv_text(("uCode", "uName", *scores.codes), [_row(placed, at) for at in order])
    yield "weights.csv", csv_text(WEIGHTS, weights(computed))
    yield "contributions.csv", _contributions(computed)
    yield "treatment.csv", csv_text(TREATMENT, _treatments(computed))
    yield "treated_points.csv", csv_text(POINTS, _points(computed))
    yield "statistics.csv", csv_text(STATISTICS, statistics(computed.steps["raw"]))
    codes = computed.steps["aggregated"].codes
    found = correlations(computed.steps["aggregated"], computed.spec.correlation)
    rows = [(code, *(float(figure) for figure in row)) for code, row in zip(codes, found, strict=True)]
    yield "correlation.csv", csv_text(("iCode", *codes), rows)
    alpha = [
        (a.dataset, a.code, a.level, a.items, a.alpha) for a in alphas(computed.spec.tree, computed.steps)
    ]
    yield "alpha.csv", csv_text(("Dataset", "iCode", "Level", "Items", "Alpha"), alpha)


def _row(table: Table, at: int, *more: float) -> tuple[object, ...]:
    figures = (float(figure) for figure in table.values[at])
    return (table.units[at], table.names[at], *(float(one) for one in more), *figures)


WEIGHTS = (
    *("iCode", "iName", "Level", "Parent", "Weight", "Share", "EffWeight", "Method"),
    *("ConsistencyRatio", "Explained"),
)


def weights(computed: Computed) -> list[tuple[object, ...]]:
    """A row a node from the top down: weight as used, share among its sisters, share of the index."""
    tree, found = computed.spec.tree, computed.aggregated.weights
    effective = {tree.top: 1.0}
    rows: list[tuple[object, ...]] = []
    for code in tree.shown():
        node = tree.nodes[code]
        if code == tree.top:
            rows.append((code, node.name, node.level, "", 1.0, 1.0, 1.0, "", None, None))
            continue
        one = found[code]
        effective[code] = effective[node.parent] * one.share
        notes = (one.notes.get("consistency_ratio"), one.notes.get("explained"))
        known = (code, node.name, node.level, node.parent)
        rows.append((*known, one.weight, one.share, effective[code], one.method, *notes))
    return rows


def _contributions(computed: Computed) -> str:
    parts, top = computed.contributions, computed.spec.tree.top
    scores = computed.steps["aggregated"].column(top)
    rows = [_row(parts, at, scores[at]) for at in best_first(computed)]
    return csv_text(("uCode", "uName", top, *parts.codes), rows)


TREATMENT = (
    *("iCode", "Treatment", "Winsorised", "SkewBefore", "KurtBefore", "SkewAfter", "KurtAfter", "Pass"),
)


def _treatments(computed: Computed) -> list[tuple[object, ...]]:
    verdicts = {True: "TRUE", False: "FALSE", None: ""}
    return [
        (
            *(
                t.code,
                t.done or "none",
                t.winsorised,
                t.skew_before,
                t.kurt_before,
                t.skew_after,
                t.kurt_after,
            ),
            verdicts[t.passes],
        )
        for t in computed.treatments
    ]


POINTS = ("uCode", "iCode", "Treatment", "Before", "After")


def _points(computed: Computed) -> list[tuple[object, ...]]:
    before, after = computed.steps["screened"], computed.steps["treated"]
    return [
        (before.units[at], t.code, mark, float(before.column(t.code)[at]), float(after.column(t.code)[at]))
        for t in computed.treatments
        for at, mark in t.points
    ]


def _sensitivity(spread: Spread, plan: Sensitivity) -> Iterator[tuple[str, str]]:
    low, high = (f"Q{share * 100:g}" for share in plan.interval)
    header = ("uCode", "uName", "Nominal", "Mean", "Median", low, high, "Min", "Max")
    rows = spread.statistics(plan.interval)
    rows.sort(key=lambda row: (math.isnan(float(str(row[2]))), row[2]))
    yield "sensitivity.csv", csv_text(header, rows)
    runs = [f"r_{run + 1}" for run in range(spread.ranks.shape[1])]
    every = [
        (unit, name, *(float(rank) for rank in ranks))
        for unit, name, ranks in zip(spread.units, spread.names, spread.ranks, strict=True)
    ]
    yield "sensitivity_ranks.csv", csv_text(("uCode", "uName", *runs), every)
    if spread.indices:
        indices = [(name, *pair) for name, pair in spread.indices.items()]
        yield "sensitivity_indices.csv", csv_text(("Variable", "Si", "STi"), indices)
