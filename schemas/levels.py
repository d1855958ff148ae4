"""The four levels of warnings, as the national plan for emergency warnings names them."""

from __future__ import annotations

from typing import Literal, get_args

Level = Literal["red", "orange", "yellow", "blue"]
LEVELS: tuple[str, ...] = get_args(Level)
"""The gravest first."""
RISING = LEVELS[::-1]
BY_RANK = ("", *RISING)
"""Levels by rank; rank 0 is no warning."""
RANKS = tuple(range(len(LEVELS), 0, -1))
"""Ranks of levels, the gravest first."""
