"""Statements of the model's tables and views, on one node and in a cluster; no other place has its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas.ddl.live import read, split
from schemas.ddl.model import REPLACING, Column, Engine, Table, View
from schemas.ddl.render import Cluster, cluster_of, create, database, literal, replace_by, temporary, view
from schemas.errors import Misdeclared
from schemas.migrations import MIGRATIONS
from schemas.settings import Settings

ROOT = Path(__file__).parents[3]
CLUSTER = Cluster("main", "/tables")
TABLE = Table(
    "landing",
    "t",
    (
        Column("a", "Date", "it's"),
        Column("raw", "String", codec="CODEC(ZSTD(3))"),
        Column("n", "UInt8", default="DEFAULT 1"),
    ),
    order=("a", "n"),
    engine=Engine("ReplacingMergeTree", ("n",)),
    partition="toYear(a)",
    ttl="a + toIntervalDay(1)",
    settings=(("ttl_only_drop_parts", "1"),),
    comment="t",
    shard="sipHash64(n)",
)
BODY = "(\n    `a` Date COMMENT 'it\\'s',\n    `raw` String CODEC(ZSTD(3)),\n    `n` UInt8 DEFAULT 1\n)"
KEYS = (
    "PARTITION BY toYear(a) ORDER BY (a, n) TTL a + toIntervalDay(1)"
    " SETTINGS ttl_only_drop_parts = 1 COMMENT 't'"
)


def test_on_one_node() -> None:
    assert create(TABLE) == [
        f"CREATE TABLE IF NOT EXISTS landing.t\n{BODY}\nENGINE = ReplacingMergeTree(n) {KEYS}"
    ]
    assert replace_by(TABLE, "SELECT 1") == [
        f"CREATE OR REPLACE TABLE landing.t\n{BODY}\nENGINE = ReplacingMergeTree(n) {KEYS} AS SELECT 1"
    ]
    assert database("landing") == "CREATE DATABASE IF NOT EXISTS landing ENGINE = Atomic"
    assert (
        temporary("x", (Column("a", "UInt8"),))
        == "CREATE TEMPORARY TABLE `x`\n(\n    `a` UInt8\n)\nENGINE = Memory"
    )


def test_in_a_cluster_a_sharded_table_is_replicated_below_a_distributed_one() -> None:
    local, over = create(TABLE, CLUSTER)
    assert local == (
        f"CREATE TABLE IF NOT EXISTS landing.t_local ON CLUSTER 'main'\n{BODY}\n"
        f"ENGINE = ReplicatedReplacingMergeTree('/tables/{{shard}}/landing/t', '{{replica}}', n) {KEYS}"
    )
    assert over == (
        f"CREATE TABLE IF NOT EXISTS landing.t ON CLUSTER 'main'\n{BODY}\n"
        "ENGINE = Distributed('main', 'landing', 't_local', sipHash64(n)) COMMENT 't'"
    )


def test_in_a_cluster_a_table_without_shard_is_the_same_on_every_node() -> None:
    (only,) = create(Table("release", "pin", (Column("seq", "UInt64"),), order=("seq",)), CLUSTER)
    assert only == (
        "CREATE TABLE IF NOT EXISTS release.pin ON CLUSTER 'main'\n(\n    `seq` UInt64\n)\n"
        "ENGINE = ReplicatedMergeTree('/tables/all/release/pin', '{shard}-{replica}') ORDER BY seq"
    )


def test_views() -> None:
    made = View("mart", "v", "SELECT 1 AS a", (Column("a", "UInt8", "one"),), "service", "v")
    body = "(`a` UInt8 COMMENT 'one') DEFINER = service SQL SECURITY DEFINER AS SELECT 1 AS a COMMENT 'v'"
    assert view(made) == f"CREATE OR REPLACE VIEW mart.v {body}"
    assert view(made, CLUSTER) == f"CREATE OR REPLACE VIEW mart.v ON CLUSTER 'main' {body}"
    assert (
        view(View("release", "v", "SELECT 1"))
        == "CREATE OR REPLACE VIEW release.v SQL SECURITY INVOKER AS SELECT 1"
    )


def test_a_cluster_is_what_the_settings_name() -> None:
    assert cluster_of(Settings()) is None
    named = Settings(warehouse_cluster="main", warehouse_cluster_path="/tables/")
    assert cluster_of(named) == CLUSTER
    with pytest.raises(Misdeclared, match="LIAOWANG_WAREHOUSE_CLUSTER_PATH: must begin with a slash"):
        cluster_of(Settings(warehouse_cluster="main", warehouse_cluster_path="tables"))


@pytest.mark.parametrize("text", ["", "it's", "\\", "\\'", "a`b", "两\n行"])
def test_a_text_as_a_literal_ends_where_it_should(text: str) -> None:
    inside = literal(text)[1:-1]
    assert re.sub(r"\\(.)", r"\1", inside, flags=re.DOTALL) == text
    assert not re.search(r"(?<!\\)(?:\\\\)*'", inside)


def test_what_the_server_says_is_read_into_the_model() -> None:
    full = (
        "ReplicatedReplacingMergeTree('/t/{shard}/a, b', '{replica}', n) PARTITION BY toYear(a) ORDER BY (a, n)"
        " TTL a + toIntervalDay(transform(n, ['x, y'], [1], 1))"
        " SETTINGS ttl_only_drop_parts = 1, index_granularity = 8192"
    )
    row = ("landing", "t", "ReplicatedReplacingMergeTree", full, "toYear(a)", "a, `table`, f(n, 1)", "t")
    columns = [("landing", "t", "a", "Date", "", "MATERIALIZED", "f(`table`)", "CODEC(ZSTD(3))")]
    live = read([row, ("mart", "v", "View", "", "", "", "")], columns)  # type: ignore[list-item]
    assert live.others == {"mart.v": "View"}
    assert live.tables["landing.t"] == Table(
        "landing",
        "t",
        (Column("a", "Date", default="MATERIALIZED f(table)", codec="CODEC(ZSTD(3))"),),
        order=("a", "table", "f(n, 1)"),
        engine=Engine("ReplacingMergeTree", ("n",)),
        partition="toYear(a)",
        ttl="a + toIntervalDay(transform(n, ['x, y'], [1], 1))",
        settings=(("ttl_only_drop_parts", "1"),),
        comment="t",
    )
    assert split("") == [] and split("a, (b, c), [d, 'e, f']") == ["a", "(b, c)", "[d, 'e, f']"]
    assert Engine("ReplacingMergeTree") == REPLACING


def test_no_other_place_writes_an_engine() -> None:
    """But for migrations that were applied, which say how a warehouse came to be as it is."""
    engine = re.compile(
        r"\bENGINE\s*=|MergeTree\b\s*(?:\(|PARTITION|ORDER)"
        r"|CREATE\s+(?:OR REPLACE\s+)?(?:TABLE|TEMPORARY TABLE|VIEW) "
    )
    grants = re.compile(r"GRANT [A-Z, ]*CREATE [^\"]*")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for package in ("schemas", "streams", "quality", "dagster_project", "deploy")
        for path in sorted((ROOT / package).rglob("*"))
        if path.suffix in {".py", ".sql", ".xml", ".j2", ".yaml", ".sh"}
        and path.parent not in {ROOT / "schemas" / "ddl", MIGRATIONS}
        for line in path.read_text(encoding="utf-8").splitlines()
        if engine.search(grants.sub("", line))
    ]
    assert found == []
