"""The events of a feed in order of time: at fixed times, at random ones, or when an entity changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from random import Random

from schemas.simulate.model import DAY, PLANTED_SERIAL, REGULAR, Made, Simulate
from streams.generate.clock import Clock
from streams.generate.makers import Bench, Data, Make, Now, now_and_then, planted_in
from streams.generate.model import Event
from streams.generate.noise import poisson, spread_over
from streams.generate.planting import Plan, Window
from streams.generate.rhythm import day_factor
from streams.generate.series import Series
from streams.generate.stages import passing

Fields = Sequence[tuple[str, Make]]
_AT = attrgetter("at")


@dataclass(frozen=True)
class Context:
    """What events are made with."""

    simulate: Simulate
    series: tuple[Series, ...]
    plan: Plan
    clock: Clock
    tag: str
    rng: Random
    now: Now
    bench: Bench

    def fields(self, made: Sequence[Made]) -> list[tuple[str, Make]]:
        """Makers of these fields by name, with what was planted in the place of their values."""
        return [(each.name, self._field(each)) for each in made]

    def _field(self, made: Made) -> Make:
        make = self.bench.made(made)
        if made.chance < 1:
            make = now_and_then(make, made.chance, self.rng)
        if made.name in self.plan.values:
            make = planted_in(make, self.plan.values[made.name], self.now)
        return make

    def by_series(self, made: Sequence[Made], split: bool = True) -> list[Fields]:
        """The makers of each series, those of its value of the split with them; equal ones are made once."""
        known: dict[tuple[Made, ...], Fields] = {}
        for each in self.series:
            if each.own not in known:
                known[each.own] = self.fields([*each.own, *made] if split else made)
        return [known[each.own] for each in self.series]


def fill(data: Data, fields: Fields) -> Data:
    """The data with these fields added, each in its turn; one without a value is left out."""
    for name, make in fields:
        value = make(data)
        if value is not None:
            data[name] = value
    return data


def events(
    simulate: Simulate, series: tuple[Series, ...], plan: Plan, clock: Clock, tag: str, rng: Random
) -> Iterator[Event]:
    """All events of a feed within the span, in order of time."""
    now = Now()
    bench = Bench(now, clock, rng, series, tag, keeps=simulate.shape == "register")
    context = Context(simulate, series, plan, clock, tag, rng, now, bench)
    if simulate.shape in REGULAR:
        return _regular(context)
    return _changes(context) if simulate.shape == "register" else _arrivals(context)


def _regular(context: Context) -> Iterator[Event]:
    """One event of every series at each of the fixed times, but where it is silent."""
    simulate, clock, now, silent = context.simulate, context.clock, context.now, context.plan.silent
    fields = context.by_series(simulate.fields)
    starts = [f"{context.tag}.{each.name}." for each in context.series]
    within_day = simulate.every and simulate.every < DAY
    day, factor = -1, 1.0
    for at in clock.steps(simulate.every, simulate.at):
        if at // DAY != day:
            day = at // DAY
            factor = day_factor(simulate.rhythm, clock.dates[day])
        stamp = clock.stamp(at, simulate.every)
        now.at = now.first = at
        now.factor = factor * simulate.rhythm.hours[at % DAY // 3600] if within_day else factor
        for n, each in enumerate(context.series):
            now.series = n
            data = fill(dict(each.fixed), fields[n])
            if n not in silent or not silent[n][0] <= at < silent[n][1]:
                yield Event(starts[n] + stamp, each.source, at, data, n)


def _arrivals(context: Context) -> Iterator[Event]:
    """What comes in at random times; with its later stages, where it has some."""
    simulate, clock, now, plan = context.simulate, context.clock, context.now, context.plan
    each_of = passing(context.simulate, context.by_series, context.now, context.plan, context.rng, fill)
    receptions = _receptions(context)
    waiting: list[list[Event]] = [[] for _ in clock.dates]
    end = clock.end
    for day, date in enumerate(clock.dates):
        factor = day_factor(simulate.rhythm, date)
        for n, series in enumerate(context.series):
            for serial, at in receptions(n, day, factor, plan.windows.get(n)):
                now.series, now.at, now.first, now.serial, now.missed = n, at, at, serial, False
                start = f"{context.tag}.{series.name}.{clock.stamps[day]}-{serial:04d}"
                for suffix, time, data in each_of(series):
                    if time < end:
                        waiting[time // DAY].append(Event(start + suffix, series.source, time, data, n))
        yield from sorted(waiting[day], key=_AT)
        waiting[day] = []


Receptions = Callable[[int, int, float, Window | None], list[tuple[int, int]]]


def _receptions(context: Context) -> Receptions:
    """What draws the times at which things come in at one series on one day, each with its serial."""
    rate, rng, random = context.simulate.rate, context.rng, context.rng.random
    assert rate is not None
    level = [rate.mean * rng.uniform(1 - rate.own, 1 + rate.own) * each.weight for each in context.series]
    hour_of = spread_over(context.simulate.rhythm.hours)
    most = rate.most

    def receptions(n: int, day: int, factor: float, window: Window | None) -> list[tuple[int, int]]:
        begin = day * DAY
        hours = [hour_of(random()) for _ in range(min(poisson(rng, level[n] * factor), PLANTED_SERIAL))]
        if most is not None and len(hours) > most:
            hours = [hour for hour in range(24) for _ in range(min(most, hours.count(hour)))]
        times = sorted(begin + 3600 * hour + int(3600 * random()) for hour in hours)
        if window is None or not (window.first < begin + DAY and begin < window.end):
            return [*enumerate(times)]
        ordinary = [time for time in times if not window.first <= time < window.end]
        planted = [*enumerate(window.moments, PLANTED_SERIAL)]
        return [*enumerate(ordinary), *(each for each in planted if begin <= each[1] < begin + DAY)]

    return receptions


def _changes(context: Context) -> Iterator[Event]:
    """Each entity as it is entered on the first day, and then whenever it changes."""
    simulate, clock, now, plan, rng = context.simulate, context.clock, context.now, context.plan, context.rng
    fields = context.by_series(simulate.fields)
    waiting: list[list[Event]] = [[] for _ in clock.dates]
    for n, series in enumerate(context.series):
        for serial, at in _times_of_changes(simulate.every, clock.end, plan.windows.get(n), rng):
            now.series, now.at, now.first, now.serial = n, at, at, serial
            id = f"{context.tag}.{series.name}.{serial:04d}"
            event = Event(id, series.source, at, fill(dict(series.fixed), fields[n]), n)
            waiting[at // DAY].append(event)
    for day in waiting:
        yield from sorted(day, key=_AT)


def _times_of_changes(every: int, end: int, window: Window | None, rng: Random) -> list[tuple[int, int]]:
    at, times = rng.randrange(DAY), []
    while at < end:
        times.append(at)
        at += 1 + int(rng.expovariate(1 / every))
    if window is None:
        return [*enumerate(times)]
    ordinary = [time for time in times if not window.first <= time < window.end]
    return [*enumerate(sorted([*ordinary, *window.moments]))]
