"""Digests of all that comes of the fortnight, by rule and by table: what must be the same on every version."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from dagster_project.warehouse import Warehouse
from schemas.settings import Settings
from tests.unchanged.arrivals import Arrived, records
from tests.unchanged.figures import Rows, rows
from tests.unchanged.transitions import by_rule, told, warnings

GOLDEN = Path(__file__).with_name("golden.json")
Digests = dict[str, dict[str, str]]
"""By part and name the number of lines and their SHA-256, as one text."""


def digests(lines: Mapping[str, Sequence[bytes]]) -> dict[str, str]:
    """`<lines> <sha256>` by name."""
    return {
        name: f"{len(each)} {sha256(b''.join(line + bytes([10]) for line in each)).hexdigest()}"
        for name, each in sorted(lines.items())
    }


def input_lines(arrived: Sequence[Arrived]) -> Rows:
    """The records themselves, by feed."""
    found: Rows = {}
    for each in arrived:
        line = f"{each.partition} {each.offset} {each.timestamp} ".encode() + (each.value or b"-")
        found.setdefault(each.feed, []).append(line)
    return found


def everything(settings: Settings, open: Warehouse) -> dict[str, Rows]:
    """The lines of all parts: what was made up, the transitions, the tables of an empty, migrated warehouse."""
    arrived = records()
    said = told(arrived)
    tables = rows(settings, open, [*arrived, *warnings(said)])
    return {"records": input_lines(arrived), "transitions": by_rule(said), "tables": tables}


def load() -> Digests:
    """The digests that hold."""
    held: Digests = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return held
