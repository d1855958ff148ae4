"""What a table or view of the warehouse is: values without any SQL statement.

Types, expressions and codecs are written as the server shows them in `system.columns` and `system.tables`, so that
a table that is there can be read into the same model and compared (`schemas.ddl.live`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.fields import TIME_ZONE

DATABASES = ("landing", "built", "quality", "release", "mart")
MOMENT = f"DateTime64(3, '{TIME_ZONE}')"
NAME = "LowCardinality(String)"
SERVICE = "service"
"""The user that builds; what it lets others see, views show with its rights."""
GATE_VIEW = "gate_"
"""So begin the names of views in `quality` that stand only while a gate checks rows."""


@dataclass(frozen=True)
class Column:
    """A column. `default` is how it is filled where an insert leaves it out: `DEFAULT …` or `MATERIALIZED …`."""

    name: str
    type: str
    comment: str = ""
    default: str = ""
    codec: str = ""


@dataclass(frozen=True)
class Engine:
    """A table engine: its family and the arguments of it, such as the column that tells the latest version."""

    family: str = "MergeTree"
    arguments: tuple[str, ...] = ()


MERGE_TREE = Engine()
REPLACING = Engine("ReplacingMergeTree")


@dataclass(frozen=True)
class Table:
    """A table. `order` and `partition` are its keys, `ttl` when a row goes, `settings` those that are not default.

    `shard` is the expression by which a cluster divides its rows among shards; without it each node has them all.
    Rows that replace each other must be of one shard.
    """

    database: str
    name: str
    columns: tuple[Column, ...]
    order: tuple[str, ...] = ()
    engine: Engine = MERGE_TREE
    partition: str = ""
    ttl: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    comment: str = ""
    shard: str = ""

    @property
    def full_name(self) -> str:
        """The table as statements name it."""
        return f"{self.database}.{self.name}"

    def column(self, name: str) -> Column | None:
        """The column of this name, if there is one."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class View:
    """A view. It reads with the rights of `definer`, or with the reader's own where that is empty.

    Without `columns` it has those of its query, and no comments on them.
    """

    database: str
    name: str
    query: str
    columns: tuple[Column, ...] = ()
    definer: str = ""
    comment: str = ""

    @property
    def full_name(self) -> str:
        """The view as statements name it."""
        return f"{self.database}.{self.name}"


def columns(pairs: Iterable[tuple[str, ...]]) -> tuple[Column, ...]:
    """Columns of (name, type) or (name, type, comment)."""
    return tuple(Column(*pair) for pair in pairs)
