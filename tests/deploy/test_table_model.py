"""The model against the real engine: what stands there is what it says, and migrate brings the rest to it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from dagster_project.mart.tables import marts
from deploy.environment import as_environment
from deploy.provision.migrate import migrate, read_live, run
from schemas.contract import load_contracts
from schemas.ddl import live
from schemas.ddl.live import Live, read
from schemas.ddl.model import DATABASES, Column, Table
from schemas.ddl.platform import PLATFORM, REJECTED, TICK, platform_tables
from schemas.ddl.render import Cluster, create, database, replace_by, temporary, view
from schemas.errors import Misdeclared
from schemas.migrations import read_migrations
from schemas.settings import Settings
from schemas.tables import feed_tables

pytestmark = pytest.mark.stack
CONTRACTS = load_contracts()
AIR = CONTRACTS["ecology.air-quality"]
OLD = "old_"
KILLED = """
import os, signal, sys
from dataclasses import replace
from clickhouse_driver import Client
from deploy.environment import settings_from
from deploy.environment import as_environment
from deploy.provision.migrate import migrate
left, execute = int(sys.argv[1]), Client.execute
def counted(self, statement, *rest, **named):
    global left
    if statement.split()[0] in ("CREATE", "ALTER", "INSERT") and "IF NOT EXISTS landing" not in statement:
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
    return execute(self, statement, *rest, **named)
