"""Stores rows; those that the warehouse can never take are told from their neighbours and become rejected.

What is wrong with a peer is waited for elsewhere (`Unavailable`). `Unstorable` is a row's own fault: the rows of
an insert are halved until the ones at fault are alone, and everything else is stored. Inserts that fail cost time,
so after some of them what is still together and does not fit is rejected together: its bytes are kept, to be sent
again, and no feed waits for another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from schemas.blanking import quoted
from schemas.contract_model import Contract
from schemas.errors import Misdeclared
from schemas.event import LIVE
from streams.land.classification import Accepted, Batch, Refused
from streams.land.columns import (
    Columns,
    FeedColumns,
    Landed,
    changed_columns,
    ledger_columns,
    refused_columns,
    tick_columns,
)
from streams.land.warehouse import FAULTS, Unstorable

TRIES = 128
"""So many inserts of a flush into one table may fail before rows are halved no more: at most twice as many do."""
UNSTORABLE = "unstorable"

ACCEPTED, REFUSED, TICKS = "accepted", "refused", "ticks"

Row = tuple[int, Any]
"""(number of its batch, row)."""
Insert = Callable[[str, Columns], Awaitable[None]]
"""Stores columns in a table of `landing`; raises Unstorable where a row is at fault."""


class Storing:
    """Stores what was landed, table after table; `aside` is told of each batch with rows that could not be."""

    def __init__(
        self,
        tables: dict[str, tuple[str, FeedColumns]],
        insert: Insert,
        aside: Callable[[str, str], None],
    ) -> None:
        """`tables` by topic: the feed's table, and what makes its columns."""
        self._tables, self._insert, self._aside = tables, insert, aside
        self._contracts: dict[str, Contract] = {topic: make.contract for topic, (_, make) in tables.items()}

    async def __call__(self, landed: Sequence[Landed]) -> list[Landed]:
        """Store events, then refusals and ticks; gives what was landed as it is stored, to be accounted for.

        An event that cannot be stored is a refusal then, a tick that cannot be is left to control.
        """
        feeds: dict[str, list[Landed]] = {}
        for item in landed:
            feeds.setdefault(item.topic, []).append(item)
        stored = [item for topic, mine in feeds.items() for item in await self._events(topic, mine)]
        await self._refusals(stored)
        return await self._ticks(stored)

    async def account(self, landed: Sequence[Landed]) -> None:
        """Write the days that have changed, then the ledger: of whatever it counts the day is listed.

        Watermarks that the ledger cannot hold are left out: the offsets count all the same.
        """
        await self._days(landed)
        try:
            await self._insert("ledger", ledger_columns(landed))
            return
        except (*FAULTS, Unstorable):
            pass  # whose it is shows below
        for item in landed:
            await self._account(item)

    async def _days(self, landed: Sequence[Landed]) -> None:
        if not (columns := changed_columns(landed)):
            return
        try:
            await self._insert("changed_day", columns)
        except (*FAULTS, Unstorable) as error:
            raise _unfit("changed_day", error) from error

    async def _account(self, item: Landed) -> None:
        marks = item.batch.watermarks
        error: Exception | None = None
        for kept in (marks, {LIVE: marks[LIVE]} if LIVE in marks else {}, {}):
            try:
                await self._insert("ledger", ledger_columns([_bare(item, kept)]))
            except (*FAULTS, Unstorable) as fault:
                error = error or fault
                continue
            if error is not None:
                self._note(item, [item.batch.first], f"watermarks of the ledger: {error}")
            return
        raise _unfit("ledger", error)

    async def _events(self, topic: str, mine: list[Landed]) -> list[Landed]:
        table, make = self._tables[topic]
        for at, found in _by_batch(await self._put(table, mine, ACCEPTED, make)):
            contract = self._contracts[topic]
            reasons = [(row, _shown(contract, error)) for row, error in found]
            self._note(mine[at], [row.offset for row, _ in reasons], reasons[0][1])
            mine[at] = mine[at]._replace(batch=_refuse(mine[at].batch, reasons))
        return mine

    async def _refusals(self, landed: Sequence[Landed]) -> None:
        """A refusal of which a text cannot be stored is stored without its texts."""
        found = await self._put("rejected", landed, REFUSED, refused_columns)
        if not found:
            return
        self._tell(landed, found, "stored without its texts")
        bare = [(at, row._replace(timeline="", value="", id="", source="")) for (at, row), _ in found]
        without = _with(landed, bare, REFUSED)
        self._tell(
            landed, await self._put("rejected", without, REFUSED, refused_columns), "not stored at all"
        )

    async def _ticks(self, landed: list[Landed]) -> list[Landed]:
        found = await self._put("tick", landed, TICKS, tick_columns)
        self._tell(landed, found, "tick")
        for at, some in _by_batch(found):
            gone = {row.offset for row, _ in some}
            kept = [each for each in landed[at].batch.ticks if each.offset not in gone]
            landed[at] = landed[at]._replace(batch=replace(landed[at].batch, ticks=kept))
        return landed

    async def _put(
        self, table: str, landed: Sequence[Landed], name: str, make: Callable[[Sequence[Landed]], Columns]
    ) -> list[tuple[Row, Unstorable]]:
        """Store the rows of this name in all batches; gives those that cannot be, each with why."""
        if not any(getattr(item.batch, name) for item in landed):
            return []
        try:
            await self._some(table, make, landed)
            return []
        except Unstorable as error:
            rows = [(at, row) for at, item in enumerate(landed) for row in getattr(item.batch, name)]
            return await _halved(rows, error, lambda some: self._some(table, make, _with(landed, some, name)))

    async def _some(
        self, table: str, make: Callable[[Sequence[Landed]], Columns], landed: Sequence[Landed]
    ) -> None:
        try:
            columns = make(landed)
        except FAULTS as error:
            raise Unstorable(str(error), type(error).__name__) from error
        await self._insert(table, columns)

    def _tell(self, landed: Sequence[Landed], found: Sequence[tuple[Row, Unstorable]], what: str) -> None:
        for at, some in _by_batch(found):
            reason = _shown(self._contracts[landed[at].topic], some[0][1])
            self._note(landed[at], [row.offset for row, _ in some], f"{what}: {reason}")

    def _note(self, item: Landed, offsets: Sequence[int], reason: str) -> None:
        """Tell of some rows of a batch at once: a feed of which nothing fits must not bury all else."""
        more = f" and {len(offsets) - 1} more" if len(offsets) > 1 else ""
        self._aside(f"{item.topic}/{item.partition} at {offsets[0]}{more}", reason)


