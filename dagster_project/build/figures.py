"""Counts -> figures: value, target, growth, level, rank of every region, also of those without data. Pure.

What is compared (with the province, with each other) is compared as it is shown, rounded to the indicator's
decimals. A region without data, or whose value is carried over from before, is neither ranked nor judged, and
no other figure is made of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from math import isfinite

from dagster_project.build.indicator import Indicator
from dagster_project.days.periods import before, year_before
from schemas.regions import Regions

AHEAD, EVEN, BEHIND = "领先", "持平", "落后"
EXACT = 9
"""Decimals kept of any figure, so that the order of a sum does not show."""
Known = Mapping[tuple[date, str], float]


@dataclass(frozen=True)
class Count:
    """What the SQL of an indicator says of one region and period, which is known by its last day."""

    day: date
    region: str
    numerator: float
    denominator: float


@dataclass(frozen=True)
class Figure:
    """One figure, in the order of the columns of its table; None where there is nothing to say."""

    event_day: date
    region: str
    value: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    province: float | None = None
    level: str = ""
    target: float | None = None
    achievement: float | None = None
    reached: bool | None = None
    year_ago: float | None = None
    year_on_year: float | None = None
    period_ago: float | None = None
    period_on_period: float | None = None
    faster: bool | None = None
    rank: int | None = None
    ranked: int = 0
    missing: bool = False
    imputed: bool = False
    through: date = date(1970, 1, 1)

    @property
    def row(self) -> tuple[object, ...]:
        """The values in the order of the columns."""
        return tuple(getattr(self, name) for name in NAMES)

    @property
    def observed(self) -> bool:
        """Whether it rests on data of its own period."""
        return not (self.missing or self.imputed)


NAMES = tuple(field.name for field in fields(Figure))
"""The columns of a figure, in order."""


def figures(
    indicator: Indicator,
    regions: Regions,
    counts: Iterable[Count],
    earlier: Known,
    through: Mapping[date, date],
) -> list[Figure]:
    """The figures of all periods that have any count, by period and region.

    `earlier` are observed values of other periods; values of periods among the counts are seen as well.
    `through` says for each period which day is the last with input.
    """
    by_day: dict[date, list[Count]] = defaultdict(list)
    for count in counts:
        by_day[count.day].append(count)
    known = dict(earlier)
    found: list[Figure] = []
    for day in sorted(by_day):
        made = _of_period(indicator, regions, day, by_day[day], known)
        known.update(
            ((day, item.region), item.value) for item in made if item.observed and item.value is not None
        )
        found.extend(replace(item, through=through[day]) for item in made)
    return found


def observed(found: Iterable[Figure]) -> dict[tuple[date, str], float]:
    """The values later figures may be compared with."""
    return {
        (item.event_day, item.region): item.value
        for item in found
        if item.observed and item.value is not None
    }


def _of_period(
    indicator: Indicator, regions: Regions, day: date, counts: list[Count], known: Known
) -> list[Figure]:
    sums = _sums(indicator, regions, counts)
    codes = sorted({regions.province.code, *regions.codes(indicator.regions), *sums})
    whole = _valued(indicator, day, regions.province.code, sums)
    made = [_compared(indicator, _valued(indicator, day, code, sums), whole, known) for code in codes]
    return _ranked(indicator, regions, made)


def _sums(indicator: Indicator, regions: Regions, counts: list[Count]) -> dict[str, tuple[float, float]]:
    """Numerator and denominator by region: its own, and those of the regions in it."""
    parts: dict[str, list[Count]] = defaultdict(list)
    for count in sorted(counts, key=lambda count: count.region):
        for code in {count.region, _city(indicator, regions, count.region), regions.province.code}:
            parts[code].append(count)
    return {
        code: (
            round(sum(item.numerator for item in items), EXACT),
            round(sum(item.denominator for item in items), EXACT),
        )
        for code, items in parts.items()
    }


def _city(indicator: Indicator, regions: Regions, code: str) -> str:
    city = regions.city_of(code) if "city" in indicator.regions else None
    return code if city is None else city.code


def _valued(indicator: Indicator, day: date, code: str, sums: Mapping[str, tuple[float, float]]) -> Figure:
    target = indicator.target_of(day.year)
    if code not in sums:
        return Figure(day, code, target=target, missing=True)
    numerator, denominator = sums[code]
    if not (isfinite(numerator) and isfinite(denominator)):  # beyond what a number holds: nothing is known
        return Figure(day, code, target=target, missing=True)
    value = _exact(numerator / denominator * indicator.factor) if denominator else None
    return Figure(day, code, value, numerator, denominator, target=target, missing=value is None)


def _exact(value: float) -> float | None:
    """A value as figures are kept; None where it is beyond what a number holds."""
    return round(value, EXACT) if isfinite(value) else None


def _compared(indicator: Indicator, figure: Figure, whole: Figure, known: Known) -> Figure:
    if figure.value is None:
        return _imputed(indicator, replace(figure, province=whole.value), known)
    figure = _grown(indicator, figure, known)
    level = _level(indicator, figure, whole)
    return replace(
        figure,
        province=whole.value,
        level=level,
        achievement=_achievement(indicator, figure),
        reached=_reached(indicator, figure),
        faster=_faster(indicator, figure, _grown(indicator, whole, known)) if level == BEHIND else None,
    )


def _imputed(indicator: Indicator, figure: Figure, known: Known) -> Figure:
    """The last observed value of the region, if the indicator lets it stand in for so long."""
    for count in range(1, indicator.impute + 1):
        value = known.get((before(indicator.period, figure.event_day, count), figure.region))
        if value is not None:
            return replace(figure, value=value, imputed=True)
    return figure


def _grown(indicator: Indicator, figure: Figure, known: Known) -> Figure:
    year_ago = known.get((year_before(indicator.period, figure.event_day), figure.region))
    period_ago = known.get((before(indicator.period, figure.event_day), figure.region))
    return replace(
        figure,
        year_ago=year_ago,
        year_on_year=_growth(figure.value, year_ago),
        period_ago=period_ago,
        period_on_period=_growth(figure.value, period_ago),
    )


def _growth(value: float | None, base: float | None) -> float | None:
    """Growth in per cent; None where there is nothing to compare, the base is 0, or no number holds it."""
    if value is None or base is None or base == 0:
        return None
    return _exact((value - base) / abs(base) * 100)


def _level(indicator: Indicator, figure: Figure, whole: Figure) -> str:
    if figure.region == whole.region or figure.value is None or whole.value is None:
        return ""
    ahead = indicator.sign * (indicator.shown(figure.value) - indicator.shown(whole.value))
    if abs(round(ahead, EXACT)) <= indicator.tolerance:
        return EVEN
    return AHEAD if ahead > 0 else BEHIND


def _faster(indicator: Indicator, figure: Figure, whole: Figure) -> bool | None:
    """Whether it moves in the better direction by more than the province, year over year."""
    if figure.year_on_year is None or whole.year_on_year is None:
        return None
    return indicator.sign * (figure.year_on_year - whole.year_on_year) > 0


def _reached(indicator: Indicator, figure: Figure) -> bool | None:
    if figure.target is None or figure.value is None:
        return None
    return indicator.sign * (indicator.shown(figure.value) - figure.target) >= 0


def _achievement(indicator: Indicator, figure: Figure) -> float | None:
    """How much of the target is reached in per cent: value / target, or target / value where lower is better.

    None where the ratio says nothing: without a target, with one of 0 or less, or a value to divide by of 0.
    """
    value, target = figure.value, figure.target
    if value is None or target is None or target <= 0 or value < 0:
        return None
    if indicator.sign > 0:
        return _exact(value / target * 100)
    return _exact(target / value * 100) if value else None


def _ranked(indicator: Indicator, regions: Regions, made: list[Figure]) -> list[Figure]:
    """Ranks among the observed regions of each level, the best first; equals share one, as in sport: 1, 1, 3."""
    standing: dict[str, list[float]] = defaultdict(list)
    for item in made:
        if item.observed and item.value is not None:
            standing[_level_of(regions, item.region)].append(indicator.sign * indicator.shown(item.value))
    for values in standing.values():
        values.sort()
    return [
        item
        if item.region == regions.province.code
        else _placed(indicator, item, standing[_level_of(regions, item.region)])
        for item in made
    ]


def _placed(indicator: Indicator, figure: Figure, standing: list[float]) -> Figure:
    """The figure with its rank among the values, which rise, of its level."""
    if not figure.observed or figure.value is None:
        return replace(figure, ranked=len(standing))
    better = len(standing) - bisect_right(standing, indicator.sign * indicator.shown(figure.value))
    return replace(figure, rank=1 + better, ranked=len(standing))


def _level_of(regions: Regions, code: str) -> str:
    region = regions.get(code)
    return region.level if region else ""
