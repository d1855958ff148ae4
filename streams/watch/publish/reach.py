"""How far back what a rule decides now can rest on: for whoever starts it in the middle of a log."""

from __future__ import annotations

from collections.abc import Mapping

from streams.watch.declare.calendar import DAY
from streams.watch.declare.rule import Rule
from streams.watch.declare.spec import (
    ChangeSpec,
    CompositeSpec,
    CorrelationSpec,
    SequenceSpec,
    SurgeSpec,
    WindowSpec,
)
from streams.watch.detect import make

LEAST = DAY
ALL = 1 << 60
"""Everything: a mean under control is learnt from the first points there are."""

_HOUR = DAY // 24
_YEAR = 366 * DAY
_RECURSIVE = 400
"""Windows after which a chart that forgets has forgotten: 0.8 ** 400 is 2e-39."""


def reach(rule: Rule, known: Mapping[str, Rule]) -> int:
    """Milliseconds of event time before a moment that can matter to what the rule says then; at least a day.

    `known` holds the members of composites. What is left out is a warning that opened before and is open still:
    whoever starts a rule there must look for those.
    """
    dwells = [rule.keep_open, rule.recovery_dwell, *(dwell for _, dwell in rule.dwell)]
    flapping = rule.flapping.within if rule.flapping else 0
    maintained = max((each.end - each.start for each in rule.maintenance), default=0)
    quiet = DAY if rule.quiet else 0
    own = _condition(rule)
    members = max((reach(known[name], known) for name in rule.members if name in known), default=0)
    return max(LEAST, own + max(dwells) + flapping + maintained + quiet + members + rule.wait * 1000)


def _condition(rule: Rule) -> int:
    """What the condition looks back on."""
    spec = rule.spec
    if isinstance(spec, ChangeSpec):
        return 2 * spec.over or spec.back + 2 * _HOUR
    if isinstance(spec, WindowSpec):
        return 2 * spec.length
    if isinstance(spec, SurgeSpec):
        return _points(spec) * spec.every
    if isinstance(spec, CompositeSpec | CorrelationSpec):
        return spec.within
    if isinstance(spec, SequenceSpec) or rule.kind == "absence":
        return int(max(bound for _, bound in rule.bounds) * 1000)
    return 2 * rule.window * 1000  # count; 0 for those that look at the newest value alone


def _points(spec: SurgeSpec) -> int:
    """Windows a detector looks back on, the one to judge included."""
    given = vars(make(spec.method, dict(spec.parameters), "reach"))
    if spec.method.startswith("ears"):
        return int(given["baseline"]) + 6
    start = given.get("start_") or given.get("baseline") or 0
    if spec.method.startswith("farrington"):
        by_date = spec.every % DAY == 0
        year = _YEAR // spec.every + 1 if by_date else given["freq"] or 52
        return int(max(start, (given["b"] + 1) * year + given["w"]) + 1)
    learnt = not isinstance(given.get("m"), int | float) or given.get("sd", 0) is None
    return ALL // spec.every if learnt or start else _RECURSIVE
