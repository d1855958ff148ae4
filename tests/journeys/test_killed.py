"""Killing any worker, the warehouse or the broker with -9 in the middle changes nothing of what comes out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.stack import CONTRACTS, FEEDS, Stack, different, eventually, fresh_stack, generated

DAYS, SEED = 7, 5
TIMELINE = "killed"
SECONDS = 90
"""How long the feeds are sent in the run that is disturbed."""
KILLED = ("kafka", "land", "watch", "push", "gateway", "ticker", "watch", "land", "kafka", "warehouse")
OWN = "build_id", "log_epoch", "offset", "arrived", "release_seq"
"""Columns that may differ: places in the log (live ticks stand between the events), wall times, builds."""
EVIDENCE = "JSONExtractInt(evidence, 'watermark')"
"""What of a warning's evidence does not name a place in the log."""

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Outcome:
    """What came out of a run: tables by name, pushes by key, and the copies of events that the log holds."""

    tables: dict[str, Rows]
    pushes: dict[str, Any]
    copies: int


@pytest.mark.journey
@pytest.mark.timeout(1500)
def test_kills_in_the_middle_change_nothing(stack: Stack, tmp_path: Path) -> None:
    generated(stack, tmp_path, DAYS, SEED)
    lines = sum(len((tmp_path / f"{feed}.jsonl").read_bytes().splitlines()) for feed in FEEDS)
    assert lines > 60_000
    disturbed = _run(stack, tmp_path, lambda: _send_and_kill(stack, tmp_path, lines))
    with fresh_stack() as calm:
        undisturbed = _run(calm, tmp_path, lambda: _send(calm, tmp_path))
    differences = {
        name: words
        for name, rows in undisturbed.tables.items()
        if (words := different(rows, disturbed.tables[name]))
    }
    assert not differences, differences
    assert disturbed.tables.keys() == undisturbed.tables.keys()
    assert disturbed.pushes == undisturbed.pushes and undisturbed.pushes
    assert disturbed.copies >= undisturbed.copies


def _run(stack: Stack, folder: Path, send: Callable[[], None]) -> Outcome:
    """Everything from `up` to `down`."""
    stack.liaowang("up")
    send()
    stack.well(killed=KILLED)
    stack.settle()
    stack.liaowang("ledger", "check", "--wait", "60")
    stack.liaowang("build", "--pending", seconds=600)
    found = _outcome(stack)
    stack.liaowang("down")
    return found


UNLIKE = (
    "release", "current_release", "provenance", "provenance_input", "day_status",
    "rule_quality", "reviewed_warning",
)  # fmt: skip
"""Marts that tell of builds and offsets, and those of reviews, which no build makes.

What the duty service writes carries the time it did so, too.
"""


def _send(stack: Stack, folder: Path) -> None:
    for feed in FEEDS:
        stack.liaowang(*_sending(folder, feed))


def _send_and_kill(stack: Stack, folder: Path, lines: int) -> None:
    """Send all feeds side by side, at a speed at which there is time to kill one service after the other."""
    speed = DAYS * 24 * 3600 / SECONDS
    with ExitStack() as at_end:
        sendings = [stack.begin(at_end, *_sending(folder, feed), "--speed", speed) for feed in FEEDS]
        eventually(lambda: _landed(stack) > lines // 50, "the first events to be landed")
        for name in KILLED:
            assert all(sending.poll() is None for sending in sendings), f"{name}: all was sent before"
            assert 0 < _landed(stack) < lines * 0.95, f"{name}: all was landed before"
            stack.kill(name)
            time.sleep(2)
        eventually(lambda: all(sending.poll() is not None for sending in sendings), "the end of sending", 300)
        assert [sending.returncode for sending in sendings] == [0] * len(sendings)


def _sending(folder: Path, feed: str) -> tuple[object, ...]:
    return "send", feed, folder / f"{feed}.jsonl", "--order", "file", "--timeline", TIMELINE, "--live"


def _landed(stack: Stack) -> int:
    """How many events are landed so far."""
    tables = " UNION ALL ".join(
        f"SELECT count() AS n FROM landing.{CONTRACTS[feed].table} FINAL" for feed in FEEDS
    )
    return int(stack.rows(f"SELECT sum(n) FROM ({tables})")[0][0])


def _outcome(stack: Stack) -> Outcome:
    tables = {}
    copies = 0
    for contract in CONTRACTS.values():
        if contract.feed == "duty.disposition":
            continue
        name = f"landing.{contract.table}"
        tables[name] = _first_copies(stack, contract.table)
        copies += stack.rows(f"SELECT count() - uniqExact(source, id) FROM {name} FINAL")[0][0]
    tables["landing.rejected"] = stack.rows(
        "SELECT DISTINCT feed, topic, partition, timeline, field, rule, value, id, source, raw"
        " FROM landing.rejected FINAL ORDER BY ALL"
    )
    tables["landing.tick"] = stack.rows(
        "SELECT DISTINCT topic, partition, timeline, clock, final FROM landing.tick FINAL"
        " WHERE timeline != '' ORDER BY ALL"
    )
    for (mart,) in stack.rows(
        "SELECT name FROM system.tables WHERE database = 'mart' AND name NOT LIKE '%_at'"
    ):
        if mart not in UNLIKE and (mart == "duty_warning" or not mart.startswith("duty_")):
            columns = _columns(stack, "mart", mart)
            ours = " WHERE indicator NOT LIKE 'duty.%'" if "`indicator`" in columns else ""
            tables[f"mart.{mart}"] = stack.rows(f"SELECT {columns} FROM mart.{mart}{ours} ORDER BY ALL")
    tables["quality.verdict"] = stack.rows(
        "SELECT table, day, argMax(passed, decided), argMax(rows, decided) FROM quality.verdict"
        " WHERE table = 'duty_warning' OR table NOT LIKE 'duty_%' GROUP BY table, day ORDER BY ALL"
    )
    assert all(tables.values()), [name for name, rows in tables.items() if not rows]
    pushes = {each["key"]: json.dumps(each["push"], sort_keys=True) for each in stack.received()}
    return Outcome({name: _plain(rows) for name, rows in tables.items()}, pushes, copies)


def _first_copies(stack: Stack, table: str) -> Rows:
    """The first copy of every event: a lost acknowledgement of the broker means records twice in the log."""
    return stack.rows(
        f"SELECT {_columns(stack, 'landing', table)} FROM"
        f" (SELECT * FROM landing.{table} FINAL ORDER BY partition, offset LIMIT 1 BY source, id) ORDER BY ALL"
    )


def _columns(stack: Stack, database: str, table: str) -> str:
    """The columns that a run decides. When warnings of several feeds meet on their topic, none is late."""
    found = stack.rows(
        f"SELECT name FROM system.columns WHERE database = '{database}' AND table = '{table}' ORDER BY position"
    )
    own = (*OWN, "evidence", "late", "raw") if table == "duty_warning" else OWN
    names = [f"`{name}`" for (name,) in found if name not in own]
    return ", ".join([*names, EVIDENCE] if table == "duty_warning" else names)


def _plain(rows: Rows) -> Rows:
    """Rows of values that can be hashed."""
    return [tuple(tuple(cell) if isinstance(cell, list) else cell for cell in row) for row in rows]
