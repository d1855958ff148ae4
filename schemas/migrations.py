"""Migrations of the warehouse: numbered SQL files, applied once each and in order (by `deploy.provision.migrate`).

What a contract declares is not in them: those tables are derived (`schemas.tables`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from schemas.errors import Misdeclared

MIGRATIONS = Path(__file__).parent / "migrations"
_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_END = re.compile(r";[ \t]*(?:\n|$)")


@dataclass(frozen=True)
class Migration:
    """One migration: its number and name, and its statements in order. `digest` tells an edited file."""

    number: int
    name: str
    statements: tuple[str, ...]
    digest: str


def read_migrations(root: Path = MIGRATIONS) -> list[Migration]:
    """All migrations in order; numbers run from 1 without a gap, or it is Misdeclared."""
    found = [_read(path) for path in sorted(root.glob("*.sql"))]
    for at, migration in enumerate(found, start=1):
        if migration.number != at:
            raise Misdeclared(
                str(root), migration.name, f"must be number {at:04d}: one of each, without a gap"
            )
    return found


def split_statements(text: str) -> tuple[str, ...]:
    """The statements of an SQL text; each ends with a semicolon at the end of a line. Comment lines go."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return tuple(part.strip() for part in _END.split("\n".join(lines)) if part.strip())


def _read(path: Path) -> Migration:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise Misdeclared(str(path), "name", "must be NNNN_<what>.sql, such as 0001_databases.sql")
    text = path.read_text(encoding="utf-8")
    statements = split_statements(text)
    if not statements:
        raise Misdeclared(
            str(path), "statements", "holds none; each ends with a semicolon at the end of a line"
        )
    return Migration(int(match[1]), match[2], statements, sha256(text.encode()).hexdigest())
