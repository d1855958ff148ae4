"""A figure made again from nothing but its messages: raw bytes, decoder, the same SQL.

The messages are read back from landing by their places in the log; what `built` holds is not looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from dagster_project.build.dependencies import on_tables
from dagster_project.build.figures import EXACT, Count
from dagster_project.build.indicator import Indicator
from dagster_project.build.indicator_build import count
from dagster_project.explain import statements
from dagster_project.explain.explanation import Message
from dagster_project.explain.figure import Known, Question
from dagster_project.warehouse import Warehouse
from schemas.contract import Contract, Field
from schemas.ddl import model
from schemas.ddl.render import temporary
from schemas.decoder import Decoder
from schemas.errors import Misdeclared
from schemas.fields import SHANGHAI
from schemas.regions import PROVINCE
from schemas.tables import built_columns

PLACE = [("event_day", "Date"), ("log_epoch", "UInt16"), ("partition", "UInt16"), ("offset", "UInt64")]
REPLAYED = "replayed"


@dataclass(frozen=True)
class Replayed:
    """What the messages count to; `absent` of them are no longer in landing."""

    numerator: float
    denominator: float
    value: float | None
    messages: int
    absent: int


def read_raw(
    warehouse: Warehouse, contract: Contract, messages: Iterable[Message]
) -> dict[tuple[int, int, int], str]:
    """The raw bytes of messages of one feed by (log epoch, partition, offset), as landing keeps them."""
    places = [
        (item.event_day, item.log_epoch, item.partition, item.offset)
        for item in messages
        if item.feed == contract.feed
    ]
    rows = warehouse.rows(statements.raw(contract.table), {"place": (PLACE, places)})
    return {(log_epoch, partition, offset): raw for log_epoch, partition, offset, raw in rows}


def replay(warehouse: Warehouse, known: Known, question: Question, messages: Sequence[Message]) -> Replayed:
    """Decode the messages, run the indicator's SQL over them alone, and make the region's value of its counts."""
    indicator = question.indicator
    counts, absent = recount(warehouse, known, indicator, question.day, messages)
    sums: Mapping[str, float] = _sums(known, question, counts)
    value = (
        round(sums["numerator"] / sums["denominator"] * indicator.factor, EXACT)
        if sums["denominator"]
        else None
    )
    return Replayed(sums["numerator"], sums["denominator"], value, len(messages) - absent, absent)


def recount(
    warehouse: Warehouse, known: Known, indicator: Indicator, day: date, messages: Sequence[Message]
) -> tuple[list[Count], int]:
    """What the messages alone count to in the period that ends on a day; and how many are no longer landed."""
    absent = 0
    for table in indicator.reads:
        contract = known.contracts[table]
        mine = [item for item in messages if item.feed == contract.feed]
        found = read_raw(warehouse, contract, mine)
        absent += len(mine) - len(found)
        _load(warehouse, known, contract, mine, found)
    query = on_tables(indicator.sql, {table: f"{REPLAYED}_{table}" for table in indicator.reads})
    return count(warehouse, indicator, [], [day], query), absent


def _sums(known: Known, question: Question, counts: Iterable[Any]) -> dict[str, float]:
    inside = {question.region, *(county.code for county in known.regions.counties_of(question.region))}
    sums: dict[str, float] = defaultdict(float)
    for item in counts:
        if question.region == PROVINCE or item.region in inside:
            sums["numerator"] += item.numerator
            sums["denominator"] += item.denominator
    return {name: round(sums[name], EXACT) for name in ("numerator", "denominator")}


def _load(
    warehouse: Warehouse,
    known: Known,
    contract: Contract,
    messages: Sequence[Message],
    raw: Mapping[tuple[int, int, int], str],
) -> None:
    columns = built_columns(contract)
    name = f"{REPLAYED}_{contract.table}"
    warehouse.rows(f"DROP TEMPORARY TABLE IF EXISTS `{name}`")
    warehouse.rows(temporary(name, model.columns(columns)))
    decoder = Decoder(contract)
    rows = [
        _row(known, contract, decoder, item, raw[place])
        for item in messages
        if (place := (item.log_epoch, item.partition, item.offset)) in raw
    ]
    warehouse.insert(f"`{name}`", [column for column, _ in columns], rows)


def _row(known: Known, contract: Contract, decoder: Decoder, message: Message, raw: str) -> list[Any]:
    """One built row of the bytes alone; only the id it goes by, and its arrival, are not in them."""
    event = decoder.decode(raw.encode())
    time = _moment(event.time)
    given = {
        "build_id": REPLAYED,
        "event_day": time.astimezone(SHANGHAI).date(),
        "log_epoch": message.log_epoch,
        "partition": message.partition,
        "offset": message.offset,
        "arrived": message.arrived,
        "timeline": event.timeline,
        "late": 0,
        "source": event.source,
        "id": message.event,
        "time": time,
        "corrects": event.corrects,
    }
    fields = {field.name: _stored(known, field, getattr(event.data, field.name)) for field in contract.fields}
    return [{**given, **fields}[column] for column, _ in built_columns(contract)]


def _stored(known: Known, field: Field, value: Any) -> Any:
    if not field.pseudonymised or value is None:
        return _moment(value)
    if known.pseudonyms is None:
        raise Misdeclared(
            "settings", "LIAOWANG_PSEUDONYM_KEY", f"must be given: {field.name} is stored under a pseudonym"
        )
    return known.pseudonyms.of(value)


def _moment(value: Any) -> Any:
    """Moments cut to the milliseconds the tables keep; anything else as it is."""
    if not isinstance(value, datetime):
        return value
    return value.astimezone(UTC).replace(microsecond=value.microsecond // 1000 * 1000)
