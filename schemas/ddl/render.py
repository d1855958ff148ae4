"""The statements that make the model's tables and views: on one node, or on every node of a cluster. Pure.

On one node a table is itself. In a cluster it is a replicated table on every node; one with a `shard` is called
`<table>_local` there, and a Distributed table of its own name stands over it, which readers and writers use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.ddl.model import Column, Engine, Table, View
from schemas.errors import Misdeclared
from schemas.settings import PREFIX, Settings

LOCAL = "_local"


@dataclass(frozen=True)
class Cluster:
    """A cluster of ClickHouse: its name, and where in Keeper its tables stand. Every node has these two macros."""

    name: str
    path: str
    shard: str = "{shard}"
    replica: str = "{replica}"


def cluster_of(settings: Settings) -> Cluster | None:
    """The cluster that the settings name; None for one node."""
    if not settings.warehouse_cluster:
        return None
    path = settings.warehouse_cluster_path.rstrip("/")
    if not path.startswith("/"):
        raise Misdeclared("settings", f"{PREFIX}WAREHOUSE_CLUSTER_PATH", "must begin with a slash")
    return Cluster(settings.warehouse_cluster, path)


def literal(text: str) -> str:
    """A text as SQL has it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def database(name: str, cluster: Cluster | None = None) -> str:
    """Create a database."""
    return f"CREATE DATABASE IF NOT EXISTS {name}{_everywhere(cluster)} ENGINE = Atomic"


def attached_database(uuid: str) -> str:
    """What a server's metadata file says of a database."""
    return f"ATTACH DATABASE _ UUID '{uuid}' ENGINE = Atomic\n"


def create(table: Table, cluster: Cluster | None = None) -> list[str]:
    """Create a table that is not there; safe to run twice."""
    if cluster is None:
        return [f"CREATE TABLE IF NOT EXISTS {table.full_name}\n{_columns(table)}\n{_storage(table)}"]
    local = (
        f"CREATE TABLE IF NOT EXISTS {physical(table, cluster)}{_everywhere(cluster)}\n{_columns(table)}\n"
        f"{_storage(table, _replicated(table, cluster))}"
    )
    if not table.shard:
        return [local]
    engine = Engine(
        "Distributed", (*map(literal, (cluster.name, table.database, table.name + LOCAL)), table.shard)
    )
    over = Table(table.database, table.name, table.columns, engine=engine, comment=table.comment)
    return [
        local,
        f"CREATE TABLE IF NOT EXISTS {table.full_name}{_everywhere(cluster)}\n{_columns(over)}\n{_storage(over)}",
    ]


def replace_by(table: Table, query: str, cluster: Cluster | None = None) -> list[str]:
    """Make a table anew with the rows of a query; on one node as one, its readers see the old or the new."""
    if cluster is None:
        made = f"{table.full_name}\n{_columns(table)}\n{_storage(table)}"
        return [f"CREATE OR REPLACE TABLE {made} AS {query}"]
    names = ", ".join(f"`{column.name}`" for column in table.columns)
    return [
        *create(table, cluster),
        f"TRUNCATE TABLE {physical(table, cluster)}{_everywhere(cluster)}",
        f"INSERT INTO {table.full_name} ({names}) {query}",
    ]


def temporary(name: str, columns: Sequence[Column]) -> str:
    """Create a table of this session, in memory."""
    inner = Table("", name, tuple(columns), engine=Engine("Memory"))
    return f"CREATE TEMPORARY TABLE `{name}`\n{_columns(inner)}\n{_storage(inner)}"


def view(made: View, cluster: Cluster | None = None) -> str:
    """Create a view, or put it in the place of the one that is there."""
    declared = f" ({', '.join(map(column, made.columns))})" if made.columns else ""
    rights = f"DEFINER = {made.definer} SQL SECURITY DEFINER" if made.definer else "SQL SECURITY INVOKER"
    said = f" COMMENT {literal(made.comment)}" if made.comment else ""
    name = f"{made.full_name}{_everywhere(cluster)}"
    return f"CREATE OR REPLACE VIEW {name}{declared} {rights} AS {made.query}{said}"


def alter(table: Table, commands: Sequence[str], cluster: Cluster | None = None) -> list[str]:
    """Alter a table by these commands, which go together; of a Distributed table over it its columns, too."""
    text = f"{_everywhere(cluster)} {', '.join(commands)}"
    statements = [f"ALTER TABLE {physical(table, cluster)}{text}"]
    if cluster is not None and table.shard and all("COLUMN" in command for command in commands):
        statements.append(f"ALTER TABLE {table.full_name}{text}")
    return statements


def physical(table: Table, cluster: Cluster | None = None) -> str:
    """The table that holds the rows."""
    return table.full_name + (LOCAL if cluster is not None and table.shard else "")


def column(item: Column) -> str:
    """A column as CREATE and ALTER declare it."""
    codec = f" {item.codec}" if item.codec else ""
    default = f" {item.default}" if item.default else ""
    said = f" COMMENT {literal(item.comment)}" if item.comment else ""
    return f"`{item.name}` {item.type}{default}{said}{codec}"


def engine_text(engine: Engine) -> str:
    """An engine with its arguments."""
    return engine.family + (f"({', '.join(engine.arguments)})" if engine.arguments else "")


def _columns(table: Table) -> str:
    return "(\n" + ",\n".join(f"    {column(item)}" for item in table.columns) + "\n)"


def _storage(table: Table, engine: Engine | None = None) -> str:
    """The engine and all that follows it."""
    order = table.order[0] if len(table.order) == 1 else f"({', '.join(table.order)})"
    settings = ", ".join(f"{name} = {value}" for name, value in table.settings)
    parts = (
        ("ENGINE = ", engine_text(engine or table.engine)),
        ("PARTITION BY ", table.partition),
        ("ORDER BY ", order if table.order else ""),
        ("TTL ", table.ttl),
        ("SETTINGS ", settings),
        ("COMMENT ", literal(table.comment) if table.comment else ""),
    )
    return " ".join(f"{word}{text}" for word, text in parts if text)


def _replicated(table: Table, cluster: Cluster) -> Engine:
    """Rows of a shard are the same on its replicas; without a shard they are the same on every node."""
    of = cluster.shard if table.shard else "all"
    replica = cluster.replica if table.shard else f"{cluster.shard}-{cluster.replica}"
    place = f"{cluster.path}/{of}/{table.database}/{table.name}"
    family = f"Replicated{table.engine.family}"
    return Engine(family, (literal(place), literal(replica), *table.engine.arguments))


def _everywhere(cluster: Cluster | None) -> str:
    return f" ON CLUSTER {literal(cluster.name)}" if cluster is not None else ""
