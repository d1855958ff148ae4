"""What brings a table that is there to what the model says, and what cannot be brought so. Pure.

Done by ALTER: new columns, comments, defaults, codecs, wider types, retention, settings. Refused: another engine
or key, a type that is not wider, another expression of a materialized column, for the rows that are there would
keep the old one. Left alone: columns of somebody else, and how texts are packed (LowCardinality).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from schemas.ddl.live import Live
from schemas.ddl.model import GATE_VIEW, Column, Table, View
from schemas.ddl.render import Cluster, alter, column, create, engine_text, literal, physical
from schemas.errors import Misdeclared

WAREHOUSE = "warehouse"
REMEDY = (
    "ALTER cannot change that: rename the table, migrate, copy its rows back (docs/operations.md, Migrations)"
)
KEEP_FILES = " SETTINGS materialize_ttl_after_modify = 0"
"""What has expired goes at the next merge, not by rewriting all files now."""
_NUMBER = re.compile(r"(U?Int|Float)(\d+)")
_WORD = re.compile(r"\w+")
_PASSING = re.compile(rf"quality\.{GATE_VIEW}[0-9a-f]{{32}}$|\w+\._tmp_")
"""What stands only while a gate checks, or the server replaces a table."""


@dataclass(frozen=True)
class Difference:
    """`statements` bring the tables to the model, in order; each may run again. `refused` says why they may not.

    `strange` are columns, tables and views that the model does not know.
    """

    statements: tuple[str, ...] = ()
    refused: tuple[Misdeclared, ...] = ()
    strange: tuple[str, ...] = ()


def difference(
    live: Live, tables: Sequence[Table], views: Iterable[View] = (), cluster: Cluster | None = None
) -> Difference:
    """Between what is there and these tables and views; views are put in place by themselves."""
    statements: list[str] = []
    refused: list[Misdeclared] = []
    strange: list[str] = []
    for table in tables:
        is_there = live.tables.get(physical(table, cluster))
        if other := live.others.get(physical(table, cluster)):
            refused.append(_wrong(table.full_name, f"is a {other}, not a table of the platform; rename it"))
        elif is_there is None:
            statements += create(table, cluster)
        elif problems := list(refusals(is_there, table)):
            refused += [_wrong(table.full_name, problem) for problem in problems]
        else:
            statements += alterations(is_there, table, cluster)
            more = (item.name for item in is_there.columns if not table.column(item.name))
            strange += [f"{table.full_name}.{name}" for name in more]
    known = {physical(table, cluster) for table in tables} | {table.full_name for table in tables}
    for view in views:
        known.add(view.full_name)
        if view.full_name in live.tables:
            refused.append(
                _wrong(view.full_name, "is a table, and the platform's view has this name; rename it")
            )
    strange += [
        name for name in (*live.tables, *live.others) if name not in known and not _PASSING.match(name)
    ]
    return Difference(tuple(statements), tuple(refused), tuple(sorted(strange)))


def refusals(is_there: Table, wanted: Table) -> Iterator[str]:
    """What ALTER cannot do: each in words, with what to do."""
    pairs = (
        ("ENGINE", engine_text(is_there.engine), engine_text(wanted.engine)),
        ("PARTITION BY", is_there.partition, wanted.partition),
        ("ORDER BY", ", ".join(is_there.order), ", ".join(wanted.order)),
    )
    for word, before, after in pairs:
        if before != after:
            yield f"{word}: is {before or 'none'} in the warehouse, not {after or 'none'}; {REMEDY}"
    keys = set(_WORD.findall(" ".join((wanted.partition, *wanted.order, *wanted.engine.arguments))))
    for item in wanted.columns:
        if old := is_there.column(item.name):
            yield from _column_refusals(old, item, key=item.name in keys)


def alterations(is_there: Table, wanted: Table, cluster: Cluster | None = None) -> list[str]:
    """The statements by which a table that may be altered becomes what is wanted."""
    commands = list(_columns(is_there, wanted))
    statements = alter(wanted, commands, cluster) if commands else []
    held = dict(is_there.settings)
    settings = [f"{name} = {value}" for name, value in wanted.settings if held.get(name) != value]
    if settings:
        statements += alter(wanted, [f"MODIFY SETTING {', '.join(settings)}"], cluster)
    if is_there.ttl != wanted.ttl:
        change = f"MODIFY TTL {wanted.ttl}{KEEP_FILES}" if wanted.ttl else "REMOVE TTL"
        statements += alter(wanted, [change], cluster)
    if is_there.comment != wanted.comment:
        statements += alter(wanted, [f"MODIFY COMMENT {literal(wanted.comment)}"], cluster)
    return statements


def bare(kind: str) -> str:
    """A type without how its texts are packed."""
    return re.sub(r"LowCardinality\((.*)\)", r"\1", kind)


def wider(before: str, after: str) -> bool:
    """Whether every value of one type is a value of the other, as it stands."""
    before, after = bare(before), bare(after)
    if inner := re.fullmatch(r"Nullable\((.*)\)", after):
        before = re.sub(r"Nullable\((.*)\)", r"\1", before)
        after = inner[1]
    old, new = _NUMBER.fullmatch(before), _NUMBER.fullmatch(after)
    if before == after or (before, after) == ("Date", "Date32"):
        return True
    if old is None or new is None:
        return False
    grown = int(new[2]) > int(old[2])
    return grown and (old[1] == new[1] or (old[1], new[1]) == ("UInt", "Int"))


def _column_refusals(old: Column, item: Column, *, key: bool) -> Iterator[str]:
    if bare(old.type) != bare(item.type):
        said = f"column {item.name}: is {old.type} in the warehouse, not {item.type}"
        if key:
            yield f"{said}, and stands in a key; {REMEDY}"
        elif not wider(old.type, item.type):
            yield f"{said}, which does not hold all its values; {REMEDY}"
    if old.default != item.default and "MATERIALIZED" in f"{old.default} {item.default}":
        before, after = old.default or "given", item.default or "given"
        yield f"column {item.name}: is {before} in the warehouse, not {after}; {REMEDY}"


def _columns(is_there: Table, wanted: Table) -> Iterator[str]:
    before = ""
    for item in wanted.columns:
        old = is_there.column(item.name)
        if old is None:
            yield f"ADD COLUMN IF NOT EXISTS {column(item)} {f'AFTER `{before}`' if before else 'FIRST'}"
        else:
            yield from _changed(old, item)
        before = item.name


def _changed(old: Column, new: Column) -> Iterator[str]:
    name = f"MODIFY COLUMN `{new.name}`"
    if bare(old.type) != bare(new.type):
        yield f"{name} {new.type}"
    if old.default != new.default:
        yield f"{name} {new.default}" if new.default else f"{name} REMOVE {old.default.split(' ')[0]}"
    if old.codec != new.codec:
        yield f"{name} {new.codec}" if new.codec else f"{name} REMOVE CODEC"
    if old.comment != new.comment:
        yield f"COMMENT COLUMN `{new.name}` {literal(new.comment)}"


def _wrong(table: str, problem: str) -> Misdeclared:
    return Misdeclared(WAREHOUSE, table, problem)
