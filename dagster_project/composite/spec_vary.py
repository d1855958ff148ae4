"""What a sensitivity analysis varies: alternatives of steps, and noise on weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dagster_project.composite import impute, normalise, treat
from dagster_project.composite.aggregate import Aggregation
from dagster_project.composite.methods import Methods, Parameter, Step, choose_step, read_pair, read_parameter
from dagster_project.composite.spec_steps import read_aggregation, read_weighting
from dagster_project.composite.tree import Tree
from dagster_project.composite.weigh import Weighting
from schemas.declaration import Entry

VARIED = ("impute", "treat", "normalise", "weights", "aggregate", "noise", "exclude")
_STEPS: Mapping[str, tuple[Methods, str]] = {
    "impute": (impute.METHODS, "none"),
    "treat": (treat.METHODS, "none"),
    "normalise": (normalise.METHODS, "minmax"),
}
_SHARE = Parameter("noise", "share", 0.0, "")


@dataclass(frozen=True)
class Sensitivity:
    """A Monte-Carlo analysis: how many runs, which seed, and what varies.

    Alternatives are equally likely. `noise` is by level of the weighted nodes: 0.25 moves each weight by up
    to a quarter of itself, evenly. `exclude` leaves out one indicator a run, or none. `indices` asks for
    variance-based sensitivity indices, which take runs * (varied + 2) runs in all.
    """

    runs: int
    seed: int
    interval: tuple[float, float] = (0.05, 0.95)
    indices: bool = False
    steps: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    weights: tuple[Weighting, ...] = ()
    aggregate: tuple[Aggregation, ...] = ()
    noise: Mapping[int, float] = field(default_factory=dict)
    exclude: bool = False

    @property
    def varied(self) -> tuple[str, ...]:
        """What varies, in the order in which it is drawn."""
        plain = {
            "weights": self.weights,
            "aggregate": self.aggregate,
            "noise": self.noise,
            "exclude": self.exclude,
        }
        return tuple(name for name in VARIED if self.steps.get(name) or plain.get(name))


@dataclass(frozen=True)
class Nominal:
    """The index as declared, to which a sensitivity analysis takes alternatives."""

    steps: Mapping[str, Step]
    weighting: Weighting
    aggregation: Aggregation


def read_sensitivity(entry: Entry, tree: Tree, nominal: Nominal) -> Sensitivity | None:
    """The analysis a spec asks for; None where it does not.

    A method that is the index's own means it with the parameters the index gives it.
    """
    if entry.value in (None, False):
        return None
    parts = entry.mapping(["vary"], ["runs", "seed", "interval", "indices"])
    vary = parts["vary"].mapping(optional=VARIED)
    steps = {
        name: tuple(
            choose_step(item, *_STEPS[name], tree.indicators, nominal.steps[name])
            for item in _several(vary[name])
        )
        for name in _STEPS
        if name in vary
    }
    found = Sensitivity(
        runs=_runs(parts["runs"]) if "runs" in parts else 1000,
        seed=parts["seed"].integer() if "seed" in parts else 1,
        interval=read_pair(parts["interval"]) if "interval" in parts else (0.05, 0.95),
        indices=parts["indices"].flag() if "indices" in parts else False,
        steps=steps,
        weights=tuple(
            read_weighting(item, tree, nominal.weighting) for item in _alternatives(vary, "weights")
        ),
        aggregate=tuple(
            read_aggregation(item, tree, nominal.aggregation) for item in _alternatives(vary, "aggregate")
        ),
        noise=_noise(vary["noise"], tree) if "noise" in vary else {},
        exclude=vary["exclude"].flag() if "exclude" in vary else False,
    )
    if not found.varied:
        raise parts["vary"].wrong(f"must name what varies: one or more of {', '.join(VARIED)}")
    if not 0 <= found.interval[0] < found.interval[1] <= 1:
        raise parts["interval"].wrong("must list two shares, such as [0.05, 0.95]")
    return found


def _alternatives(vary: Mapping[str, Entry], name: str) -> tuple[Entry, ...]:
    return _several(vary[name]) if name in vary else ()


def _several(entry: Entry) -> tuple[Entry, ...]:
    items = entry.items()
    if len(items) < 2:
        raise entry.wrong("must list two or more alternatives")
    return items


def _runs(entry: Entry) -> int:
    if not 1 <= entry.integer() <= 1_000_000:
        raise entry.wrong("must be between 1 and 1000000")
    return entry.integer()


def _noise(entry: Entry, tree: Tree) -> dict[int, float]:
    every = range(1, tree.levels)
    if not isinstance(entry.value, dict):
        return dict.fromkeys(every, float(read_parameter(entry, _SHARE)))
    parts = Entry(entry.where, entry.key, {str(level): value for level, value in entry.value.items()})
    found = {}
    for level, part in parts.mapping().items():
        if level not in [str(one) for one in every]:
            raise part.wrong(f"no such level of weighted nodes; there are {', '.join(map(str, every))}")
        found[int(level)] = float(read_parameter(part, _SHARE))
    return found
