"""Quality tasks: work for the department whose table did not pass its gate, with evidence rows.

One task a table and day: open while the day fails, resolved when a later build of it passes, closed by hand. A
task is a row for each change; the latest counts.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import msgspec

from dagster_project.gate.evidence import evidence as evidence_of
from dagster_project.warehouse import Warehouse
from quality.gate import Judged
from quality.suites import Suite
from schemas.errors import Misdeclared
from schemas.findings import Finding, decode, encode, words_of

OPEN, RESOLVED, CLOSED = "open", "resolved", "closed"
COLUMNS = (
    *("task", "state", "department", "table", "day", "build_id", "failed", "evidence", "note", "at"),
    "findings",
)
_LATEST = """
SELECT task, argMax(tuple(state, department, table, day, build_id, findings, evidence, note, at), at)
FROM quality.task {which} GROUP BY task"""
_SOME = "WHERE task IN {tasks:Array(String)}"


@dataclass(frozen=True)
class Task:
    """One task as it stands now; `evidence` are places in the log or regions, with what they broke."""

    task: str
    state: str
    department: str
    table: str
    day: date
    build_id: str
    findings: tuple[Finding, ...]
    evidence: tuple[dict[str, Any], ...]
    note: str
    at: datetime

    @property
    def failed(self) -> tuple[str, ...]:
        """What did not hold, in English words, as the column `failed` has them."""
        return tuple(map(words_of, self.findings))

    @property
    def row(self) -> tuple[object, ...]:
        """The row of `quality.task`, in the order of COLUMNS."""
        shown = [json.dumps(item, ensure_ascii=False) for item in self.evidence]
        return (
            *(self.task, self.state, self.department, self.table, self.day, self.build_id),
            *(list(self.failed), shown, self.note, self.at, list(map(encode, self.findings))),
        )

    def as_json(self) -> dict[str, Any]:
        """The task as JSON has it."""
        plain = {"failed": self.failed, "day": self.day.isoformat(), "at": self.at.isoformat()}
        return asdict(self) | plain | {"findings": [msgspec.to_builtins(item) for item in self.findings]}


def task_id(table: str, day: date) -> str:
    """What people call the task of a day of a table."""
    return f"{table}/{day}"


def tasks(warehouse: Warehouse) -> list[Task]:
    """Every task as it stands, the latest days first."""
    return _tasks(warehouse.rows(_LATEST.replace("{which}", "")))


def named(warehouse: Warehouse, names: Collection[str]) -> list[Task]:
    """Those of these names as they stand."""
    if not names:
        return []
    return _tasks(warehouse.rows(_LATEST.replace("{which}", _SOME), tasks=sorted(names)))


def _tasks(rows: Iterable[tuple[Any, ...]]) -> list[Task]:
    found = []
    for task, (*plain, findings, evidence, note, at) in rows:
        shown = tuple(json.loads(item) for item in evidence)
        told: tuple[Any, ...] = (*plain, tuple(map(decode, findings)), shown, note, at)
        found.append(Task(task, *told))
    return sorted(found, key=lambda item: (item.day, item.table), reverse=True)


def update_tasks(
    warehouse: Warehouse, department: str, suite: Suite, judged: Judged, now: datetime
) -> list[Task]:
    """Open a task for each day that failed, resolve those of days that passed; what changed."""
    names = {task_id(verdict.table, verdict.day) for verdict in judged.verdicts if verdict.passed}
    standing = {item.task: item for item in named(warehouse, names) if item.state == OPEN}
    changed = []
    for verdict in judged.verdicts:
        name = task_id(verdict.table, verdict.day)
        if not verdict.passed:
            proof = evidence_of(warehouse, suite, verdict)
            changed.append(
                Task(
                    *(name, OPEN, department, verdict.table, verdict.day, verdict.build_id),
                    *(verdict.findings, proof, "", now),
                )
            )
        elif name in standing:
            old = standing[name]
            note = f"build {verdict.build_id} passed"
            changed.append(Task(**vars(old) | {"state": RESOLVED, "note": note, "at": now}))
    warehouse.insert("quality.task", COLUMNS, [item.row for item in changed])
    return changed


def close(warehouse: Warehouse, name: str, note: str, now: datetime) -> Task:
    """Close a task by hand; Misdeclared where there is none of this name."""
    for item in named(warehouse, [name]):
        closed = Task(**vars(item) | {"state": CLOSED, "note": note, "at": now})
        warehouse.insert("quality.task", COLUMNS, [closed.row])
        return closed
    raise Misdeclared("quality", name, "no such task; see liaowang quality tasks")
