"""Small random helpers that the standard library lacks; each takes its `random.Random`."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import accumulate
from random import Random


def stream(seed: int, feed: str, part: str) -> Random:
    """Random numbers of one part of one feed: whatever other feeds and parts draw, these stay the same."""
    key = blake2b(f"{seed}\n{feed}\n{part}".encode(), digest_size=16).digest()
    return Random(int.from_bytes(key))


def spread_over(weights: Sequence[float]) -> Callable[[float], int]:
    """What turns a random number from 0 to 1 into a place in the list, by weight."""
    sums = [*accumulate(weights)]
    total, last = sums[-1], len(sums) - 1
    return lambda number: min(bisect(sums, number * total), last)


def poisson(rng: Random, mean: float) -> int:
    """A Poisson draw: Knuth's product method for small means, the normal approximation from 30 on."""
    if mean >= 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def saturate(value: float, knee: float, ceiling: float) -> float:
    """`value` up to the knee, then bent so that no draw takes it past the ceiling."""
    if value <= knee:
        return value
    return knee + (ceiling - knee) * math.tanh((value - knee) / (ceiling - knee))