def _unfit(table: str, error: Exception | None) -> Misdeclared:
    return Misdeclared(f"landing.{table}", "columns", f"do not fit; run liaowang migrate; {error}")


async def _halved(
    rows: Sequence[Row], error: Unstorable, put: Callable[[Sequence[Row]], Awaitable[None]]
) -> list[tuple[Row, Unstorable]]:
    """Of rows that failed together put the halves, largest first, as far as can be; gives those at fault."""
    faults: list[tuple[Row, Unstorable]] = []
    together, failed = deque([(rows, error)]), 0
    while together:
        some, error = together.popleft()
        failed += 1
        if len(some) == 1 or failed > TRIES:
            faults += [(row, error) for row in some]
            continue
        middle = len(some) // 2
        for half in (some[:middle], some[middle:]):
            try:
                await put(half)
            except Unstorable as fault:
                together.append((half, fault))
    return sorted(faults, key=lambda fault: (fault[0][0], fault[0][1].offset))


def _by_batch(found: Iterable[tuple[Row, Unstorable]]) -> list[tuple[int, list[tuple[Any, Unstorable]]]]:
    """The rows at fault by the number of their batch."""
    batches: dict[int, list[tuple[Any, Unstorable]]] = {}
    for (at, row), error in found:
        batches.setdefault(at, []).append((row, error))
    return list(batches.items())


def _shown(contract: Contract, error: Unstorable) -> str:
    """Why a row does not fit, without what a driver or a server quotes of it where that may be personal."""
    return f"{error.kind}{quoted((contract,), error.said)}".removeprefix(": ").strip()


def _bare(item: Landed, watermarks: Any) -> Landed:
    return item._replace(batch=replace(item.batch, watermarks=watermarks))


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


def _refuse(batch: Batch, rows: Sequence[tuple[Accepted, str]]) -> Batch:
    gone = {row.offset for row, _ in rows}
    refused = [
        Refused(
            row.offset, row.arrived, row.event.timeline, "event", UNSTORABLE, reason, row.event.id,
            row.event.source, row.raw,
        )
        for row, reason in rows
    ]  # fmt: skip
    accepted = [each for each in batch.accepted if each.offset not in gone]
    return replace(batch, accepted=accepted, refused=sorted([*batch.refused, *refused]))
