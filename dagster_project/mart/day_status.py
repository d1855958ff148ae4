"""The status of each day of each table: `mart.day_status`, for `liaowang days` and for BI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from dagster_project.mart.barrier import closed
from dagster_project.warehouse import Warehouse
from schemas.ddl.model import MOMENT, NAME, SERVICE, View, columns

STATES: Mapping[str, str] = {
    "published": "what is shown is the latest build, and complete",
    "incomplete": "published, and may still change: events are due",
    "failed": "the latest build did not pass its gate and is withheld; `release_seq` tells what is shown",
    "rolled back": "nothing is shown: a rollback went behind its first release",
    "unpublished": "built and passed, and in no release yet",
}
_COLUMNS = (
    ("table", NAME, "Table of events or figures"),
    ("day", "Date", "Day (Asia/Shanghai), or last day of the period"),
    ("state", NAME, "; ".join(f"{name}: {text}" for name, text in STATES.items())),
    ("release_seq", "UInt64", "Release that shows the day; 0 for none"),
    ("rows", "UInt64", "Rows of the latest build"),
    ("duplicates", "UInt64", "Landed copies that count no more than once"),
    ("corrected", "UInt64", "Rows that a correction replaced"),
    ("quarantined", "UInt64", "Rows left out for breaking a row rule"),
    ("failed", "Array(String)", "Checks that did not hold"),
    ("decided", MOMENT, "When the gate decided"),
)
_SQL = """
SELECT v.table AS table, v.day AS day,
    multiIf(v.passed = 0, 'failed', p.last > 0 AND p.build_id = '', 'rolled back', p.last = 0, 'unpublished',
        b.complete = 0, 'incomplete', 'published') AS state,
    if(p.build_id = '', 0, p.last) AS release_seq, b.rows AS rows, b.duplicates AS duplicates,
    b.corrected AS corrected, b.quarantined AS quarantined,
    arrayMap(each -> JSONExtractString(each, 'check'), v.findings) AS failed, v.latest AS decided
FROM
(
    SELECT table, day, argMax(passed, decided) AS passed, argMax(findings, decided) AS findings,
        argMax(build_id, decided) AS build_id, max(decided) AS latest
    FROM quality.verdict GROUP BY table, day
) AS v
LEFT JOIN
(
    SELECT table, day, build_id, any(rows) AS rows, any(duplicates) AS duplicates,
        any(corrected) AS corrected, any(quarantined) AS quarantined, any(complete) AS complete
    FROM release.build GROUP BY table, day, build_id
) AS b ON b.table = v.table AND b.day = v.day AND b.build_id = v.build_id
LEFT JOIN
(
    SELECT table, day, max(seq) AS last, argMax(build_id, seq) AS build_id FROM release.pointer GROUP BY table, day
) AS p ON p.table = v.table AND p.day = v.day"""


@dataclass(frozen=True)
class DayStatus:
    """One day of one table as it stands."""

    table: str
    day: date
    state: str
    release_seq: int
    rows: int
    duplicates: int
    corrected: int
    quarantined: int
    failed: tuple[str, ...]
    decided: datetime

    def as_json(self) -> dict[str, Any]:
        """The status as JSON has it."""
        return asdict(self) | {"day": self.day.isoformat(), "decided": self.decided.isoformat()}


def view() -> View:
    """`mart.day_status`."""
    said = "Each day of each table: published, incomplete, failed"
    return View("mart", "day_status", closed(_SQL), columns(_COLUMNS), SERVICE, said)


def statuses(
    warehouse: Warehouse, first: date, last: date, table: str = "", state: str = ""
) -> list[DayStatus]:
    """The days from first to last, newest first; of one table or in one state if wanted."""
    names = ", ".join(name for name, *_ in _COLUMNS)
    rows = warehouse.rows(
        f"SELECT {names} FROM mart.day_status WHERE day BETWEEN {{first:Date}} AND {{last:Date}}"
        " AND {table:String} IN ('', table) AND {state:String} IN ('', state) ORDER BY day DESC, table",
        first=first,
        last=last,
        table=table,
        state=state,
    )
    told: list[tuple[Any, ...]] = [(*row[:8], tuple(row[8]), row[9]) for row in rows]
    return [DayStatus(*row) for row in told]
