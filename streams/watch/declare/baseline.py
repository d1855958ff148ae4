"""Baselines: what is usual for a subject in a slot of the calendar. A table is a published, numbered version."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import Misdeclared
from schemas.text import control
from streams.watch.declare.calendar import DAY, OFFSET, weekday

HOUR = 3_600_000


@dataclass(frozen=True)
class BaselineTable:
    """One version of a baseline: (subject, slot) -> (mean, standard deviation); slot as `slot_of` numbers it."""

    version: int
    values: Mapping[tuple[str, int], tuple[float, float]] = field(repr=False)


def slot_of(slot: str, at: int) -> int:
    """The number of a moment's slot of the calendar, in Asia/Shanghai.

    hour-of-day 0-23, day-of-week 0 (Monday) to 6, hour-of-week 0-167, month 1-12; `none` is always 0.
    """
    local = at + OFFSET
    if slot == "hour-of-day":
        return local % DAY // HOUR
    if slot == "day-of-week":
        return weekday(local)
    if slot == "hour-of-week":
        return weekday(local) * 24 + local % DAY // HOUR
    if slot == "month":
        return _month(local // DAY)
    return 0


def _month(days: int) -> int:
    """Month of a day since the epoch. Source: H. Hinnant, civil_from_days."""
    shifted = days + 719_468
    era_day = shifted % 146_097
    year = (era_day - era_day // 1460 + era_day // 36_524 - era_day // 146_096) // 365
    month = (5 * (era_day - (365 * year + year // 4 - year // 100)) + 2) // 153
    return month + 3 if month < 10 else month - 9


def read_baseline(version: int, path: Path) -> BaselineTable:
    """A table from a CSV file; Misdeclared where it cannot be read or a row is wrong."""
    return read_table(version, read_baseline_rows(path), str(path))


def read_baseline_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV file of a baseline, as they stand; Misdeclared where it cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if missed := {"subject", "mean"} - set(rows.fieldnames or ()):
                raise Misdeclared(str(path), "header", f"misses {', '.join(sorted(missed))}")
            return [dict(row) for row in rows]
    except (OSError, ValueError, csv.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise Misdeclared(str(path), "file", f"cannot be read: {why}") from None


def _finite(value: Any) -> float:
    found = float(value)
    if not math.isfinite(found):
        raise ValueError(value)
    return found


def read_table(version: int, rows: Iterable[Mapping[str, Any]], where: str) -> BaselineTable:
    """A table from rows of subject, slot, mean and (for sigma) sd; a wrong row is Misdeclared."""
    values: dict[tuple[str, int], tuple[float, float]] = {}
    for number, row in enumerate(rows, 1):
        try:
            key = (str(row["subject"]), int(row.get("slot") or 0))
            values[key] = (_finite(row["mean"]), _finite(row.get("sd") or 0.0))
        except (KeyError, TypeError, ValueError):
            problem = "must have subject, mean (a number) and where needed slot (a whole number) and sd"
            raise Misdeclared(where, f"row {number}", problem) from None
        if bad := control(key[0]):
            raise Misdeclared(where, f"row {number}", f"the subject must not have {bad}; no subject has")
    return BaselineTable(version, values)
