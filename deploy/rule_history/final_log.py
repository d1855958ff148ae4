"""The landed events of a feed as they turned out: each once, as its last correction says, in order of event time.

Late ones stand where they belong. What is ahead of its arrival by more than the contract's skew (landed before
such events were rejected) is left out, and what is ahead by less counts as its arrival, as in `watch`. Of copies
the first in the log counts, of corrections the last to arrive; both within one timeline, for rules know no other.
Read a slice of a day at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from clickhouse_driver import Client

from dagster_project.build.corrections import Copy, resolve
from dagster_project.warehouse import answering
from deploy.rule_history.days import milliseconds
from schemas.contract import Contract
from streams.watch.declare.calendar import DAY
from streams.watch.trial.known_now import Event

SLICE = 200_000
_PLACE = "log_epoch, partition, offset"
_IN_TIME = "toUnixTimestamp64Milli(time) <= toUnixTimestamp64Milli(arrived) + %(skew)s"
_COUNTS = """
SELECT timeline, event_day, count(), toInt64(max(toUnixTimestamp64Milli(time))) FROM landing.{table}
WHERE event_day BETWEEN %(since)s AND %(until)s AND {in_time} GROUP BY timeline, event_day ORDER BY event_day"""
_CORRECTIONS = """
SELECT timeline, source, id, corrects, event_day, arrived, {place} FROM landing.{table} FINAL
WHERE (timeline, source, id) IN
(
    SELECT timeline, source, id FROM landing.{table} WHERE corrects != ''
    UNION ALL SELECT timeline, source, corrects FROM landing.{table} WHERE corrects != ''
) AND {in_time}"""
_STRAY = """
SELECT DISTINCT timeline, source, id, toUnixTimestamp64Milli(time) FROM landing.{table} FINAL
WHERE event_day BETWEEN %(since)s AND %(until)s AND {in_time} AND sipHash64(timeline, source, id) IN
(
    SELECT sipHash64(timeline, source, id) AS _hash FROM landing.{table}
    WHERE event_day BETWEEN %(since)s AND %(until)s AND {in_time} GROUP BY _hash HAVING min(time) != max(time)
    SETTINGS max_bytes_before_external_group_by = 1000000000
)
ORDER BY timeline, source, id, {place}"""
_EVENTS = """
SELECT _at, raw FROM
(
    SELECT greatest(least(toUnixTimestamp64Milli(time), toUnixTimestamp64Milli(arrived)), %(start)s) AS _at,
        toUnixTimestamp64Milli(time) AS _sent, source, id, raw
    FROM landing.{table} FINAL
    WHERE event_day = %(day)s AND timeline = %(timeline)s AND {in_time} AND _at >= %(first)s AND _at < %(last)s
    ORDER BY {place} LIMIT 1 BY source, id
)
WHERE (source, id) NOT IN (SELECT source, id FROM dropped)
    AND (_sent, source, id) NOT IN (SELECT at, source, id FROM stray)
ORDER BY _at, source, id"""
_DROPPED = [("source", "String"), ("id", "String")]
_STRAYED = [("at", "Int64"), *_DROPPED]


@dataclass(frozen=True)
class FinalEvents:
    """What is landed of one feed on some days: rows and the newest event by timeline, and what does not count."""

    contract: Contract
    rows: Mapping[tuple[str, date], int]
    newest: Mapping[str, int]
    dropped: Mapping[str, tuple[tuple[str, str], ...]]
    stray: Mapping[str, tuple[tuple[int, str, str], ...]]

    def total(self, timeline: str) -> int:
        """All rows of a timeline."""
        return sum(count for (name, _), count in self.rows.items() if name == timeline)


def final_events(client: Client, contract: Contract, since: date, until: date) -> FinalEvents:
    """Settle a feed's events from day to day; strings of `client` are bytes."""
    span = {"since": since, "until": until}
    rows: dict[tuple[str, date], int] = {}
    newest: dict[str, int] = {}
    for timeline, day, count, last in _ask(client, _COUNTS, contract, span):
        rows[timeline.decode(), day] = count
        newest[timeline.decode()] = last
    copies: dict[str, list[Copy]] = defaultdict(list)
    for timeline, source, id, corrects, *rest in _ask(client, _CORRECTIONS, contract, span):
        copies[timeline.decode()].append(Copy(source.decode(), id.decode(), corrects.decode(), *rest))
    dropped = {timeline: tuple(sorted(resolve(found).dropped)) for timeline, found in copies.items()}
    return FinalEvents(contract, rows, newest, dropped, _stray(_ask(client, _STRAY, contract, span)))


def _stray(rows: list[tuple[Any, ...]]) -> dict[str, tuple[tuple[int, str, str], ...]]:
    """Copies at another time than the first in the log has."""
    first: dict[tuple[bytes, ...], int] = {}
    stray: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for timeline, source, id, at in rows:
        if first.setdefault((timeline, source, id), at) != at:
            stray[timeline.decode()].append((at, source.decode(), id.decode()))
    return {timeline: tuple(found) for timeline, found in stray.items()}


def events(client: Client, log: FinalEvents, timeline: str) -> Iterator[Event]:
    """The events of one timeline in order of time, source and id."""
    tables = [
        _external("dropped", _DROPPED, log.dropped.get(timeline, ())),
        _external("stray", _STRAYED, log.stray.get(timeline, ())),
    ]
    sql = _EVENTS.format(table=log.contract.table, place=_PLACE, in_time=_IN_TIME)
    for (name, day), count in sorted(log.rows.items(), key=lambda item: item[0][1]):
        if name != timeline:
            continue
        for first, last in _slices(day, -(-count // SLICE)):
            bounds = {"start": milliseconds(day), "first": first, "last": last}
            given = {"day": day, "timeline": timeline, "skew": log.contract.skew_ms, **bounds}
            with answering():
                yield from client.execute(sql, given, external_tables=tables)


def _slices(day: date, number: int) -> Iterator[tuple[int, int]]:
    """So many equal spans [first, last) in ms that make up a day of Asia/Shanghai."""
    start = milliseconds(day)
    for part in range(number):
        yield start + DAY * part // number, start + DAY * (part + 1) // number


def _external(
    name: str, structure: list[tuple[str, str]], rows: tuple[tuple[Any, ...], ...]
) -> dict[str, Any]:
    names = [column for column, _ in structure]
    data = [
        {
            key: value.encode() if isinstance(value, str) else value
            for key, value in zip(names, row, strict=True)
        }
        for row in rows
    ]
    return {"name": name, "structure": structure, "data": data}


def _ask(client: Client, sql: str, contract: Contract, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with answering():
        text = sql.format(table=contract.table, place=_PLACE, in_time=_IN_TIME)
        return list(client.execute(text, {**given, "skew": contract.skew_ms}))
