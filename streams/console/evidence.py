"""The evidence of a warning: the values around it, and the messages they came in; never personal fields.

A rule that looks at a field shows that field's values; any other shows how many of its events came in each window.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from schemas.contract import Contract
from schemas.fields import SHANGHAI, TIME_ZONE, milliseconds
from schemas.levels import BY_RANK
from schemas.subject import split
from streams.console.chart import Series
from streams.console.reading import Reading
from streams.watch.declare.rule import Rule

SPANS = (
    (timedelta(days=2), timedelta(days=1)),
    (timedelta(days=45), timedelta(days=15)),
    (timedelta(days=365), timedelta(days=60)),
)
"""How far before and after the warning values are looked for; the next wider where there are few."""
ENOUGH = 8
MOST = 1_000
SHOWN = 12
HOUR = 3600
_MOMENT = f"fromUnixTimestamp64Milli(toInt64(%({{}})s), '{TIME_ZONE}')"
SHOWN_KINDS = ("threshold", "count")
"""Kinds whose bounds are in the unit of what the chart shows; others judge something derived from it."""


@dataclass(frozen=True)
class Wanted:
    """What to look for: a warning of a rule, as its case tells of it."""

    rule: Rule
    contract: Contract
    subject: str
    timeline: str
    at: datetime
    place: tuple[int, int] | None
    marks: tuple[tuple[datetime, str], ...] = ()


@dataclass(frozen=True)
class Message:
    """One event behind the warning: its place in the log, and what it says, without personal fields."""

    at: datetime
    id: str
    source: str
    partition: int
    offset: int
    values: tuple[tuple[str, str], ...]
    decisive: bool


@dataclass(frozen=True)
class Evidence:
    """What is known of the values around a warning."""

    series: Series
    messages: tuple[Message, ...]
    topic: str
    title: str


def place_of(evidence: str) -> tuple[int, int] | None:
    """(partition, offset) of the record that brought a transition about; None where it is not told."""
    try:
        told = json.loads(evidence)
        return int(told["partition"]), int(told["offset"])
    except (ValueError, KeyError, TypeError):
        return None


def find(service: Reading, wanted: Wanted) -> Evidence:
    """The evidence as `landing` has it."""
    points: list[tuple[datetime, float]] = []
    for before, after in SPANS:
        points = _points(service, wanted, wanted.at - before, wanted.at + after)
        if len(points) >= ENOUGH:
            break
    rule = wanted.rule
    bounds = rule.bounds if rule.kind in SHOWN_KINDS else ()
    unit = wanted.contract.field(rule.field).unit if rule.field else ""
    return Evidence(
        series=Series(
            tuple((at.timestamp(), float(value)) for at, value in points),
            tuple((BY_RANK[rank], bound) for rank, bound in bounds),
            tuple((at.timestamp(), label) for at, label in wanted.marks),
            unit,
            rule.below,
        ),
        messages=_messages(service, wanted),
        topic=wanted.contract.topic,
        title=rule.field,
    )


def _points(
    service: Reading, wanted: Wanted, first: datetime, last: datetime
) -> list[tuple[datetime, float]]:
    """(time, value) in order: the field's values, or the number of events in each window."""
    condition, given = _condition(wanted, first, last)
    table, field = wanted.contract.table, wanted.rule.field
    if field:
        what = f"SELECT time, argMax(`{field}`, (arrived, offset)) AS _v"
        tail = "GROUP BY time, source HAVING _v IS NOT NULL"
    else:
        step = wanted.rule.window or HOUR
        what = f"SELECT toStartOfInterval(time, INTERVAL {int(step)} SECOND) AS time, uniqExact(source, id)"
        tail = "GROUP BY time"
    nearest = f"ORDER BY abs(toInt64(toUnixTimestamp(time)) - %(at)s) LIMIT {MOST}"
    sql = f"SELECT * FROM ({what} FROM landing.`{table}` FINAL WHERE {condition} {tail} {nearest}) ORDER BY time"
    return [(at, float(value)) for at, value in service.rows(sql, **given, at=int(wanted.at.timestamp()))]


def _messages(service: Reading, wanted: Wanted) -> tuple[Message, ...]:
    """The last messages up to the warning, the decisive one among them."""
    before, _ = SPANS[1]
    condition, given = _condition(wanted, wanted.at - before, wanted.at)
    fields = [field for field in wanted.contract.fields if field.classification != "personal"]
    names = ", ".join(f"`{field.name}`" for field in fields)
    sql = (
        f"SELECT time, id, source, partition, offset{', ' + names if names else ''}"
        f" FROM landing.`{wanted.contract.table}` FINAL WHERE {condition}"
        f" ORDER BY time DESC, offset DESC LIMIT {SHOWN}"
    )
    return tuple(
        Message(
            at,
            id,
            source,
            partition,
            offset,
            _told([f.name for f in fields], values),
            (partition, offset) == wanted.place,
        )
        for at, id, source, partition, offset, *values in service.rows(sql, **given)
    )


def _condition(wanted: Wanted, first: datetime, last: datetime) -> tuple[str, dict[str, Any]]:
    """The rows of this subject, timeline and span that the rule looks at, as SQL with its parameters."""
    parts = ["event_day BETWEEN %(first_day)s AND %(last_day)s", "timeline = %(timeline)s"]
    parts.append(f"time BETWEEN {_MOMENT.format('first')} AND {_MOMENT.format('last')}")
    given: dict[str, Any] = {"timeline": wanted.timeline}
    for name, at in (("first", first), ("last", last)):
        given[name], given[f"{name}_day"] = milliseconds(at), at.astimezone(SHANGHAI).date()
    subject = wanted.rule.subject
    named = dict(zip(subject, split(wanted.subject, len(subject)), strict=False))
    known = {field.name for field in wanted.contract.fields}
    wished = {name: value for name, value in {**dict(wanted.rule.where), **named}.items() if name in known}
    for number, (name, value) in enumerate(wished.items()):
        parts.append(f"toString(`{name}`) = %(w{number})s")
        given[f"w{number}"] = _text(value)
    return " AND ".join(parts), given


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _told(names: Sequence[str], values: Sequence[Any]) -> tuple[tuple[str, str], ...]:
    return tuple((n, str(v)) for n, v in zip(names, values, strict=True) if v is not None)


def wanted_of(
    rules: Mapping[str, Rule], contracts: Mapping[str, Contract], rule: str, **rest: Any
) -> Wanted | None:
    """What to look for; None where the rule or its feed is not known any more."""
    known = rules.get(rule)
    contract = contracts.get(known.feed) if known is not None else None
    return None if known is None or contract is None else Wanted(known, contract, **rest)
