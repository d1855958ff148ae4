"""What is usual: a baseline worked out of landed events for a rule that compares with it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from quality.rows import quote
from schemas.contract import Contract
from schemas.errors import Misdeclared
from streams.land.warehouse import Warehouse
from streams.watch.rule import Rule
from streams.watch.spec import BaselineSpec, Scalar

SLOTS = {
    "none": "0",
    "hour-of-day": "toHour(time)",
    "day-of-week": "toDayOfWeek(time) - 1",
    "hour-of-week": "(toDayOfWeek(time) - 1) * 24 + toHour(time)",
    "month": "toMonth(time)",
}
"""SQL of a moment's slot; `time` is in Asia/Shanghai."""

PARTS = 10**9
"""Values are added as whole parts, so many to one."""
MOST = "1e25"
"""Values as great as this are left out: the sum of their squares might not fit."""
COLUMNS = ("subject", "slot", "mean", "sd", "points")
_HOLE = re.compile(r"\{([a-z][a-z0-9_]*)(?::([a-z]+))?\}")
_ROLL_UPS = {
    "": "{}",
    "city": "concat(substring({}, 1, 4), '00')",
    "province": "concat(substring({}, 1, 2), '0000')",
}


def usual_sql(contract: Contract, rule: Rule) -> str:
    """Sum, sum of squares and number of values by subject and slot, from day %(first)s to %(last)s.

    Each event counts once, as its last correction says; live events and replays alike. Sums are of whole parts
    (`PARTS` to one), exact in whatever order threads bring them; values that are not finite are left out.
    """
    spec = _spec(rule)
    field = f"_e.`{spec.field}`"
    whole = f"toInt256(round({field} * {PARTS}))"
    where = "".join(f" AND _e.`{name}` = {_literal(value)}" for name, value in rule.inputs[0].where)
    return (
        f"SELECT {_subject(rule.inputs[0].subject)} AS _subject, toUInt16({SLOTS[spec.slot]}) AS _slot,"
        f" sum({whole}), sum({whole} * {whole}), count()"
        f" FROM (SELECT * FROM landing.{contract.table} FINAL WHERE event_day BETWEEN %(first)s AND %(last)s"
        f" AND time <= arrived + toIntervalMillisecond({contract.skew_ms})"
        " ORDER BY corrects != '' DESC, log_epoch DESC, arrived DESC, partition, offset DESC"
        " LIMIT 1 BY source, if(corrects != '', corrects, id)) AS _e"
        f" WHERE isFinite({field}) AND abs({field}) < {MOST}{where}"
        " GROUP BY _subject, _slot ORDER BY _subject, _slot"
    )


def usual(
    warehouse: Warehouse, contract: Contract, rule: Rule, first: date, last: date
) -> list[dict[str, Any]]:
    """The rows of a rule's baseline; Misdeclared where there are no events to tell it from."""
    found = warehouse.rows(usual_sql(contract, rule), {"first": first, "last": last})
    if not found:
        raise Misdeclared(rule.id, "baseline", f"{rule.feed} has no landed events from {first} to {last}")
    return [
        dict(zip(COLUMNS, (subject, slot, *_figures(*sums)), strict=True)) for subject, slot, *sums in found
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


def _subject(templates: Sequence[str]) -> str:
    """The subject's text, as `streams/watch/templates.py` reads it of an event."""
    parts = ", '|', ".join(_template(each) for each in templates)
    return f"concat({parts}, '')"


def _template(template: str) -> str:
    if not _HOLE.search(template):
        return f"toString(_e.`{template}`)"
    parts, at = [], 0
    for hole in _HOLE.finditer(template):
        column = f"toString(_e.`{hole[1]}`)"
        parts += [_literal(template[at : hole.start()]), _ROLL_UPS[hole[2] or ""].format(column)]
        at = hole.end()
    return ", ".join([*parts, _literal(template[at:])])


def _literal(value: Scalar) -> str:
    return (
        quote(value).replace("%", "%%")
        if isinstance(value, str)
        else str(int(value) if isinstance(value, bool) else value)
    )
