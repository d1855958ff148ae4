"""The log of a feed as it was landed: events, refused and late ones, and ticks, in the order of their offsets.

With it `watch` decides again what it decided then: bytes, arrival times and places are the log's own. What is
landed twice after a crash comes twice; `watch` skips an offset it has had.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any

import msgspec
from clickhouse_driver import Client

from dagster_project.warehouse import SESSION, answering
from schemas.chain import UNBROKEN
from schemas.contract import Contract
from schemas.event import encode_tick
from schemas.settings import Settings
from streams.land.ledger import LedgerEntry, union

CHUNK = 200_000
_TICK = 1
_LOGS = "SELECT log_epoch, topic_id FROM landing.epoch FINAL WHERE topic = %(topic)s"
_PLACES = f"""
SELECT log_epoch, partition, min(first), max(last), sum(accepted + rejected), {UNBROKEN}
FROM landing.ledger FINAL WHERE topic = %(topic)s GROUP BY log_epoch, partition ORDER BY partition, log_epoch"""
_INTERVALS = """
SELECT first, last, accepted, rejected, control FROM landing.ledger FINAL
WHERE topic = %(topic)s AND log_epoch = %(log)s AND partition = %(part)s"""
_LANDED = """
SELECT log_epoch, partition, sum(number) FROM
(
SELECT log_epoch, partition, count() AS number FROM landing.{table} GROUP BY log_epoch, partition
UNION ALL
SELECT log_epoch, partition, count() FROM landing.rejected WHERE topic = %(topic)s GROUP BY log_epoch, partition
)
GROUP BY log_epoch, partition"""
_ANY = """
SELECT 1 FROM landing.{table} WHERE event_day BETWEEN %(since)s AND %(until)s LIMIT 1"""
_RECORDS = """
SELECT * FROM
(
SELECT offset, toUnixTimestamp64Milli(arrived), raw, 0 AS kind, '' AS timeline, toInt64(0) AS clock,
    toUInt8(0) AS final, toUInt64(0) AS epoch
FROM landing.{table} WHERE log_epoch = %(log)s AND partition = %(part)s AND offset BETWEEN %(first)s AND %(last)s
    AND event_day BETWEEN %(since)s AND %(until)s
UNION ALL
SELECT offset, toUnixTimestamp64Milli(arrived), raw, 0, '', toInt64(0), toUInt8(0), toUInt64(0)
FROM landing.rejected
WHERE topic = %(topic)s AND log_epoch = %(log)s AND partition = %(part)s AND offset BETWEEN %(first)s AND %(last)s
UNION ALL
SELECT offset, toUnixTimestamp64Milli(arrived), '', 1, timeline, toUnixTimestamp64Milli(clock), final,
    toUInt64(epoch)
FROM landing.tick
WHERE topic = %(topic)s AND log_epoch = %(log)s AND partition = %(part)s AND offset BETWEEN %(first)s AND %(last)s
    AND toDate(clock) BETWEEN %(since)s AND %(until)s
)
ORDER BY offset"""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record of the log: offset, LogAppendTime in ms, bytes."""

    offset: int
    timestamp: int
    value: bytes | None


@dataclass(frozen=True)
class Place:
    """One partition of a feed's log and the offsets landed of it.

    `log` is the id of the log at the broker. A topic that was deleted and made anew is another log, with offsets
    that begin anew: `base` is how many offsets of earlier logs come before those of this one. `landed` of its
    `events` (with rejected ones) are still there; retention removes the oldest.
    """

    feed: str
    log_epoch: int
    partition: int
    first: int
    last: int
    log: str = ""
    base: int = 0
    events: int = 0
    landed: int = 0

    @property
    def size(self) -> int:
        """Number of offsets."""
        return self.last - self.first + 1

    @property
    def missing(self) -> int:
        """How many of its events are landed no more."""
        return max(0, self.events - self.landed)


@dataclass(frozen=True)
class Stretch:
    """Days of event time (Asia/Shanghai) that are read; everything by default."""

    since: date = date(1970, 1, 1)
    until: date = date(2149, 6, 6)


def connect(settings: Settings) -> Client:
    """A connection of its own, strings as bytes."""
    return Client(
        **settings.warehouse("service"),
        settings={**SESSION, "server_side_params": False, "strings_as_bytes": True},
        send_receive_timeout=1800,
    )


