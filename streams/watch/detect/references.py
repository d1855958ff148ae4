"""Which past points Farrington's methods compare a point with, as arrays for the regression."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from schemas.arithmetic.columns import log
from streams.watch.detect.history import History, anniversaries, windows
from streams.watch.detect.regression import Reference


def classic(history: History, freq: int, b: int, w: int, offset: bool) -> Reference | None:
    """The points within w of the same time in b years before; missing ones are left out."""
    places = [each for each in windows(history, freq, b, w) if history.observed[each] is not None]
    times = [float(each - history.now) for each in places]
    return _reference(history, places, times, 0.0, [1] * len(places), 1, offset)


def flexible(
    history: History, freq: int, b: int, w: int, periods: int, past: int, offset: bool, safe: bool
) -> Reference | None:
    """The points of b years with their season; of `periods` 1, those within w of the same time alone.

    `past` newest points are left out. None where the same time of a year was not observed.
    """
    found = anniversaries(history, freq, b)
    if found is None or found[-1] + history.dropped + 1 < w:
        return None
    seasons = season_of(found, len(history.observed), w, periods)
    if seasons is None:
        return None
    chosen = [place for place in sorted(seasons) if place < history.now - past]
    known = [place for place in chosen if history.observed[place] is not None]
    times, now = _times(history, known if safe else chosen, known)
    return _reference(history, known, times, now, [seasons[each] for each in known], periods, offset)


def _times(history: History, chosen: Sequence[int], known: Sequence[int]) -> tuple[list[float], float]:
    """When the known points were, and when now is, in points or days.

    By the calendar, R counts past times from the first chosen point but now from the first known one, which
    moves now where the first chosen one is missing; the safe way gives `known` as the chosen ones.
    """
    if not history.days or not known:
        return [float(each - history.now) for each in known], 0.0
    days, begun = history.days, history.days[chosen[0]]
    return [float(days[each] - begun) for each in known], float(days[-1] - days[known[0]])


def season_of(found: Sequence[int], size: int, w: int, periods: int) -> dict[int, int] | None:
    """The season, 1 to `periods`, by position; the last is the one around now. None where a year is too short.

    `found` are the positions of now and of the same time in the years before, newest first.
    Source: R surveillance 1.20.3, blocks (whose order of writing, where blocks overlap, is kept).
    """
    seasons = dict.fromkeys(range(max(0, found[0] - w), found[0] + 1), periods)
    for later, place in pairwise(found):
        seasons.update(dict.fromkeys(range(max(0, place - w), place + w + 1), periods))
        between = later - 2 * w - 1 - place
        if periods == 1:
            continue
        if between < periods - (2 * w + 1):
            return None
        length, longer = divmod(between, periods - 1)
        begin = place + w + 1
        for season in range(1, periods):
            end = begin + length + (season <= longer)
            inside = range(begin, end) if end > begin else (begin, begin - 1)
            seasons.update(dict.fromkeys(inside, season))
            begin = end
    return {place: season for place, season in seasons.items() if place < size}


def _reference(
    history: History, places: Sequence[int], times: Sequence[float], now: float,
    seasons: Sequence[int], season: int, offset: bool,
) -> Reference | None:  # fmt: skip
    """Arrays for the regression; None where the point's season or a population is not known."""
    populations = [history.population[each] for each in (*places, history.now)]
    logarithms = np.zeros(len(places) + 1)
    if offset:
        if any(each is None or each <= 0 for each in populations):
            return None
        logarithms = log(np.array(populations, dtype=np.float64))
    seen = sorted(set(seasons))
    if season not in seen:
        return None
    columns = np.array([[float(each == level) for level in seen[1:]] for each in seasons]).reshape(
        len(places), -1
    )
    return Reference(
        response=np.array([history.observed[each] for each in places], dtype=np.float64),
        time=np.array(times), seasons=columns, offset=logarithms[:-1], now=now,
        season=np.array([float(season == level) for level in seen[1:]]), offset_now=float(logarithms[-1]),
    )  # fmt: skip
