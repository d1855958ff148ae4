"""A rule: one YAML file that says when a subject is in danger, how badly, and what the officer does about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as declared
from typing import Any

from streams.watch.declare.calendar import Maintenance, Quiet
from streams.watch.declare.spec import Input, Spec

__all__ = ["Example", "Flapping", "Input", "Rule"]


@dataclass(frozen=True)
class Example:
    """Events a rule is tried on, and the transitions they must make: (subject, kind, level) in order.

    An event has `time` and `data`, and `feed` where the rule reads several; with `repeat` (a number) it comes
    that often, `every` (ISO 8601) apart. `until` is the clock at the end, where silence matters. `baseline`
    holds what a baseline rule compares with: {subject, slot, mean, sd} each.
    """

    name: str
    events: tuple[Mapping[str, Any], ...]
    warns: tuple[tuple[str, str, str], ...]
    until: str = ""
    baseline: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Flapping:
    """From `rises` openings and raisings within `within` ms on, a level falls only after that long below it."""

    rises: int
    within: int


@dataclass(frozen=True)
class Rule:
    """One early-warning rule.

    `bounds` holds (rank, bound) from the highest rank down, in the unit of the condition's value: seconds for
    absence and sequence, a number of members for composite and correlation. With `below` a level is reached at
    its bound or under it. `dwell` holds each rank's `for`, in ms. `recovery` ends an episode when the value is
    on its safe side, for `recovery_dwell` ms and for `keep_open` ms. `window` is the length of a window in
    seconds (0 where the kind has none), `wait` how many seconds late events are waited for. `text` is the file.
    """

    id: str
    version: int
    feed: str
    title: str
    title_en: str
    subject: tuple[str, ...]
    where: tuple[tuple[str, str | int | float | bool], ...]
    kind: str
    field: str
    window: int
    bounds: tuple[tuple[int, float], ...]
    recovery: float
    wait: int
    runbook: str
    duty_role: str
    spec: Spec
    inputs: tuple[Input, ...]
    rekeyed: bool = False
    below: bool = False
    dwell: tuple[tuple[int, int], ...] = ()
    keep_open: int = 0
    recovery_dwell: int = 0
    flapping: Flapping | None = None
    quiet: tuple[Quiet, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    region: str = ""
    status: str = "active"
    examples: tuple[Example, ...] = ()
    text: str = declared(default="", compare=False, repr=False)

    @property
    def lowest(self) -> float:
        """The bound of the lowest declared level."""
        return self.bounds[-1][1]

    @property
    def feeds(self) -> tuple[str, ...]:
        """All feeds it reads, sorted."""
        return tuple(sorted({each.feed for each in self.inputs}))

    @property
    def members(self) -> tuple[str, ...]:
        """The rules a composite is made of."""
        return tuple(member.rule for member in getattr(self.spec, "members", ()))

    @property
    def accumulates(self) -> bool:
        """Whether events count beside each other, so that a correction of one must not count as another."""
        return self.kind not in ("threshold", "change", "baseline", "absence")

    @property
    def remembers(self) -> bool:
        """Whether a copy of an event below the watermark could count again, so that its id must be known."""
        return self.accumulates or bool(self.wait) or self.rekeyed

    @property
    def damped(self) -> bool:
        """Whether anything but the value decides on a level: a dwell, flapping, quiet hours, maintenance."""
        dwells = [self.keep_open, self.recovery_dwell, *(dwell for _, dwell in self.dwell)]
        return any(dwells) or bool(self.flapping or self.quiet or self.maintenance)

    def reads(self, feed: str) -> tuple[str, ...]:
        """The fields of `data` it needs of an event of this feed, sorted."""
        return tuple(sorted({name for each in self.inputs if each.feed == feed for name in each.reads}))

    def takes(self, feed: str) -> Callable[[Any], bool] | None:
        """Which events of a feed it looks at, as a test on their data; None where it looks at all of them."""
        wanted = [each.where for each in self.inputs if each.feed == feed]
        if not all(wanted):
            return None
        return lambda data: any(
            all(getattr(data, name) == value for name, value in where) for where in wanted
        )

    def rank(self, value: float) -> int:
        """The highest rank whose bound the value reaches; 0 where it reaches none."""
        for rank, bound in self.bounds:
            if (value <= bound) if self.below else (value >= bound):
                return rank
        return 0

    def bound(self, rank: int) -> float:
        """The bound of a declared rank."""
        return dict(self.bounds)[rank]
