"""What the warehouse says its tables are, read into the model. Pure; the two questions are asked by the caller."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.ddl.model import DATABASES, Column, Engine, Table

_OURS = ", ".join(f"'{name}'" for name in DATABASES)
TABLES = (
    "SELECT database, name, engine, engine_full, partition_key, sorting_key, comment FROM system.tables"
    f" WHERE database IN ({_OURS}) AND NOT is_temporary ORDER BY database, name"
)
COLUMNS = (
    "SELECT database, table, name, type, comment, default_kind, default_expression, compression_codec"
    " FROM system.columns WHERE (database, table) IN (SELECT database, name FROM system.tables"
    f" WHERE database IN ({_OURS}) AND engine LIKE '%MergeTree') ORDER BY database, table, position"
)
_CLAUSE = re.compile(r" (PARTITION BY|PRIMARY KEY|ORDER BY|SAMPLE BY|TTL|SETTINGS) ")
_QUOTED = re.compile(r"`(\w+)`")
_ALWAYS_SHOWN = "index_granularity"
TableRow = tuple[str, str, str, str, str, str, str]
ColumnRow = tuple[str, str, str, str, str, str, str, str]


@dataclass(frozen=True)
class Live:
    """What is there: tables of the MergeTree family by full name, and the engines of all other objects."""

    tables: Mapping[str, Table]
    others: Mapping[str, str]


def read(tables: Iterable[TableRow], columns: Iterable[ColumnRow]) -> Live:
    """The answers to TABLES and COLUMNS, as the model has them."""
    of: dict[str, list[Column]] = {}
    for database, table, name, kind, comment, default, expression, codec in columns:
        of.setdefault(f"{database}.{table}", []).append(
            Column(name, kind, comment, f"{default} {_plain(expression)}" if default else "", codec)
        )
    found: dict[str, Table] = {}
    others: dict[str, str] = {}
    for row in tables:
        name = f"{row[0]}.{row[1]}"
        if row[2].endswith("MergeTree"):
            found[name] = _table(row, tuple(of.get(name, ())))
        else:
            others[name] = row[2]
    return Live(found, others)


def _table(row: TableRow, columns: tuple[Column, ...]) -> Table:
    database, name, _, text, partition, order, comment = row
    clauses = _clauses(_plain(text))
    return Table(
        database,
        name,
        columns,
        order=tuple(split(_plain(order))),
        engine=_engine(clauses[""]),
        partition=_plain(partition),
        ttl=clauses.get("TTL", ""),
        settings=_settings(clauses.get("SETTINGS", "")),
        comment=comment,
    )


def _plain(text: str) -> str:
    """An expression without the quotes that the server puts around names which are words of SQL, too."""
    return _QUOTED.sub(r"\1", text)


def _clauses(text: str) -> dict[str, str]:
    """The clauses of `engine_full` by their words; "" is the engine itself."""
    engine, *rest = _CLAUSE.split(text)
    return {"": engine, **dict(zip(rest[::2], rest[1::2], strict=True))}


def _engine(text: str) -> Engine:
    """The engine; of a replicated one what it replicates, without the place that it has in Keeper."""
    family, _, inside = text.partition("(")
    arguments = tuple(split(inside.removesuffix(")")))
    if family.startswith("Replicated"):
        return Engine(family.removeprefix("Replicated"), arguments[2:])
    return Engine(family, arguments)


def _settings(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (item.partition(" = ") for item in split(text))
    return tuple((name, value) for name, _, value in pairs if name != _ALWAYS_SHOWN)


def split(text: str) -> list[str]:
    """The parts of a list, at the commas that stand in no brackets and no quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, sign in enumerate(text):
        if sign == "'" and text[at - 1 : at] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += (sign in "([") - (sign in ")]")
            if sign == "," and not depth:
                parts.append(text[start:at].strip())
                start = at + 1
    return [*parts, text[start:].strip()] if text.strip() else []
