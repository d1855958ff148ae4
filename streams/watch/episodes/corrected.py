"""Events that correct others, among rows that wait to be judged: the last word of each event is judged alone.

A row's key is source and id; that of a correction is source, id of what it corrects, and its own id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

SEPARATOR = "\x1f"

Keyed = TypeVar("Keyed", bound=Sequence[Any])
"""A row that begins with time and key."""


def key_of(source: str, id: str) -> str:
    """The key of an event."""
    return f"{source}{SEPARATOR}{id}"


def latest_versions(rows: Sequence[Keyed]) -> list[Keyed]:
    """Rows in order of (time, key), without those that another of the same time corrects.

    Of several corrections of one event that with the greatest id stands, whichever came first.
    """
    last: dict[tuple[int, str], str] = {}
    for row in rows:
        source, *corrected = row[1].split(SEPARATOR)
        if len(corrected) > 1:
            last[row[0], key_of(source, corrected[0])] = row[1]
    if not last:
        return list(rows)

    def stands(row: Keyed) -> bool:
        source, *ids = row[1].split(SEPARATOR)
        if ids and (row[0], key_of(source, ids[-1])) in last:
            return False
        return len(ids) < 2 or last[row[0], key_of(source, ids[0])] == row[1]

    return [row for row in rows if stands(row)]
