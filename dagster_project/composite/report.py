"""The summary of an index, as JSON for programs and as a page for people."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, Template

from dagster_project.charts import Bar, Span, spans, stacked
from dagster_project.composite.analyse import alphas
from dagster_project.composite.compute import Computed
from dagster_project.composite.results import best_first, ranks, results, weights
from dagster_project.composite.sensitivity import Spread
from dagster_project.composite.table import show

_PAGE = Path(__file__).parent / "summary.html.j2"
EXAMPLE_WEIGHTS = "权重为示例 · Weights are examples unless the specification says where they were decided."


def summary(computed: Computed, spread: Spread | None, data: tuple[str, ...]) -> dict[str, Any]:
    """What was computed from what, what was done on the way, and the results; every value plain JSON."""
    spec, tree = computed.spec, computed.spec.tree
    found: dict[str, Any] = {
        "index": spec.index,
        "title": {"zh": spec.title_zh, "en": spec.title_en},
        "note": spec.note,
        "spec": spec.where,
        "data": list(data),
        "units": len(computed.steps["raw"].units),
        "indicators": len(tree.indicators),
        "levels": tree.levels,
        "dropped": list(computed.dropped),
        "steps": _steps(computed),
        "warnings": list(computed.warnings),
        "alpha": _number(
            next((a.alpha for a in alphas(tree, computed.steps) if a.dataset == "normalised"), None)
        ),
        "results": _results(computed),
    }
    plan = spec.sensitivity
    if spread is not None and plan is not None:
        found["sensitivity"] = {
            "runs": int(spread.ranks.shape[1]),
            "failed": spread.failed,
            "tried": spread.tried,
            "why_failed": spread.why,
            "seed": plan.seed,
            "varied": list(plan.varied),
            "indices": {
                name: {"Si": _number(s), "STi": _number(t)} for name, (s, t) in spread.indices.items()
            },
        }
    return found


def _steps(computed: Computed) -> dict[str, Any]:
    spec, before, after = computed.spec, computed.steps["denominated"], computed.steps["imputed"]
    gone, left = _missing(before.values), _missing(after.values)
    return {
        "denominate": sorted(spec.denominators),
        "impute": {"method": spec.impute.choice.method, "missing": gone, "imputed": gone - left},
        "screen": {"by": spec.screen.by, "dropped": len(computed.dropped)},
        "treat": {
            "method": spec.treat.choice.method,
            "treated": {t.code: t.done for t in computed.treatments if t.done},
        },
        "normalise": spec.normalise.choice.method,
        "weights": spec.weighting.choice.method,
        "aggregate": {
            code: spec.aggregation.of(spec.tree.nodes[code]).method for code in spec.tree.aggregates
        },
    }


def _missing(values: Any) -> int:
    return sum(math.isnan(figure) for row in values for figure in row)


def _number(figure: float | None) -> float | None:
    return None if figure is None or not math.isfinite(figure) else float(figure)


def _results(computed: Computed) -> list[dict[str, Any]]:
    scores, placed = results(computed), ranks(computed)
    return [
        {
            "code": scores.units[at],
            "name": scores.names[at],
            "rank": None if math.isnan(placed.values[at, 0]) else int(placed.values[at, 0]),
            "score": _number(scores.values[at, 0]),
        }
        for at in best_first(computed)
    ]


def summary_json(found: Mapping[str, Any]) -> str:
    """The summary as JSON text."""
    return json.dumps(found, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def summary_html(computed: Computed, spread: Spread | None, found: Mapping[str, Any]) -> str:
    """The summary as one page that needs nothing from elsewhere."""
    scores = results(computed)
    aggregates = [code for code in scores.codes if code in computed.spec.tree.aggregates]
    places = {unit: at for at, unit in enumerate(scores.units)}
    rows = [
        (row, [show(round(float(scores.column(code)[places[row["code"]]]), 4)) for code in aggregates])
        for row in found["results"]
    ]
    return _template().render(
        found=found,
        nodes=[computed.spec.tree.nodes[code] for code in aggregates],
        rows=rows,
        weights=[
            (row, [show(round(float(str(value)), 4)) for value in row[4:7]]) for row in weights(computed)
        ],
        parts=_parts(computed),
        spread=_ranks(spread),
        reminder=EXAMPLE_WEIGHTS,
    )


def _parts(computed: Computed) -> str:
    """What each part of the index adds to it, a bar a unit."""
    tree, parts = computed.spec.tree, computed.contributions
    below = tree.children(tree.top)
    scores = computed.steps["aggregated"].column(tree.top)
    bars = []
    for at in best_first(computed):
        sums = [
            sum(float(parts.values[at, parts.codes.index(leaf)]) for leaf in tree.leaves(node.code))
            for node in below
        ]
        bars.append(Bar(parts.names[at], tuple(sums), show(round(float(scores[at]), 3))))
    return stacked("得分构成 · What the score is made of", bars, [node.name for node in below])


def _ranks(spread: Spread | None) -> str:
    """Between which ranks each unit moved, a line a unit."""
    if spread is None:
        return ""
    rows = []
    order = sorted(
        range(len(spread.units)), key=lambda at: (math.isnan(spread.nominal[at]), spread.nominal[at])
    )
    for at in order:
        _, name, nominal, _, _, low, high, *_ = spread.statistics((0.05, 0.95))[at]
        low, high, dot = float(str(low)), float(str(high)), float(str(nominal))
        rows.append(Span(str(name), low, dot, high, f"{name}: {dot:g} ({low:g} - {high:g})"))
    return spans("位次区间 · Ranks: nominal and 5 to 95 percent", rows, 1, len(spread.units))


@cache
def _template() -> Template:
    text = _PAGE.read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)
