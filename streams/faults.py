"""Whose fault it is where the program fails over records: each record's own, or the program's.

A record over which the program fails is set aside and the rest goes on. Where more than `ALL` of them come one
after the other, in whatever frames, with none that is taken in between, no record is to blame.
"""

from __future__ import annotations

ALL = 100


class Faults:
    """Counts, over frames, the records in a row over which the program failed.

    `taken` is how many records of the frame were taken so far; it is asked only where one fails.
    """

    def __init__(self, before: int = 0) -> None:
        """`before`: how many came in a row just before."""
        self._row, self._taken = before, 0
        self._last: Exception | None = None

    def add(self, error: Exception, taken: int) -> None:
        """Count one record; MemoryError is raised, since it is no record's fault."""
        if isinstance(error, MemoryError):
            raise error
        self._row = self._row + 1 if taken == self._taken else 1
        self._taken, self._last = taken, error

    def end(self, taken: int) -> int:
        """How many in a row a frame ends with; raises the last error where they are too many."""
        row = self._row if taken == self._taken else 0
        if row > ALL and self._last is not None:
            raise self._last
        return row
