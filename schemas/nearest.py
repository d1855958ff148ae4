"""The known name that somebody probably meant; pure."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

LIKE = 0.6
"""How alike two names must be, from 0 to 1."""


def nearest(name: str, known: Collection[str]) -> str:
    """The known name most like this one; empty where none is like it."""
    found = get_close_matches(name, sorted(known), n=1, cutoff=LIKE)
    return found[0] if found else ""


def unknown_names(names: Collection[str], known: Collection[str]) -> str:
    """Names that are none, each with the one that was probably meant."""
    meant = [(name, nearest(name, known)) for name in names]
    return ", ".join(f"{name} (did you mean {other}?)" if other else name for name, other in meant)
