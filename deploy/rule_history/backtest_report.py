"""What a back-test found, in words, tables and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.rule_history.days import moment
from streams.watch.declare.rule import Rule
from streams.watch.trial.backtest import (
    EARLIER,
    GONE,
    LATER,
    NEW,
    SAME,
    Episode,
    Load,
    Pair,
    Quality,
    Row,
    as_json,
)

VERDICTS = (SAME, EARLIER, LATER, NEW, GONE)


@dataclass(frozen=True)
class Outcome:
    """What a back-test found: its versions by name, their episodes, and everything counted from them."""

    rule: Rule
    names: tuple[str, ...]
    found: tuple[tuple[Episode, ...], ...]
    pairs: tuple[Pair, ...]
    rows: tuple[Row, ...]
    loads: tuple[Load, ...]
    qualities: tuple[Quality, ...]


def as_plain(outcome: Outcome, records: int, seconds: float) -> dict[str, Any]:
    """All of it as JSON values; `seconds` it took for so many records of the log."""
    old = 1 if len(outcome.found) > 1 else 0
    return {
        "rule": outcome.rule.id,
        "new": outcome.names[0],
        "old": outcome.names[old] if old else None,
        "records": records,
        "seconds": round(seconds, 3),
        "episodes": [
            {"verdict": each.verdict, "old": as_json(each.old) if old else None, "new": as_json(each.new)}
            for each in outcome.pairs
        ],
        "regions": [
            {"region": row.region, "level": row.level, "old": row.old, "new": row.new, **_counts(row)}
            for row in outcome.rows
        ],
        "load": [
            {"version": name, "role": each.role, "pushes": each.pushes, "a_day": round(each.mean, 3)}
            | {"worst": each.worst, "worst_day": each.worst_day, "by_day": dict(each.by_day)}
            for name, each in zip(outcome.names, outcome.loads, strict=True)
        ],
        "quality": [
            {"version": name, "precision": each.precision, "recall": each.recall, "lead_seconds": each.lead}
            | {"true": each.true, "false": each.false, "known_true": each.known_true}
            for name, each in zip(outcome.names, outcome.qualities, strict=False)
        ],
    }


def _counts(row: Row) -> dict[str, int]:
    return {verdict: row.verdicts.get(verdict, 0) for verdict in VERDICTS}


def show(console: Console, outcome: Outcome, records: int, seconds: float) -> None:
    """Print it as tables."""
    compared = len(outcome.found) > 1
    title = f"{outcome.rule.id}: {outcome.names[0]}" + (f" against {outcome.names[1]}" if compared else "")
    table = Table(title=title)
    columns = ("city", "level", *(("old", "new", *VERDICTS) if compared else ("episodes",)))
    for name in columns:
        table.add_column(name, justify="left" if name in ("city", "level") else "right")
    for row in outcome.rows:
        counts = [row.old, row.new, *_counts(row).values()] if compared else [row.new]
        table.add_row(row.region, row.level, *map(str, counts))
    console.print(table)
    for name, each in zip(outcome.names, outcome.loads, strict=True):
        worst = f", at most {each.worst} on {each.worst_day}" if each.worst else ""
        console.print(
            f"{name}: {each.pushes} pushes to {each.role}, {each.mean:.2f} a day{worst}", highlight=False
        )
    for name, judged_ in zip(outcome.names, outcome.qualities, strict=False):
        console.print(f"{name}: {_words(judged_)}", highlight=False)
    if compared:
        _differences(console, outcome.pairs)
    rate = records / seconds if seconds else 0.0
    console.print(f"{records:,} records in {seconds:.1f} s, {rate:,.0f} a second", highlight=False)


def _words(each: Quality) -> str:
    def share(value: float | None) -> str:
        return "unknown" if value is None else f"{value:.0%}"

    lead = "unknown" if each.lead is None else str(timedelta(seconds=round(each.lead)))
    return f"precision {share(each.precision)}, recall {share(each.recall)}, opens earlier by {lead} (median)"


def _differences(console: Console, pairs: Sequence[Pair]) -> None:
    """The episodes that are not the same, the first hundred."""
    different = [each for each in pairs if each.verdict != SAME]
    if not different:
        console.print("no differences")
        return
    table = Table(title=f"{len(different)} differences")
    for name in ("what", "subject", "old opens", "new opens", "level"):
        table.add_column(name)
    for each in different[:100]:
        shown = each.new or each.old
        assert shown is not None
        table.add_row(each.verdict, shown.subject, _moment(each.old), _moment(each.new), shown.peak)
    console.print(table)


def _moment(each: Episode | None) -> str:
    return "" if each is None else moment(each.start).strftime("%Y-%m-%d %H:%M:%S")