class Connection:
    """A connection of its own that can be closed."""

    def __init__(self, settings: Settings) -> None:
        self.client = connect(settings)

    def close(self) -> None:
        """Disconnect."""
        self.client.disconnect()


def places(client: Client, contract: Contract) -> list[Place]:
    """The partitions of all of a feed's logs that have anything landed: by partition, the oldest log first."""
    given = {"topic": contract.topic}
    with answering():
        logs = {number: id.decode().partition("/")[0] for number, id in client.execute(_LOGS, given)}
        rows = client.execute(_PLACES, given)
        landed = client.execute(_LANDED.format(table=contract.table), given)
        rows = [_counted(client, contract.topic, *row) for row in rows]
    there = {(log_epoch, partition): int(number) for log_epoch, partition, number in landed}
    found: list[Place] = []
    for log_epoch, partition, first, last, events in rows:
        before = found[-1] if found and found[-1].partition == partition else None
        log, base = logs.get(log_epoch, ""), 0
        if before is not None:
            same = log and log == before.log  # only the number of partitions has changed: offsets go on
            base = before.base if same else before.base + before.last + 1
        number = there.get((log_epoch, partition), 0)
        found.append(Place(contract.feed, log_epoch, partition, first, last, log, base, int(events), number))
    return found


def _counted(
    client: Client,
    topic: str,
    log_epoch: int,
    partition: int,
    first: int,
    last: int,
    events: int,
    unbroken: int,
) -> tuple[int, int, int, int, int]:
    """A place and how many events it had; where intervals of the ledger overlap, each offset counts once."""
    if not unbroken:
        given = {"topic": topic, "log": log_epoch, "part": partition}
        whole = union(LedgerEntry(*row) for row in client.execute(_INTERVALS, given))
        events = whole.accepted + whole.rejected if whole else 0
    return log_epoch, partition, first, last, events


def chains(found: Sequence[Place]) -> list[tuple[Place, ...]]:
    """Places of the same partition together, the oldest log first; the largest chain first."""
    ordered = sorted(found, key=lambda each: (each.feed, each.partition, each.log_epoch))
    made = [tuple(some) for _, some in groupby(ordered, key=lambda each: (each.feed, each.partition))]
    return sorted(made, key=lambda chain: -sum(place.size for place in chain))


def anything(client: Client, contract: Contract, stretch: Stretch) -> bool:
    """Whether any event of a feed is landed of these days."""
    given = {"since": stretch.since, "until": stretch.until, "topic": contract.topic}
    with answering():
        return bool(client.execute(_ANY.format(table=contract.table), given))


def records(
    client: Client, contract: Contract, place: Place, stretch: Stretch, last: int | None = None
) -> Iterator[list[Record]]:
    """The records of a place in order, in lists of up to CHUNK offsets; up to the offset `last` where given.

    Their offsets are counted on from earlier logs (`base`), so that those of one partition rise all the way.
    """
    sql = _RECORDS.format(table=contract.table)
    end = place.last if last is None else min(last, place.last)
    for first in range(place.first, end + 1, CHUNK):
        given: dict[str, Any] = {
            **{"topic": contract.topic, "log": place.log_epoch, "part": place.partition},
            **{"first": first, "last": min(first + CHUNK - 1, end)},
            **{"since": stretch.since, "until": stretch.until},
        }
        with answering():
            columns = client.execute(sql, given, columnar=True)
        yield _records(columns, place.base)


def _records(columns: Sequence[Sequence[Any]], base: int = 0) -> list[Record]:
    """Rows read in columns, as records; only ticks have to be made again one by one."""
    if not columns:
        return []
    if base:
        columns = [[base + offset for offset in columns[0]], *columns[1:]]
    found = list(map(Record, *columns[:3]))
    for at, kind in enumerate(columns[3]):
        if kind == _TICK:
            found[at] = _tick(*(column[at] for column in columns))
    return found


def _tick(
    offset: int, arrived: int, raw: bytes, kind: int, timeline: bytes, clock: int, final: int, epoch: int
) -> Record:
    at = datetime.fromtimestamp(clock / 1000, UTC)
    tick = encode_tick(
        id=f"landed/{offset}", clock=at, timeline=timeline.decode(), final=bool(final), epoch=epoch
    )
    return Record(offset, arrived, tick)
