"""Timers on the watermark, one a subject: a heap that is put right only when a timer comes up."""

from __future__ import annotations

from heapq import heappop, heappush

NEVER = 1 << 62


class Timers:
    """The next moment each subject may have to be looked at.

    A later moment than the planned one is not entered: whoever takes the timer finds nothing due and plans anew.
    So moving a timer back, which is what most events do, costs nothing.
    """

    __slots__ = ("_heap", "_planned")

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._planned: dict[str, int] = {}

    @property
    def next(self) -> int:
        """The earliest planned moment; NEVER where there is none."""
        return self._heap[0][0] if self._heap else NEVER

    def plan(self, name: str, due: int | None) -> None:
        """Look at a subject at `due`, if no earlier look is planned."""
        if due is None:
            return
        planned = self._planned.get(name)
        if planned is None or due < planned:
            self._planned[name] = due
            heappush(self._heap, (due, name))

    def take(self) -> tuple[int, str] | None:
        """The earliest planned look, taken off; None where it has been replaced by an earlier one."""
        due, name = heappop(self._heap)
        if self._planned.get(name) != due:
            return None
        del self._planned[name]
        return due, name
