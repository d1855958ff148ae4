"""What is usual: a baseline worked out of landed events for a rule that compares with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from quality.rows import quote
from schemas.arithmetic.exact_sql import MOST_SQUARED, PARTS, fits, whole
from schemas.contract import Contract
from schemas.errors import Misdeclared
from streams.land.warehouse import Warehouse
from streams.watch.declare.rule import Rule
from streams.watch.declare.spec import BaselineSpec, Scalar
from streams.watch.declare.templates import names, reader

SLOTS = {
    "none": "0",
    "hour-of-day": "toHour(time)",
    "day-of-week": "toDayOfWeek(time) - 1",
    "hour-of-week": "(toDayOfWeek(time) - 1) * 24 + toHour(time)",
    "month": "toMonth(time)",
}
"""SQL of a moment's slot; `time` is in Asia/Shanghai."""

COLUMNS = ("subject", "slot", "mean", "sd", "points")


def usual_sql(contract: Contract, rule: Rule) -> str:
    """Sum, sum of squares and number of values by the subject's fields and slot, from day %(first)s to %(last)s.

    Each event counts once, as its last correction says; live events and replays alike. Sums are of whole parts
    (`PARTS` to one), exact in whatever order threads bring them; values that are not finite, or whose squares do
    not fit, are left out.
    """
    spec = _spec(rule)
    field = f"_e.`{spec.field}`"
    parts = whole(field)
    where = "".join(f" AND _e.`{name}` = {_literal(value)}" for name, value in rule.inputs[0].where)
    read = fields_of(rule)
    subject = "".join(f"_e.`{name}` AS _f{number}, " for number, name in enumerate(read))
    groups = ", ".join([*(f"_f{number}" for number in range(len(read))), "_slot"])
    return (
        f"SELECT {subject}toUInt16({SLOTS[spec.slot]}) AS _slot,"
        f" sum({parts}), sum({parts} * {parts}), count()"
        f" FROM (SELECT * FROM landing.{contract.table} FINAL WHERE event_day BETWEEN %(first)s AND %(last)s"
        f" AND time <= arrived + toIntervalMillisecond({contract.skew_ms})"
        " ORDER BY corrects != '' DESC, log_epoch DESC, arrived DESC, partition, offset DESC"
        " LIMIT 1 BY source, if(corrects != '', corrects, id)) AS _e"
        f" WHERE {fits(field, MOST_SQUARED)}{where}"
        f" GROUP BY {groups}"
    )


def fields_of(rule: Rule) -> tuple[str, ...]:
    """The fields that the subject is made of."""
    return tuple(dict.fromkeys(name for template in rule.inputs[0].subject for name in names(template)))


def usual(
    warehouse: Warehouse, contract: Contract, rule: Rule, first: date, last: date
) -> list[dict[str, Any]]:
    """The rows of a rule's baseline; Misdeclared where there are no events to tell it from.

    Subjects are put together here, by what `watch` puts them together with, so that they are the same text.
    """
    found = warehouse.rows(usual_sql(contract, rule), {"first": first, "last": last})
    if not found:
        raise Misdeclared(rule.id, "baseline", f"{rule.feed} has no landed events from {first} to {last}")
    read, text = fields_of(rule), reader(rule.inputs[0].subject)
    flags = {field.name for field in contract.fields if field.kind == "boolean"}
    sums: dict[tuple[str, int], tuple[int, int, int]] = {}
    for row in found:
        values, (slot, *some) = row[: len(read)], row[len(read) :]
        data = {
            name: bool(value) if name in flags else value for name, value in zip(read, values, strict=True)
        }
        key = (text(SimpleNamespace(**data)), slot)
        total, squares, number = (a + b for a, b in zip(sums.get(key, (0, 0, 0)), some, strict=True))
        sums[key] = (total, squares, number)
    return [
        dict(zip(COLUMNS, (subject, slot, *_figures(*some)), strict=True))
        for (subject, slot), some in sorted(sums.items())
    ]


def _figures(total: int, squares: int, number: int) -> tuple[float, float, int]:
    """Mean, sample standard deviation (0 of a single value) and number, of exact sums of whole parts."""
    mean = Fraction(total, number * PARTS)
    off = Fraction(number * squares - total * total, number * max(1, number - 1) * PARTS * PARTS)
    return float(mean), math.sqrt(off), number


def keep(
    warehouse: Warehouse,
    rule: Rule,
    version: int,
    computed: datetime,
    days: tuple[date, date],
    rows: Sequence[dict[str, Any]],
) -> None:
    """Keep a baseline in the warehouse under the version it is published as."""
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in COLUMNS}
    same = {
        "name": _spec(rule).table, "version": version, "computed": computed, "rule": rule.id,
        "rule_version": rule.version, "first": days[0], "last": days[1],
    }  # fmt: skip
    warehouse.insert("baseline", columns | {name: [value] * len(rows) for name, value in same.items()})


def _spec(rule: Rule) -> BaselineSpec:
    if not isinstance(rule.spec, BaselineSpec):
        raise Misdeclared(
            rule.id, "condition.kind", f"{rule.kind} compares with no baseline; name a baseline rule"
        )
    return rule.spec


def _literal(value: Scalar) -> str:
    return (
        quote(value).replace("%", "%%")
        if isinstance(value, str)
        else str(int(value) if isinstance(value, bool) else value)
    )