Client.execute = counted
migrate(settings_from(os.environ))
print("done")
"""


@pytest.fixture
def admin(warehouse: Settings) -> Iterator[Client]:
    """A client as admin; afterwards the warehouse is as it was."""
    client = Client(**warehouse.warehouse("admin"))
    yield client
    client.disconnect()
    migrate(warehouse)


def declared() -> list[Table]:
    """Every table that is compared."""
    contracts = CONTRACTS.values()
    return [*platform_tables(contracts), *feed_tables(contracts), *marts().tables]


def test_a_migrated_warehouse_is_what_the_model_says(admin: Client) -> None:
    """To the column, in its order, with type, default, codec and comment; engine, keys, retention, settings."""
    there = read_live(admin)
    assert [there.tables[table.full_name] for table in declared()] == [
        replace(table, shard="") for table in declared()
    ]
    region = marts().loads[0][0]
    assert there.tables[region.full_name] == region


def test_the_migrations_alone_lead_to_the_models_columns_and_keys(admin: Client) -> None:
    """All but comments and what is derived: retention, and a key that is worked out."""
    try:
        for migration in read_migrations():
            for statement in migration.statements:
                admin.execute(re.sub(rf"\b({'|'.join(DATABASES)})(?=\.|$)", rf"{OLD}\1", statement))
        there = read_live_of(admin, OLD)
        for table in (REJECTED, TICK, *PLATFORM):
            if table.name in ("migration", "derived"):
                continue
            of_model = replace(table, columns=tuple(map(silent, table.columns)), comment="")
            if table.name == "pointer":
                of_model = replace(of_model, columns=of_model.columns[:-1])
            assert there.tables[f"{OLD}{table.full_name}"] == replace(
                of_model, database=f"{OLD}{table.database}"
            )
    finally:
        for name in DATABASES:
            admin.execute(f"DROP DATABASE IF EXISTS {OLD}{name}")


def silent(column: Column) -> Column:
    """The column without its comment."""
    return replace(column, comment="")


def read_live_of(client: Client, prefix: str) -> Live:
    """The tables of databases of another name."""
    asked = (re.sub(r"'(\w+)'", rf"'{prefix}\1'", text) for text in (live.TABLES, live.COLUMNS))
    return read(*(client.execute(text) for text in asked))


def test_every_statement_for_a_cluster_is_one_the_engine_reads(admin: Client) -> None:
    cluster, all_marts = Cluster("main", "/clickhouse/tables"), marts()
    statements = [
        *(database(name, cluster) for name in DATABASES),
        *(text for table in declared() for text in create(table, cluster)),
        *(text for table, query in all_marts.loads for text in replace_by(table, query, cluster)),
        *(view(each, cluster) for each in all_marts.views),
        temporary("x", (Column("a", "UInt8"),)),
    ]
    for statement in statements:
        if not statement.startswith("INSERT"):
            assert admin.execute("SELECT formatQuerySingleLine(%(text)s)", {"text": statement})
    assert sum("ON CLUSTER 'main'" in text for text in statements) == len(statements) - 2
    wrong = pytest.raises(ServerException, match="Syntax error")
    with wrong:
        admin.execute("SELECT formatQuerySingleLine('CREATE TABLE t ON CLUSTER (a UInt8) ENGINE = Memory')")


def test_what_differs_is_altered_and_nothing_else(warehouse: Settings, admin: Client) -> None:
    air = f"landing.{AIR.table}"
    uuid = f"SELECT uuid FROM system.tables WHERE database = 'landing' AND name = '{AIR.table}'"
    before = admin.execute(uuid)
    for change in (
        f"ALTER TABLE {air} DROP COLUMN aqi",
        f"ALTER TABLE {air} COMMENT COLUMN pm25 'wrong'",
        f"ALTER TABLE {air} MODIFY COMMENT 'wrong'",
        f"ALTER TABLE {air} MODIFY TTL toDateTime(arrived) + INTERVAL 7000 DAY",
        f"ALTER TABLE {air} MODIFY SETTING ttl_only_drop_parts = 0",
        f"ALTER TABLE {air} MODIFY COLUMN raw REMOVE CODEC",
        "ALTER TABLE landing.rejected REMOVE TTL",
        "ALTER TABLE release.build MODIFY COLUMN complete COMMENT 'wrong'",
        "ALTER TABLE release.manifest MODIFY COLUMN kind REMOVE DEFAULT",
        "ALTER TABLE quality.rule_day MODIFY COLUMN version UInt16",
        "DROP TABLE release.pin",
    ):
        admin.execute(change, settings={"mutations_sync": 2})
    done = migrate(warehouse)
    assert done.derived == 9, "one for the columns of a table, one each for settings, retention and comment"
    there = read_live(admin)
    assert [there.tables[table.full_name] for table in declared() if table.name != AIR.table] == [
        replace(table, shard="") for table in declared() if table.name != AIR.table
    ]
    assert {column.name for column in there.tables[air].columns} >= {"aqi"}
    assert admin.execute(uuid) == before
    assert migrate(warehouse).derived == 0


def test_hand_made_columns_and_tables_are_left_and_told(warehouse: Settings, admin: Client) -> None:
    air = f"landing.{AIR.table}"
    before = migrate(warehouse).strange  # what other tests have left here
    admin.execute(f"ALTER TABLE {air} ADD COLUMN mine UInt8 DEFAULT 7")
    admin.execute("CREATE TABLE built.mine (a UInt8) ENGINE = MergeTree ORDER BY a")
    admin.execute("CREATE VIEW mart.mine AS SELECT 1 AS a")
    try:
        done = migrate(warehouse)
        assert done.derived == 0
        more = sorted((*before, "built.mine", f"{air}.mine", "mart.mine"))
        assert done.told() == [f"warehouse: of no declaration, left as they are: {', '.join(more)}"]
        assert read_live(admin).tables[air].column("mine") == Column("mine", "UInt8", default="DEFAULT 7")
    finally:
        admin.execute(f"ALTER TABLE {air} DROP COLUMN mine")
        admin.execute("DROP TABLE built.mine")
        admin.execute("DROP VIEW mart.mine")


def test_what_cannot_be_altered_is_refused_before_anything_is_done(
    warehouse: Settings, admin: Client
) -> None:
    admin.execute("RENAME TABLE release.pin TO release.pin_before")
    admin.execute(
        "CREATE TABLE release.pin (seq UInt64, pinned UInt8, reason String, at DateTime64(3, 'Asia/Shanghai'))"
        " ENGINE = MergeTree ORDER BY at"
    )
    admin.execute("ALTER TABLE landing.rejected REMOVE TTL")
    try:
        with pytest.raises(Misdeclared) as caught:
            migrate(warehouse)
        (line,) = str(caught.value).splitlines()
        assert line.startswith("warehouse: release.pin: ORDER BY: is at in the warehouse, not seq, at; ")
        assert read_live(admin).tables["landing.rejected"].ttl == "", "nothing was done"
    finally:
        admin.execute("DROP TABLE release.pin")
        admin.execute("RENAME TABLE release.pin_before TO release.pin")


def test_a_hand_made_table_is_not_replaced_by_a_view_of_its_name(warehouse: Settings, admin: Client) -> None:
    admin.execute("DROP VIEW mart.calendar")
    admin.execute("CREATE TABLE mart.calendar (a UInt8) ENGINE = MergeTree ORDER BY a")
    admin.execute("INSERT INTO mart.calendar VALUES", [(1,)])
    try:
        with pytest.raises(
            Misdeclared, match=r"mart\.calendar: is a table, and the platform's view has this name"
        ):
            migrate(warehouse)
        assert admin.execute("SELECT a FROM mart.calendar") == [(1,)]
    finally:
        admin.execute("DROP TABLE mart.calendar")


@pytest.mark.parametrize("after", [0, 1, 3, 5])
def test_killed_in_the_middle_the_next_run_finishes(
    warehouse: Settings, admin: Client, tmp_path: Path, after: int
) -> None:
    for change in (
        f"ALTER TABLE landing.{AIR.table} DROP COLUMN aqi, COMMENT COLUMN pm25 'wrong'",
        f"ALTER TABLE landing.{AIR.table} MODIFY COMMENT 'wrong'",
        "ALTER TABLE landing.tick REMOVE TTL",
        "DROP TABLE release.pin",
        "DROP VIEW mart.calendar",
        "DROP VIEW mart.release",
    ):
        admin.execute(change)
    assert migrating(warehouse, after).returncode == -9
    migrate(warehouse)
    there = read_live(admin)
    wanted = {table.full_name: table for table in declared()}
    assert {
        name: replace(there.tables[name], columns=tuple(sorted_columns(there.tables[name])))
        for name in wanted
    } == {
        name: replace(table, shard="", columns=tuple(sorted_columns(table))) for name, table in wanted.items()
    }
    assert {each.full_name for each in marts().views} <= set(there.others)
    assert migrate(warehouse).derived == 0


def sorted_columns(table: Table) -> Sequence[Column]:
    """A column that was dropped comes back behind the one before it, which may not be where it was."""
    return sorted(table.columns, key=lambda column: column.name)


def migrating(settings: Settings, after: int) -> subprocess.CompletedProcess[bytes]:
    """A run of migrate that is killed before its statement of this number."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(after)],
        env=as_environment(settings),
        cwd=Path(__file__).parents[2],
        check=False,
    )


def test_a_home_of_one_node_has_no_cluster(warehouse: Settings) -> None:
    with pytest.raises(Misdeclared, match="LIAOWANG_WAREHOUSE_CLUSTER: the warehouse of a home is one node"):
        migrate(replace(warehouse, warehouse_cluster="main"))


def test_a_wider_type_keeps_the_rows(admin: Client) -> None:
    grown = replace(AIR, feed="test.widened")
    run(admin, read_migrations(), {grown.feed: grown})
    table = f"built.{grown.table}"
    try:
        admin.execute(f"ALTER TABLE {table} MODIFY COLUMN late UInt8, MODIFY COLUMN aqi Nullable(Int16)")
        admin.execute(f"INSERT INTO {table} (build_id, aqi) VALUES", [("a", 300), ("b", None)])
        run(admin, read_migrations(), {grown.feed: grown})
        assert admin.execute(f"SELECT build_id, aqi, toTypeName(aqi) FROM {table} ORDER BY build_id") == [
            ("a", 300, "Nullable(Int64)"),
            ("b", None, "Nullable(Int64)"),
        ]
    finally:
        for name in ("landing", "built"):
            admin.execute(f"DROP TABLE {name}.{grown.table}")
