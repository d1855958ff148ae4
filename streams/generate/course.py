"""The values of one spike or drop: out to its peak and home again."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from schemas.simulate.model import Planted

FALL = 0.25
"""How far between recovery and opening the lowest value of an episode is, at least."""


def course(planted: Planted, level: str, digits: int, rng: Random) -> list[float]:
    """Values that go out to the peak of the level and come back, all of them beyond recovery."""
    length = rng.randint(*planted.lasts)
    top = rng.randrange(length)
    falling = planted.kind == "drop"
    outwards = _floor(digits) if falling else _ceil(digits)
    low, high = planted.levels[level]
    peak = outwards(rng.uniform(low, high))
    peak = min(max(peak, low), high)
    turn = planted.ends + FALL * (planted.opens - planted.ends)
    out = sorted((outwards(rng.uniform(planted.opens, peak)) for _ in range(top)), reverse=falling)
    home = sorted((outwards(rng.uniform(turn, peak)) for _ in range(length - top - 1)), reverse=not falling)
    further = max if falling else min
    return [_plain(further(value, peak), digits) for value in (*out, peak, *home)]


def _ceil(digits: int) -> Callable[[float], float]:
    return lambda value: math.ceil(value * 10**digits) / 10**digits


def _floor(digits: int) -> Callable[[float], float]:
    return lambda value: math.floor(value * 10**digits) / 10**digits


def _plain(value: float, digits: int) -> float:
    return round(value, digits) if digits else int(value)
