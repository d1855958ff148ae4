"""How far a reader of warnings has come, kept where it writes them down: that decides, not the broker's memory.

What a restored, copied or new database lacks is read again, because it has no more than what it says it has read.
Whatever is read again is known by its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

AGAIN = timedelta(days=7)
"""Of a database that was gone, warnings not older than this are taken again, of older ones the open episodes."""


FLOOR = -1
"""The partition under which the floor of a log is kept."""


@dataclass(frozen=True)
class ReadPosition:
    """The next offset by partition of the log with this id. `filling`: see `Start`.

    `floor`: of what arrived before it (ms since 1970) a filling that is over has left out what had ended.
    """

    log: str
    next: Mapping[int, int]
    filling: int | None = None
    floor: int | None = None


@dataclass(frozen=True)
class Log:
    """The topic at the broker: its id, the offsets [start, end) of each partition, what a group committed."""

    id: str
    offsets: Mapping[int, tuple[int, int]]
    committed: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Start:
    """Where to read on by partition, and why where that is not as it was.

    `filling`: what was written down is gone; of what is read up to `until` (the end of each partition now) all
    counts that arrived since (ms since 1970), of older ones what is still open. `new`: nobody has read here yet,
    as far as anything says.
    """

    next: Mapping[int, int]
    why: str = ""
    filling: int | None = None
    until: Mapping[int, int] = field(default_factory=dict)
    new: bool = False


def start_of(known: Mapping[str, ReadPosition], empty: bool, log: Log, now_ms: int) -> Start:
    """Where to begin, by what is written down; `empty`: nothing at all was ever written there.

    A home from before offsets were written down goes on where its group stands.
    """
    begins = {partition: start for partition, (start, _) in log.offsets.items()}
    until = {partition: end for partition, (_, end) in log.offsets.items()}
    committed = {
        partition: min(max(log.committed.get(partition, start), start), end)
        for partition, (start, end) in log.offsets.items()
    }
    here = known.get(log.id)
    if here is not None and here.filling is not None:
        return Start(begins, "what is not written down is filled again", here.filling, until)
    if here is not None:
        return _on(here, log, begins)
    if known:
        return Start(begins, "the topic was made anew: it is read from its beginning")
    if not empty:
        return Start(committed)
    if any(offset > 0 for offset in log.committed.values()):
        since = now_ms - int(AGAIN.total_seconds() * 1000)
        return Start(begins, "nothing is written down any more", since, until)
    return Start(begins, new=True)


def _on(here: ReadPosition, log: Log, begins: Mapping[int, int]) -> Start:
    """Go on; a log that is shorter than what was read of it is an older copy, and is read from its beginning."""
    cut = [partition for partition, (_, end) in log.offsets.items() if here.next.get(partition, 0) > end]
    if cut:
        partition = cut[0]
        why = (
            f"partition {partition} ends at offset {log.offsets[partition][1]}, but {here.next[partition]} were "
            "read: the log was restored from an older copy; it is read from its beginning"
        )
        return Start(begins, why)
    lost = {p: start - here.next[p] for p, start in begins.items() if here.next.get(p, start) < start}
    why = f"{sum(lost.values())} messages were removed by retention before they were read" if lost else ""
    return Start({p: max(here.next.get(p, start), start) for p, start in begins.items()}, why)


def rows_of(connection: Any, table: sa.Table) -> dict[str, ReadPosition]:
    """What is written down, by the log's id. `connection`: a connection or a session."""
    found: dict[str, dict[int, int]] = {}
    filling: dict[str, int | None] = {}
    for log, partition, offset, since in connection.execute(
        sa.select(table.c.log, table.c.partition, table.c.next, table.c.filling)
    ):
        found.setdefault(log, {})[partition] = offset
        if partition != FLOOR:
            filling[log] = since
    floors = {log: offsets.pop(FLOOR, None) for log, offsets in found.items()}
    return {log: ReadPosition(log, offsets, filling.get(log), floors[log]) for log, offsets in found.items()}


def write_down(connection: Any, table: sa.Table, reached: ReadPosition) -> None:
    """Write how far a log was read, in the transaction that is under way; other logs are forgotten."""
    connection.execute(sa.delete(table).where(table.c.log != reached.log))
    floor = {} if reached.floor is None else {FLOOR: reached.floor}
    for partition, offset in {**reached.next, **floor}.items():
        given = {"next": offset, "filling": reached.filling}
        here = (table.c.log == reached.log, table.c.partition == partition)
        if not connection.execute(sa.update(table).where(*here).values(**given)).rowcount:
            connection.execute(sa.insert(table).values(log=reached.log, partition=partition, **given))
