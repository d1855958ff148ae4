"""The stages a thing passes through, each at its time and with what is known at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

from schemas.simulate.model import By, Made, Maker, Moment, Simulate, Stage
from schemas.simulate.read import needs
from streams.generate.makers import Data, Make, Now
from streams.generate.planting import Plan
from streams.generate.series import Series

Fields = Sequence[tuple[str, Make]]
Step = tuple[str, int, Data]
"""End of the event's id, its time, its data."""


def passing(
    simulate: Simulate,
    by_series: Callable[[Sequence[Made], bool], list[Fields]],
    now: Now,
    plan: Plan,
    rng: Random,
    fill: Callable[[Data, Fields], Data],
) -> Callable[[Series], Iterator[Step]]:
    """What makes all events of the thing that has just come in (`now`)."""
    if not simulate.stages:
        fields = by_series(simulate.fields, True)
        return lambda series: iter([("", now.at, fill(dict(series.fixed), fields[now.series]))])
    anew = _changing(simulate.fields)
    once = by_series([made for made in simulate.fields if made.name not in anew], True)
    at_stage = {stage.name: by_series(_at(stage, simulate.fields, anew), False) for stage in simulate.stages}
    field, first, later = simulate.stage_field, simulate.stages[0].name, simulate.stages[1:]
    overdue, random = plan.overdue, rng.random

    def step(known: Data, stage: str) -> Step:
        data, more = {**known, field: stage}, at_stage[stage][now.series]
        return f".{stage}", now.at, fill(data, more) if more else data

    def steps(series: Series) -> Iterator[Step]:
        known = fill(dict(series.fixed), once[now.series])
        planted = overdue.get((now.series, now.first))
        yield step(known, first)
        for stage in later:
            if stage.chance < 1 and random() >= stage.chance:
                continue
            now.at = _time(stage, known, now, random)
            if planted and planted[0] == stage.name:
                now.at, now.missed = now.first + planted[1], True
            yield step(known, stage.name)
            if stage.ends:
                return

    return steps


def _at(stage: Stage, fields: Sequence[Made], anew: set[str]) -> list[Made]:
    """The fields that are made at this stage."""
    return [made for made in fields if made.name in anew and (not made.stages or stage.name in made.stages)]


def _time(stage: Stage, known: Data, now: Now, random: Callable[[], float]) -> int:
    """When the stage is reached, after the one before it."""
    if stage.after is not None:
        low, high = stage.after
        return now.at + int(low + (high - low) * random())
    limit = (known[stage.deadline] if isinstance(stage.deadline, str) else stage.deadline) * stage.unit
    low, high = stage.takes
    if stage.overdue and random() < stage.overdue:
        now.missed = True
        low, high = stage.overdue_takes
    return max(now.at + 1, now.first + int(limit * (low + (high - low) * random())))


def _changing(fields: Sequence[Made]) -> set[str]:
    """Fields that are made at each stage anew: those of some stages, of a missed deadline, of the event's time."""
    found: set[str] = set()
    for made in fields:
        if made.stages or made.missed or _timed(made.maker) or needs(made.maker) & found:
            found.add(made.name)
    return found


def _timed(maker: Maker) -> bool:
    if isinstance(maker, By):
        return any(_timed(each) for each in maker.of.values())
    return isinstance(maker, Moment) and not maker.first
