"""Sensitivity: the index computed many times with other choices, and how ranks move (Saisana et al. 2005)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from dagster_project.composite.aggregate import aggregate
from dagster_project.composite.compute import Computed, prepare, same_units, screened
from dagster_project.composite.impute import impute
from dagster_project.composite.methods import Step
from dagster_project.composite.moments import present
from dagster_project.composite.normalise import normalise, rank_min
from dagster_project.composite.source import Source
from dagster_project.composite.spec import Spec
from dagster_project.composite.spec_vary import Sensitivity
from dagster_project.composite.table import Array, Table
from dagster_project.composite.treat import treat
from schemas.arithmetic.columns import deviation, mean, summed
from schemas.errors import Misdeclared


@dataclass(frozen=True)
class Spread:
    """Scores and ranks of all units (rows) in all runs (columns); NaN where a run could not be computed.

    `failed` of the `tried` runs had none, the first for the reason `why`. `ranks` of the nominal index are
    `nominal`. `indices` are first-order and total sensitivity indices of
    the mean shift of ranks by what was varied; empty unless asked for.
    """

    units: tuple[str, ...]
    names: tuple[str, ...]
    nominal: Array
    scores: Array
    ranks: Array
    failed: int
    tried: int
    why: str
    indices: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def statistics(self, interval: tuple[float, float]) -> list[tuple[object, ...]]:
        """A row a unit: nominal rank, mean, median, lower and upper bound, least and greatest rank."""
        rows = []
        for unit, name, nominal, ranks in zip(self.units, self.names, self.nominal, self.ranks, strict=True):
            there = ranks[~np.isnan(ranks)]
            stats = _statistics(there, interval) if len(there) else (math.nan,) * 6
            rows.append((unit, name, float(nominal), *stats))
        return rows


def _statistics(ranks: Array, interval: tuple[float, float]) -> tuple[float, ...]:
    low, high = np.quantile(ranks, interval)
    found = (mean(ranks), np.median(ranks), low, high, ranks.min(), ranks.max())
    return tuple(float(figure) for figure in found)


def places(scores: Array) -> Array:
    """Ranks of scores, the highest being 1, equal ones sharing the better place."""
    return rank_min(-scores)


def analyse(computed: Computed, source: Source, plan: Sensitivity) -> Spread:
    """Ranks of the index under the plan's alternatives; the same seed gives the same ranks."""
    runs = _Runs(computed.spec, source, plan)
    units = computed.steps["aggregated"].units
    points, sets = _points(plan, len(computed.spec.tree.nodes))
    scores = np.full((len(units), len(points)), math.nan)
    failed, why = 0, ""
    for run, point in enumerate(points):
        try:
            scores[:, run] = _aligned(runs.scores(dict(zip(plan.varied, point, strict=True)), sets), units)
        except Misdeclared as error:
            failed, why = failed + 1, why or error.problem
    nominal = places(computed.steps["aggregated"].column(computed.spec.tree.top))
    ranks = np.column_stack([places(column) for column in scores.T])
    indices = _indices(ranks, nominal, plan) if plan.indices and not failed else {}
    kept = 2 * plan.runs if plan.indices else len(points)
    return Spread(
        units,
        computed.steps["aggregated"].names,
        nominal,
        scores[:, :kept],
        ranks[:, :kept],
        failed,
        len(points),
        why,
        indices,
    )


def _points(plan: Sensitivity, nodes: int) -> tuple[Array, Array]:
    """Where in the unit cube the runs are, a row each, and the sets of noise they choose from."""
    random, varied = np.random.default_rng(plan.seed), len(plan.varied)
    first = random.random((plan.runs, varied))
    sets = 2 * random.random((plan.runs, nodes)) - 1
    if not plan.indices:
        return first, sets
    second = random.random((plan.runs, varied))
    mixed = []
    for at in range(varied):
        part = first.copy()
        part[:, at] = second[:, at]
        mixed.append(part)
    return np.vstack([first, second, *mixed]), sets


