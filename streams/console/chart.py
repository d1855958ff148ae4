"""A line chart as numbers for an SVG: values over time, thresholds drawn in, moments marked. Pure.

All colours and widths are the style sheet's; the picture says in words what it shows, for those who cannot see it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

from schemas.fields import AHEAD, SHANGHAI

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 92, 12, 30
LABEL_HEIGHT = 19.0
STEPS = (
    60,
    300,
    900,
    1800,
    3600,
    7200,
    10800,
    21600,
    43200,
    86400,
    172800,
    604800,
    1209600,
    2592000,
    7776000,
)


@dataclass(frozen=True)
class Series:
    """(seconds since 1970, value) in order of time; `bounds` are (level, value); `marks` (seconds, label).

    With `below` a level is reached at its bound or under it.
    """

    points: tuple[tuple[float, float], ...]
    bounds: tuple[tuple[str, float], ...] = ()
    marks: tuple[tuple[float, str], ...] = ()
    unit: str = ""
    below: bool = False


@dataclass(frozen=True)
class Dot:
    """One value in the picture, and how it reads."""

    x: float
    y: float
    at: str
    value: str
    over: str


@dataclass(frozen=True)
class Line:
    """A horizontal or vertical line at a place, with its label; `level` for bounds, whose labels stand apart."""

    at: float
    label: str
    level: str = ""
    label_at: float = 0.0


@dataclass(frozen=True)
class Chart:
    """The picture: a path, dots, the bounds, the marks and both axes."""

    path: str
    dots: tuple[Dot, ...]
    bounds: tuple[Line, ...]
    marks: tuple[Line, ...]
    across: tuple[Line, ...]
    up: tuple[Line, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def draw(series: Series) -> Chart | None:
    """The chart of a series; None where there is nothing to draw."""
    if not series.points:
        return None
    times = [at for at, _ in series.points] + [at for at, _ in series.marks]
    first, last = min(times), max(times)
    if first == last:
        first, last = first - 1800, last + 1800
    values = [value for _, value in series.points] + [value for _, value in series.bounds]
    ticks = round_ticks(min(0.0, *values), max(values))
    low, high = ticks[0], ticks[-1]

    def x(at: float) -> float:
        return round(LEFT + (at - first) / (last - first) * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    dots = tuple(
        Dot(x(at), y(value), moment(at), number(value), _over(value, series)) for at, value in series.points
    )
    return Chart(
        path="M" + " L".join(f"{dot.x},{dot.y}" for dot in dots),
        dots=dots,
        bounds=apart([Line(y(value), number(value), level) for level, value in series.bounds]),
        marks=tuple(Line(x(at), label) for at, label in series.marks),
        across=tuple(Line(x(at), label) for at, label in time_ticks(first, last)),
        up=tuple(Line(y(value), number(value)) for value in ticks),
    )


def apart(lines: list[Line]) -> tuple[Line, ...]:
    """The lines with places for their labels, so that none lies on another; as near to its line as it goes."""
    order = sorted(range(len(lines)), key=lambda n: lines[n].at)
    places = [line.at for line in lines]
    for upper, lower in pairwise(order):
        places[lower] = max(places[lower], places[upper] + LABEL_HEIGHT)
    lowest = float(HEIGHT - BOTTOM)
    for n in reversed(order):
        lowest = places[n] = min(places[n], lowest)
        lowest -= LABEL_HEIGHT
    return tuple(replace(line, label_at=place) for line, place in zip(lines, places, strict=True))


def round_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers that cover low to high, about so many steps of 1, 2 or 5 times a power of ten."""
    span = high - low if high - low > 1e-9 * max(abs(low), abs(high), 1e-9) else max(abs(high), 1.0)
    power = 10 ** math.floor(math.log10(span / wanted))
    step = next(factor * power for factor in (1, 2, 5, 10) if span / (factor * power) <= wanted)
    start, end = math.floor(low / step), math.ceil(high / step)
    return [round(n * step, 10) for n in range(start, max(end, start + 1) + 1)]


def time_ticks(first: float, last: float, wanted: int = 6) -> list[tuple[float, str]]:
    """Full hours or days (Asia/Shanghai) between two moments, with their labels."""
    step = next((s for s in STEPS if (last - first) / s <= wanted), STEPS[-1])
    shift = AHEAD.total_seconds()
    start = math.ceil((first + shift) / step) * step - shift
    form = "%m-%d" if step >= 86400 else "%H:%M" if last - first < 86400 else "%m-%d %H:%M"
    ticks: list[tuple[float, str]] = []
    while start <= last:
        ticks.append((start, _local(start).strftime(form)))
        start += step
    return ticks


def moment(at: float) -> str:
    """A moment as people here read it, Asia/Shanghai."""
    return _local(at).strftime("%Y-%m-%d %H:%M")


def number(value: float) -> str:
    """A number without needless digits."""
    return (
        f"{value:,.0f}" if value == int(value) else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    )


def _over(value: float, series: Series) -> str:
    """The gravest level whose bound the value reaches; bounds come gravest first."""
    for level, bound in series.bounds:
        if (value <= bound) if series.below else (value >= bound):
            return level
    return ""


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone(SHANGHAI)
