"""Garbage collection in programs that make very many objects a second, which lie in no cycles."""

from __future__ import annotations

import gc

THRESHOLD = (100_000, 50, 1000)
"""Objects, and younger collections, between two collections of each generation (Python: 700, 10, 10)."""


def relax() -> None:
    """Look for cycles seldom from now on, and never again among what is there already, such as modules.

    Half of the time of landing was spent in collections that found nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLD)
