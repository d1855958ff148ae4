"""Rows of one partition and timeline in log order, and what several rules read of them in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from streams.watch.declare.spec import Input

Row = tuple[Any, int, int, int, str, str]
"""(data or None for a tick, time ms, watermark ms after the row, offset, source and id of the event, feed)."""

Names = tuple[list[str | None], frozenset[str]]
"""For each row the key of the record it belongs to, None where there is none; and all these keys."""


class Column(list[Row]):
    """Rows, complete when the first rule asks for names: rules of the same subject read them once together."""

    __slots__ = ("_names", "_ticks")

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        super().__init__(rows)
        self._names: dict[Any, Names] = {}
        self._ticks: list[int] | None = None

    @property
    def ticks(self) -> list[int]:
        """Where ticks stand among the rows."""
        if self._ticks is None:
            self._ticks = [at for at, row in enumerate(self) if row[0] is None]
        return self._ticks

    def names(
        self, source: Input, matches: Callable[[Any], bool] | None, texts: Callable[[list[Any]], list[str]]
    ) -> Names:
        """Names by an input's own filter and key; ticks and rows its filter leaves out have none."""
        known = (source.key, source.where)
        if known not in self._names:
            if matches is None and not self.ticks:
                found = texts([row[0] for row in self])
                names: list[str | None] = list(found)
            else:
                heard = [row[0] is not None and (matches is None or matches(row[0])) for row in self]
                found = texts([row[0] for row, some in zip(self, heard, strict=True) if some])
                each = iter(found)
                names = [next(each) if some else None for some in heard]
            self._names[known] = names, frozenset(found)
        return self._names[known]
