"""What a declaration asks of the gate beyond its fields: limits, complete regions, expectations of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from schemas.declaration import Entry
from schemas.regions import REGION_LEVELS

BY_ROW = ("expect_column_values_", "expect_column_pair_values_", "expect_select_column_values_")
"""Beginnings of the names of expectations that speak of single rows."""
WHOLE = ("expect_table_row_count_to_be_between", "expect_compound_columns_to_be_unique")


@dataclass(frozen=True)
class Gate:
    """Limits for one day of one table.

    `quarantine` is the share of a day's rows that may be in quarantine. `drift_day` and `drift_week` are by
    what share its rows (of an indicator: the province's value) may differ from the day and the week before.
    `complete` are levels of regions each of which must be there. `freshness`: every partition must have had
    something this long before the day's end, or later. `expectations` are names and arguments.
    """

    quarantine: float = 0.1
    drift_day: float | None = None
    drift_week: float | None = None
    complete: tuple[str, ...] = ()
    freshness: timedelta | None = None
    expectations: tuple[tuple[str, Mapping[str, Any]], ...] = ()


def read_gate(entry: Entry, feed: bool) -> Gate:
    """The gate in a declaration of a feed or an indicator; whatever is wrong with it is Misdeclared."""
    more = ("quarantine", "freshness") if feed else ()
    parts = entry.mapping([], ["drift", "complete", "expectations", *more])
    drift = parts["drift"].mapping([], ["day", "week"]) if "drift" in parts else {}
    return Gate(
        quarantine=_share(parts["quarantine"], 1.0) if "quarantine" in parts else Gate.quarantine,
        drift_day=_share(drift["day"]) if "day" in drift else None,
        drift_week=_share(drift["week"]) if "week" in drift else None,
        complete=_levels(parts["complete"]) if "complete" in parts else (),
        freshness=parts["freshness"].duration() if "freshness" in parts else None,
        expectations=tuple(_expectation(item) for item in parts["expectations"].items())
        if "expectations" in parts
        else (),
    )


def _share(entry: Entry, most: float = float("inf")) -> float:
    if not 0 <= entry.number() <= most:
        raise entry.wrong("must be a share such as 0.1" + (", at most 1" if most == 1 else ""))
    return float(entry.number())


def _levels(entry: Entry) -> tuple[str, ...]:
    for item in entry.items():
        item.text(REGION_LEVELS)
    return entry.texts()


def _expectation(entry: Entry) -> tuple[str, Mapping[str, Any]]:
    parts = entry.mapping(["expect"])
    kind = parts["expect"].text()
    if not kind.startswith(BY_ROW) and kind not in WHOLE:
        raise parts["expect"].wrong(
            f"{kind!r} must speak of rows ({', '.join(f'{name}…' for name in BY_ROW)}) or be one of"
            f" {', '.join(WHOLE)}: days are judged one by one"
        )
    return kind, {key: item.value for key, item in parts.items() if key != "expect"}
