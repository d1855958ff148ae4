"""Stores rows; those that the warehouse can never take are told from their neighbours and become rejected.

What is wrong with a peer is waited for elsewhere (`Unavailable`). `Unstorable` is a row's own fault: the rows of
an insert are halved until the ones at fault are alone, and everything else is stored.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from schemas.errors import Misdeclared
from streams.land.account import Accepted, Batch, Refused
from streams.land.columns import Columns, FeedColumns, Landed, refused_columns, tick_columns
from streams.land.warehouse import FAULTS, Unstorable

ALL = 100
"""Where more rows than these fail, and not one of them can be stored, it is the table that does not fit:
nothing is refused then, and landing ends with that error."""
UNSTORABLE = "unstorable"

ACCEPTED, REFUSED, TICKS = "accepted", "refused", "ticks"

Row = tuple[int, Any]
"""(number of its batch, row)."""
Insert = Callable[[str, Columns], Awaitable[None]]
"""Stores columns in a table of `landing`; raises Unstorable where a row is at fault."""


class Storing:
    """Stores what was landed, table after table; `aside` is told of each row that could not be."""

    def __init__(
        self, tables: dict[str, tuple[str, FeedColumns]], insert: Insert, aside: Callable[[str, str], None]
    ) -> None:
        """`tables` by topic: the feed's table, and what makes its columns."""
        self._tables, self._insert, self._aside = tables, insert, aside

    async def __call__(self, landed: Sequence[Landed]) -> list[Landed]:
        """Store events, then refusals and ticks; gives what was landed as it is stored, to be accounted for.

        An event that cannot be stored is a refusal then, a tick that cannot be is left to control.
        """
        stored = [item for topic in self._tables for item in await self._events(topic, landed)]
        await self._refusals(stored)
        return await self._ticks(stored)

    async def _events(self, topic: str, landed: Sequence[Landed]) -> list[Landed]:
        table, make = self._tables[topic]
        mine = [item for item in landed if item.topic == topic]
        for (at, row), reason in await self._put(table, mine, ACCEPTED, make):
            self._note(mine[at], row.offset, reason)
            mine[at] = mine[at]._replace(batch=_refuse(mine[at].batch, row, reason))
        return mine

    async def _refusals(self, landed: Sequence[Landed]) -> None:
        """A refusal of which a text cannot be stored is stored without its texts."""
        for (at, row), reason in await self._put("rejected", landed, REFUSED, refused_columns):
            self._note(landed[at], row.offset, reason)
            bare = row._replace(timeline="", value="", id="", source="")
            try:
                await self._insert("rejected", refused_columns(_with(landed, [(at, bare)], REFUSED)))
            except Unstorable as error:
                self._note(landed[at], row.offset, f"not even without its texts: {error}")

    async def _ticks(self, landed: list[Landed]) -> list[Landed]:
        for (at, row), reason in await self._put("tick", landed, TICKS, tick_columns):
            self._note(landed[at], row.offset, f"tick: {reason}")
            kept = [each for each in landed[at].batch.ticks if each is not row]
            landed[at] = landed[at]._replace(batch=replace(landed[at].batch, ticks=kept))
        return landed

    async def _put(
        self, table: str, landed: Sequence[Landed], name: str, make: Callable[[Sequence[Landed]], Columns]
    ) -> list[tuple[Row, str]]:
        """Store the rows of this name in all batches; gives those that cannot be, each with why."""
        if not any(getattr(item.batch, name) for item in landed):
            return []
        try:
            await self._some(table, make, landed)
            return []
        except Unstorable as error:
            rows = [(at, row) for at, item in enumerate(landed) for row in getattr(item.batch, name)]
            if len(rows) == 1:
                return [(rows[0], str(error))]
        faults = await _halved(rows, lambda some: self._some(table, make, _with(landed, some, name)))
        if len(faults) == len(rows) > ALL:
            raise Misdeclared(
                f"landing.{table}",
                "columns",
                f"none of {len(rows)} rows fits; run liaowang migrate; {faults[0][1]}",
            )
        return faults

    async def _some(
        self, table: str, make: Callable[[Sequence[Landed]], Columns], landed: Sequence[Landed]
    ) -> None:
        try:
            columns = make(landed)
        except FAULTS as error:
            raise Unstorable(f"{type(error).__name__}: {error}") from error
        await self._insert(table, columns)

    def _note(self, item: Landed, offset: int, reason: str) -> None:
        self._aside(f"{item.topic}/{item.partition} at {offset}", reason)


async def _halved(
    rows: Sequence[Row], put: Callable[[Sequence[Row]], Awaitable[None]]
) -> list[tuple[Row, str]]:
    """Put the halves of the rows as far as can be; gives the rows at fault, each with why."""
    faults: list[tuple[Row, str]] = []
    middle = len(rows) // 2
    for half in (rows[:middle], rows[middle:]):
        try:
            await put(half)
        except Unstorable as error:
            faults += [(half[0], str(error))] if len(half) == 1 else await _halved(half, put)
    return faults


def _with(landed: Sequence[Landed], rows: Sequence[Row], name: str) -> list[Landed]:
    """The same batches with these rows alone."""
    found: list[list[Any]] = [[] for _ in landed]
    for at, row in rows:
        found[at].append(row)
    changes: list[dict[str, Any]] = [{name: some} for some in found]
    return [
        item._replace(batch=replace(item.batch, **change))
        for item, change in zip(landed, changes, strict=True)
    ]


def _refuse(batch: Batch, row: Accepted, reason: str) -> Batch:
    event = row.event
    refused = Refused(
        row.offset, row.arrived, event.timeline, "event", UNSTORABLE, reason, event.id, event.source, row.raw
    )
    accepted = [each for each in batch.accepted if each is not row]
    return replace(batch, accepted=accepted, refused=sorted([*batch.refused, refused]))