class _Runs:
    """Computes the index at a point; the tables of steps that came up before are kept."""

    def __init__(self, spec: Spec, source: Source, plan: Sensitivity) -> None:
        self.spec, self.source, self.plan = spec, source, plan
        self._prepared = prepare(spec, source)
        self._kept: dict[tuple[int, ...], dict[str, Table]] = {}

    def scores(self, point: Mapping[str, float], sets: Array) -> Table:
        """The scores of the index's units at a point of the unit cube."""
        steps = self._steps(point)
        spec, plan, tree = self.spec, self.plan, self.spec.tree
        weighting = plan.weights[_pick(point, "weights", len(plan.weights))] if plan.weights else None
        how = plan.aggregate[_pick(point, "aggregate", len(plan.aggregate))] if plan.aggregate else None
        if "exclude" in point:
            out = _pick(point, "exclude", len(tree.indicators) + 1)
            if out < len(tree.indicators):
                tree = tree.without([tree.indicators[out]])
                steps = {name: table.select(tree.indicators) for name, table in steps.items()}
        noise = self._noise(sets[_pick(point, "noise", len(sets))]) if "noise" in point else None
        found = aggregate(
            tree, steps, how or spec.aggregation, weighting or spec.weighting, spec.where, noise
        )
        return found.table.select([tree.top])

    def _steps(self, point: Mapping[str, float]) -> dict[str, Table]:
        spec, plan = self.spec, self.plan
        picked = tuple(
            _pick(point, name, len(plan.steps.get(name, ()))) for name in ("impute", "treat", "normalise")
        )
        if picked not in self._kept:
            chosen = {
                name: several[picked[at]] for at, (name, several) in enumerate(_alternatives(spec, plan))
            }
            steps = dict(self._prepared)
            steps["imputed"] = impute(steps["denominated"], chosen["impute"], spec.tree, self.source.texts)
            steps["screened"] = screened(steps["imputed"], spec.screen, spec.where)
            steps["treated"], _ = treat(steps["screened"], chosen["treat"])
            steps["normalised"] = normalise(steps["treated"], chosen["normalise"], spec.tree, spec.where)
            self._kept[picked] = same_units(steps)
        return self._kept[picked]

    def _noise(self, drawn: Array) -> dict[str, float]:
        nodes = self.spec.tree.nodes.values()
        return {
            node.code: 1 + self.plan.noise.get(node.level, 0.0) * float(one)
            for node, one in zip(nodes, drawn, strict=True)
        }


def _alternatives(spec: Spec, plan: Sensitivity) -> list[tuple[str, tuple[Step, ...]]]:
    nominal = {"impute": spec.impute, "treat": spec.treat, "normalise": spec.normalise}
    return [(name, plan.steps.get(name) or (step,)) for name, step in nominal.items()]


def _pick(point: Mapping[str, float], name: str, count: int) -> int:
    """Which of `count` equally likely alternatives a point stands for; the first where it does not vary."""
    return min(int(point.get(name, 0.0) * count), max(count - 1, 0))


def _aligned(table: Table, units: tuple[str, ...]) -> Array:
    found = dict(zip(table.units, table.values[:, 0], strict=True))
    return np.array([found.get(unit, math.nan) for unit in units])


def _indices(ranks: Array, nominal: Array, plan: Sensitivity) -> dict[str, tuple[float, float]]:
    """First-order and total indices of the mean absolute shift of ranks (Saltelli et al. 2010; Jansen 1999)."""
    moved = np.array([mean(present(column)) for column in np.abs(ranks - nominal[:, None]).T])
    runs = plan.runs
    first, second = moved[:runs], moved[runs : 2 * runs]
    spread = deviation(moved[: 2 * runs])
    variance = spread * spread
    if variance == 0:
        return dict.fromkeys(plan.varied, (math.nan, math.nan))
    found = {}
    for at, name in enumerate(plan.varied):
        mixed = moved[(2 + at) * runs : (3 + at) * runs]
        found[name] = (
            mean(second * (mixed - first)) / variance,
            summed((first - mixed) * (first - mixed)) / (2 * runs * variance),
        )
    return found
