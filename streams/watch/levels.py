"""Names of warning levels."""

from __future__ import annotations

LEVELS = ("", "blue", "yellow", "orange", "red")
"""Warning levels by rank; rank 0 is no warning."""

NAMES = LEVELS[1:]
RANKS = tuple(range(len(LEVELS) - 1, 0, -1))
"""Ranks of levels from the highest down."""
