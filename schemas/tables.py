"""Tables of a feed, derived from its contract: `landing.<table>` (as it came) and `built.<table>` (by build).

Rows come in by column name, so a new field needs no more than a new column. Types: text is String, or
LowCardinality where the contract bounds its values (enum, region); integer Int64, number Float64, date
Date32, timestamp DateTime64(3) in Asia/Shanghai, boolean UInt8; optional fields are Nullable.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from schemas.contract_model import Contract, Field

DATABASES = ("landing", "built", "quality", "release", "mart")
MOMENT = "DateTime64(3, 'Asia/Shanghai')"
NAME = "LowCardinality(String)"

_PLACE = [
    ("event_day", "Date"),
    ("log_epoch", "UInt16"),
    ("partition", "UInt16"),
    ("offset", "UInt64"),
    ("arrived", MOMENT),
    ("timeline", NAME),
    ("late", "UInt8"),
]
_BUILD = ("build_id", "String")
_ENVELOPE = [("source", NAME), ("id", "String"), ("time", MOMENT), ("corrects", "String")]
_RAW = ("raw", "String CODEC(ZSTD(3))")
OF_MARTS = ("day", "corrected", "release_seq")
"""Columns that a feed's mart has beside those of its table."""
OWN_COLUMNS = frozenset((*(name for name, _ in (_BUILD, *_PLACE, *_ENVELOPE, _RAW)), *OF_MARTS))
"""Columns of the platform in the tables and the mart of every feed; no field may have such a name."""
_KINDS = {"string": "String", "integer": "Int64", "number": "Float64", "date": "Date32"}
_KINDS |= {"timestamp": MOMENT, "boolean": "UInt8"}


def column_type(contract: Contract, field: Field) -> str:
    """The ClickHouse type of one field."""
    kind = _KINDS[field.kind]
    if field.pseudonymised:
        return kind if field.required else f"Nullable({kind})"
    if not field.required:
        kind = f"Nullable({kind})"
    return f"LowCardinality({kind})" if field.enum or field.name == contract.region_field else kind


def field_columns(contract: Contract) -> list[tuple[str, str]]:
    """Name and type of the contract's own columns, in its order."""
    return [(field.name, column_type(contract, field)) for field in contract.fields]


def landing_columns(contract: Contract) -> list[tuple[str, str]]:
    """Name and type of the columns of `landing.<table>`, in order."""
    return [*_PLACE, *_ENVELOPE, *field_columns(contract), _RAW]


def built_columns(contract: Contract) -> list[tuple[str, str]]:
    """Name and type of the columns of `built.<table>`, in order: the landing columns but the raw bytes."""
    return [_BUILD, *_PLACE, *_ENVELOPE, *field_columns(contract)]


def landing_ddl(contract: Contract) -> str:
    """Create `landing.<table>`; a row written again after a crash replaces itself.

    Partitioned by month of arrival, ordered by event day first: a day's rows lie together.
    """
    return _create(
        f"landing.{contract.table}",
        landing_columns(contract),
        "ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(arrived)"
        " ORDER BY (event_day, log_epoch, partition, offset)",
    )


def built_ddl(contract: Contract) -> str:
    """Create `built.<table>`: the rows of every build side by side; a release points at one build a day."""
    return _create(
        f"built.{contract.table}",
        built_columns(contract),
        "ENGINE = MergeTree PARTITION BY toYYYYMM(event_day)"
        " ORDER BY (event_day, build_id, partition, offset)",
    )


def added_fields(contract: Contract) -> list[str]:
    """Add the columns of fields the tables do not have yet; safe to run when they have them all."""
    return [
        f"ALTER TABLE {database}.{contract.table} ADD COLUMN IF NOT EXISTS `{name}` {kind} AFTER `{before}`"
        for database in ("landing", "built")
        for (name, kind), before in zip(field_columns(contract), _before(contract), strict=True)
    ]


def contract_statements(contract: Contract) -> list[str]:
    """Bring the tables of a contract to its present form; each statement is safe to run twice."""
    return [landing_ddl(contract), built_ddl(contract), *added_fields(contract), *retention(contract)]


def retention(contract: Contract) -> list[str]:
    """Keep landed events for the contract's retention after their arrival; whole months go at once.

    Files that still hold a younger event stay as they are, so a build finds what the ledger says is there.
    """
    table = f"landing.{contract.table}"
    return [
        f"ALTER TABLE {table} MODIFY SETTING ttl_only_drop_parts = 1",
        f"ALTER TABLE {table} MODIFY TTL toDateTime(arrived) + INTERVAL {_days(contract)} DAY"
        " SETTINGS materialize_ttl_after_modify = 0",
    ]


def shared_retention(contracts: Collection[Contract]) -> list[str]:
    """Keep rejected events and ticks as long as the events of their feed."""
    days = ", ".join(str(_days(contract)) for contract in contracts)
    longest = max(_days(contract) for contract in contracts)
    names = {
        "rejected": ("feed", [contract.feed for contract in contracts]),
        "tick": ("topic", [contract.topic for contract in contracts]),
    }
    return [
        f"ALTER TABLE landing.{table} MODIFY TTL toDateTime(arrived) + toIntervalDay(transform({column},"
        f" [{_texts(values)}], [{days}], {longest}))"
        " SETTINGS materialize_ttl_after_modify = 0"
        for table, (column, values) in names.items()
    ]


def _texts(values: Collection[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _days(contract: Contract) -> int:
    """The retention in whole days, rounded up."""
    return -(-contract.retention // timedelta(days=1))


def _before(contract: Contract) -> list[str]:
    return [_ENVELOPE[-1][0], *(field.name for field in contract.fields[:-1])]


def _create(name: str, columns: list[tuple[str, str]], engine: str) -> str:
    lines = ",\n".join(f"    `{column}` {kind}" for column, kind in columns)
    return f"CREATE TABLE IF NOT EXISTS {name}\n(\n{lines}\n)\n{engine}"
