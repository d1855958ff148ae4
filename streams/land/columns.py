"""Rows as the columns clickhouse-driver inserts fastest: instants as integers, text as it came. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

from schemas.contract import Contract, Field
from schemas.errors import Misdeclared
from schemas.fields import AHEAD, milliseconds
from schemas.pseudonyms import Pseudonyms
from streams.land.classification import Batch

Columns = dict[str, list[Any]]

_DAY = 86_400_000
_LOCAL = AHEAD // timedelta(milliseconds=1)
_FIRST_DAY = date(1970, 1, 1)


class Landed(NamedTuple):
    """A batch and where it comes from."""

    topic: str
    feed: str
    log_epoch: int
    partition: int
    batch: Batch


class FeedColumns:
    """Makes the columns of one feed's landing table from accepted rows."""

    def __init__(self, contract: Contract, pseudonyms: Pseudonyms | None = None) -> None:
        self.contract = contract
        self._fields = [
            (field.name, attrgetter(field.name), _converter(field, pseudonyms)) for field in contract.fields
        ]
        self._days: dict[int, date] = {}

    def __call__(self, landed: Sequence[Landed]) -> Columns:
        """The columns of all accepted rows of these batches."""
        rows = [row for item in landed for row in item.batch.accepted]
        if not rows:
            return {}
        offset, arrived, late, time, event, raw = (list(column) for column in zip(*rows, strict=True))
        columns: Columns = {
            "event_day": [self._day(moment) for moment in time],
            "log_epoch": _spread(landed, "log_epoch"),
            "partition": _spread(landed, "partition"),
            "offset": offset,
            "arrived": arrived,
            "timeline": [e.timeline for e in event],
            "late": late,
            "source": [e.source for e in event],
            "id": [e.id for e in event],
            "time": time,
            "corrects": [e.corrects for e in event],
        }
        data = [e.data for e in event]
        for name, get, convert in self._fields:
            values = list(map(get, data))
            columns[name] = values if convert is None else [None if v is None else convert(v) for v in values]
        columns["raw"] = raw
        return columns

    def _day(self, moment: int) -> date:
        number = (moment + _LOCAL) // _DAY
        day = self._days.get(number)
        if day is None:
            day = self._days[number] = _FIRST_DAY + timedelta(days=number)
        return day


def refused_columns(landed: Sequence[Landed]) -> Columns:
    """The columns of landing.rejected."""
    names = ("offset", "arrived", "timeline", "field", "rule", "value", "id", "source", "raw")
    return _with_origin(landed, names, [item.batch.refused for item in landed], feed=True)


def tick_columns(landed: Sequence[Landed]) -> Columns:
    """The columns of landing.tick."""
    names = ("offset", "arrived", "timeline", "clock", "final", "epoch")
    return _with_origin(landed, names, [item.batch.ticks for item in landed], feed=False)


def changed_columns(landed: Sequence[Landed]) -> Columns:
    """The columns of landing.changed_day: one row a batch and day of its events."""
    rows = []
    for item in landed:
        accepted = item.batch.accepted  # in the order of their offsets, so the last of a day stays
        last = {(row.time + _LOCAL) // _DAY: row.offset for row in accepted}
        corrected = {(row.time + _LOCAL) // _DAY: row.offset + 1 for row in accepted if row.event.corrects}
        for number, offset in last.items():
            day = _FIRST_DAY + timedelta(days=number)
            place = (item.topic, day, item.log_epoch, item.partition)
            rows.append((*place, offset, corrected.get(number, 0)))
    names = ("topic", "event_day", "log_epoch", "partition", "last", "corrected")
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=False)}


def ledger_columns(landed: Sequence[Landed]) -> Columns:
    """The columns of landing.ledger: one row a batch. Their days are listed in landing.changed_day."""
    batches = [item.batch for item in landed]
    return {
        "topic": [item.topic for item in landed],
        "feed": [item.feed for item in landed],
        "log_epoch": [item.log_epoch for item in landed],
        "partition": [item.partition for item in landed],
        "first": [batch.first for batch in batches],
        "last": [batch.last for batch in batches],
        "accepted": [len(batch.accepted) for batch in batches],
        "rejected": [len(batch.refused) for batch in batches],
        "control": [batch.control for batch in batches],
        "watermarks": [dict(batch.watermarks) for batch in batches],
        "arrived_last": [batch.arrived_last for batch in batches],
        "listed": [1] * len(batches),
    }


def _with_origin(
    landed: Sequence[Landed], names: Sequence[str], rows: list[list[Any]], feed: bool
) -> Columns:
    counts = [len(part) for part in rows]
    flat = list(chain.from_iterable(rows))
    if not flat:
        return {}
    columns: Columns = {"topic": _repeat([item.topic for item in landed], counts)}
    if feed:
        columns["feed"] = _repeat([item.feed for item in landed], counts)
    columns["log_epoch"] = _repeat([item.log_epoch for item in landed], counts)
    columns["partition"] = _repeat([item.partition for item in landed], counts)
    columns |= {name: list(column) for name, column in zip(names, zip(*flat, strict=True), strict=True)}
    return columns


def _spread(landed: Sequence[Landed], name: str) -> list[Any]:
    return _repeat([getattr(item, name) for item in landed], [len(item.batch.accepted) for item in landed])


def _repeat(values: Sequence[Any], counts: Sequence[int]) -> list[Any]:
    return [value for value, count in zip(values, counts, strict=True) for _ in range(count)]


def _converter(field: Field, pseudonyms: Pseudonyms | None) -> Callable[[Any], Any] | None:
    if field.pseudonymised:
        if pseudonyms is None:
            raise Misdeclared(
                "settings",
                "LIAOWANG_PSEUDONYM_KEY",
                f"must be given: {field.name} is stored under a pseudonym",
            )
        return pseudonyms.of
    if field.kind == "timestamp":
        return milliseconds
    return None
