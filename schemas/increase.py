"""Columns derived from a cumulative one: its increase from row to row, and what a fall of it means."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from schemas.declaration import Entry

FALLS = ("correct", "restart", "reject")
PERIODS = ("year", "month", "week", "day")


@dataclass(frozen=True)
class Restart:
    """Where a cumulative figure begins anew, so that a row's own figure is its increase.

    With `at` alone: at the first row of each period of the calendar. With `below`: where it falls to less than
    that share of the figure before; with both: only where that happens between two periods.
    """

    at: str = ""
    below: float = 0.0


NEW_YEAR = Restart("year", 0.5)
"""What holds where nothing is declared: to less than half between two years is a new beginning."""


@dataclass(frozen=True)
class Increase:
    """The derived column `name`: the increase of the cumulative column `of`, one series per `by`.

    A fall that is no new beginning is what `falls` says. `correct` and `restart`: a fall by n takes n back
    from the most recent days above zero since the last beginning, each as a correction event, and the day
    itself reports zero. `reject`: the row is unreadable. So the sum since the last beginning always equals
    the cumulative figure.
    """

    name: str
    of: str
    by: tuple[str, ...]
    falls: str = "correct"
    restart: Restart | None = NEW_YEAR


def read_increase(name: str, entry: Entry, header: Collection[str]) -> Increase:
    """One entry of `derive` of a mapping whose files have these columns."""
    if name in header:
        raise entry.wrong("is a column of the file already; give the derived column another name")
    parts = entry.mapping(["increase_of", "by", "falls"], ["restart"])
    columns = [parts["increase_of"].text(), *parts["by"].texts()]
    for key, column in zip(["increase_of", *["by"] * len(columns)], columns, strict=False):
        if column not in header:
            raise parts[key].wrong(f"no column {column!r}; there are {', '.join(header)}")
    falls = parts["falls"].text(FALLS)
    if falls == "restart" and "restart" not in parts:
        raise entry.at("restart").wrong("must be given: {at: year}, or {below: 0.5}")
    restart = _restart(parts["restart"]) if "restart" in parts else NEW_YEAR
    if falls == "restart" and restart is None:
        raise parts["restart"].wrong("must say where it begins anew, as falls are restarts")
    return Increase(name, columns[0], tuple(columns[1:]), falls, restart)


def _restart(entry: Entry) -> Restart | None:
    if entry.value == "never":
        return None
    parts = entry.mapping([], ["at", "below"])
    if not parts:
        raise entry.wrong("must hold at, below or both, or be never")
    below = float(parts["below"].number()) if "below" in parts else 0.0
    if "below" in parts and not 0 < below <= 1:
        raise parts["below"].wrong("must be a share of the figure before, above 0 and at most 1")
    return Restart(parts["at"].text(PERIODS) if "at" in parts else "", below)
