"""What brings a table that is there to what it should be, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ddl.difference import alterations, difference, wider
from schemas.ddl.live import Live
from schemas.ddl.model import NAME, REPLACING, Column, Engine, Table, View
from schemas.ddl.render import Cluster

THERE = Table(
    "landing",
    "t",
    (Column("a", "Date"), Column("b", "UInt16", "b's"), Column("c", NAME, default="DEFAULT 'x'")),
    order=("a",),
    engine=REPLACING,
    partition="toYYYYMM(a)",
    ttl="a + toIntervalDay(1)",
    settings=(("ttl_only_drop_parts", "1"),),
    comment="t",
)
INTEGERS = st.builds(
    lambda sign, bits: f"{sign}{bits}", st.sampled_from(["Int", "UInt"]), st.sampled_from([8, 16, 32, 64])
)


def there(*tables: Table, **others: str) -> Live:
    return Live(
        {table.full_name: table for table in tables},
        {f"landing.{name}": kind for name, kind in others.items()},
    )


def with_column(table: Table, column: Column) -> Table:
    return replace(
        table, columns=tuple(column if each.name == column.name else each for each in table.columns)
    )


def refused(wanted: Table) -> str:
    found = difference(there(THERE), [wanted])
    assert not found.statements
    (error,) = found.refused
    return str(error)


def test_nothing_where_nothing_differs() -> None:
    found = difference(there(THERE), [THERE])
    assert (found.statements, found.refused, found.strange) == ((), (), ())


@pytest.mark.parametrize(
    ("wanted", "commands"),
    [
        (replace(THERE, comment="it's"), ["MODIFY COMMENT 'it\\'s'"]),
        (replace(THERE, ttl=""), ["REMOVE TTL"]),
        (
            replace(THERE, ttl="a + toIntervalDay(2)"),
            ["MODIFY TTL a + toIntervalDay(2) SETTINGS materialize_ttl_after_modify = 0"],
        ),
        (
            replace(THERE, settings=(("ttl_only_drop_parts", "0"),)),
            ["MODIFY SETTING ttl_only_drop_parts = 0"],
        ),
        (replace(THERE, settings=()), []),
        (with_column(THERE, Column("b", "UInt16")), ["COMMENT COLUMN `b` ''"]),
        (with_column(THERE, Column("b", "UInt64", "b's")), ["MODIFY COLUMN `b` UInt64"]),
        (with_column(THERE, Column("b", "Nullable(UInt32)", "b's")), ["MODIFY COLUMN `b` Nullable(UInt32)"]),
        (with_column(THERE, Column("c", NAME, default="DEFAULT 'y'")), ["MODIFY COLUMN `c` DEFAULT 'y'"]),
        (with_column(THERE, Column("c", NAME)), ["MODIFY COLUMN `c` REMOVE DEFAULT"]),
        (with_column(THERE, Column("c", "String", default="DEFAULT 'x'")), []),
        (
            with_column(THERE, Column("b", "UInt16", "b's", codec="CODEC(ZSTD(3))")),
            ["MODIFY COLUMN `b` CODEC(ZSTD(3))"],
        ),
        (
            replace(THERE, columns=(Column("z", "UInt8"), *THERE.columns, Column("y", "String", "y"))),
            [
                "ADD COLUMN IF NOT EXISTS `z` UInt8 FIRST, "
                "ADD COLUMN IF NOT EXISTS `y` String COMMENT 'y' AFTER `c`"
            ],
        ),
    ],
)
def test_what_is_altered(wanted: Table, commands: list[str]) -> None:
    found = difference(there(THERE), [wanted])
    assert not found.refused
    assert list(found.statements) == [f"ALTER TABLE landing.t {command}" for command in commands]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (replace(THERE, engine=Engine()), "ENGINE: is ReplacingMergeTree in the warehouse, not MergeTree; "),
        (replace(THERE, engine=Engine("ReplacingMergeTree", ("b",))), "not ReplacingMergeTree(b); "),
        (replace(THERE, order=("a", "b")), "ORDER BY: is a in the warehouse, not a, b; "),
        (replace(THERE, partition=""), "PARTITION BY: is toYYYYMM(a) in the warehouse, not none; "),
        (
            with_column(THERE, Column("b", "UInt8", "b's")),
            "column b: is UInt16 in the warehouse, not UInt8, which",
        ),
        (
            with_column(THERE, Column("a", "Date32")),
            "column a: is Date in the warehouse, not Date32, and stands in a key",
        ),
        (
            with_column(THERE, Column("b", "UInt16", "b's", "MATERIALIZED 1")),
            "column b: is given in the warehouse, not MATERIALIZED 1; ",
        ),
    ],
)
def test_what_is_refused_in_one_line_with_what_to_do(wanted: Table, said: str) -> None:
    line = refused(wanted)
    assert line.startswith("warehouse: landing.t: ") and said in line
    assert line.endswith("rename the table, migrate, copy its rows back (docs/operations.md, Migrations)")
    assert "\n" not in line


def test_another_object_of_the_name_is_refused() -> None:
    found = difference(there(t="View"), [THERE], [View("landing", "v", "SELECT 1")])
    assert [str(each) for each in found.refused] == [
        "warehouse: landing.t: is a View, not a table of the platform; rename it"
    ]
    found = difference(there(THERE), [], [View("landing", "t", "SELECT 1")])
    assert "is a table, and the platform's view has this name" in str(found.refused[0])


def test_what_is_somebody_elses_is_left_and_told() -> None:
    more = replace(THERE, columns=(Column("mine", "String"), *THERE.columns))
    gate = {"quality.gate_" + "0" * 32: "View", "landing._tmp_replace_1": "MergeTree"}
    live = Live(there(more, replace(THERE, name="mine")).tables, {"mart.mine": "View", **gate})
    found = difference(live, [THERE])
    assert found.strange == ("landing.mine", "landing.t.mine", "mart.mine")
    assert not found.statements and not found.refused


def test_a_missing_table_is_created_and_all_refusals_come_together() -> None:
    other = replace(THERE, name="other")
    found = difference(there(THERE), [other, replace(THERE, order=("b",), partition="")])
    assert found.statements[0].startswith("CREATE TABLE IF NOT EXISTS landing.other\n")
    assert len(found.refused) == 2


def test_in_a_cluster_the_replicated_table_is_altered_and_of_the_one_over_it_the_columns() -> None:
    wanted = replace(THERE, shard="b", ttl="", columns=(*THERE.columns, Column("d", "String")))
    live = Live({"landing.t_local": THERE}, {"landing.t": "Distributed"})
    found = difference(live, [wanted], cluster=Cluster("main", "/t"))
    assert found.statements == (
        "ALTER TABLE landing.t_local ON CLUSTER 'main' ADD COLUMN IF NOT EXISTS `d` String AFTER `c`",
        "ALTER TABLE landing.t ON CLUSTER 'main' ADD COLUMN IF NOT EXISTS `d` String AFTER `c`",
        "ALTER TABLE landing.t_local ON CLUSTER 'main' REMOVE TTL",
    )
    assert not found.strange


def span(kind: str) -> range:
    """The values of an integer type."""
    bits = int(kind.removeprefix("U").removeprefix("Int"))
    return range(2**bits) if kind.startswith("U") else range(-(2 ** (bits - 1)), 2 ** (bits - 1))


@given(before=INTEGERS, after=INTEGERS, left=st.booleans(), right=st.booleans())
def test_a_wider_type_holds_every_value(before: str, after: str, left: bool, right: bool) -> None:
    old, new = span(before), span(after)
    holds = new.start <= old.start and old.stop <= new.stop and (right or not left)
    named = [f"Nullable({kind})" if nullable else kind for kind, nullable in ((before, left), (after, right))]
    assert wider(*named) == holds


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("Date", "Date32", True),
        ("Date32", "Date", False),
        ("Float32", "Float64", True),
        ("Int32", "Float64", False),
        ("String", "LowCardinality(String)", True),
        ("LowCardinality(Nullable(String))", "String", False),
        ("String", "UInt8", False),
    ],
)
def test_wider_types_by_name(before: str, after: str, expected: bool) -> None:
    assert wider(before, after) is expected


NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1)


@given(before=NAMES, after=NAMES)
def test_altered_by_its_commands_a_table_has_all_wanted_columns(before: list[str], after: list[str]) -> None:
    """Every added column stands after one that is there by then."""
    old = replace(THERE, columns=tuple(Column(name, "UInt8") for name in before), order=(), partition="")
    new = replace(old, columns=tuple(Column(name, "UInt8") for name in after))
    known = set(before)
    for statement in alterations(old, new):
        for command in statement.removeprefix("ALTER TABLE landing.t ").split(", "):
            name, place = command.split("`")[1], command.split(" UInt8 ")[1]
            assert place == "FIRST" or place.split("`")[1] in known
            known.add(name)
    assert known == {*before, *after}
