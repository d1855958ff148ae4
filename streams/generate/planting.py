"""Planted anomalies: which series deviates when, and the one episode it must become.

Every number stands in the contract's `simulate` block. A series has at most one anomaly of its feed, and all lie
within the span without its first and last two days.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from schemas.simulate.model import (
    DAY,
    PLANTED_SERIAL,
    REGULAR,
    Constant,
    Number,
    Planted,
    Simulate,
    Text,
)
from schemas.subject import joined
from streams.generate.clock import Clock
from streams.generate.course import course
from streams.generate.model import Anomaly
from streams.generate.series import Series

QUIET_DAYS = 2
MONTH_DAYS = 30


@dataclass(frozen=True)
class Window:
    """From `first` on and before `end` a series has events at these moments instead of its ordinary ones."""

    first: int
    end: int
    moments: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """What is planted in one feed, by the places of its series; times are seconds from the span's start."""

    anomalies: list[Anomaly] = field(default_factory=list)
    values: dict[str, dict[tuple[int, int], Any]] = field(default_factory=dict)
    silent: dict[int, tuple[int, int]] = field(default_factory=dict)
    windows: dict[int, Window] = field(default_factory=dict)
    overdue: dict[tuple[int, int], tuple[str, int]] = field(default_factory=dict)
    spared: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Ground:
    """What is planted in."""

    simulate: Simulate
    series: tuple[Series, ...]
    clock: Clock
    tag: str
    rng: Random
    plan: Plan

    @property
    def first(self) -> int:
        """The first moment at which anything may be planted."""
        return QUIET_DAYS * DAY

    @property
    def last(self) -> int:
        """The moment before which all must be over."""
        return self.clock.end - QUIET_DAYS * DAY

    def how_many(self, planted: Planted) -> int:
        """In proportion to the days that may hold them; at least one if any may."""
        usable = (self.last - self.first) // DAY
        if usable < 1:
            return 0
        return max(1, round(planted.per_month * usable / (MONTH_DAYS - 2 * QUIET_DAYS)))

    def takes(self, n: int, planted: Planted) -> bool:
        """Whether a series can have what is planted: those of another `where` cannot."""
        fixed = self.series[n].fixed
        return all(fixed.get(name, value) == value for name, value in planted.where.items())

    def mark(self, n: int, planted: Planted, moments: Sequence[int]) -> None:
        """Give events at these moments what the rule's `where` asks of them."""
        for name, value in planted.where.items():
            if name not in self.series[n].fixed:
                self.plan.values.setdefault(name, {}).update({(n, at): value for at in moments})

    def alike(self, n: int, planted: Planted) -> list[int]:
        """The series that the rule takes for the same subject as this one."""
        own = [self.series[n].fixed.get(name) for name in planted.subject]
        return [
            m
            for m, other in enumerate(self.series)
            if [other.fixed.get(name) for name in planted.subject] == own
        ]

    def add(
        self,
        n: int,
        planted: Planted,
        level: str,
        onset: int,
        opened: int,
        back: int,
        peak: float | None,
        serial: int = PLANTED_SERIAL,
    ) -> None:
        """Note the one episode that must come of what was planted."""
        time = self.clock.time
        subject = joined([self._value(name, n, onset, serial) for name in planted.subject])
        self.plan.anomalies.append(
            Anomaly(planted.wakes, subject, level, time(opened), time(back), time(onset), peak)
        )

    def _value(self, name: str, n: int, at: int, serial: int) -> str:
        """What a field of the subject says: that of the series, a constant, or a text of the event."""
        series = self.series[n]
        if name in series.fixed:
            return str(series.fixed[name])
        maker = next(made.maker for made in self.simulate.fields if made.name == name)
        if isinstance(maker, Constant):
            return str(maker.value)
        assert isinstance(maker, Text)
        moment = {"day": self.clock.stamps[at // DAY], "serial": f"{serial:04d}", "tag": self.tag}
        return maker.template.render({**series.names, **moment})


def plant(simulate: Simulate, series: tuple[Series, ...], clock: Clock, tag: str, rng: Random) -> Plan:
    """Every anomaly of a feed, the kinds in turn, so that each has its part where series are few."""
    ground = Ground(simulate, series, clock, tag, rng, Plan())
    wanted = [(planted, ground.how_many(planted)) for planted in simulate.anomalies]
    free = rng.sample(range(len(series)), len(series))
    for turn in range(max((many for _, many in wanted), default=0)):
        for planted, many in wanted:
            n = next((n for n in free if turn < many and ground.takes(n, planted)), None)
            if n is not None:
                levels = [*planted.levels]
                _KINDS[planted.kind](ground, n, planted, levels[turn % len(levels)])
                ground.plan.spared.update(ground.alike(n, planted))
                free = [each for each in free if each not in ground.plan.spared]
    return ground.plan


def _deviation(ground: Ground, n: int, planted: Planted, level: str) -> None:
    """A run of extraordinary values: at the ordinary times, or at times of their own."""
    values = course(planted, level, _digits(ground, n, planted), ground.rng)
    regular = ground.simulate.shape in REGULAR
    at = _steps(ground, len(values)) if regular else _moments(ground, planted, len(values))
    if not at:
        return
    *times, back = at
    ground.plan.values.setdefault(planted.field, {}).update(
        {(n, time): value for time, value in zip(times, values, strict=True)}
    )
    if not regular:
        for m in ground.alike(n, planted):
            ground.plan.windows[m] = Window(at[0], back + 1, tuple(at) if m == n else ())
    ground.mark(n, planted, at)
    peak = min(values) if planted.kind == "drop" else max(values)
    ground.add(n, planted, level, at[0], at[0], back, peak)


def _digits(ground: Ground, n: int, planted: Planted) -> int:
    makers = (*ground.series[n].own, *ground.simulate.fields)
    maker = next(made.maker for made in makers if made.name == planted.field)
    assert isinstance(maker, Number)
    return maker.digits


def _steps(ground: Ground, length: int) -> list[int]:
    """Consecutive ordinary times for so many values and the one that ends them; none where they do not fit."""
    steps = ground.clock.steps(ground.simulate.every, ground.simulate.at)
    begin, end = bisect_left(steps, ground.first), bisect_left(steps, ground.last)
    room = end - begin - length
    if room < 1:
        return []
    first = begin + ground.rng.randrange(room)
    return steps[first : first + length + 1]


def _moments(ground: Ground, planted: Planted, length: int) -> list[int]:
    """Times at a distance of the window for so many values and the one that ends them."""
    room = ground.last - ground.first - (length + 1) * planted.window
    if room < 1:
        return []
    first = ground.first + ground.rng.randrange(room)
    return [first + k * planted.window for k in range(length + 1)]


def _silence(ground: Ground, n: int, planted: Planted, level: str) -> None:
    """No events between two that are as far apart as the level says."""
    steps = ground.clock.steps(ground.simulate.every, ground.simulate.at)
    begin, end = bisect_left(steps, ground.first), bisect_left(steps, ground.last)
    low, high = planted.levels[level]
    fitting = _gaps(steps[begin:end], low, high)
    if fitting:
        last, back = fitting(ground.rng)
        ground.plan.silent[n] = (last + 1, back)
        after = steps[bisect_left(steps, last + 1)]
        ground.add(n, planted, level, after, last + int(planted.opens), back, None)


def _gaps(steps: Sequence[int], low: float, high: float) -> Callable[[Random], tuple[int, int]] | None:
    """What draws two times that are from `low` to `high` seconds apart; None where there are none."""
    firsts = [
        (k, begin, end)
        for k, at in enumerate(steps)
        if (begin := bisect_left(steps, at + low)) < (end := bisect_left(steps, at + high + 1))
    ]
    if not firsts:
        return None

    def draw(rng: Random) -> tuple[int, int]:
        k, begin, end = firsts[rng.randrange(len(firsts))]
        return steps[k], steps[rng.randrange(begin, end)]

    return draw


def _burst(ground: Ground, n: int, planted: Planted, level: str) -> None:
    """Many events within one window; the window after it has one, so that its end is seen."""
    rng, window = ground.rng, planted.window
    early, late = planted.hours
    slots = [at for at in range(0, DAY, window) if early <= at // 3_600 <= late] or [0]
    days = (ground.last - ground.first) // DAY
    first = ground.first + rng.randrange(days) * DAY + rng.choice(slots)
    if first + 2 * window > ground.last:
        return
    low, high = planted.levels[level]
    count = rng.randint(math.ceil(low), math.floor(high))
    moments = sorted(first + rng.randrange(window) for _ in range(count))
    follow = first + window + rng.randrange(window)
    for m in ground.alike(n, planted):
        ground.plan.windows[m] = Window(first, first + 2 * window, (*moments, follow) if m == n else ())
    ground.mark(n, planted, moments)
    opened = moments[math.ceil(planted.opens) - 1]
    ground.add(n, planted, level, first, opened, first + 2 * window, count)


def _overdue(ground: Ground, n: int, planted: Planted, level: str) -> None:
    """One thing more that reaches a stage as late as the level says."""
    low, high = planted.levels[level]
    taken = ground.rng.randint(math.ceil(low), math.floor(high))
    room = ground.last - ground.first - taken
    if room < 1:
        return
    first = ground.first + ground.rng.randrange(room)
    ground.plan.windows[n] = Window(first, first + 1, (first,))
    ground.mark(n, planted, [first])
    ground.plan.overdue[n, first] = planted.stage, taken
    ground.add(n, planted, level, first, first + int(planted.opens), first + taken, None)


_KINDS: dict[str, Callable[[Ground, int, Planted, str], None]] = {
    "spike": _deviation,
    "drop": _deviation,
    "silence": _silence,
    "burst": _burst,
    "overdue": _overdue,
}
