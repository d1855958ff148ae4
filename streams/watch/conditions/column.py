"""Rows of one partition and timeline in log order, and what several rules read of them in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from streams.watch.spec import Input

Row = tuple[Any, int, int, int, str, str]
"""(data or None for a tick, time ms, watermark ms after the row, offset, source and id of the event, feed)."""

Names = tuple[list[str | None], frozenset[str]]
"""For each row the key of the record it belongs to, None where there is none; and all these keys."""


class Column(list[Row]):
    """Rows, complete when the first rule asks for names: rules of the same subject read them once together."""

    __slots__ = ("_names",)

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        super().__init__(rows)
        self._names: dict[Any, Names] = {}

    def names(
        self, source: Input, matches: Callable[[Any], bool] | None, subject: Callable[[Any], str]
    ) -> Names:
        """Names by an input's own filter and key; ticks and rows its filter leaves out have none."""
        known = (source.key, source.where)
        if known not in self._names:
            names: list[str | None]
            if matches is None:
                names = [None if row[0] is None else subject(row[0]) for row in self]
            else:
                names = [None if row[0] is None or not matches(row[0]) else subject(row[0]) for row in self]
            self._names[known] = names, frozenset(name for name in set(names) if name is not None)
        return self._names[known]
