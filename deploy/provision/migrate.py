"""Bring the warehouse to its declared form: migrations once each, derived tables where they differ from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clickhouse_driver import Client
from clickhouse_driver.errors import NetworkError, ServerException, SocketTimeoutError

from dagster_project.mart.tables import statements
from deploy.provision.derived import FORMS, KEPT, to_keep, to_run
from deploy.provision.derived import RECORD as DERIVED
from schemas.contract import Contract, load_contracts
from schemas.errors import Misdeclared, Unavailable
from schemas.in_use import FILES, Roots
from schemas.migrations import Migration, read_migrations
from schemas.settings import PREFIX, Settings
from schemas.tables import contract_statements, field_columns, shared_retention

RECORD = (
    "CREATE DATABASE IF NOT EXISTS landing",
    DERIVED,
    "CREATE TABLE IF NOT EXISTS landing.migration (number UInt32, name String, digest String,"
    " applied DateTime64(3, 'Asia/Shanghai') DEFAULT now64(3)) ENGINE = MergeTree ORDER BY number",
)
OWN_TABLES = "SELECT name FROM system.tables WHERE database = 'built' AND engine = 'MergeTree'"
COLUMNS = "SELECT table, name, type FROM system.columns WHERE database = 'landing'"
REFUSALS = (192, 193, 516)
"""Unknown user, wrong password, authentication failed."""


@dataclass(frozen=True)
class Migrated:
    """What a run did: the migrations it applied, and how many statements of derived tables it ran."""

    applied: tuple[str, ...]
    derived: int


def migrate(settings: Settings, roots: Roots = FILES) -> Migrated:
    """Apply what is missing as `admin`; safe to run twice. Unavailable while the warehouse is away.

    `roots` are the folders of declarations that the derived tables follow.
    """
    client = Client(**settings.warehouse("admin"))
    try:
        tables = client.execute(OWN_TABLES)
        figures = statements([name for (name,) in tables], roots)
        return run(client, read_migrations(), load_contracts(roots.feeds), figures)
    except (NetworkError, SocketTimeoutError, EOFError) as error:
        raise Unavailable(
            f"the warehouse does not answer on port {settings.warehouse_port}; "
            f"start it (liaowang up) or set {PREFIX}WAREHOUSE_PORT"
        ) from error
    except ServerException as error:
        if error.code not in REFUSALS:
            raise
        raise Misdeclared(
            "settings",
            f"{PREFIX}ADMIN_PASSWORD",
            "the warehouse does not know it; it was started with another",
        ) from error
    finally:
        client.disconnect()


def run(
    client: Client,
    migrations: Sequence[Migration],
    contracts: Mapping[str, Contract],
    indicators: Iterable[str] = (),
) -> Migrated:
    """Apply these declarations through this client."""
    for statement in RECORD:
        client.execute(statement)
    recorded = dict(client.execute("SELECT number, digest FROM landing.migration"))
    applied = tuple(_apply(client, migration) for migration in missing(migrations, recorded))
    demand_types(contracts.values(), client.execute(COLUMNS))
    derived = [text for contract in contracts.values() for text in contract_statements(contract)]
    if contracts:
        derived.extend(shared_retention(contracts.values()))
    derived.extend(indicators)
    return Migrated(applied, _derive(client, derived))


def _derive(client: Client, statements: Sequence[str]) -> int:
    """Run those whose tables or views are not what they make; how many."""
    made = {name: (digest, form) for name, digest, form in client.execute(KEPT)}
    due = to_run(statements, made, dict(client.execute(FORMS)))
    for statement in due:
        _execute(client, statement, "derived tables")
    if due:
        kept = to_keep(statements, made, dict(client.execute(FORMS)))
        client.execute("INSERT INTO landing.derived (name, statements, form) VALUES", kept)
    return len(due)


def demand_types(contracts: Iterable[Contract], columns: Iterable[tuple[str, str, str]]) -> None:
    """Misdeclared where a field is of another type than its column (table, name, type) in the warehouse.

    The warehouse would keep its column without a word, and refuse the rows that come for it.
    """
    known = {(table, name): _bare(kind) for table, name, kind in columns}
    for contract in contracts:
        for name, kind in field_columns(contract):
            held = known.get((contract.table, name), _bare(kind))
            if held != _bare(kind):
                raise Misdeclared(
                    str(contract.path),
                    f"schema[0].properties.{name}",
                    f"is {held} in the warehouse, not {_bare(kind)}; another type needs a new major version",
                )


def _bare(kind: str) -> str:
    """A type without how its texts are packed, which may differ."""
    return re.sub(r"LowCardinality\((.*)\)", r"\1", kind)


def missing(migrations: Sequence[Migration], recorded: Mapping[int, str]) -> list[Migration]:
    """The migrations still to apply; Misdeclared where what was applied is not what the files say."""
    for migration in migrations:
        if recorded.get(migration.number, migration.digest) != migration.digest:
            raise Misdeclared(
                f"schemas/migrations/{migration.number:04d}_{migration.name}.sql",
                "file",
                "was edited after it was applied; put it back and write a new migration",
            )
    ahead = set(recorded) - {migration.number for migration in migrations}
    if ahead:
        raise Misdeclared(
            "schemas/migrations",
            f"{max(ahead):04d}",
            "was applied to this warehouse and is not here: this code is older than the warehouse",
        )
    return [migration for migration in migrations if migration.number not in recorded]


def _apply(client: Client, migration: Migration) -> str:
    where = f"{migration.number:04d}_{migration.name}"
    for statement in migration.statements:
        _execute(client, statement, where)
    row = (migration.number, migration.name, migration.digest)
    client.execute("INSERT INTO landing.migration (number, name, digest) VALUES", [row])
    return where


def _execute(client: Client, statement: str, where: str) -> None:
    try:
        client.execute(statement)
    except ServerException as error:
        reason = error.message.split("Stack trace")[0].strip()
        raise Misdeclared(where, statement.split("(")[0].strip()[:80], reason) from error
