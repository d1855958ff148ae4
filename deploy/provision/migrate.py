"""Bring the warehouse to its declared form: migrations once each, tables and views where they differ from it.

What a table should be, the model says (`schemas.ddl`). All that cannot be done is told before anything is, and
every statement may run again, so a run that was killed is finished by the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clickhouse_driver import Client
from clickhouse_driver.errors import NetworkError, ServerException, SocketTimeoutError

from dagster_project.mart.tables import Marts, marts
from deploy.provision.derived import FORMS, KEPT, to_keep, to_run
from schemas.contract import Contract, load_contracts
from schemas.ddl.difference import bare, difference
from schemas.ddl.live import COLUMNS, TABLES, Live, read
from schemas.ddl.platform import DERIVED, MIGRATION, platform_tables
from schemas.ddl.render import cluster_of, create, database, replace_by, view
from schemas.errors import Misdeclared, Unavailable, together
from schemas.in_use import FILES, Roots
from schemas.migrations import Migration, read_migrations
from schemas.settings import PREFIX, Settings
from schemas.tables import feed_tables, field_columns

RECORD = (database("landing"), *create(DERIVED), *create(MIGRATION))
NO_MARTS = Marts()
REFUSALS = (192, 193, 516)
"""Unknown user, wrong password, authentication failed."""


@dataclass(frozen=True)
class Migrated:
    """What a run did: the migrations it applied, and how many statements of tables and views it ran.

    `strange` are columns, tables and views that no declaration has; they are left as they are.
    """

    applied: tuple[str, ...]
    derived: int
    strange: tuple[str, ...] = ()

    def told(self) -> list[str]:
        """What a person should know of it beside that it is done."""
        if not self.strange:
            return []
        return [f"warehouse: of no declaration, left as they are: {', '.join(self.strange)}"]


def migrate(settings: Settings, roots: Roots = FILES) -> Migrated:
    """Apply what is missing as `admin`; safe to run twice. Unavailable while the warehouse is away.

    `roots` are the folders of declarations that the derived tables follow.
    """
    if cluster_of(settings):
        raise Misdeclared(
            "settings", f"{PREFIX}WAREHOUSE_CLUSTER", "the warehouse of a home is one node; leave it out"
        )
    client = Client(**settings.warehouse("admin"))
    try:
        return run(client, read_migrations(), load_contracts(roots.feeds), marts(roots))
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
    of_marts: Marts = NO_MARTS,
) -> Migrated:
    """Apply these declarations through this client."""
    for statement in RECORD:
        client.execute(statement)
    recorded = dict(client.execute("SELECT number, digest FROM landing.migration"))
    applied = tuple(_apply(client, migration) for migration in missing(migrations, recorded))
    live = read_live(client)
    require_types(contracts.values(), live)
    tables = [*platform_tables(contracts.values()), *feed_tables(contracts.values()), *of_marts.tables]
    loaded = {table.full_name for table, _ in of_marts.loads}
    own = {name: moves for name, moves in of_marts.moves.items() if name in live.tables}
    found = difference(_without(live, {*loaded, *own}), tables, of_marts.views)
    if found.refused:
        raise together(found.refused)
    statements = [*found.statements, *(text for moves in own.values() for text in moves)]
    for statement in statements:
        _execute(client, statement, "tables")
    return Migrated(applied, len(statements) + _derive(client, making(of_marts)), found.strange)


def read_live(client: Client) -> Live:
    """The tables there are."""
    return read(client.execute(TABLES), client.execute(COLUMNS))


def making(of_marts: Marts) -> dict[str, list[str]]:
    """The statements that make each loaded table and view, by its full name."""
    loads = {table.full_name: replace_by(table, query) for table, query in of_marts.loads}
    return {**loads, **{each.full_name: [view(each)] for each in of_marts.views}}


def _without(live: Live, names: set[str]) -> Live:
    """What is there but these, which are not compared."""
    return Live({name: table for name, table in live.tables.items() if name not in names}, live.others)


def _derive(client: Client, making: Mapping[str, Sequence[str]]) -> int:
    """Make those again that are not what they should be; how many statements that took."""
    made = {name: (digest, form) for name, digest, form in client.execute(KEPT)}
    due = to_run(making, made, dict(client.execute(FORMS)))
    for statement in due:
        _execute(client, statement, "views")
    if due:
        kept = to_keep(making, made, dict(client.execute(FORMS)))
        client.execute("INSERT INTO landing.derived (name, statements, form) VALUES", kept)
    return len(due)


def require_types(contracts: Iterable[Contract], live: Live) -> None:
    """Misdeclared where a field is of another type than its column in the warehouse.

    The warehouse would keep its column without a word, and refuse the rows that come for it.
    """
    for contract in contracts:
        table = live.tables.get(f"landing.{contract.table}")
        for name, kind in field_columns(contract):
            column = table.column(name) if table else None
            held = bare(column.type if column else kind)
            if held != bare(kind):
                raise Misdeclared(
                    str(contract.path),
                    f"schema[0].properties.{name}",
                    f"is {held} in the warehouse, not {bare(kind)}; another type needs a new major version",
                )


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
